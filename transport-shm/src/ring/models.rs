//! Both sides of a stream under loom.
//!
//! The ring's bytes are cells that loom watches: it reports a byte that is written
//! while it may be read. A wake-up that is lost leaves a thread waiting for ever,
//! which it reports too.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p ferromq-transport-shm --release --lib models
//! ```

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::{Beginning, Foreign, Own, Side, Stream, Words};
use crate::sync::Fault;
use crate::sync::faults::explore;

/// Bytes of a ring: the fewest that wrap in the middle of something.
const RING: usize = 2;

/// A side's memory, both the owner's and the peer's view of it.
#[derive(Clone)]
struct Memory(Arc<(Words, [UnsafeCell<u8>; RING])>);

impl Memory {
    fn new() -> Self {
        Self(Arc::new((
            Words::new(),
            std::array::from_fn(|_| UnsafeCell::new(0)),
        )))
    }
}

impl Side for Memory {
    fn words(&self) -> &Words {
        &self.0.0
    }

    fn ring_len(&self) -> usize {
        RING
    }
}

impl Own for Memory {
    fn copy_in(&self, at: usize, from: &[u8]) {
        for (cell, &byte) in self.0.1[at..].iter().zip(from) {
            // SAFETY: loom checks that nobody reads or writes the cell meanwhile.
            cell.with_mut(|cell| unsafe { *cell = byte });
        }
    }
}

impl Foreign for Memory {
    fn copy_out(&self, at: usize, into: &mut [u8]) {
        for (cell, byte) in self.0.1[at..].iter().zip(into) {
            // SAFETY: loom checks that nobody writes the cell meanwhile.
            *byte = cell.with(|cell| unsafe { *cell });
        }
    }
}

/// What a side sleeps at: a counter of rings, as an edge-triggered poller sees it.
#[derive(Default)]
struct Bell {
    rings: Mutex<u32>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.rung.notify_one();
    }

    /// Sleeps until there was a ring that was not slept for before.
    fn sleep(&self, seen: &mut u32) {
        let mut rings = self.rings.lock().unwrap();
        while *rings == *seen {
            rings = self.rung.wait(rings).unwrap();
        }
        *seen = *rings;
    }
}

/// One side.
struct End {
    stream: Stream<Memory, Memory>,
    ours: Arc<Bell>,
    peers: Arc<Bell>,
    seen: u32,
}

fn ends() -> (End, End) {
    let (one, other) = (Memory::new(), Memory::new());
    let bells = [Arc::new(Bell::default()), Arc::new(Bell::default())];
    let end = |mine: &Memory, theirs: &Memory, at: usize| End {
        stream: Beginning::new(mine.clone()).meet(theirs.clone()).0,
        ours: bells[at].clone(),
        peers: bells[1 - at].clone(),
        seen: 0,
    };
    (end(&one, &other, 0), end(&other, &one, 1))
}

impl End {
    fn write_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let moved = self.stream.write([bytes].into_iter()).unwrap();
            if moved.ring {
                self.peers.ring();
            }
            bytes = &bytes[moved.bytes..];
            if moved.bytes == 0 && !self.stream.await_room().unwrap() {
                self.ours.sleep(&mut self.seen);
            }
        }
    }

    fn read_exact<const N: usize>(&mut self) -> [u8; N] {
        let (mut bytes, mut filled) = ([0; N], 0);
        while filled < N {
            let moved = self
                .stream
                .read([&mut bytes[filled..]].into_iter())
                .unwrap();
            if moved.ring {
                self.peers.ring();
            }
            filled += moved.bytes;
            if moved.bytes == 0 && !self.stream.await_input().unwrap() {
                self.ours.sleep(&mut self.seen);
            }
        }
        bytes
    }

    fn close(&mut self) {
        self.stream.close();
        self.peers.ring();
    }
}

/// A writer that waits for room and a reader that waits for bytes.
fn one_way() {
    let (mut writer, mut reader) = ends();
    let reading = thread::spawn(move || assert_eq!(reader.read_exact(), [1, 2, 3, 4]));
    writer.write_all(&[1, 2, 3, 4]);
    reading.join().unwrap();
}

/// A question and an answer, and another one: both sides sleep in turn.
fn dialogue() {
    let (mut asking, mut answering) = ends();
    let answers = thread::spawn(move || {
        for _ in 0..2 {
            let [question] = answering.read_exact();
            answering.write_all(&[question + 10]);
        }
    });
    for question in [1, 2] {
        asking.write_all(&[question]);
        assert_eq!(asking.read_exact(), [question + 10]);
    }
    answers.join().unwrap();
}

/// A reader that spins for a while is not rung for; then it is again.
fn polling() {
    let (mut writer, mut reader) = ends();
    let reading = thread::spawn(move || {
        reader.stream.stop_awaiting_input();
        let mut byte = [0];
        let looked = reader.stream.read([&mut byte[..]].into_iter()).unwrap();
        match looked.bytes {
            0 => assert_eq!(reader.read_exact(), [1, 2]),
            _ => assert_eq!(reader.read_exact(), [2]),
        }
    });
    writer.write_all(&[1]);
    writer.write_all(&[2]);
    reading.join().unwrap();
}

/// The writer leaves right after its last byte.
fn the_end() {
    let (mut writer, mut reader) = ends();
    let reading = thread::spawn(move || {
        assert_eq!(reader.read_exact(), [1]);
        while !reader.stream.await_input().unwrap() {
            reader.ours.sleep(&mut reader.seen);
        }
        assert!(reader.stream.is_closed_by_peer());
        assert!(!reader.stream.has_input().unwrap());
    });
    writer.write_all(&[1]);
    writer.close();
    reading.join().unwrap();
}

fn holds(preemptions: Option<usize>, at_least: usize, model: fn()) {
    let n = explore(None, preemptions, model);
    assert!(n >= at_least, "{n} executions");
}

#[test]
fn bytes_arrive_in_order_and_nobody_sleeps_too_long() {
    holds(Some(3), 1000, one_way);
}

#[test]
fn both_sides_of_a_dialogue_are_woken() {
    holds(Some(3), 1000, dialogue);
}

#[test]
fn who_stops_spinning_is_woken_again() {
    holds(Some(3), 100, polling);
}

#[test]
fn the_end_is_noticed_after_the_last_byte() {
    holds(None, 100, the_end);
}

#[test]
fn planted_bugs_are_found() {
    let models: [(Fault, fn()); 8] = [
        (Fault::HeadIsRelaxed, one_way),
        (Fault::TailIsRelaxed, one_way),
        (Fault::MoverSkipsFence, one_way),
        (Fault::SleeperSkipsFence, one_way),
        (Fault::SleeperSkipsLook, one_way),
        (Fault::RoomIsNotTold, one_way),
        (Fault::RingsOnce, dialogue),
        (Fault::SleeperOverlooksEnd, the_end),
    ];
    for (fault, model) in models {
        explore(Some(fault), Some(3), model);
    }
}
