//! What is measured: one job is one workload, of one contender, in one place.

mod names;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use self::names::format_size;

/// One run of two worker processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) cell: Cell,
    pub(crate) contender: Contender,
    /// Messages, or round trips, before the clock starts.
    pub(crate) warm_up: u64,
    /// Messages, or round trips, that are measured.
    pub(crate) count: u64,
}

/// A group of rows of the table: the jobs whose figures may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) workload: Workload,
    #[serde(flatten)]
    pub(crate) shape: Shape,
    pub(crate) via: Via,
    pub(crate) placement: Placement,
    #[serde(default)]
    pub(crate) mechanism: Mechanism,
}

/// How large a workload's job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// Length of a message's body in bytes.
    pub(crate) size: usize,
    /// Connections between the two processes.
    pub(crate) peers: usize,
    /// What else the workload counts: subscriptions, clients that are busy,
    /// messages that wait, requests under way.
    pub(crate) load: usize,
}

impl Shape {
    /// Messages of `size` bytes over one connection.
    pub(crate) const fn of_size(size: usize) -> Self {
        Self {
            size,
            peers: 1,
            load: 1,
        }
    }

    pub(crate) const fn new(size: usize, peers: usize, load: usize) -> Self {
        Self { size, peers, load }
    }
}

impl Cell {
    /// A cell of connections that are not encrypted.
    pub(crate) const fn new(
        workload: Workload,
        shape: Shape,
        via: Via,
        placement: Placement,
    ) -> Self {
        Self {
            workload,
            shape,
            via,
            placement,
            mechanism: Mechanism::Null,
        }
    }

    /// The few messages that tell how many fill the time of a run.
    pub(crate) fn pilot_count(&self) -> u64 {
        const PILOT_BYTES: u64 = 64 << 20;
        let most = match self.workload {
            Workload::ReqRep => 2_000,
            Workload::PushPull => 200_000,
            Workload::PubSub => 100_000 / self.shape.peers.max(1) as u64,
            Workload::Topics | Workload::Proxy | Workload::DealerRouter => 20_000,
            Workload::Clients => 10_000,
            Workload::Backlog => return self.shape.load as u64,
        };
        (PILOT_BYTES / self.shape.size.max(1) as u64).clamp(8, most.max(8))
    }

    /// The messages of a job that has no pilot. A publisher to a thousand writes
    /// to all of them a few times a second: the first and the last time would be
    /// most of what is measured.
    pub(crate) fn fixed_count(&self) -> u64 {
        let pilots = match self.workload {
            _ if self.has_loans_only() => return LOANS,
            _ if !self.is_heavy() => 1,
            Workload::PubSub => 40,
            _ => 10,
        };
        self.pilot_count() * pilots
    }

    /// Whether bodies are so long that only who copies none of them is measured. The
    /// first ones take most of a second each, to make their memory, and all others
    /// microseconds: a pilot would tell nothing.
    pub(crate) fn has_loans_only(&self) -> bool {
        self.via == Via::Shm && self.shape.size >= 1 << 30
    }

    /// Whether copying a body costs enough for a zero-copy row of its own.
    pub(crate) fn has_zero_copy_rows(&self) -> bool {
        self.workload == Workload::PushPull
            && (self.shape.size >= 64 << 10 || self.via == Via::Shm)
            && self.mechanism == Mechanism::Null
    }

    /// Messages before the clock starts, for `count` behind it.
    pub(crate) fn warm_up(&self, count: u64) -> u64 {
        match self.workload {
            Workload::Backlog => 0,
            _ => count / 5 + 1,
        }
    }

    /// Whether setting it up takes longer than measuring it.
    pub(crate) fn is_heavy(&self) -> bool {
        self.has_plain_peers() && self.shape.peers.max(self.shape.load) > 500
    }

    /// Messages that arrive for each one that is sent.
    pub(crate) fn deliveries(&self) -> u64 {
        match self.workload {
            Workload::PubSub => self.shape.peers as u64,
            _ => 1,
        }
    }

    /// Whether one process plays all peers with plain sockets, the same for
    /// every contender: what is compared is then the other process.
    pub(crate) fn has_plain_peers(&self) -> bool {
        match self.workload {
            Workload::Topics | Workload::Clients => true,
            Workload::PubSub => self.shape.peers > MOST_SUBSCRIBERS,
            _ => false,
        }
    }

    /// Whether the row's headline is a time, not a rate.
    pub(crate) fn is_timed(&self) -> bool {
        self.workload == Workload::ReqRep
    }
}

/// Messages of a job whose bodies are loans: so many that they take some hundred
/// milliseconds.
const LOANS: u64 = 500_000;

