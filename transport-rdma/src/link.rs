//! A connection, as an event loop sees it.
//!
//! A link arms and looks once more whenever it answers that there is nothing: so its
//! descriptor tells of whatever comes next to all who wait by it, and none of them has
//! to prepare, unless it has said that it looks again and again. What one call finds while it looks for something else (a read finds
//! credits, a write finds bytes) is told by an edge of our own.

mod memory;

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::sync::Arc;

use ferromq_transport::{Endpoint, Link, Memory, PeerAddress, Wait};

use crate::address;
use crate::channel::{Awaited, Channel, Over};
use crate::closing::Closer;
use crate::error::LinkError;
use crate::gather::Gathered;
use crate::lending::Lending;

pub(crate) struct RdmaLink {
    /// `None` after a shutdown.
    open: Option<Box<Open>>,
    gathered: Gathered,
    peer: PeerAddress,
    local: Endpoint,
    closer: Arc<Closer>,
    /// What callers were told to wait for, and what they were told of since by an edge of
    /// our own.
    wants: Wants,
    told: Wants,
    /// The caller looks again and again.
    polling: bool,
}

/// What is handed to the closer when a link is shut down.
pub(crate) struct Open {
    // Before what it reads and writes: dropped first.
    pub(crate) channel: Channel,
    pub(crate) lending: Lending,
    /// What ends after it: the connection on which peers met who moved here.
    pub(crate) companion: Option<Box<dyn Link>>,
}

impl Open {
    pub(crate) fn new(channel: Channel, lending: Lending) -> Self {
        Self {
            channel,
            lending,
            companion: None,
        }
    }
}

/// A set of [`Awaited`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wants([bool; 4]);

impl Wants {
    fn of(&mut self, awaited: Awaited) -> &mut bool {
        match awaited {
            Awaited::Input => &mut self.0[0],
            Awaited::Room => &mut self.0[1],
            Awaited::Read => &mut self.0[2],
            Awaited::Written => &mut self.0[3],
        }
    }
}

impl RdmaLink {
    /// The link of a channel that has met its peer, armed for the first input.
    pub(crate) fn new(open: Open, gathered: Gathered, at: &Endpoint, closer: Arc<Closer>) -> Self {
        let (local, remote) = open.channel.addresses();
        let mut link = Self {
            open: Some(Box::new(open)),
            gathered,
            peer: PeerAddress::new(address::endpoint(remote).unwrap_or_else(|| at.clone())),
            local: address::endpoint(local).unwrap_or_else(|| at.clone()),
            closer,
            wants: Wants::default(),
            told: Wants::default(),
            polling: false,
        };
        link.await_input();
        link.settle();
        link
    }

    /// The same, that calls its peer as whoever connected did.
    pub(crate) fn connected_to(mut self, to: &Endpoint) -> Self {
        self.peer = PeerAddress::new(to.clone());
        self
    }

    /// Arms for input; whether there is some already, or the end.
    fn await_input(&mut self) -> bool {
        let Some(Open { channel, .. }) = self.open.as_deref_mut() else {
            return true;
        };
        channel.arm(&self.gathered, Awaited::Input);
        let ready = channel.is_ready(Awaited::Input);
        *self.wants.of(Awaited::Input) = !ready;
        ready
    }

