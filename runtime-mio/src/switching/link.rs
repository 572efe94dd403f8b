//! A connection that took the shorter path.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::time::Duration;

use ferromq_transport::{Endpoint, Link, Memory, PeerAddress, Wait};

use super::Reservation;

/// Bytes go over the short link. The one on which the peers met carries nothing any
/// more: it says who the peer is, and its end is the end of both.
pub(crate) struct SwitchedLink {
    short: Box<dyn Link>,
    /// `None` after a shutdown.
    met: Option<Box<dyn Link>>,
    peer: PeerAddress,
    /// The old connection is over: what lies in the short one is still read.
    ended: bool,
    _memory: Option<Reservation>,
}

impl SwitchedLink {
    pub(crate) fn new(
        short: Box<dyn Link>,
        met: Box<dyn Link>,
        memory: Option<Reservation>,
    ) -> Self {
        let peer = PeerAddress::new(met.peer().endpoint.clone());
        let known = short.peer().credentials.or(met.peer().credentials);
        Self {
            peer: match known {
                Some(credentials) => peer.with_credentials(credentials),
                None => peer,
            },
            short,
            met: Some(met),
            ended: false,
            _memory: memory,
        }
    }

    /// What was read, or the end where there is nothing more and will not be.
    fn or_end(&self, read: io::Result<usize>) -> io::Result<usize> {
        match read {
            Err(error) if self.ended && error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            read => read,
        }
    }
}

impl Link for SwitchedLink {
    fn fd(&self) -> RawFd {
        self.short.fd()
    }

    fn end_fd(&self) -> Option<RawFd> {
        self.met.as_ref().map(|met| met.fd())
    }

    fn wake_fd(&self) -> Option<RawFd> {
        self.short.wake_fd()
    }

    fn wake_by_it(&mut self) {
        self.short.wake_by_it();
    }

    fn room_makes_readable(&self) -> bool {
        self.short.room_makes_readable()
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.short.read(buf);
        self.or_end(read)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let read = self.short.read_vectored(bufs);
        self.or_end(read)
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.short.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.short.write_vectored(bufs)
    }

    fn needs_prepare(&self) -> bool {
        self.short.needs_prepare()
    }

    fn prepare_wait(&mut self) -> Wait {
        match (self.short.prepare_wait(), self.ended) {
            (wait, false) => wait,
            (_, true) => Wait::Ready,
        }
    }

    fn begin_polling(&mut self) {
        self.short.begin_polling();
    }

    fn handle_hangup(&mut self) {
        self.short.handle_hangup();
        if let Some(met) = &mut self.met {
            met.handle_hangup();
            // Whatever is there instead of nothing, nobody ought to have sent it.
            let nothing = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
            self.ended |= !met.read(&mut [0]).is_err_and(|error| nothing(&error));
        }
    }

    fn wait_direct(&mut self, timeout: Option<Duration>) -> Option<io::Result<()>> {
        self.short.wait_direct(timeout)
    }

    fn after_wake(&mut self) {
        self.short.after_wake();
    }

    fn set_read_low_water(&mut self, bytes: usize) {
        self.short.set_read_low_water(bytes);
    }

    fn shares_core(&self) -> bool {
        self.short.shares_core()
    }

    fn has_room(&self) -> bool {
        self.short.has_room()
    }

    fn longest_write(&self) -> usize {
        self.short.longest_write()
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn local_endpoint(&self) -> Option<Endpoint> {
        self.met.as_ref()?.local_endpoint()
    }

    fn memory(&mut self) -> Option<&mut dyn Memory> {
        self.short.memory()
    }

    fn unsent(&self) -> usize {
        self.short.unsent()
    }

    fn shutdown(&mut self) {
        self.ended = true;
        // In this order: what the peer finds at the end of the old one is all there.
        match self.met.take() {
            Some(met) => self.short.shutdown_before(met),
            None => self.short.shutdown(),
        }
    }
}

impl Drop for SwitchedLink {
    fn drop(&mut self) {
        self.shutdown();
    }
}
