//! The system calls that no library wraps.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::epoll::{self, EventFlags};

/// Makes this thread's sleeps end when asked: by default Linux adds up to
/// 50 us, half of the shortest nap of the I/O thread.
pub(crate) fn sleep_precisely() {
    #[cfg(target_os = "linux")]
    // SAFETY: PR_SET_TIMERSLACK takes one integer, sets an attribute of the
    // calling thread and touches no memory.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64);
    }
}

/// Cores of this machine. Not those that this process may use: the peer of a
/// process that is pinned to one may run on another.
pub(crate) fn cores() -> usize {
    // SAFETY: sysconf takes one integer and touches no memory of ours.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(online).unwrap_or(1)
}

/// Another descriptor of the same epoll. Closing one leaves the other.
pub(crate) fn duplicate(poll: &mio::Poll) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open for as long as `poll`, which outlives this
    // borrow of it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(poll.as_raw_fd()) };
    borrowed.try_clone_to_owned()
}

/// Registers a descriptor for nothing but its end, edge-triggered, which mio cannot.
pub(crate) fn watch_end(epoll: BorrowedFd<'_>, fd: RawFd, token: mio::Token) -> io::Result<()> {
    // SAFETY: the link that the descriptor belongs to is the caller's for as long as
    // this call, which keeps nothing of it.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let token = epoll::EventData::new_u64(token.0 as u64);
    Ok(epoll::add(
        epoll,
        fd,
        token,
        EventFlags::RDHUP | EventFlags::ET,
    )?)
}
