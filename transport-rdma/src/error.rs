//! Why a link ends.

use std::io;

use thiserror::Error;

use crate::verbs::Status;

/// Why a link over RDMA ended before it was closed in order.
///
/// It is the source of the [`io::Error`] that reads and writes give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Something that was posted failed.
    #[error("{work} failed: {status}")]
    Work {
        /// What it was.
        work: Work,
        /// The device's word.
        status: Status,
    },
    /// The connection ended without a word from the peer.
    #[error("the connection was lost")]
    Lost,
    /// The connection failed before it stood.
    #[error("the connection failed: {}", io::Error::from_raw_os_error(*errno))]
    Failed {
        /// The system's error number.
        errno: i32,
    },
    /// The peer turned us away, and did not say why in words of ours.
    #[error("the peer turned the connection away (reason {status})")]
    Rejected {
        /// The communication manager's reason.
        status: i32,
    },
    /// The device was taken away.
    #[error("the device was removed")]
    DeviceRemoved,
    /// The device refused what was posted, or a request for notification.
    #[error("the device refused {work}: {}", io::Error::from_raw_os_error(*errno))]
    Refused {
        /// What it was.
        work: Work,
        /// The system's error number.
        errno: i32,
    },
    /// The peer's greeting is none, or of another version.
    #[error("the peer's greeting of {len} bytes is none that is known")]
    Greeting {
        /// Bytes that came.
        len: usize,
    },
    /// The peer has less room, or longer messages, than a link can use.
    #[error("the peer has {slots} slots of {slot_len} bytes, which no link can use")]
    Room {
        /// Messages that it has room for.
        slots: u16,
        /// Bytes of the longest one.
        slot_len: u32,
    },
    /// A message is not what its header says.
    #[error("a message of {len} bytes claims to have {claimed} behind its header")]
    Length {
        /// Bytes that came.
        len: u32,
        /// Bytes of the body, by the header.
        claimed: u32,
    },
    /// A message of a kind that is not known.
    #[error("a message of the unknown kind {kind}")]
    Kind {
        /// The first byte of it.
        kind: u8,
    },
    /// More messages than room was granted for.
    #[error("the peer sent more than the {slots} messages that there was room for")]
    Overrun {
        /// Messages that there is room for.
        slots: u16,
    },
    /// More credits than were spent, or too few to be worth a message.
    #[error("the peer returned {returned} credits of {spent} that were spent")]
    Credits {
        /// Credits that came.
        returned: u16,
        /// Credits that could have come.
        spent: u32,
    },
    /// A write that took room for a message: no link makes one.
    #[error("the peer's write came with a number, {value:#x}, and no message")]
    Immediate {
        /// The number.
        value: u32,
    },
    /// A place in the peer's memory that it cannot mean.
    #[error("the peer refers to key {key:#x}, which no device has")]
    Key {
        /// The key.
        key: u64,
    },
    /// There is no memory to fetch a payload into, or it may not be registered.
    #[error("no memory to fetch {len} bytes into: {}", io::Error::from_raw_os_error(*errno))]
    NoLanding {
        /// Bytes of the payload.
        len: u64,
        /// The system's error number.
        errno: i32,
    },
}

/// What was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A message of ours.
    Send,
    /// Room for a message of the peer's.
    Receive,
    /// A read of the peer's memory.
    Read,
    /// A write into the peer's memory.
    Write,
    /// A request to be woken.
    Arm,
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Send => "a send",
            Self::Receive => "a receive",
            Self::Read => "a read of the peer's memory",
            Self::Write => "a write into the peer's memory",
            Self::Arm => "a request for notification",
        })
    }
}

impl LinkError {
    fn kind(self) -> io::ErrorKind {
        match self {
            Self::Work {
                status: Status::RetryExceeded,
                ..
            } => io::ErrorKind::TimedOut,
            Self::Work { .. } | Self::Lost | Self::DeviceRemoved => io::ErrorKind::ConnectionReset,
            Self::Failed { errno } => io::Error::from_raw_os_error(errno).kind(),
            Self::Rejected { .. } => io::ErrorKind::ConnectionRefused,
            Self::Refused { .. } | Self::NoLanding { .. } => io::ErrorKind::OutOfMemory,
            Self::Greeting { .. }
            | Self::Room { .. }
            | Self::Length { .. }
            | Self::Kind { .. }
            | Self::Overrun { .. }
            | Self::Credits { .. }
            | Self::Immediate { .. }
            | Self::Key { .. } => io::ErrorKind::InvalidData,
        }
    }
}

impl From<LinkError> for io::Error {
    fn from(error: LinkError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// The system's number of an error; EIO where it has none.
pub(crate) fn errno_of(error: &io::Error) -> i32 {
    let io = rustix::io::Errno::IO.raw_os_error();
    error.raw_os_error().unwrap_or(io)
}
