//! FerroMQ, with its default options: what an application gets.
//!
//! One message a call, as the others do it; there is no batch call here.

use std::marker::PhantomData;

use ferromq::{AnySocket, Context, Error, Frame, Options, SocketType};

use super::{Failure, IdleServer, Peer, Receiver, Replier, Requester, Sender};
use crate::job::Job;

/// The contender, which hands bodies over in the way `H`.
pub(crate) struct Ferromq<H>(PhantomData<H>);

/// Each body is sent from a borrowed slice (`send_bytes`).
pub(crate) struct Borrowing;

/// Each message shares the caller's body (`Frame::from_static`).
pub(crate) struct Sharing;

/// How a body gets into the socket.
pub(crate) trait HandOver {
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error>;
}

impl HandOver for Borrowing {
    #[inline]
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error> {
        socket.send_bytes(body)
    }
}

impl HandOver for Sharing {
    #[inline]
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error> {
        Ok(socket.send(Frame::from_static(body))?)
    }
}

impl<H: HandOver> Peer for Ferromq<H> {
    type Receiver = Bound;
    type Sender = Connected<H>;
    type Requester = Connected<H>;
    type Replier = Bound;

    fn bind_receiver(_: &Job, endpoint: &str) -> Result<(Bound, String), Failure> {
        Bound::new(SocketType::Pull, endpoint)
    }

    fn connect_sender(_: &Job, endpoint: &str) -> Result<Connected<H>, Failure> {
        Connected::new(SocketType::Push, endpoint)
    }

    fn bind_replier(_: &Job, endpoint: &str) -> Result<(Bound, String), Failure> {
        Bound::new(SocketType::Rep, endpoint)
    }

    fn connect_requester(_: &Job, endpoint: &str) -> Result<Connected<H>, Failure> {
        Connected::new(SocketType::Req, endpoint)
    }
}

/// A socket that bound.
pub(crate) struct Bound {
    socket: AnySocket,
    _context: Context,
}

impl Bound {
    fn new(socket_type: SocketType, endpoint: &str) -> Result<(Self, String), Failure> {
        let context = Context::new()?;
        let socket = context.any_socket(socket_type, Options::new())?;
        let endpoint = socket.bind(endpoint)?.to_string();
        let bound = Self {
            socket,
            _context: context,
        };
        Ok((bound, endpoint))
    }
}

impl Receiver for Bound {
    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.socket.recv()?.body_len())
    }
}

impl Replier for Bound {
    #[inline]
    fn serve(&mut self) -> Result<usize, Failure> {
        let message = self.socket.recv()?;
        let len = message.body_len();
        self.socket.send(message)?;
        Ok(len)
    }
}

impl IdleServer for Bound {
    fn bind(endpoint: &str) -> Result<(Self, String), Failure> {
        Self::new(SocketType::Pull, endpoint)
    }

    fn recv(&mut self) -> Result<usize, Failure> {
        Receiver::recv(self)
    }
}

/// A socket that connected.
pub(crate) struct Connected<H> {
    socket: AnySocket,
    _context: Context,
    hand_over: PhantomData<H>,
}

impl<H> Connected<H> {
    fn new(socket_type: SocketType, endpoint: &str) -> Result<Self, Failure> {
        let context = Context::new()?;
        let socket = context.any_socket(socket_type, Options::new())?;
        socket.connect(endpoint)?;
        Ok(Self {
            socket,
            _context: context,
            hand_over: PhantomData,
        })
    }
}

impl<H: HandOver> Sender for Connected<H> {
    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        Ok(H::send(&self.socket, body)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.socket.flush()?)
    }
}

impl<H: HandOver> Requester for Connected<H> {
    #[inline]
    fn round_trip(&mut self, request: &'static [u8]) -> Result<usize, Failure> {
        H::send(&self.socket, request)?;
        Ok(self.socket.recv()?.body_len())
    }
}
