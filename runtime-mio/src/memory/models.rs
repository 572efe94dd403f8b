//! The ticketed count under loom.
//!
//! loom cannot watch a block's bytes; a cell in the header stands for them: each
//! read of a slice reads it, starting a block over and freeing it write it. So
//! loom reports a block that is written or freed while somebody may still read.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p ferromq-mio --release --lib models
//! ```

use super::raw::{Home, Region, Shared, Ticketed};
use crate::sync::{AtomicUsize, Fault, Ordering, faults, thread};
use std::sync::Arc;

/// Counts the regions that come back.
struct Counter(AtomicUsize);

impl Home for Counter {
    fn take_back(&self, region: Region) {
        drop(region);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn block() -> (Arc<Counter>, Ticketed<Counter>) {
    let home = Arc::new(Counter(AtomicUsize::new(0)));
    let region = Region::map(4096).expect("a page");
    let block = Ticketed::new(region, Arc::clone(&home), None);
    (home, block)
}

fn returned(home: &Counter) -> usize {
    home.0.load(Ordering::Relaxed)
}

fn explore(fault: Option<Fault>, model: impl Fn() + Send + Sync + 'static) -> usize {
    faults::explore(fault, None, model)
}

fn read_and_drop(slice: Shared) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let clone = slice.clone();
        assert_eq!(slice.bytes().len(), 10);
        drop(slice);
        assert_eq!(clone.bytes().len(), 10);
    })
}

/// The link starts over as soon as it sees that its slices are gone.
fn starting_over() {
    let (home, mut block) = block();
    let readers = [block.split(0..10), block.split(10..20)].map(read_and_drop);
    if block.thaw() {
        block.bytes_mut(0..20).fill(1);
        let third = block.split(0..10);
        assert_eq!(third.bytes(), [1; 10]);
    }
    for reader in readers {
        reader.join().unwrap();
    }
    assert!(block.thaw());
    drop(block);
    assert_eq!(returned(&home), 1);
}

/// The link gives the block up; whoever is last frees it, once.
fn giving_up() {
    let (home, mut block) = block();
    let readers = [block.split(0..10), block.split(10..20)].map(read_and_drop);
    drop(block);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(returned(&home), 1);
}

#[test]
fn a_block_starts_over_only_when_nobody_reads() {
    let n = explore(None, starting_over);
    println!("starting_over: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn a_block_is_freed_once_by_the_last() {
    let n = explore(None, giving_up);
    println!("giving_up: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn planted_bugs_are_found() {
    explore(Some(Fault::SliceDropsRelaxed), starting_over);
    explore(Some(Fault::SliceDropsRelaxed), giving_up);
    explore(Some(Fault::UniqueLooksRelaxed), starting_over);
    explore(Some(Fault::LastSkipsFence), giving_up);
}
