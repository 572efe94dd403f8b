//! The socket between both sides, once they have greeted each other. It ends with the
//! process at either end, and carries little: bytes that mean nothing but "look", and
//! now and then memory that one side lends from.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionread;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, recvmsg, send, sendmsg, shutdown,
};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::kill_point::{KillPoint, passing};

#[cfg(test)]
mod tests;

/// How often one may sleep before the bytes that have woken us are taken. The
/// kernel keeps more than 200, and there is at most one a sleep and direction.
const SLEEPS: u32 = 64;
/// More bytes than that at once are none of ours.
const WAITING_MAX: u64 = 64 << 10;
/// Bytes that are taken at a time.
const PIECE: usize = 256;
/// Files that may be here at a time: that of a [`Region`] of which some bytes are
/// still to come, and the one that came with them.
const FILES_MAX: usize = 2;
/// What may be said of regions before somebody takes note: twice what an arena has of
/// them, which is more than honest peers have to say. Each may hold a descriptor.
const NEWS_MAX: usize = 512;

/// What a byte on the socket means, or the bytes that it begins.
mod tag {
    /// Look into the rings.
    pub(super) const RING: u8 = 0;
    /// A [`Region`](super::Region), with its file.
    pub(super) const LENDS: u8 = 1;
    /// A [`Region`](super::Region) that is nothing any more.
    pub(super) const ENDED: u8 = 2;
}

/// What is said of memory that one side lends from, in the machine's byte order.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
struct Region {
    tag: u8,
    number: [u8; 8],
    len: [u8; 8],
}

/// What the peer says of memory that it lends from.
#[derive(Debug)]
pub(crate) enum News {
    Lends {
        number: u64,
        len: u64,
        file: OwnedFd,
    },
    Ended {
        number: u64,
    },
}

/// What the peer cannot mean, or we cannot hear. The connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Broken {
    #[error(
        "{waiting} bytes wait on the socket beside the rings, where {WAITING_MAX} are too many"
    )]
    Flood { waiting: u64 },
    #[error("the socket beside the rings says what means nothing")]
    Nonsense,
    #[error("the peer says more than {NEWS_MAX} things at once of regions that it lends")]
    TooMuch,
    #[error("no descriptor is left for memory that the peer lends (RLIMIT_NOFILE)")]
    NoDescriptor,
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        let kind = match broken {
            // Nobody did anything wrong.
            Broken::NoDescriptor => io::ErrorKind::QuotaExceeded,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, broken)
    }
}

#[derive(Debug)]
pub(crate) struct Bell {
    socket: OwnedFd,
    /// Sleeps since bytes were taken.
    sleeps: u32,
    /// The peer is gone, or we are.
    is_over: bool,
    broken: Option<Broken>,
    /// Bytes of a [`Region`] of which not all have come.
    begun: Vec<u8>,
    /// Files of regions that were not read of, in the order of those.
    files: VecDeque<OwnedFd>,
    pub(crate) news: VecDeque<News>,
}

impl Bell {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            sleeps: 0,
            is_over: false,
            broken: None,
            begun: Vec::new(),
            files: VecDeque::new(),
            news: VecDeque::new(),
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Makes the peer's descriptor readable. A peer that is gone is found out when
    /// something is awaited from it, and a full buffer is readable already.
    pub(crate) fn ring(&self) {
        passing(KillPoint::BellDue);
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _ = send(&self.socket, &[tag::RING], flags);
        passing(KillPoint::BellRung);
    }

    /// Gives the peer a file of `len` bytes that we lend from. All or nothing.
    pub(crate) fn lend(&self, number: u64, len: u64, file: impl AsFd) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [file.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        self.tell(tag::LENDS, number, len, &mut control)
    }

    /// Tells the peer that a file of ours is not lent from any more.
    pub(crate) fn end(&self, number: u64) -> io::Result<()> {
        self.tell(tag::ENDED, number, 0, &mut SendAncillaryBuffer::default())
    }