/// Subscribers that are the contender's own, each with a thread.
const MOST_SUBSCRIBERS: usize = 16;

/// A pattern and what is measured of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// The rate of one PUSH to one PULL.
    PushPull,
    /// The round-trip time of one REQ and one REP.
    ReqRep,
    /// Deliveries of one PUB to many SUB, none of them dropped.
    PubSub,
    /// A PUB among a million subscriptions to random topics of 20 bytes, each
    /// message for one of them.
    Topics,
    /// Round trips of a DEALER that keeps 100 requests under way, to a ROUTER.
    DealerRouter,
    /// Replies of a ROUTER to 10,000 clients, of which all or ten are busy.
    Clients,
    /// The rate of a PUSH to a PULL through a proxy in a third process.
    Proxy,
    /// Messages queued before the receiver takes the first; of `growth` only.
    #[value(skip)]
    Backlog,
}

/// The transport under the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Via {
    /// Over 127.0.0.1.
    Tcp,
    /// Over a Unix socket in the directory of temporary files.
    Ipc,
    /// Between two threads of one process.
    Inproc,
    /// Through shared memory, where a contender has that; over a Unix socket, its
    /// next best way within a machine, where not.
    Shm,
    /// Between endpoints on 127.0.0.1, from where a contender finds its way to shared
    /// memory by itself.
    TcpSwitched,
}

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Placement {
    /// Both on the first core that this process may use.
    OneCore,
    /// The one that binds on the first core, the one that connects on the next.
    CoreEach,
    /// Wherever the scheduler likes.
    Unpinned,
    /// A core each, and on each core somebody else who never sleeps.
    Contended,
}

impl Placement {
    pub(crate) fn wants_two_cores(self) -> bool {
        matches!(self, Self::CoreEach | Self::Contended)
    }

    /// Whether who polls without end has a core for that.
    pub(crate) fn has_cores_to_burn(self) -> bool {
        matches!(self, Self::CoreEach | Self::Unpinned)
    }
}

/// What a connection's security is (23/ZMTP).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mechanism {
    /// None.
    #[default]
    Null,
    /// Both sides encrypt and authenticate (26/CURVEZMQ).
    Curve,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    /// Blocking sockets, as well as they can be used: the limit.
    Raw,
    /// Sockets that are asked again and again and never waited for: the limit
    /// of a round trip that may burn a core on each side.
    RawBusy,
    /// One copy of a long body between buffers of one process: the limit of what is
    /// copied into shared memory.
    Memcpy,
    /// A word of memory that both processes have, and a body beside it: the limit of a
    /// short round trip through shared memory.
    Words,
    /// libzmq, copying each body into a message.
    Libzmq,
    /// libzmq, sending the caller's buffer (`zmq_msg_init_data`).
    LibzmqZeroCopy,
    /// The distribution's libzmq, if one is installed.
    LibzmqSystem,
    /// omq-tokio.
    Omq,
    /// zeromq, the Rust crate.
    Zeromq,
    /// rzmq.
    Rzmq,
    /// iceoryx2, which is shared memory and nothing else, and is polled.
    Iceoryx2,
    /// The distribution's libnng, if one is installed.
    Nng,
    /// FerroMQ, sending from a borrowed slice.
    Ferromq,
    /// FerroMQ, sending a message that shares its body.
    FerromqZeroCopy,
}

impl Contender {
    /// Whether it is a zero-copy row, which only long messages have.
    pub(crate) fn is_zero_copy(self) -> bool {
        matches!(self, Self::LibzmqZeroCopy | Self::FerromqZeroCopy)
    }

    /// Whether it is somebody else's library.
    pub(crate) fn is_peer(self) -> bool {
        !matches!(
            self,
            Self::Raw
                | Self::RawBusy
                | Self::Memcpy
                | Self::Words
                | Self::Ferromq
                | Self::FerromqZeroCopy
        )
    }

    /// The name on the command line.
    pub(crate) fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Which of a job's processes, or of its threads, a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Binds: the receiver, the replier, or the publisher.
    Server,
    /// Connects: the sender, the requester, or the subscribers.
    Client,
    /// The proxy between them.
    Middle,
    /// Both server and client, each a thread of one process.
    Both,
}

impl Role {
    /// The one that it talks to.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            _ => Self::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pilot_of_any_size_sends_something_and_stays_short() {
        for size in [0, 1, 64, 64 << 10, 10 << 20, 1 << 40] {
            for workload in [Workload::PushPull, Workload::ReqRep] {
                let shape = Shape::of_size(size);
                let cell = Cell::new(workload, shape, Via::Tcp, Placement::Unpinned);
                assert!((8..=200_000).contains(&cell.pilot_count()), "{cell}");
            }
        }
    }
}
