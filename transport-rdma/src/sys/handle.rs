//! Owning what the libraries allocate.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::NonNull;

/// An object of the libraries', alive for as long as this is. It ends by the `Drop` of
/// whatever holds the handle: there is one for each.
pub(super) struct Handle<T>(NonNull<T>);

// SAFETY: the libraries' objects belong to no thread: "may be called from any thread", they
// promise, and lock what they share. This is but the address of one.
unsafe impl<T> Send for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Handle<T> {
    /// What a function has returned: null is a failure, told in errno.
    pub(super) fn new(returned: *mut T) -> io::Result<Self> {
        match NonNull::new(returned) {
            Some(object) => Ok(Self(object)),
            None => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    pub(super) fn as_ref(&self) -> &T {
        // SAFETY: alive, by what a handle is. What is read through it are fields that are
        // set when the object is made or by calls on it, and those are made by its owner,
        // who has this borrowed.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Handle<T> {
    /// A descriptor of the object's, which is open for as long as that is alive.
    pub(super) fn borrow(&self, fd: RawFd) -> BorrowedFd<'_> {
        // SAFETY: open, as the caller says; the object lives for as long as `self`.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }
}

/// What a function of rdma_cm has returned: -1 is a failure, told in errno.
pub(super) fn told_in_errno(returned: i32) -> io::Result<()> {
    match returned {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a function of ibverbs has returned: the number of an error. Some return -1, and
/// tell it in errno.
pub(super) fn told_as_number(returned: i32) -> io::Result<()> {
    match returned {
        0 => Ok(()),
        1.. => Err(io::Error::from_raw_os_error(returned)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps reads of a descriptor from waiting.
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}
