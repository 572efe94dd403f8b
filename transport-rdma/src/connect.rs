//! Connecting: a way is looked for, slots are posted, and the greetings are exchanged.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;

use ferromq_transport::{
    Cause, Connecting, Endpoint, Link, LinkOptions, Operation, Route, TransportError,
};

use crate::channel::{Channel, Over, Room};
use crate::gather::Gathered;
use crate::hello::Hello;
use crate::lending::Lending;
use crate::link::{Open, RdmaLink};
use crate::verbs::Dialling;
use crate::{Inner, failed, room_of};

/// A connection on its way, to one address after the other.
pub(crate) struct RdmaConnecting {
    inner: Arc<Inner>,
    endpoint: Endpoint,
    room: Room,
    sources: Vec<SocketAddr>,
    /// Addresses that were not tried yet, the last one first.
    left: Vec<SocketAddr>,
    attempt: Attempt,
}

/// One address.
struct Attempt {
    phase: Phase,
    /// `None` once the link has it.
    gathered: Option<Gathered>,
}

enum Phase {
    Routing(Box<dyn Dialling>),
    Greeting(Box<Channel>),
    /// The link has it.
    Gone,
}

impl RdmaConnecting {
    pub(crate) fn start(
        route: &Route,
        options: &LinkOptions,
        inner: Arc<Inner>,
    ) -> Result<Self, TransportError> {
        let none = || {
            let (operation, cause) = (Operation::Connect, Cause::NoUsableAddress);
            TransportError::new(operation, &route.endpoint, cause)
        };
        let mut left: Vec<_> = route.addresses.iter().rev().copied().collect();
        let mut result = Err(none());
        while result.is_err()
            && let Some(to) = left.pop()
        {
            result = Attempt::start(&inner, to, &route.sources)
                .map_err(|error| failed(Operation::Connect, &route.endpoint, &error));
        }
        Ok(Self {
            attempt: result?,
            inner,
            endpoint: route.endpoint.clone(),
            room: room_of(options),
            sources: route.sources.clone(),
            left,
        })
    }

    /// Goes on with the next address after this failure.
    fn try_next(&mut self, mut failure: TransportError) -> Result<(), TransportError> {
        while let Some(to) = self.left.pop() {
            match Attempt::start(&self.inner, to, &self.sources) {
                // The new descriptor exists before the old one is closed.
                Ok(attempt) => {
                    self.attempt = attempt;
                    return Ok(());
                }
                Err(error) => failure = failed(Operation::Connect, &self.endpoint, &error),
            }
        }
        Err(failure)
    }
}

impl Attempt {
    fn start(inner: &Inner, to: SocketAddr, sources: &[SocketAddr]) -> io::Result<Self> {
        let same = |from: &&SocketAddr| from.is_ipv4() == to.is_ipv4();
        let source = sources.iter().find(same).copied();
        let chosen = inner.source.filter(|from| from.is_ipv4() == to.is_ipv4());
        let from = source.or(chosen.map(|address| SocketAddr::new(address, 0)));
        let dialling = inner.provider.dial(to, from)?;
        let gathered = Gathered::new(dialling.fd())?;
        Ok(Self {
            phase: Phase::Routing(dialling),
            gathered: Some(gathered),
        })
    }

    /// The open channel, once it stands, and its descriptor. `None`: not yet.
    fn go_on(&mut self, inner: &Inner, room: Room) -> io::Result<Option<(Channel, Gathered)>> {
        let Some(gathered) = &self.gathered else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if let Phase::Routing(dialling) = &mut self.phase {
            let Some(queue) = dialling.poll_routed(room.sizes())? else {
                return Ok(None);
            };
            let tally = inner.tally.clone();
            let mut channel = Channel::new(queue, gathered, room, tally)?;
            channel.establish()?;
            self.phase = Phase::Greeting(Box::new(channel));
        }
        let Phase::Greeting(channel) = &mut self.phase else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let word = channel.take_events();
        if let Some(Over::Failed(error)) = channel.over() {
            return Err(error.into());
        }
        let Some(word) = word else { return Ok(None) };
        let theirs = Hello::decode(&word)?;
        match (
            std::mem::replace(&mut self.phase, Phase::Gone),
            self.gathered.take(),
        ) {
            (Phase::Greeting(mut channel), Some(gathered)) => {
                channel.meet(theirs.presuming(inner.presumed));
                Ok(Some((*channel, gathered)))
            }
            _ => Ok(None),
        }
    }
}

impl Connecting for RdmaConnecting {
    fn fd(&self) -> RawFd {
        self.attempt.gathered.as_ref().map_or(-1, Gathered::fd)
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let (channel, gathered) = match self.attempt.go_on(&self.inner, self.room) {
            Ok(None) => return Ok(None),
            Ok(Some(open)) => open,
            Err(error) => {
                let failure = failed(Operation::Connect, &self.endpoint, &error);
                self.try_next(failure)?;
                return Ok(None);
            }
        };
        let lending = Lending::new(self.inner.arena.clone(), self.inner.keys);
        let open = Open::new(channel, lending);
        let closer = self.inner.closer.clone();
        let link = RdmaLink::new(open, gathered, &self.endpoint, closer);
        Ok(Some(Box::new(link.connected_to(&self.endpoint))))
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        let (operation, cause) = (Operation::Connect, Cause::TimedOut);
        let failure = TransportError::new(operation, &self.endpoint, cause);
        self.try_next(failure)
    }
}
