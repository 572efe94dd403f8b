//! A stream against two queues, and against a peer that lies.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

const LEN: usize = 16;

/// A side's memory, both the owner's and the peer's view of it.
#[derive(Clone)]
struct Memory(Rc<(Words, [Cell<u8>; LEN])>);

impl Memory {
    fn new() -> Self {
        Self(Rc::new((Words::new(), [const { Cell::new(0) }; LEN])))
    }
}

impl Side for Memory {
    fn words(&self) -> &Words {
        &self.0.0
    }

    fn ring_len(&self) -> usize {
        LEN
    }
}

impl Own for Memory {
    fn copy_in(&self, at: usize, from: &[u8]) {
        assert!(at + from.len() <= LEN);
        for (cell, &byte) in self.0.1[at..].iter().zip(from) {
            cell.set(byte);
        }
    }
}

impl Foreign for Memory {
    fn copy_out(&self, at: usize, into: &mut [u8]) {
        assert!(at + into.len() <= LEN);
        for (cell, byte) in self.0.1[at..].iter().zip(into) {
            *byte = cell.get();
        }
    }
}

type Both = Stream<Memory, Memory>;

fn pair() -> (Both, Both, Memory, Memory) {
    let (one, other) = (Memory::new(), Memory::new());
    let (first, _) = Beginning::new(one.clone()).meet(other.clone());
    let (second, _) = Beginning::new(other.clone()).meet(one.clone());
    (first, second, one, other)
}

#[derive(Debug, Clone)]
enum Action {
    Write { by: usize, lens: Vec<usize> },
    Read { by: usize, lens: Vec<usize> },
    AwaitInput { by: usize },
    AwaitRoom { by: usize },
}

fn action() -> impl Strategy<Value = Action> {
    let lens = || prop::collection::vec(0..20_usize, 0..4);
    prop_oneof![
        (0..2_usize, lens()).prop_map(|(by, lens)| Action::Write { by, lens }),
        (0..2_usize, lens()).prop_map(|(by, lens)| Action::Read { by, lens }),
        (0..2_usize).prop_map(|by| Action::AwaitInput { by }),
        (0..2_usize).prop_map(|by| Action::AwaitRoom { by }),
    ]
}

/// What a side waits for, as its peer has to respect it.
#[derive(Default, Clone, Copy)]
struct Waits {
    input: bool,
    /// Until so many bytes are read.
    room: Option<usize>,
}

proptest! {
    /// Bytes come out as they went in, as many as fit, and who was told that it
    /// may sleep is rung for by the move that ends its wait.
    #[test]
    fn a_stream_is_a_queue_of_so_many_bytes(actions in prop::collection::vec(action(), 0..200)) {
        let (first, second, ..) = pair();
        let mut sides = [first, second];
        // What lies between, by who wrote it.
        let mut queues = [VecDeque::new(), VecDeque::new()];
        let mut waits = [Waits { input: true, room: None }; 2];
        // Bytes ever read of what each wrote.
        let mut read = [0; 2];
        let mut next = 0_u8;
        for action in actions {
            match action {
                Action::Write { by, lens } => {
                    let bufs: Vec<Vec<u8>> = lens.iter().map(|&len| {
                        (0..len).map(|_| { next = next.wrapping_add(1); next }).collect()
                    }).collect();
                    let all: Vec<u8> = bufs.concat();
                    let room = LEN - queues[by].len();
                    let moved = sides[by].write(bufs.iter().map(|buf| &buf[..])).unwrap();
                    prop_assert_eq!(moved.bytes, room.min(all.len()));
                    queues[by].extend(&all[..moved.bytes]);
                    let sleeper = &mut waits[1 - by].input;
                    prop_assert_eq!(moved.ring, *sleeper && moved.bytes > 0);
                    *sleeper &= !moved.ring;
                }
                Action::Read { by, lens } => {
                    let mut bufs: Vec<Vec<u8>> = lens.iter().map(|&len| vec![0; len]).collect();
                    let want: usize = lens.iter().sum();
                    let moved = sides[by].read(bufs.iter_mut().map(|buf| &mut buf[..])).unwrap();
                    let queue = &mut queues[1 - by];
                    prop_assert_eq!(moved.bytes, want.min(queue.len()));
                    let expected: Vec<u8> = queue.drain(..moved.bytes).collect();
                    prop_assert_eq!(&bufs.concat()[..moved.bytes], &expected[..]);
                    read[1 - by] += moved.bytes;
                    let awaited = waits[1 - by].room.filter(|&at| at <= read[1 - by]);
                    prop_assert_eq!(moved.ring, awaited.is_some());
                    if moved.ring {
                        waits[1 - by].room = None;
                    }
                }
                Action::AwaitInput { by } => {
                    let ready = sides[by].await_input().unwrap();
                    prop_assert_eq!(ready, !queues[1 - by].is_empty());
                    waits[by].input = !ready;
                }
                Action::AwaitRoom { by } if queues[by].len() == LEN => {
                    prop_assert!(!sides[by].await_room().unwrap());
                    waits[by].room = Some(read[by] + LEN / 2);
                }
                Action::AwaitRoom { .. } => {}
            }
        }
    }

    /// Whatever a peer writes into its words, ours ends with an error or goes on,
    /// and copies nothing from outside a ring.
    #[test]
    fn a_peer_that_scribbles_is_found_out(
        words in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()), 1..20),
    ) {
        let (mut ours, _, _, theirs) = pair();
        for (head, tail, input, room) in words {
            let said = theirs.words();
            // Near what it may say, as often as anywhere.
            let near = |value: u64, position: u64| match value % 3 {
                0 => value,
                1 => position.wrapping_add(value % 40).wrapping_sub(20),
                _ => position,
            };
            let (head, tail) = (near(head, ours.tail), near(tail, ours.head));
            said.head.store(head, Ordering::Relaxed);
            said.tail.store(tail, Ordering::Relaxed);
            said.input_wanted.store(input, Ordering::Relaxed);
            said.room_wanted.store(room, Ordering::Relaxed);
            let (before, known) = (ours.tail, ours.known_head);
            let read = ours.read([&mut [0; 40][..]].into_iter());
            if head < known || head - before > LEN as u64 {
                prop_assert!(matches!(read, Err(Corrupt::Head { .. })), "{:?}", read);
                break;
            }
            prop_assert_eq!(read.unwrap().bytes as u64, head - before);
            let (known, written) = (ours.known_tail, ours.head);
            let write = ours.write([&[1; 40][..]].into_iter());
            if tail < known || tail > written {
                prop_assert!(matches!(write, Err(Corrupt::Tail { .. })), "{:?}", write);
                break;
            }
            prop_assert_eq!(write.unwrap().bytes as u64, LEN as u64 - (written - tail));
        }
    }
}

#[test]
fn what_was_written_before_the_peer_came_is_there() {
    let (one, other) = (Memory::new(), Memory::new());
    let mut beginning = Beginning::new(one.clone());
    assert_eq!(beginning.write([&[1, 2, 3][..], &[4; 20]].into_iter()), LEN);
    assert_eq!(beginning.write([&[5][..]].into_iter()), 0);
    let (mut second, ring) = Beginning::new(other.clone()).meet(one);
    assert!(!ring, "nothing was written");
    let (_, ring) = beginning.meet(other);
    assert!(ring, "the peer waits for its first byte");
    let mut bytes = [0; 20];
    let moved = second.read([&mut bytes[..]].into_iter()).unwrap();
    assert_eq!(moved.bytes, LEN);
    assert_eq!(bytes[..4], [1, 2, 3, 4]);
}
