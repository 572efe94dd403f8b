//! The descriptor that a user's own event loop waits on.
//!
//! Not the socket's epoll itself: while the caller is away the I/O thread takes
//! that one's events, and an event that is taken wakes nobody else. So it is an
//! epoll of its own, readable while the socket's is, or while a counter is
//! raised: by the I/O thread, until a call has looked.
//!
//! ```text
//!  user's loop ──▶ outer epoll ─┬─▶ the socket's epoll ◀── I/O thread, while taken
//!                               └─▶ notify ◀── raised by the I/O thread
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{CreateFlags, EventData, EventFlags, add, create};
use rustix::event::{EventfdFlags, eventfd};

/// The outer epoll and the counter.
pub(super) struct Exported {
    outer: OwnedFd,
    notify: OwnedFd,
}

impl Exported {
    pub(super) fn new(inner: BorrowedFd<'_>) -> io::Result<Self> {
        let outer = create(CreateFlags::CLOEXEC)?;
        let notify = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Level-triggered, both: what is not looked at is told again.
        add(&outer, inner, EventData::new_u64(0), EventFlags::IN)?;
        add(&outer, &notify, EventData::new_u64(1), EventFlags::IN)?;
        Ok(Self { outer, notify })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.outer.as_fd()
    }

    /// Something came or has room.
    pub(super) fn raise(&self) {
        // A counter that is full is raised.
        let _ = rustix::io::write(&self.notify, &1_u64.to_ne_bytes());
    }

    /// A call looks: before it does, and under the socket's lock, so that what
    /// is raised after is news.
    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.notify, &mut [0; 8]);
    }
}
