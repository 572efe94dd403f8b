//! What the runtime's innermost parts cost, in nanoseconds an operation.
//!
//! ```text
//! cargo run --release -p ferromq-mio --example message_cost
//! ```
//!
//! Prints the median of 31 rounds, of 5 where one takes long. The parts are private, so their source files
//! are compiled into this program.

#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

#[path = "../src/frame/mod.rs"]
mod frame;
#[path = "../src/lock/mod.rs"]
mod lock;
#[path = "../src/memory/mod.rs"]
mod memory;
#[path = "../src/message/mod.rs"]
mod message;
#[path = "../src/sync.rs"]
mod sync;

pub use frame::Frame;
pub use message::{Message, PeerInfo};

use lock::BiasedLock;
use memory::{BlockPool, BufferPool, ReceiveBlock};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const ROUNDS: usize = 31;
const HEADER: usize = 2;

fn main() {
    println!("asymmetric barrier: {}", sync::asymmetric_available());
    locks();
    slices("slice split + drop, 64 B", 64, 2048);
    slices("copy split + drop, 64 B", 64, 31);
    slices("copy split + drop, 8 KiB", 8192, 15);
    from_slice();
    from_vec();
    clone();
    body("body of 64 KiB, warm", 64 << 10);
    body("body of 1 MiB, warm", 1 << 20);
    body("body of 80 MiB, too long to keep", 80 << 20);
}

fn locks() {
    let lock = BiasedLock::new(0_u64);
    *lock.lock() += 1;
    measure("lock + unlock, owner", 100_000, || {
        *black_box(&lock).lock() += 1;
    });
    // When four threads have been owners, a fifth cannot be.
    std::thread::scope(|scope| {
        for _ in 0..5 {
            let run = || (0..100_000).for_each(|_| *lock.lock() += 1);
            scope.spawn(run).join().expect("no panic");
        }
        let fifth = || measure("lock + unlock, unbiased", 100_000, || *lock.lock() += 1);
        scope.spawn(fifth).join().expect("no panic");
    });
    let mutex = std::sync::Mutex::new(0_u64);
    measure("std::sync::Mutex, for comparison", 100_000, || {
        *black_box(&mutex).lock().expect("no panic") += 1;
    });
    let lock = BiasedLock::new(0_u64);
    *lock.lock() += 1;
    std::thread::scope(|scope| {
        let foreign = || {
            measure("entry of the I/O thread, owner asleep", 100, || {
                *lock.lock_foreign() += 1
            })
        };
        scope.spawn(foreign).join().expect("no panic");
    });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            measure("entry of the I/O thread, owner busy", 100, || {
                *lock.lock_foreign() += 1
            });
            stop.store(true, Ordering::Relaxed);
        });
        while !stop.load(Ordering::Relaxed) {
            *lock.lock() += 1;
        }
    });
}

/// `count` frames of `len` bytes in each fill.
fn slices(name: &str, len: usize, count: usize) {
    let count = count.min(ReceiveBlock::CAPACITY / (len + HEADER));
    let pool = BlockPool::new();
    let peer = Arc::new(PeerInfo::new("PUSH", "tcp://127.0.0.1:5555"));
    let mut block = pool.block(Some(peer)).expect("memory");
    measure_many(name, count, || {
        block.prepare_fill().expect("memory");
        block.space_mut()[0] = 1;
        block.filled(count * (len + HEADER));
        for _ in 0..count {
            let frame = block.split_frame(HEADER..HEADER + len, HEADER + len);
            let message = black_box(Message::from(frame));
            black_box(message.parts()[0][0]);
        }
    });
}

fn from_slice() {
    let bytes = [7_u8; 64];
    measure("Message::from(&[u8]) + drop, 64 B", 100_000, || {
        black_box(Message::from(black_box(&bytes)));
    });
}

fn from_vec() {
    measure(
        "Message::from(Vec) + drop, with the Vec, 64 B",
        100_000,
        || {
            black_box(Message::from(black_box(vec![7_u8; 64])));
        },
    );
}

fn clone() {
    let message = Message::from(&[7_u8; 64]);
    measure("Message::clone + drop", 100_000, || {
        black_box(black_box(&message).clone());
    });
}

/// Everything but the bytes themselves, of which one a page is written.
fn body(name: &str, len: usize) {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    measure(name, 1, || {
        let mut buffer = pool.buffer(len as u64).expect("memory");
        while buffer.missing() > 0 {
            let space = buffer.space_mut().expect("memory");
            space.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
            let n = space.len();
            buffer.filled(n);
        }
        black_box(buffer.freeze(None));
    });
}

fn measure(name: &str, count: usize, mut operation: impl FnMut()) {
    measure_many(name, count, || (0..count).for_each(|_| operation()));
}

/// `operation` does `count` of what is measured; a round takes about 2 ms.
fn measure_many(name: &str, count: usize, mut operation: impl FnMut()) {
    operation();
    let start = Instant::now();
    operation();
    let once = start.elapsed().as_nanos().max(1);
    let repeats = (2_000_000 / once).clamp(1, 100_000) as usize;
    let rounds = if once < 10_000_000 { ROUNDS } else { 5 };
    let mut figures: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..repeats).for_each(|_| operation());
            start.elapsed().as_nanos() as f64 / (count * repeats) as f64
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    println!("{:9.1} ns  {name}", figures[rounds / 2]);
}
