//! A transport with one thing wrong with it.

#![allow(dead_code, reason = "each suite is tried with faults of its own")]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ferromq_transport::conformance::{Subject, Vouching};
use ferromq_transport::{
    Connecting, Endpoint, Link, LinkOptions, Listener, PeerAddress, Route, Transport,
    TransportError, Wait,
};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    LosesAByte,
    SwapsTwoBytes,
    KeepsTheLastByteBack,
    DeliversAfterTheEnd,
    NeverWakes,
    ClaimsToBeEmpty,
    ClaimsToBeFull,
    CutsReadsWithoutWaking,
    ForgetsWhatCameMeanwhile,
    Blocks,
    TakesEverything,
    AnswersZero,
    SaysInterrupted,
    IgnoresShutdown,
    ForgetsToCountDown,
    OverlooksConnections,
    NeverStopsListening,
    BindsTwice,
    BlamesAnotherEndpoint,
    DeniesPeers,
}

/// A subject whose transport has the fault.
pub(crate) struct Planted<S>(pub(crate) S, pub(crate) Fault);

impl<S: Subject> Subject for Planted<S> {
    fn name(&self) -> String {
        format!("{} ({:?})", self.0.name(), self.1)
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Broken(self.0.transport(), self.1))
    }

    fn fresh_endpoint(&self) -> Endpoint {
        self.0.fresh_endpoint()
    }

    fn vouching(&self) -> Vouching {
        self.0.vouching()
    }

    fn leftovers(&self) -> Vec<String> {
        self.0.leftovers()
    }
}

struct Broken(Arc<dyn Transport>, Fault);

impl Transport for Broken {
    fn schemes(&self) -> &'static [&'static str] {
        self.0.schemes()
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        self.0.resolve(endpoint)
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        let listener = match (self.0.bind(endpoint, options), self.1) {
            (Err(_), Fault::BindsTwice) => self.0.bind(&elsewhere(), options)?,
            (Err(error), Fault::BlamesAnotherEndpoint) => {
                let (operation, cause) = (error.operation(), error.cause());
                return Err(TransportError::new(operation, &elsewhere(), cause));
            }
            (other, _) => other?,
        };
        Ok(Box::new(BrokenListener {
            inner: Some(listener),
            fault: self.1,
            overlooked: false,
        }))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        let connecting = self.0.connect(route, options)?;
        Ok(Box::new(BrokenConnecting(connecting, self.1)))
    }
}

fn elsewhere() -> Endpoint {
    "ipc://*".parse().unwrap()
}

struct BrokenListener {
    inner: Option<Box<dyn Listener>>,
    fault: Fault,
    overlooked: bool,
}

impl BrokenListener {
    fn inner(&self) -> &dyn Listener {
        &**self.inner.as_ref().unwrap()
    }
}

impl Listener for BrokenListener {
    fn fd(&self) -> RawFd {
        self.inner().fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        self.inner().local_endpoint()
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let link = self.inner.as_mut().unwrap().accept()?;
        if link.is_some() && self.fault == Fault::OverlooksConnections && !self.overlooked {
            self.overlooked = true;
            return Ok(None);
        }
        Ok(link.map(|link| BrokenLink::boxed(link, self.fault)))
    }
}

impl Drop for BrokenListener {
    fn drop(&mut self) {
        if self.fault == Fault::NeverStopsListening {
            std::mem::forget(self.inner.take());
        }
    }
}

struct BrokenConnecting(Box<dyn Connecting>, Fault);

impl Connecting for BrokenConnecting {
    fn fd(&self) -> RawFd {
        self.0.fd()
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let link = self.0.poll_connected()?;
        Ok(link.map(|link| BrokenLink::boxed(link, self.1)))
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        self.0.timed_out()
    }
}

struct BrokenLink {
    inner: Box<dyn Link>,
    fault: Fault,
    peer: PeerAddress,
    /// A descriptor that nothing ever happens to.
    mute: (UnixStream, UnixStream),
    read: usize,
    calls: usize,
    held_back: Option<u8>,
    /// Taken from the carrier, and nobody was told.
    taken: Vec<u8>,
    ended: bool,
}

