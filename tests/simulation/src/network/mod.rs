//! A virtual network: connections of two byte streams that split, stall, break
//! and lose, but never reorder or invent a byte.

mod tap;

use ferromq_patterns::PeerId;

use crate::random::Random;
use tap::Tap;

/// The number of a connection.
pub(crate) type ConnectionId = u32;

/// Everything between the nodes.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: Vec<Connection>,
    /// Nodes that cannot reach the others, a bit each, until then.
    pub(crate) cut_off: u32,
    pub(crate) cut_off_until: u64,
    /// Whole messages that were written, and not read yet.
    pub(crate) in_flight: u64,
    /// Whole messages that were written, and will never be read.
    pub(crate) lost: u64,
    /// Somebody sent a command to a peer of 3.0.
    pub(crate) confused: bool,
    /// Bytes that are under way.
    pub(crate) bytes: usize,
}

/// A connection, from dialling until both ends closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The dialling end, and the end that accepts.
    pub(crate) ends: [End; 2],
    /// What each end writes.
    streams: [Stream; 2],
    pub(crate) accepted: bool,
    /// The network broke it; the ends may not know yet.
    pub(crate) broken: bool,
    /// In which nobody sends PINGs.
    pub(crate) version: Minor,
    latency: u64,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) node: u8,
    pub(crate) socket: u8,
    /// Whose pipe has the link; nobody's while hands are shaken.
    pub(crate) peer: Option<PeerId>,
    pub(crate) open: bool,
}

#[derive(Debug)]
struct Stream {
    version: Minor,
    /// Bytes that its writer ever wrote.
    total: usize,
    bytes: Vec<u8>,
    capacity: usize,
    /// Its writer closed: an end follows the bytes.
    ends: bool,
    stalled_until: u64,
    /// A transfer is due.
    scheduled: bool,
    written: Tap,
    read: Tap,
}

/// How a network treats a new connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    /// Bytes that one direction holds.
    pub(crate) capacity: usize,
    /// The longest a transfer takes, in microseconds.
    pub(crate) latency: u64,
    /// Both ends offer checksums.
    pub(crate) checksums: bool,
    /// Each end takes the other one for a peer of ZMTP 3.0.
    pub(crate) version: Minor,
    /// Whether each end sends messages, or nothing but subscriptions (which are
    /// messages to a peer of 3.0).
    pub(crate) sends: [Sends; 2],
}

/// The minor version in the greetings that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Minor {
    AsSent,
    Zero,
}

/// What an end's socket sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    Messages,
    Subscriptions,
    /// Subscriptions to groups.
    Groups,
}

