use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex};

use super::*;
use crate::link::PeerAddress;

/// A link that has ended.
struct Ended(PeerAddress);

impl Link for Ended {
    fn fd(&self) -> RawFd {
        -1
    }

    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn read_vectored(&mut self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(0)
    }

    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn peer(&self) -> &PeerAddress {
        &self.0
    }

    fn shutdown(&mut self) {}
}

fn endpoint() -> Endpoint {
    "fifo:///run/door".parse().unwrap()
}

fn ended(endpoint: &Endpoint) -> Box<dyn Link> {
    Box::new(Ended(PeerAddress::new(endpoint.clone())))
}

fn exhausted() -> io::Error {
    const EMFILE: i32 = 24;
    io::Error::from_raw_os_error(EMFILE)
}

/// What was called, in order.
type Calls = Arc<Mutex<Vec<String>>>;

/// Callers who come and go by a script.
#[derive(Default)]
struct Scripted {
    /// Callers, and what happens instead of the next one. Then nobody comes.
    next: VecDeque<io::Result<u32>>,
    /// What goes wrong with those who are admitted, in order. Then nothing does.
    admitted: VecDeque<io::Error>,
    calls: Calls,
}

impl Scripted {
    fn callers(callers: impl IntoIterator<Item = u32>) -> Self {
        Self {
            next: callers.into_iter().map(Ok).collect(),
            ..Self::default()
        }
    }

    fn failing(mut self, errors: impl IntoIterator<Item = io::Error>) -> Self {
        self.admitted.extend(errors);
        self
    }

    /// At its endpoint, and what will have been called.
    fn listening(self) -> (Box<dyn Listener>, Calls) {
        let calls = self.calls.clone();
        (listening(&endpoint(), Ok(self)).unwrap(), calls)
    }

    fn call(&self, call: impl ToString) {
        self.calls.lock().unwrap().push(call.to_string());
    }
}

impl Accepting for Scripted {
    type Caller = u32;

    fn fd(&self) -> RawFd {
        42
    }

    fn next(&mut self) -> io::Result<u32> {
        let nobody = Err(ErrorKind::WouldBlock.into());
        self.next.pop_front().unwrap_or(nobody)
    }

    fn admit(&mut self, caller: &u32, at: &Endpoint) -> io::Result<Box<dyn Link>> {
        self.call(caller);
        match self.admitted.pop_front() {
            Some(error) => Err(error),
            None => Ok(ended(at)),
        }
    }

    fn close(&mut self) {
        self.call("close");
    }
}

/// A connection that these errors come before.
struct Awaited(VecDeque<ErrorKind>);

impl Awaited {
    fn connecting(errors: impl IntoIterator<Item = ErrorKind>) -> Box<dyn Connecting> {
        connecting(&endpoint(), Ok(Self(errors.into_iter().collect()))).unwrap()
    }
}

impl Opening for Awaited {
    fn fd(&self) -> RawFd {
        42
    }

    fn open(&mut self, to: &Endpoint) -> io::Result<Box<dyn Link>> {
        match self.0.pop_front() {
            Some(kind) => Err(kind.into()),
            None => Ok(ended(to)),
        }
    }
}

/// Whether there was a link, or the error; either names the endpoint.
#[track_caller]
fn told(opened: Result<Option<Box<dyn Link>>, TransportError>) -> Result<bool, Cause> {
    match opened {
        Ok(None) => Ok(false),
        Ok(Some(link)) => {
            assert_eq!(link.peer().endpoint, endpoint());
            Ok(true)
        }
        Err(error) => {
            assert_eq!(error.endpoint(), &endpoint());
            Err(error.cause())
        }
    }
}

#[test]
fn what_cannot_begin_at_all_names_the_operation_and_the_cause() {
    let denied = || io::Error::from(ErrorKind::PermissionDenied);
    let bound = listening(&endpoint(), Err::<Scripted, _>(denied()));
    let connected = connecting(&endpoint(), Err::<Awaited, _>(denied()));
    for (error, operation) in [
        (bound.err().unwrap(), Operation::Bind),
        (connected.err().unwrap(), Operation::Connect),
    ] {
        assert_eq!(error.operation(), operation);
        assert_eq!(told(Err(error)), Err(Cause::PermissionDenied));
    }
}