impl BrokenLink {
    fn boxed(inner: Box<dyn Link>, fault: Fault) -> Box<dyn Link> {
        Box::new(Self {
            peer: match fault {
                Fault::DeniesPeers => PeerAddress::new(inner.peer().endpoint.clone()),
                _ => inner.peer().clone(),
            },
            mute: UnixStream::pair().unwrap(),
            inner,
            fault,
            read: 0,
            calls: 0,
            held_back: None,
            taken: Vec::new(),
            ended: false,
        })
    }

    /// True once in a while.
    fn now_and_then(&mut self) -> bool {
        self.calls += 1;
        self.calls.is_multiple_of(5)
    }

    /// Does what is to be done once, in the middle of the stream.
    fn spoil(&mut self, buf: &mut [u8], read: usize) -> usize {
        const AT: usize = 10_000;
        let from = self.read;
        self.read += read;
        if !(from..self.read).contains(&AT) {
            return read;
        }
        let at = AT - from;
        match self.fault {
            Fault::LosesAByte if read > 1 => {
                buf.copy_within(at + 1..read, at);
                read - 1
            }
            Fault::SwapsTwoBytes => {
                let differ = |&i: &usize| buf[i] != buf[i + 1];
                match (at..read - 1).find(differ) {
                    Some(at) => buf.swap(at, at + 1),
                    // Not here, then.
                    None => self.read -= read,
                }
                read
            }
            _ => read,
        }
    }
}

fn would_block() -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

impl Link for BrokenLink {
    fn fd(&self) -> RawFd {
        match self.fault {
            Fault::NeverWakes => self.mute.0.as_raw_fd(),
            _ => self.inner.fd(),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let now = self.now_and_then();
        if !self.taken.is_empty() {
            let len = self.taken.len().min(buf.len());
            buf[..len].copy_from_slice(&self.taken[..len]);
            self.taken.drain(..len);
            return Ok(len);
        }
        let asked = match self.fault {
            Fault::ClaimsToBeEmpty if now => return would_block(),
            Fault::CutsReadsWithoutWaking if now => buf.len().div_ceil(2),
            Fault::DeliversAfterTheEnd if self.ended => return Ok(1),
            _ => buf.len(),
        };
        match self.inner.read(&mut buf[..asked]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.fault {
                Fault::Blocks => loop {
                    std::thread::park();
                },
                Fault::SaysInterrupted => Err(io::ErrorKind::Interrupted.into()),
                _ => Err(error),
            },
            Ok(0) => {
                self.ended = true;
                Ok(0)
            }
            Ok(read) => Ok(self.spoil(buf, read)),
            other => other,
        }
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match bufs.iter_mut().find(|buf| !buf.is_empty()) {
            Some(buf) => self.read(buf),
            None => Ok(0),
        }
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let now = self.now_and_then();
        match self.fault {
            Fault::ClaimsToBeFull if now => return would_block(),
            Fault::KeepsTheLastByteBack if !buf.is_empty() => {
                if let Some(byte) = self.held_back.take() {
                    self.inner.write(&[byte])?;
                }
                let written = match buf.len() {
                    1 => 0,
                    len => self.inner.write(&buf[..len - 1])?,
                };
                if written + 1 == buf.len() {
                    self.held_back = buf.last().copied();
                    return Ok(buf.len());
                }
                return Ok(written);
            }
            _ => {}
        }
        match self.inner.write(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.fault {
                Fault::TakesEverything => Ok(buf.len()),
                Fault::AnswersZero => Ok(0),
                _ => Err(error),
            },
            other => other,
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match bufs.iter().find(|buf| !buf.is_empty()) {
            Some(buf) => self.write(buf),
            None => Ok(0),
        }
    }

    fn prepare_wait(&mut self) -> Wait {
        let mut buf = [0; 4096];
        if self.fault == Fault::ForgetsWhatCameMeanwhile
            && let Ok(read) = self.inner.read(&mut buf)
        {
            self.taken.extend(&buf[..read]);
        }
        self.inner.prepare_wait()
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn unsent(&self) -> usize {
        match self.fault {
            Fault::ForgetsToCountDown => 1,
            _ => self.inner.unsent(),
        }
    }

    fn shutdown(&mut self) {
        if self.fault != Fault::IgnoresShutdown {
            self.inner.shutdown();
        }
    }
}