    fn tell(
        &self,
        tag: u8,
        number: u64,
        len: u64,
        control: &mut SendAncillaryBuffer<'_, '_, '_>,
    ) -> io::Result<()> {
        let region = Region {
            tag,
            number: number.to_ne_bytes(),
            len: len.to_ne_bytes(),
        };
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        // So few bytes are one buffer of the kernel's, which it has or has not.
        match sendmsg(
            &self.socket,
            &[IoSlice::new(region.as_bytes())],
            control,
            flags,
        )? {
            sent if sent == size_of::<Region>() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Notes a sleep, and now and then takes bytes that have come, so that they never
    /// fill the buffer.
    pub(crate) fn sleeps(&mut self) {
        self.sleeps += 1;
        if self.sleeps >= SLEEPS {
            self.sleeps = 0;
            // An event that nobody has seen yet tells of a byte that is still there:
            // without the last one, the kernel would take the event back.
            let waiting = self.waiting();
            self.take(usize::try_from(waiting.saturating_sub(1)).unwrap_or(0));
        }
    }

    /// Takes all that has come. Who does looks into the rings next: the event that it
    /// was is taken back.
    pub(crate) fn take_all(&mut self) {
        let waiting = self.waiting();
        self.take(usize::try_from(waiting).unwrap_or(0));
    }

    fn waiting(&mut self) -> u64 {
        let waiting = ioctl_fionread(&self.socket).unwrap_or(0);
        // Who rings more often than we sleep rings for something else.
        if waiting > WAITING_MAX {
            self.breaks(Broken::Flood { waiting });
        }
        waiting
    }

    fn take(&mut self, mut most: usize) {
        // Also when the peer has gone: what it wrote may refer to it.
        while most > 0 && self.broken.is_none() {
            let mut bytes = [0; PIECE];
            let piece = &mut bytes[..most.min(PIECE)];
            // What is refused is asked for again.
            let Ok(taken) = self.receive(piece) else {
                return;
            };
            passing(KillPoint::BellTaken);
            if taken == 0 {
                self.is_over = true;
                return;
            }
            most -= taken.min(most);
            if let Err(broken) = bytes[..taken].iter().try_for_each(|byte| self.read(*byte)) {
                self.breaks(broken);
            }
        }
    }

    /// The first cause is the one to tell of.
    fn breaks(&mut self, cause: Broken) {
        self.broken.get_or_insert(cause);
    }

    /// Some bytes; the kernel ends them with those that a file came with.
    fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(into)],
            &mut control,
            flags,
        )?;
        let before = self.files.len();
        // Drained in any case: what is not kept is closed.
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                self.files.extend(files);
            }
        }
        if self.files.len() > FILES_MAX {
            self.breaks(Broken::Nonsense);
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            // There is room for the one file that belongs to a region.
            self.breaks(match self.files.len() - before {
                0 => Broken::NoDescriptor,
                _ => Broken::Nonsense,
            });
        }
        Ok(received.bytes)
    }

    /// Makes sense of the next byte.
    fn read(&mut self, byte: u8) -> Result<(), Broken> {
        if self.begun.is_empty() && byte == tag::RING {
            return Ok(());
        }
        self.begun.push(byte);
        let Ok(region) = Region::read_from_bytes(&self.begun) else {
            let known = matches!(self.begun[0], tag::LENDS | tag::ENDED);
            return if known { Ok(()) } else { Err(Broken::Nonsense) };
        };
        self.begun.clear();
        if self.news.len() >= NEWS_MAX {
            return Err(Broken::TooMuch);
        }
        let (number, len) = (region.number, region.len);
        let (number, len) = (u64::from_ne_bytes(number), u64::from_ne_bytes(len));
        self.news.push_back(match region.tag {
            tag::LENDS => News::Lends {
                number,
                len,
                file: self.files.pop_front().ok_or(Broken::Nonsense)?,
            },
            _ => News::Ended { number },
        });
        Ok(())
    }

    /// Asks the system whether the peer is there.
    pub(crate) fn look(&mut self) {
        let ends = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut asked = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec::default();
        // What is refused is asked again with the next hang-up that is told of.
        if poll(&mut asked, Some(&at_once)).is_ok() {
            self.is_over |= asked[0].revents().intersects(ends);
        }
    }

    /// Whether it is over: the peer is gone, as far as was looked, or cannot be
    /// understood.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over || self.broken.is_some()
    }

    /// Why the peer cannot be understood.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.broken
    }

    pub(crate) fn shut_down(&mut self) {
        self.is_over = true;
        // Fails only when the peer has gone, which is as good.
        let _ = shutdown(&self.socket, Shutdown::Both);
        passing(KillPoint::SocketShut);
    }
}
