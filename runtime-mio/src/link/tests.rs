use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::sync::Mutex;

use ferromq_patterns::PeerId;
use ferromq_transport::PeerAddress;
use ferromq_wire::{Config, Connection, Limits, Null, Scratch, SocketType};

use super::body::LOW_WATER;
use super::*;
use crate::Options;
use crate::memory::Landing;

/// What a transport has to give, and what it was asked to wait for.
#[derive(Default)]
struct Wire {
    bytes: VecDeque<u8>,
    low_water: usize,
}

struct Scripted {
    wire: Arc<Mutex<Wire>>,
    peer: PeerAddress,
}

impl transport::Link for Scripted {
    fn fd(&self) -> RawFd {
        -1
    }
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = &mut self.wire.lock().unwrap().bytes;
        let len = buf.len().min(bytes.len());
        if len == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buf.iter_mut()
            .zip(bytes.drain(..len))
            .for_each(|(to, from)| *to = from);
        Ok(len)
    }
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for buf in bufs {
            match self.read(buf) {
                Ok(len) => total += len,
                Err(_) if total > 0 => break,
                Err(cause) => return Err(cause),
            }
        }
        Ok(total)
    }
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }
    fn set_read_low_water(&mut self, bytes: usize) {
        self.wire.lock().unwrap().low_water = bytes;
    }
    fn peer(&self) -> &PeerAddress {
        &self.peer
    }
    fn shutdown(&mut self) {}
}

/// The two halves of a PULL whose peer, a PUSH, shook hands by NULL.
pub(in crate::link) fn halves() -> (Receiver, Transmitter) {
    let mut sides = [SocketType::Pull, SocketType::Push].map(|socket_type| {
        let mut scratch = Box::<Scratch>::default();
        let now = ferromq_wire::Instant::from_nanos(0);
        let config = Config::new(socket_type);
        let connection = Connection::new(&config, Null, &mut scratch, now).unwrap();
        (connection, scratch)
    });
    let mut wires = [Vec::new(), Vec::new()];
    for _ in 0..8 {
        for (side, (connection, scratch)) in sides.iter_mut().enumerate() {
            let output = connection.poll_output(scratch).to_vec();
            connection.output_written(scratch, output.len());
            wires[1 - side].extend_from_slice(&output);
            let consumed = connection.handle_input(&mut wires[side], scratch).unwrap();
            wires[side].drain(..consumed);
        }
    }
    let [(pull, _), _] = sides;
    pull.establish(Limits::default(), INLINE_MAX)
        .expect("both sides are done")
}

struct Bench {
    link: Link,
    wire: Arc<Mutex<Wire>>,
    machine: Machine,
    id: PeerId,
    pools: Pools,
}

impl Bench {
    fn new() -> Self {
        let wire = Arc::new(Mutex::new(Wire::default()));
        let peer = PeerAddress::new("tcp://127.0.0.1:1".parse().unwrap());
        let scripted = Scripted {
            wire: wire.clone(),
            peer,
        };
        let info = Arc::new(PeerInfo::new("PUSH", "tcp://127.0.0.1:1"));
        let mut machine = Machine::new(SocketType::Pull, &Options::new());
        let id = machine.peer_attached(b"").unwrap();
        Self {
            link: Link::new(Box::new(scripted), halves(), None, info),
            wire,
            machine,
            id,
            pools: Pools {
                blocks: BlockPool::new(),
                buffers: BufferPool::new(1 << 20),
                output: Buffer::default(),
                offer: Offer::default(),
            },
        }
    }

    /// Gives bytes and reads until the link would wait; a message if one came.
    fn give(&mut self, bytes: &[u8]) -> Option<Message> {
        self.wire.lock().unwrap().bytes.extend(bytes);
        self.link.drained = false;
        loop {
            match self
                .link
                .decode(self.id, &mut self.machine, &self.pools)
                .unwrap()
            {
                Decoded::Message(message) => return Some(message),
                Decoded::Starved if self.link.drained => return None,
                _ => {
                    self.link.fill(&self.pools).unwrap();
                }
            }
        }
    }

    fn low_water(&self) -> usize {
        self.wire.lock().unwrap().low_water
    }
}

/// A transport that waits for more than is still to come never wakes anybody.
#[test]
fn no_more_is_waited_for_than_is_missing() {
    let body: Vec<u8> = (0..(1_u32 << 20) + 100_000)
        .map(|at| (at >> 8) as u8)
        .collect();
    let mut header = vec![2];
    header.extend_from_slice(&(body.len() as u64).to_be_bytes());
    // Every cut: also where a read fills its piece, and the next finds nothing.
    for cut in [10, 5_000, (1 << 20) - 10, 1 << 20, (1 << 20) + 10] {
        let mut bench = Bench::new();
        assert!(bench.give(&header).is_none());
        assert!(bench.give(&body[..10]).is_none());
        assert_eq!(bench.low_water(), LOW_WATER);
        assert!(bench.give(&body[10..cut]).is_none());
        let missing = body.len() - cut;
        assert!(
            bench.low_water() <= missing,
            "{} of {missing}",
            bench.low_water()
        );
        let message = bench.give(&body[cut..]).expect("the body is whole");
        assert!(message.frame(0).unwrap() == &body[..]);
        assert_eq!(bench.low_water(), 1);
    }
}