impl Network {
    pub(crate) fn dial(&mut self, from: (u8, u8), to: (u8, u8), wire: Wire) -> ConnectionId {
        let end = |(node, socket)| End {
            node,
            socket,
            peer: None,
            open: true,
        };
        self.connections.push(Connection {
            ends: [
                end(from),
                End {
                    open: false,
                    ..end(to)
                },
            ],
            streams: wire.sends.map(|sends| Stream::new(wire, sends)),
            accepted: false,
            broken: false,
            version: wire.version,
            latency: wire.latency,
        });
        self.connections.len() as ConnectionId - 1
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> &Connection {
        &self.connections[id as usize]
    }

    pub(crate) fn connection_mut(&mut self, id: ConnectionId) -> &mut Connection {
        &mut self.connections[id as usize]
    }

    /// Connections ever made.
    pub(crate) fn len(&self) -> ConnectionId {
        self.connections.len() as ConnectionId
    }

    /// Until when no byte passes between the ends: zero if now.
    pub(crate) fn held_until(&self, id: ConnectionId, from: u8, now: u64) -> u64 {
        let connection = self.connection(id);
        let [a, b] = connection.ends.map(|end| self.cut_off >> end.node & 1);
        let partition = if a == b { 0 } else { self.cut_off_until };
        let stall = connection.streams[usize::from(from)].stalled_until;
        let until = partition.max(stall);
        if until > now { until } else { 0 }
    }

    pub(crate) fn stall(&mut self, id: ConnectionId, from: u8, until: u64) {
        self.connection_mut(id).streams[usize::from(from)].stalled_until = until;
    }

    /// Takes some of `bytes`, perhaps not as many as it has room for.
    pub(crate) fn write(
        &mut self,
        id: ConnectionId,
        from: u8,
        bytes: &[u8],
        random: &mut Random,
    ) -> usize {
        let connection = &mut self.connections[id as usize];
        let void = connection.broken
            || (connection.accepted && !connection.ends[1 - usize::from(from)].open);
        let stream = &mut connection.streams[usize::from(from)];
        let room = match void {
            true => bytes.len(),
            false => bytes.len().min(stream.capacity - stream.bytes.len()),
        };
        let taken = match room {
            0 => return 0,
            _ if random.one_in(4) => random.between(1, room as u64) as usize,
            room => room,
        };
        let before = stream.written.messages();
        stream.written.feed(&bytes[..taken]);
        self.in_flight += stream.written.messages() - before;
        self.confused |= stream.version == Minor::Zero && stream.written.has_new_commands();
        if !void {
            stream.carry(&bytes[..taken]);
            self.bytes += taken;
        }
        taken
    }

    /// Moves up to `room` bytes of what `from` wrote into `into`, any number of
    /// them, and says how many whole messages came with them.
    pub(crate) fn read(
        &mut self,
        id: ConnectionId,
        from: u8,
        room: usize,
        into: &mut Vec<u8>,
        random: &mut Random,
    ) -> (usize, u64) {
        let stream = &mut self.connections[id as usize].streams[usize::from(from)];
        let available = stream.bytes.len().min(room);
        let count = match available {
            0 => return (0, 0),
            _ if random.one_in(8) => 1,
            available if random.one_in(3) => random.between(1, available as u64) as usize,
            available => available,
        };
        let before = stream.read.messages();
        stream.read.feed(&stream.bytes[..count]);
        into.extend(stream.bytes.drain(..count));
        let messages = stream.read.messages() - before;
        self.in_flight -= messages;
        self.bytes -= count;
        (count, messages)
    }

    /// Breaks a connection: of what is under way only so many bytes still arrive.
    pub(crate) fn cut(&mut self, id: ConnectionId, kept: [usize; 2]) {
        let connection = &mut self.connections[id as usize];
        connection.broken = true;
        for (stream, kept) in connection.streams.iter_mut().zip(kept) {
            self.bytes -= stream.bytes.len() - kept;
            stream.bytes.truncate(kept);
        }
    }

    /// One end closes; with the second one, what was under way is lost.
    pub(crate) fn close(&mut self, id: ConnectionId, side: u8) {
        let connection = &mut self.connections[id as usize];
        connection.ends[usize::from(side)].open = false;
        connection.streams[usize::from(side)].ends = true;
        if connection.accepted && connection.ends.iter().any(|end| end.open) {
            return;
        }
        if !connection.accepted {
            connection.broken = true;
        }
        for stream in &mut connection.streams {
            let rest = stream.written.messages() - stream.read.messages();
            self.in_flight -= rest;
            self.lost += rest;
            stream.written = stream.read.clone();
            self.bytes -= std::mem::take(&mut stream.bytes).len();
        }
    }
}

impl Connection {
    /// When the next transfer of what `from` wrote happens, if one is to be
    /// arranged.
    pub(crate) fn next_transfer(&mut self, from: u8, random: &mut Random) -> Option<u64> {
        let latency = self.latency;
        let stream = &mut self.streams[usize::from(from)];
        if stream.scheduled || (stream.bytes.is_empty() && !stream.ends) {
            return None;
        }
        stream.scheduled = true;
        let slow = if random.one_in(32) { 20 } else { 1 };
        Some(random.between(1, latency * slow))
    }

    pub(crate) fn transfer_begins(&mut self, from: u8) {
        self.streams[usize::from(from)].scheduled = false;
    }

    /// Whether all that `from` wrote has arrived, and it will write no more.
    pub(crate) fn has_ended(&self, from: u8) -> bool {
        let stream = &self.streams[usize::from(from)];
        stream.ends && stream.bytes.is_empty()
    }

    pub(crate) fn bytes(&self, from: u8) -> usize {
        self.streams[usize::from(from)].bytes.len()
    }

    /// Both ends are open, and the network lets bytes pass.
    pub(crate) fn stands(&self) -> bool {
        self.accepted && !self.broken && self.ends.iter().all(|end| end.open)
    }
}

impl Stream {
    fn new(wire: Wire, sends: Sends) -> Self {
        let tap = Tap::new(wire.checksums, sends);
        Self {
            version: wire.version,
            total: 0,
            bytes: Vec::new(),
            capacity: wire.capacity,
            ends: false,
            stalled_until: 0,
            scheduled: false,
            written: tap.clone(),
            read: tap,
        }
    }

    /// Takes bytes, and makes the greeting among them one of 3.0.
    fn carry(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let minor = MINOR_AT
            .checked_sub(self.total)
            .and_then(|at| self.bytes.get_mut(start + at));
        if let (Minor::Zero, Some(minor)) = (self.version, minor) {
            *minor = 0;
        }
        self.total += bytes.len();
    }
}

/// Where in a greeting the minor version is (37/ZMTP, Greeting).
const MINOR_AT: usize = 11;
