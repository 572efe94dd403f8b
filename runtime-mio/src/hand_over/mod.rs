//! How callers and the I/O thread hand work over without a lock.
//!
//! The I/O thread sleeps as long as nothing is left to it, and a caller that
//! leaves something wakes it only if it sleeps too soundly to notice:
//!
//! ```text
//!  caller                              I/O thread
//!  a flag of the socket: store 1       mode: store a laxer one
//!  light_barrier()                     heavy_barrier()
//!  mode: load; too lax? raise, wake    flags: load; one set? raise the mode
//! ```
//!
//! By the barriers one of the two sees the other. There are two such flags:
//! `deferred` (output is to leave), and the epoch (a call was made: whoever was
//! waiting does not wait any more, whoever was away may go away again, and what
//! the I/O thread had taken it has to take anew). So whoever takes a socket back
//! or waits for it makes a call afterwards.
//!
//! Nobody but the I/O thread lowers the mode, and whoever raises it takes the
//! greater of two wishes: a store could undo a raise that came between, and its
//! wake-up would find nothing to do.

mod flags;
mod left;
mod mode;
mod presence;
mod turnstile;
mod waiting;

#[cfg(all(test, loom))]
mod models;

pub(crate) use flags::Flags;
pub(crate) use left::{Leaving, Left};
pub(crate) use mode::{Mode, level};
pub(crate) use presence::{Attendance, Presence};
pub(crate) use turnstile::Turnstile;
pub(crate) use waiting::{Awaited, Looker, Seat};
