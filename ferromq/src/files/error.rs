//! Why a file was not sent.

use std::io;
use std::time::Duration;

use crate::Error;

use super::name::NameError;
use super::refusal::Refusal;

/// Why one file was not sent. Others may be, unless
/// [`ends_all`](Self::ends_all).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Its name is none to send it by.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A directory, a device, or something else without an end.
    #[error("it is no file but {what}")]
    NotAFile {
        /// What it is.
        what: &'static str,
    },
    /// The system does not let it be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// Somebody wrote to it meanwhile.
    #[error("it was changed while it was being sent")]
    Changed,
    /// The receiver does not take it.
    #[error("refused by the receiver: {0}")]
    Refused(#[source] Refusal),
    /// The receiver says what makes no sense.
    #[error("the receiver broke the protocol: {0}")]
    Protocol(&'static str),
    /// No receiver was there, or it fell silent.
    #[error("no receiver answered within {} s", after.as_secs_f64())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] Error),
}

impl FileError {
    /// Whether the next file would fail in the same way.
    #[must_use]
    pub fn ends_all(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Socket(_))
    }
}
