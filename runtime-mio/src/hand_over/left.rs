//! Something is left for whoever works for a socket next, by a thread that may not
//! enter it.
//!
//! ```text
//!  who leaves                      who sleeps, or takes the socket over
//!  some.store(true)                says so in the flags
//!  a fence                         a fence
//!  flags: does anybody? wake       some.load(): there is? no sleep
//! ```
//!
//! By the fences one of the two sees the other, and a socket that nobody sleeps on nor
//! has taken is called again or taken.

use super::flags::Flags;
use crate::sync::{AtomicBool, Fault, Ordering, fence, planted};

/// What it is to leave something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Leaving {
    /// Something was left before: whoever left the first of it has seen to it.
    More,
    /// Somebody sleeps, and has to be woken.
    Awaited,
    /// Nobody does. The thread that makes the socket's calls makes another one, or
    /// the I/O thread takes the socket over.
    Unattended,
}

/// Whether something is left.
pub(crate) struct Left(AtomicBool);

impl Left {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Something is left now.
    pub(crate) fn leave(&self, flags: &Flags) -> Leaving {
        if self.0.swap(true, Ordering::AcqRel) {
            return Leaving::More;
        }
        if !planted(Fault::LeaverSkipsFence) {
            fence(Ordering::SeqCst);
        }
        match flags.is_waited_for() || flags.is_taken() {
            true => Leaving::Awaited,
            false => Leaving::Unattended,
        }
    }

    /// Whether there is something, for one who looks again before he sleeps.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The same for one who has said that he sleeps, or has taken the socket.
    pub(crate) fn any_after_all(&self) -> bool {
        if !planted(Fault::SleeperSkipsFence) {
            fence(Ordering::SeqCst);
        }
        self.any() && !planted(Fault::SleeperSkipsLook)
    }

    /// It is about to be taken: what is left from now on is news.
    pub(crate) fn clear(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}
