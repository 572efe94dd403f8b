//! Words that two processes share, and sleeping at them (futex(2)).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The longest body, in words of eight bytes.
pub(crate) const BODY: usize = 128;

/// What one side writes and the other reads.
#[repr(C, align(128))]
pub(crate) struct Side {
    /// Messages written.
    pub(crate) count: AtomicU32,
    pub(crate) body: [AtomicU64; BODY],
}

/// Both sides, in a file that both processes have mapped.
pub(crate) struct Shared(NonNull<[Side; 2]>);

// SAFETY: atomics, which any thread may use, in memory that belongs to none.
unsafe impl Send for Shared {}

impl Shared {
    /// Maps a file, and makes it long enough.
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        let len = size_of::<[Side; 2]>();
        file.set_len(len as u64)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh place of the kernel's choice; nothing of ours is replaced.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                access,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self(start))
    }

    pub(crate) fn sides(&self) -> &[Side; 2] {
        // SAFETY: mapped for the life of the process, as long as the file, which nobody
        // shortens; any bytes are valid atomics.
        unsafe { self.0.as_ref() }
    }
}

/// Sleeps as long as `word` is `value`, or for no reason less.
pub(crate) fn sleep_while(word: &AtomicU32, value: u32) {
    // SAFETY: the kernel reads the word, which lives longer than the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            value,
            ptr::null::<libc::timespec>(),
        )
    };
}

/// Wakes whoever sleeps at `word`.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: the kernel only looks up the address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}