/// Memory of an application's that a test looks at: what it holds shows when the
/// frame of it is gone, too.
struct Room(Vec<u8>, Arc<Mutex<Vec<u8>>>);

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Room {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *self.1.lock().unwrap() = std::mem::take(&mut self.0);
    }
}

const LONG: usize = 100_000;

/// A header of a frame of `LONG` bytes, and those.
fn long_frame(more: u8) -> (Vec<u8>, Vec<u8>) {
    let mut header = vec![2 | more];
    header.extend_from_slice(&(LONG as u64).to_be_bytes());
    (header, (0..LONG).map(|at| (at >> 3) as u8).collect())
}

fn room() -> (Landing, usize, Arc<Mutex<Vec<u8>>>) {
    let left = Arc::default();
    let room = Room(vec![0; LONG], Arc::clone(&left));
    let start = room.0.as_ptr().addr();
    (Landing::new(room), start, left)
}

#[test]
fn a_body_lands_where_the_application_wants_it() {
    let (header, body) = long_frame(0);
    for cut in [0, 1, 9_000, LONG - 1] {
        let mut bench = Bench::new();
        let (landing, start, _) = room();
        assert!(bench.pools.offer.put(landing).is_none());
        assert!(bench.give(&header).is_none());
        assert!(bench.give(&body[..cut]).is_none());
        let message = bench.give(&body[cut..]).expect("the body is whole");
        let frame = message.frame(0).unwrap();
        assert_eq!(frame.as_ptr().addr(), start);
        assert!(frame == &body[..]);
        assert_eq!(frame.origin().unwrap().socket_type(), "PUSH");
        // The next one finds no offer.
        assert!(bench.give(&header).is_none());
        let message = bench.give(&body).expect("another");
        assert_ne!(message.frame(0).unwrap().as_ptr().addr(), start);
    }
}

#[test]
fn nothing_lands_that_is_not_meant() {
    let (header, body) = long_frame(0);
    let mut bench = Bench::new();
    let (landing, start, _) = room();
    let landing = landing.behind(|frames| frames.len() == 1 && frames[0] == *b"this");
    bench.pools.offer.put(landing);
    assert!(bench.give(b"\x01\x04that").is_none());
    bench.give(&header);
    let other = bench.give(&body).expect("behind another frame");
    assert_ne!(other.frame(1).unwrap().as_ptr().addr(), start);
    bench.give(&header[..1]);
    bench.give(&(LONG as u64 - 1).to_be_bytes());
    assert!(bench.give(&body[1..]).is_some(), "shorter");
    assert!(bench.give(b"\x01\x04this").is_none());
    bench.give(&header);
    let meant = bench.give(&body).expect("the one that is meant");
    assert_eq!(meant.frame(1).unwrap().as_ptr().addr(), start);
}

#[test]
fn what_lands_halfway_goes_on_elsewhere() {
    for cut in [0, 40_000, LONG] {
        // Another frame follows, so that the body can be whole and the message not.
        let (header, body) = long_frame(1);
        let mut bench = Bench::new();
        let (landing, start, left) = room();
        bench.pools.offer.put(landing);
        assert!(bench.give(&header).is_none());
        assert!(bench.give(&body[..cut]).is_none());
        assert!(bench.pools.offer.withdraw().is_none(), "it was taken up");
        assert_eq!(bench.pools.offer.forget(), Some(start));
        drop(bench.link.leave_landing(start, &bench.pools).unwrap());
        let left = left.lock().unwrap();
        assert!(left[..cut] == body[..cut]);
        assert!(left[cut..].iter().all(|byte| *byte == 0));
        assert!(bench.give(&body[cut..]).is_none());
        let message = bench.give(b"\x00\x03end").expect("the message is whole");
        assert!(message.frame(0).unwrap() == &body[..]);
        assert_eq!(
            message.frame(0).unwrap().origin().unwrap().socket_type(),
            "PUSH"
        );
    }
}

#[test]
fn a_link_that_ends_lets_go_of_what_it_was_offered() {
    let (header, body) = long_frame(0);
    let mut bench = Bench::new();
    let (landing, _, left) = room();
    bench.pools.offer.put(landing);
    bench.give(&header);
    bench.give(&body[..5]);
    let frames = bench.link.shut_down();
    assert!(left.lock().unwrap().is_empty(), "not under the lock");
    drop(frames);
    assert_eq!(left.lock().unwrap().len(), LONG);
}
