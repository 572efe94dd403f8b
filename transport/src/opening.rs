//! Listeners and connections from what only knows the system's errors.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;

use crate::endpoint::Endpoint;
use crate::error::{Cause, Operation, TransportError};
use crate::link::Link;
use crate::transport::{Connecting, Listener};

/// A place to connect to, as far as a transport's own part of it goes.
/// [`listening`] makes a [`Listener`] of it.
///
/// Taking a connection has two steps here: who is next, and a link to it. So the
/// listener can tell what is wrong with itself from what is wrong with one caller,
/// and keep a caller for whom there is no room yet.
pub trait Accepting: Send + 'static {
    /// Who connects, known by a ticket, an address, a socket …
    type Caller: Send;

    /// The descriptor that is readable while callers wait. It stays the same.
    fn fd(&self) -> RawFd;

    /// Takes the caller who has waited longest. Never blocks.
    ///
    /// # Errors
    /// `WouldBlock`: nobody waits, and the next one makes the descriptor readable.
    /// Out of descriptors or memory: asked again later. Any other is the end of
    /// the listener.
    fn next(&mut self) -> io::Result<Self::Caller>;

    /// Opens the link to a caller. `at` is where it listens, for
    /// [`PeerAddress`](crate::PeerAddress). Never blocks.
    ///
    /// # Errors
    /// Out of descriptors or memory: called again later for the same caller. Any
    /// other: this caller is gone.
    fn admit(&mut self, caller: &Self::Caller, at: &Endpoint) -> io::Result<Box<dyn Link>>;

    /// Takes its name away, so that nobody comes any more. Called once, at the
    /// end; who still waits then is admitted, and loses the link at once.
    fn close(&mut self);
}

/// A connection on its way to one address, as far as a transport's own part of it
/// goes. [`connecting`] makes a [`Connecting`] of it. Dropping it gives up.
pub trait Opening: Send + 'static {
    /// The descriptor to wait for, in both directions. It stays the same.
    fn fd(&self) -> RawFd;

    /// Opens the link to `to`, if the other side has answered. Never blocks.
    ///
    /// # Errors
    /// `WouldBlock`: not yet, and an event on the descriptor tells when. Any other:
    /// the connection has failed.
    fn open(&mut self, to: &Endpoint) -> io::Result<Box<dyn Link>>;
}

/// The listener at `at`, where wildcards have real values by now.
///
/// Its errors name the endpoint, and it repeats what a signal interrupted. It
/// passes over up to 16 callers in a row who are gone; then its user gets the turn
/// back ([`Cause::PeersGone`]).
///
/// # Errors
/// That of `accepting`, as one of [`Operation::Bind`].
pub fn listening<A: Accepting>(
    at: &Endpoint,
    accepting: io::Result<A>,
) -> Result<Box<dyn Listener>, TransportError> {
    let accepting = accepting.map_err(failed(Operation::Bind, at))?;
    Ok(Box::new(Listening {
        accepting,
        endpoint: at.clone(),
        waiting: None,
    }))
}

/// The connection to `to`. There is no other address to try when its user's
/// patience is at an end: then it has timed out.
///
/// Its errors name the endpoint, and it repeats what a signal interrupted.
///
/// # Errors
/// That of `opening`, as one of [`Operation::Connect`].
pub fn connecting<O: Opening>(
    to: &Endpoint,
    opening: io::Result<O>,
) -> Result<Box<dyn Connecting>, TransportError> {
    let opening = opening.map_err(failed(Operation::Connect, to))?;
    Ok(Box::new(OnItsWay {
        opening,
        endpoint: to.clone(),
    }))
}

struct Listening<A: Accepting> {
    accepting: A,
    endpoint: Endpoint,
    /// Who could not be admitted for want of descriptors or memory.
    waiting: Option<A::Caller>,
}

impl<A: Accepting> Listening<A> {
    fn next(&mut self) -> io::Result<A::Caller> {
        match self.waiting.take() {
            Some(caller) => Ok(caller),
            None => uninterrupted(|| self.accepting.next()),
        }
    }

    fn admit(&mut self, caller: &A::Caller) -> Result<Box<dyn Link>, TransportError> {
        uninterrupted(|| self.accepting.admit(caller, &self.endpoint))
            .map_err(failed(Operation::Accept, &self.endpoint))
    }
}

impl<A: Accepting> Listener for Listening<A> {
    fn fd(&self) -> RawFd {
        self.accepting.fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        for _ in 0..MAX_SKIPPED {
            let caller = match self.next() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                next => next.map_err(failed(Operation::Accept, &self.endpoint))?,
            };
            match self.admit(&caller) {
                Ok(link) => return Ok(Some(link)),
                Err(error) if error.is_exhausted() => {
                    self.waiting = Some(caller);
                    return Err(error);
                }
                // Gone; and `None` would say that nobody else waits.
                Err(_) => {}
            }
        }
        let gone = Cause::PeersGone { count: MAX_SKIPPED };
        Err(TransportError::new(Operation::Accept, &self.endpoint, gone))
    }
}

impl<A: Accepting> Drop for Listening<A> {
    fn drop(&mut self) {
        self.accepting.close();
        for _ in 0..MAX_WAITING {
            let Ok(caller) = self.next() else { return };
            // Who is let in and out learns that it is over.
            let _ = self.admit(&caller);
        }
    }
}

struct OnItsWay<O> {
    opening: O,
    endpoint: Endpoint,
}

impl<O: Opening> Connecting for OnItsWay<O> {
    fn fd(&self) -> RawFd {
        self.opening.fd()
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        match uninterrupted(|| self.opening.open(&self.endpoint)) {
            Ok(link) => Ok(Some(link)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(failed(Operation::Connect, &self.endpoint)(error)),
        }
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        let (operation, cause) = (Operation::Connect, Cause::TimedOut);
        Err(TransportError::new(operation, &self.endpoint, cause))
    }
}

fn failed(operation: Operation, endpoint: &Endpoint) -> impl Fn(io::Error) -> TransportError {
    move |error| TransportError::from_io(operation, endpoint, &error)
}

/// Repeats what a signal interrupted.
fn uninterrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

const MAX_SKIPPED: u32 = 16;

/// More than a pipe or a backlog holds: the end of a listener has an end itself.
const MAX_WAITING: u32 = 65_536;

#[cfg(test)]
mod tests;
