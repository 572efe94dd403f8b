//! One socket's end of an inproc connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::sync::Arc;

use ferromq_transport::{Endpoint, Link, PeerAddress};

use super::bell::Bell;
use super::lane::{Lane, Writing};
use crate::Frame;

/// A link for the handshake; then its socket finds out ([`End::of`]) that it
/// may hand bodies over instead of writing them.
pub(crate) struct End {
    incoming: Arc<Lane>,
    outgoing: Arc<Lane>,
    bell: Arc<Bell>,
    peer: PeerAddress,
    /// Bodies that nobody wants, for an owner that holds no lock to drop.
    finished: Vec<Frame>,
    shut: bool,
}

impl End {
    /// Two ends of a new connection.
    pub(super) fn pair(endpoint: &Endpoint) -> io::Result<(Self, Self)> {
        let (one, other) = (Arc::new(Bell::new()?), Arc::new(Bell::new()?));
        let there = Arc::new(Lane::new(other.clone(), one.clone()));
        let back = Arc::new(Lane::new(one.clone(), other.clone()));
        let end = |incoming: &Arc<Lane>, outgoing: &Arc<Lane>, bell| Self {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            bell,
            peer: PeerAddress::new(endpoint.clone()),
            finished: Vec::new(),
            shut: false,
        };
        Ok((end(&back, &there, one), end(&there, &back, other)))
    }

    /// The end that `link` is, if it is one.
    pub(crate) fn of(link: &mut dyn Link) -> Option<&mut Self> {
        link.as_any_mut()?.downcast_mut()
    }

    /// How many messages may wait to be read; 0 for any number.
    pub(crate) fn set_capacity(&self, messages: usize) {
        self.incoming.set_capacity(messages);
    }

    /// Begins to hand over.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn begin(&self) -> io::Result<Writing<'_>> {
        self.outgoing.begin()
    }

    /// The body of `len` bytes that comes next, if it was handed over.
    pub(crate) fn take_body(&self, len: u64) -> Option<Frame> {
        self.incoming.take_body(len)
    }

    /// Whether the peer has closed: nothing comes but what waits.
    pub(crate) fn has_ended(&self) -> bool {
        self.incoming.has_ended()
    }

    /// The bodies that were not delivered, once the link has been shut down.
    pub(crate) fn take_undelivered(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.finished)
    }

    /// Whether anybody still has the other end.
    pub(super) fn has_peer(&self) -> bool {
        self.outgoing.is_read()
    }

    /// Makes whoever watches the other end look.
    pub(super) fn ring_peer(&self) {
        self.outgoing.ring_reader();
    }
}

impl Link for End {
    fn fd(&self) -> RawFd {
        self.bell.fd()
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buf)])
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if self.shut {
            return Ok(0);
        }
        self.incoming.read(bufs, &mut self.finished)
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut writing = self.outgoing.begin()?;
        if writing.room() == 0 {
            writing.await_room();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        bufs.iter().for_each(|buf| writing.bytes(buf));
        writing.finish();
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn shutdown(&mut self) {
        if !std::mem::replace(&mut self.shut, true) {
            self.outgoing.end_writing();
            self.finished.extend(self.incoming.end_reading());
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shutdown();
    }
}
