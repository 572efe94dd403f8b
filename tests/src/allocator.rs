//! The system's allocator, with a count of the bytes that live.
//!
//! For the binaries that measure: each makes it its `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, counted: see [`live`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

/// Bytes that this process has allocated through [`Counting`] and not freed.
#[must_use]
pub fn live() -> i64 {
    LIVE.load(Ordering::Relaxed)
}

fn count(more: usize, less: usize) {
    LIVE.fetch_add(more as i64 - less as i64, Ordering::Relaxed);
}

// SAFETY: every call is passed on unchanged to `System`, which keeps the
// contract; the count does not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is ours.
        unsafe { System.realloc(memory, layout, size) }
    }
}
