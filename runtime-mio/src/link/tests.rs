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
