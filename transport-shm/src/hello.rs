//! What both sides say first, each with its memory's descriptor, and that of a doorbell.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::kill_point::{KillPoint, passing};

/// The greeting: 40 bytes in the machine's byte order, as both are on one machine.
/// It also stands at the start of the memory that it comes with.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct Hello {
    magic: [u8; 8],
    version: u64,
    /// Bytes of the sender's ring.
    pub(crate) ring_len: u64,
    /// A number of this connection and side, chosen at random.
    pub(crate) epoch: u64,
    /// The epoch of the greeting that this one answers, or 0.
    pub(crate) answers: u64,
}

pub(crate) const HELLO: usize = size_of::<Hello>();

const MAGIC: [u8; 8] = *b"FMQ\0shm\n";
const VERSION: u64 = 1;

/// The shortest and the longest ring, in bytes; between them powers of two.
pub(crate) const RING_MIN: usize = 4 << 10;
pub(crate) const RING_MAX: usize = 1 << 30;

/// Why a peer's greeting, or the memory that came with it, is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refused {
    #[error("the peer does not speak shm://")]
    NotShm,
    #[error("the peer speaks version {theirs} of shm://, we speak {VERSION}")]
    Version { theirs: u64 },
    #[error("the peer's ring of {len} bytes is no power of two from {RING_MIN} to {RING_MAX}")]
    RingLen { len: u64 },
    #[error("the peer's greeting came without a descriptor of memory")]
    NoDescriptor,
    #[error("no descriptor is left for the peer's memory (RLIMIT_NOFILE)")]
    NoDescriptorLeft,
    #[error("the peer's descriptor is no shared memory of the kernel's")]
    NotMemory,
    #[error(
        "the peer's memory is not sealed against change by others and in length (seals {seals:#x})"
    )]
    NotSealed { seals: u32 },
    #[error("the peer's memory has {len} bytes instead of {wanted}")]
    Len { len: u64, wanted: u64 },
    #[error("the peer's memory has pages for {allocated} bytes instead of {wanted}")]
    Sparse { allocated: u64, wanted: u64 },
    #[error("the peer's memory is of another connection")]
    Epoch,
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            // Nobody did anything wrong.
            Refused::NoDescriptorLeft => io::ErrorKind::QuotaExceeded,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, refused)
    }
}

impl Hello {
    pub(crate) fn new(ring_len: usize, epoch: u64, answers: u64) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION,
            ring_len: ring_len as u64,
            epoch,
            answers,
        }
    }

    /// Checks what a peer said; its epoch and whom it answers are checked later.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        if self.magic != MAGIC {
            return Err(Refused::NotShm);
        }
        if self.version != VERSION {
            let theirs = self.version;
            return Err(Refused::Version { theirs });
        }
        let len = self.ring_len;
        let sound = len.is_power_of_two() && (RING_MIN as u64..=RING_MAX as u64).contains(&len);
        sound.then_some(()).ok_or(Refused::RingLen { len })
    }

    /// Sends it with the descriptors, on a socket that has not been written to. Without
    /// the doorbell's where the system lets so many not be under way.
    pub(crate) fn send(
        &self,
        socket: impl AsFd,
        memory: &OwnedFd,
        chime: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let socket = socket.as_fd();
        let memory = memory.as_fd();
        match chime.map(|chime| self.send_with(socket, &[memory, chime])) {
            Some(Ok(())) => Ok(()),
            _ => self.send_with(socket, &[memory]),
        }
    }

    fn send_with(&self, socket: BorrowedFd<'_>, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(files));
        let bytes = [IoSlice::new(self.as_bytes())];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(socket, &bytes, &mut control, flags)? {
            HELLO => {
                passing(KillPoint::GreetingSent);
                Ok(())
            }
            // A fresh socket's buffer holds 40 bytes.
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// A peer's greeting, and what came with it.
pub(crate) struct Greeting {
    pub(crate) hello: Hello,
    pub(crate) memory: OwnedFd,
    pub(crate) chime: Option<OwnedFd>,
}

/// A peer's greeting on its way.
#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: [u8; HELLO],
    filled: usize,
    memory: Option<OwnedFd>,
    chime: Option<OwnedFd>,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; HELLO],
            filled: 0,
            memory: None,
            chime: None,
        }
    }

    /// Reads on. `WouldBlock`: not all of it is there.
    pub(crate) fn receive(&mut self, socket: impl AsFd) -> io::Result<Greeting> {
        while self.filled < HELLO {
            self.receive_some(socket.as_fd())?;
        }
        let hello = Hello::read_from_bytes(&self.bytes).map_err(|_| Refused::NotShm)?;
        hello.check()?;
        let memory = self.memory.take().ok_or(Refused::NoDescriptor)?;
        let chime = self.chime.take();
        Ok(Greeting {
            hello,
            memory,
            chime,
        })
    }

    fn receive_some(&mut self, socket: impl AsFd) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [IoSliceMut::new(&mut self.bytes[self.filled..])];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(socket, &mut bytes, &mut control, flags)?;
        // Drained in any case: what is not kept is closed. The kernel closes what
        // there is no space for.
        let descriptors = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        for descriptor in descriptors.flatten() {
            match &self.memory {
                None => self.memory = Some(descriptor),
                Some(_) => _ = self.chime.get_or_insert(descriptor),
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) && self.memory.is_none() {
            return Err(Refused::NoDescriptorLeft.into());
        }
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += received.bytes;
        Ok(())
    }
}
