//! Why a connection stays where it is, and what peers may not say.

use core::fmt;

use crate::ProtocolError;

/// Why a connection stays where it is, though both sides share a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SwitchReason {
    /// A reason without a name here.
    Other,
    /// The place to meet at could not be made.
    NoPlace,
    /// Nobody was found at the place.
    Unreachable,
    /// Who was met there belongs to another user.
    OtherUser,
    /// Who was met there could not prove to be the same peer.
    WrongProof,
    /// It took too long.
    TimedOut,
    /// The short path broke before it was agreed on.
    Broken,
    /// Memory or descriptors for the short path are not to be had.
    Exhausted,
}

impl SwitchReason {
    /// The number on the wire.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Other => 0,
            Self::NoPlace => 1,
            Self::Unreachable => 2,
            Self::OtherUser => 3,
            Self::WrongProof => 4,
            Self::TimedOut => 5,
            Self::Broken => 6,
            Self::Exhausted => 7,
        }
    }

    pub(super) fn of(code: u8) -> Self {
        match code {
            1 => Self::NoPlace,
            2 => Self::Unreachable,
            3 => Self::OtherUser,
            4 => Self::WrongProof,
            5 => Self::TimedOut,
            6 => Self::Broken,
            7 => Self::Exhausted,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for SwitchReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "the short path was refused",
            Self::NoPlace => "no place to meet could be made",
            Self::Unreachable => "nobody was found at the place to meet",
            Self::OtherUser => "another user was met",
            Self::WrongProof => "who was met is not the same peer",
            Self::TimedOut => "the short path took too long",
            Self::Broken => "the short path broke",
            Self::Exhausted => "memory or descriptors for the short path are not to be had",
        })
    }
}

/// What a peer may not say while the switch is undecided: the connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SwitchError {
    /// A frame that is neither XFERRO nor SWITCH, or not as they are.
    Stray {
        /// Its flag byte.
        flags: u8,
        /// Bytes in its body.
        len: u64,
    },
    /// XFERRO or SWITCH when it was not its turn.
    OutOfTurn,
    /// No frame at all.
    Frame(ProtocolError),
}

impl From<ProtocolError> for SwitchError {
    fn from(error: ProtocolError) -> Self {
        Self::Frame(error)
    }
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stray { flags, len } => write!(
                f,
                "frame of {len} bytes with flags {flags:#04x} while the switch is undecided"
            ),
            Self::OutOfTurn => f.write_str("XFERRO or SWITCH out of turn"),
            Self::Frame(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SwitchError {}
