//! The system's allocator, which counts what a thread asks of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

/// Counts calls that take memory, a thread at a time.
pub(crate) struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    /// So many more calls are to be traced.
    static TRAPS: Cell<usize> = const { Cell::new(0) };
    static CAUGHT: RefCell<Vec<Backtrace>> = const { RefCell::new(Vec::new()) };
}

/// How often this thread has taken memory, grown blocks included.
pub(crate) fn taken() -> u64 {
    TAKEN.get()
}

/// Who takes memory in `work`: the first `most` of them.
pub(crate) fn takers(most: usize, work: impl FnOnce()) -> Vec<Backtrace> {
    TRAPS.set(most);
    work();
    TRAPS.set(0);
    CAUGHT.take()
}

fn note() {
    TAKEN.set(TAKEN.get() + 1);
    if TRAPS.get() > 0 {
        catch();
    }
}

#[cold]
fn catch() {
    // None meanwhile: a backtrace takes memory itself.
    let traps = TRAPS.replace(0);
    let caught = Backtrace::force_capture();
    CAUGHT.with_borrow_mut(|all| all.push(caught));
    TRAPS.set(traps - 1);
}

// SAFETY: every call is passed on as it is to the system's allocator, which
// keeps the contract; counting touches nothing but thread-local cells, which
// are const; the one with a destructor is touched while `takers` runs only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above; `block` came from the same allocator.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; `block` came from the same allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn every_way_of_taking_memory_is_counted() {
        let before = taken();
        let mut bytes: Vec<u8> = black_box(Vec::with_capacity(1));
        assert_eq!(taken() - before, 1);
        bytes.reserve_exact(black_box(100));
        assert_eq!(taken() - before, 2);
        drop(black_box(vec![0_u8; 100]));
        drop(bytes);
        assert_eq!(taken() - before, 3);
    }

    #[test]
    fn takers_are_named_up_to_the_most_asked_for() {
        let work = || (0..3).for_each(|it| drop(black_box(Box::new(black_box(it)))));
        let traces = takers(2, work);
        assert_eq!(traces.len(), 2);
        let text = traces[0].to_string();
        assert!(text.contains("takers_are_named"), "{text}");
        assert!(takers(2, || ()).is_empty());
    }
}