#[test]
fn a_listener_admits_one_caller_a_call_and_tells_when_nobody_waits() {
    let (mut listener, calls) = Scripted::callers([1, 2]).listening();
    assert_eq!(
        (listener.fd(), listener.local_endpoint()),
        (42, &endpoint())
    );
    assert_eq!(told(listener.accept()), Ok(true));
    assert_eq!(*calls.lock().unwrap(), ["1"]);
    assert_eq!(told(listener.accept()), Ok(true));
    assert_eq!(told(listener.accept()), Ok(false));
    assert_eq!(*calls.lock().unwrap(), ["1", "2"]);
}

#[test]
fn who_is_gone_is_passed_over_but_not_for_ever() {
    let gone = |count| (0..count).map(|_| io::Error::from(ErrorKind::NotFound));
    let (mut listener, _) = Scripted::callers(0..16).failing(gone(15)).listening();
    assert_eq!(told(listener.accept()), Ok(true));
    let (mut listener, _) = Scripted::callers(0..15).failing(gone(15)).listening();
    assert_eq!(told(listener.accept()), Ok(false));
    let (mut listener, _) = Scripted::callers(0..17).failing(gone(16)).listening();
    let error = listener.accept().err().unwrap();
    assert!(error.is_refused());
    assert_eq!(told(Err(error)), Err(Cause::PeersGone { count: 16 }));
    assert_eq!(told(listener.accept()), Ok(true));
}

#[test]
fn who_cannot_be_admitted_for_want_of_descriptors_is_admitted_first_later() {
    let callers = Scripted::callers([1, 2]).failing([exhausted(), exhausted()]);
    let (mut listener, calls) = callers.listening();
    for _ in 0..2 {
        let error = listener.accept().err().unwrap();
        assert!(error.is_exhausted());
        assert_eq!(error.operation(), Operation::Accept);
    }
    assert_eq!(told(listener.accept()), Ok(true));
    assert_eq!(told(listener.accept()), Ok(true));
    assert_eq!(told(listener.accept()), Ok(false));
    assert_eq!(*calls.lock().unwrap(), ["1", "1", "1", "2"]);
}

#[test]
fn a_listener_tells_what_is_wrong_with_itself() {
    let mut broken = Scripted::callers([]);
    broken.next.push_back(Err(ErrorKind::Interrupted.into()));
    broken
        .next
        .push_back(Err(ErrorKind::PermissionDenied.into()));
    let (mut listener, calls) = broken.listening();
    let error = listener.accept().err().unwrap();
    assert_eq!(error.operation(), Operation::Accept);
    assert_eq!(told(Err(error)), Err(Cause::PermissionDenied));
    assert!(calls.lock().unwrap().is_empty());
}

#[test]
fn who_still_waits_at_the_end_is_let_in_and_out() {
    let gone = ErrorKind::NotFound.into();
    let callers = Scripted::callers([1, 2, 3]).failing([exhausted(), gone]);
    let (mut listener, calls) = callers.listening();
    assert!(listener.accept().err().unwrap().is_exhausted());
    drop(listener);
    assert_eq!(*calls.lock().unwrap(), ["1", "close", "1", "2", "3"]);
}

#[test]
fn a_listener_that_callers_never_leave_alone_ends_all_the_same() {
    let (listener, calls) = Scripted::callers(0..MAX_WAITING + 10).listening();
    drop(listener);
    assert_eq!(calls.lock().unwrap().len(), 1 + MAX_WAITING as usize);
}

#[test]
fn a_connection_stands_when_it_is_answered() {
    let mut connection = Awaited::connecting([ErrorKind::WouldBlock, ErrorKind::Interrupted]);
    assert_eq!(connection.fd(), 42);
    assert_eq!(told(connection.poll_connected()), Ok(false));
    assert_eq!(told(connection.poll_connected()), Ok(true));
}

#[test]
fn a_connection_that_fails_or_takes_too_long_says_so() {
    let mut connection = Awaited::connecting([ErrorKind::ConnectionRefused]);
    let error = connection.poll_connected().err().unwrap();
    assert_eq!(error.operation(), Operation::Connect);
    assert_eq!(told(Err(error)), Err(Cause::ConnectionRefused));

    let error = Awaited::connecting([]).timed_out().err().unwrap();
    assert_eq!(error.operation(), Operation::Connect);
    assert_eq!(told(Err(error)), Err(Cause::TimedOut));
}