    fn read_into(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.is_looking(Awaited::Input);
        let room: usize = bufs.iter().map(|buf| buf.len()).sum();
        let read = self.take_input(bufs, room);
        let result = match (read, self.open.as_ref().map(|open| open.channel.over())) {
            (1.., _) => {
                // The end that was seen meanwhile is told of as well.
                *self.wants.of(Awaited::Input) = read < room && !self.polling;
                Ok(read)
            }
            (0, None | Some(Some(Over::InOrder))) => Ok(0),
            (0, Some(Some(Over::Failed(error)))) => Err(error.into()),
            (0, Some(None)) if room == 0 => Ok(0),
            (0, Some(None)) => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.settle();
        result
    }

    /// Copies what there is, and arms where it leaves room.
    fn take_input(&mut self, bufs: &mut [IoSliceMut<'_>], room: usize) -> usize {
        let mut read = 0;
        for look in [Look::Not, Look::Once, Look::Armed] {
            let Some(Open { channel, .. }) = self.open.as_deref_mut() else {
                break;
            };
            match look {
                Look::Not => {}
                Look::Once => channel.look(),
                Look::Armed if self.polling => break,
                Look::Armed => drop(self.await_input()),
            }
            read += self.copy(bufs, read);
            if read == room {
                break;
            }
        }
        read
    }

    fn copy(&mut self, bufs: &mut [IoSliceMut<'_>], filled: usize) -> usize {
        let Some(Open { channel, .. }) = self.open.as_deref_mut() else {
            return 0;
        };
        let mut skip = filled;
        let mut read = 0;
        for buf in bufs {
            let here = skip.min(buf.len());
            skip -= here;
            let wanted = buf.len() - here;
            let got = channel.read(&mut buf[here..]);
            read += got;
            if got < wanted {
                break;
            }
        }
        read
    }

    fn write_from(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        self.is_looking(Awaited::Room);
        let result = self.put_output(bufs);
        self.settle();
        result
    }

    fn put_output(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        for look in [Look::Not, Look::Once, Look::Armed] {
            let Some(Open { channel, .. }) = self.open.as_deref_mut() else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            match look {
                Look::Not => {}
                Look::Once => channel.look(),
                Look::Armed => channel.arm(&self.gathered, Awaited::Room),
            }
            refuse_if_over(channel)?;
            let written = channel.write(bufs);
            if written > 0 {
                return Ok(written);
            }
        }
        *self.wants.of(Awaited::Room) = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Whoever waits for this looks by itself now. What others were told of stays told:
    /// they may not have seen it yet.
    fn is_looking(&mut self, awaited: Awaited) {
        *self.wants.of(awaited) = false;
        if std::mem::take(self.told.of(awaited)) && self.told == Wants::default() {
            self.gathered.hush();
        }
    }

    /// Tells whoever was told to wait of what this call found for them.
    fn settle(&mut self) {
        let Some(Open { channel, .. }) = self.open.as_deref() else {
            return;
        };
        let mut found = false;
        let all = [
            Awaited::Input,
            Awaited::Room,
            Awaited::Read,
            Awaited::Written,
        ];
        for awaited in all {
            if *self.wants.of(awaited) && channel.is_ready(awaited) {
                *self.wants.of(awaited) = false;
                *self.told.of(awaited) = true;
                found = true;
            }
        }
        if found {
            self.gathered.ring();
        }
    }
}

/// How hard a call looks before it answers that there is nothing.
#[derive(Debug, Clone, Copy)]
enum Look {
    Not,
    Once,
    Armed,
}

impl Link for RdmaLink {
    fn fd(&self) -> RawFd {
        self.gathered.fd()
    }

    fn room_makes_readable(&self) -> bool {
        true
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_into(&mut [IoSliceMut::new(buf)])
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_into(bufs)
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_from(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_from(bufs)
    }

    fn begin_polling(&mut self) {
        self.polling = true;
    }

    fn prepare_wait(&mut self) -> Wait {
        self.polling = false;
        let ready = self.await_input();
        self.settle();
        match ready {
            true => Wait::Ready,
            false => Wait::Sleep,
        }
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn local_endpoint(&self) -> Option<Endpoint> {
        Some(self.local.clone())
    }

    fn memory(&mut self) -> Option<&mut dyn Memory> {
        match self.open {
            Some(_) => Some(self),
            None => None,
        }
    }

    /// Payloads that the peer has not fetched, or still may: they go with us.
    fn unsent(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.lending.exported())
    }

    fn shutdown(&mut self) {
        if let Some(open) = self.open.take() {
            self.closer.close(open);
        }
    }

    fn shutdown_before(&mut self, mut other: Box<dyn Link>) {
        match self.open.take() {
            Some(mut open) => {
                open.companion = Some(other);
                self.closer.close(open);
            }
            None => other.shutdown(),
        }
    }
}

/// # Errors
/// The end of the link, if it has ended.
fn refuse_if_over(channel: &Channel) -> io::Result<()> {
    match channel.over() {
        None => Ok(()),
        Some(Over::InOrder) => Err(io::ErrorKind::BrokenPipe.into()),
        Some(Over::Failed(error)) => Err(error.into()),
    }
}

/// An error of ours is the end of its link.
fn fail_by(channel: &mut Channel, error: &io::Error) {
    let own = error.get_ref();
    if let Some(own) = own.and_then(|it| it.downcast_ref::<LinkError>()) {
        channel.fail(*own);
    }
}

impl Drop for RdmaLink {
    fn drop(&mut self) {
        self.shutdown();
    }
}
