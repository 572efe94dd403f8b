//! Those who come, talk and go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ferromq::{AnySocket, Context, Message, Options, SocketType};

use super::Done;
use super::hub::Hub;
use crate::body::{number_of, numbered};
use crate::random::Random;
use crate::{Failure, PATIENCE};

/// Most messages of a visit.
const MESSAGES: u64 = 40;
/// Bytes of most messages, and of the few that are long.
const BODY: (u64, u64) = (2 << 10, 300 << 10);

pub(super) struct Client<'a> {
    hub: &'a Hub,
    done: &'a Done,
    random: Random,
    next: u64,
}

impl<'a> Client<'a> {
    pub(super) fn new(hub: &'a Hub, done: &'a Done, random: Random) -> Self {
        Self {
            hub,
            done,
            random,
            next: 0,
        }
    }

    /// One socket's life.
    pub(super) fn visit(&mut self) -> Result<(), Failure> {
        // A context of its own is another process's, but for inproc.
        let own = match self.random.happens(10) {
            true => Some(Context::new()?),
            false => None,
        };
        let messages = self.random.within(1, MESSAGES);
        match self.random.within(0, 6) {
            0 => self.asks(own, messages, SocketType::Req, SocketType::Rep),
            1 => self.asks(own, messages, SocketType::Client, SocketType::Server),
            2 => self.asks_at_once(own, messages),
            3 => self.pushes(own, messages),
            4 => self.runs_away(own, messages),
            5 => self.comes_and_goes(own),
            _ => self.listens(own, messages),
        }?;
        self.done.visits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A socket that is connected to the hub's of this type.
    fn socket(
        &mut self,
        own: Option<Context>,
        socket_type: SocketType,
        hub: SocketType,
        options: Options,
    ) -> Result<AnySocket, Failure> {
        let endpoints = self.hub.endpoints(hub);
        let choices = endpoints.len() as u64 - if own.is_some() { 1 } else { 0 };
        let endpoint = &endpoints[self.random.within(0, choices - 1) as usize];
        let context = own.as_ref().unwrap_or(self.hub.context());
        let socket = context.any_socket(socket_type, options)?;
        if socket_type == SocketType::Sub {
            socket.subscribe("")?;
        }
        socket.connect(endpoint)?;
        Ok(socket)
    }

    fn body(&mut self) -> (u64, Vec<u8>) {
        self.next += 1;
        let most = if self.random.happens(2) {
            BODY.1
        } else {
            BODY.0
        };
        let len = self.random.within(8, most);
        (self.next, numbered(self.next, len as usize))
    }

    /// The next message is the echo of this one.
    fn hears(&self, socket: &AnySocket, number: u64) -> Result<(), Failure> {
        let echo = socket.recv_timeout(PATIENCE)?;
        let heard = echo.frame(0).and_then(|body| number_of(body));
        if heard != Some(number) {
            return Err(format!("the echo of {number} is {heard:?}").into());
        }
        self.done.messages.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// One question after the other.
    fn asks(
        &mut self,
        own: Option<Context>,
        messages: u64,
        ours: SocketType,
        theirs: SocketType,
    ) -> Result<(), Failure> {
        let socket = self.socket(own, ours, theirs, Options::new())?;
        for _ in 0..messages {
            let (number, body) = self.body();
            socket.send_bytes(&body)?;
            self.hears(&socket, number)?;
        }
        Ok(())
    }

    /// All questions, then all answers, in order.
    fn asks_at_once(&mut self, own: Option<Context>, messages: u64) -> Result<(), Failure> {
        let socket = self.socket(own, SocketType::Dealer, SocketType::Router, Options::new())?;
        let mut asked = Vec::new();
        for _ in 0..messages {
            let (number, body) = self.body();
            socket.send_bytes(&body)?;
            asked.push(number);
        }
        asked
            .into_iter()
            .try_for_each(|number| self.hears(&socket, number))
    }

    /// What is sent arrives, although its sender goes at once.
    fn pushes(&mut self, own: Option<Context>, messages: u64) -> Result<(), Failure> {
        let options = Options::new().linger(None);
        let socket = self.socket(own, SocketType::Push, SocketType::Pull, options)?;
        for _ in 0..messages {
            let (_, body) = self.body();
            socket.send(Message::from([&b"counted"[..], &body]))?;
        }
        self.done.pushed.fetch_add(messages, Ordering::Relaxed);
        Ok(())
    }

    /// Goes without waiting for what it sent, nor for what it asked.
    fn runs_away(&mut self, own: Option<Context>, messages: u64) -> Result<(), Failure> {
        let options = Options::new().linger(Some(Duration::ZERO));
        let (ours, theirs) = match self.random.happens(50) {
            true => (SocketType::Dealer, SocketType::Router),
            false => (SocketType::Push, SocketType::Pull),
        };
        let socket = self.socket(own, ours, theirs, options)?;
        if self.random.happens(50) {
            let _ = socket.wait_for_peers(1, PATIENCE)?;
        }
        for _ in 0..messages {
            let (_, body) = self.body();
            socket.send_bytes(&body)?;
        }
        Ok(())
    }

    /// The same socket connects, asks, disconnects, and connects again.
    fn comes_and_goes(&mut self, own: Option<Context>) -> Result<(), Failure> {
        let socket = self.socket(own, SocketType::Dealer, SocketType::Router, Options::new())?;
        let endpoint = self.hub.endpoints(SocketType::Router)[0].clone();
        for _ in 0..3 {
            let (number, body) = self.body();
            socket.send_bytes(&body)?;
            self.hears(&socket, number)?;
            // It may be there twice, or not at all.
            let _ = socket.connect(&endpoint);
            let (number, body) = self.body();
            socket.send_bytes(&body)?;
            self.hears(&socket, number)?;
            let _ = socket.disconnect(&endpoint);
            socket.connect(&endpoint)?;
        }
        Ok(())
    }

    /// Ticks come in order.
    fn listens(&mut self, own: Option<Context>, messages: u64) -> Result<(), Failure> {
        let socket = self.socket(own, SocketType::Sub, SocketType::Pub, Options::new())?;
        let mut last = None;
        for _ in 0..messages {
            let tick = socket.recv_timeout(PATIENCE)?;
            let number = tick.frame(0).and_then(|body| number_of(body));
            if number.is_none() || number <= last {
                return Err(format!("{number:?} came after {last:?}").into());
            }
            last = number;
        }
        self.done.messages.fetch_add(messages, Ordering::Relaxed);
        Ok(())
    }
}
