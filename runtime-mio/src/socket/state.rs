//! What a socket's lock protects: the pattern, the pipes, and what is known of
//! them.

use std::collections::HashMap;
use std::sync::Arc;

use ferromq_patterns::PeerId;

use super::inbound::Inbound;
use super::pacing::Pace;
use super::spin::Spin;
use crate::hand_over::Seat;
use crate::io::ConnectorId;
use crate::link::Pools;
use crate::machine::Machine;
use crate::memory::{BlockPool, BufferPool};
use crate::pipe::Pipe;
use crate::statistics::{DropCause, Drops, Traffic};
use crate::{Error, Frame};

/// Whether calls still work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Closed,
    Terminated,
}

/// The socket behind its lock.
pub(crate) struct State {
    pub(crate) machine: Machine,
    /// By the index of the pattern's [`PeerId`].
    pub(crate) pipes: Vec<Option<Box<Pipe>>>,
    pub(crate) connectors: HashMap<ConnectorId, PeerId>,
    pub(crate) pools: Pools,
    /// Links whose output waits although the transport would take it.
    pub(crate) deferred: Vec<PeerId>,
    pub(crate) inbound: Inbound,
    /// Frames to drop when the lock is released; see [`Entered`](super::core::Entered).
    pub(crate) finished: Vec<Frame>,
    /// Who waits for the socket's events.
    pub(crate) seat: Seat,
    pub(crate) spin: Spin,
    /// The same for what was lent: either may fail where the other pays.
    pub(super) spin_for_returns: Spin,
    pub(crate) phase: Phase,
    /// An endpoint was bound or connected, or a topic subscribed to: options of
    /// the pattern are settled.
    pub(crate) in_use: bool,
    pub(crate) pace: Pace,
    /// Links that want to be told before somebody sleeps.
    pub(crate) armed: Vec<PeerId>,
    /// Whose link tells nothing of what comes, for we look there again and again: see
    /// `silence`.
    pub(super) silenced: Option<PeerId>,
    /// Something came or has room that the application was not told of.
    pub(crate) news: bool,
    /// The application has received since a sender last looked at the epoll.
    pub(crate) received: bool,
    /// What was connected, whether or not a pipe stands for it now.
    pub(crate) endpoints: Vec<(ConnectorId, Arc<str>)>,
    /// Peers whose share of a turn was over before they were read to their end.
    pub(crate) unread: Vec<PeerId>,
    /// Pipes before this one were looked at since the I/O thread took over.
    pub(crate) looked_at: usize,
    /// Links on which payloads go by reference.
    pub(crate) by_reference: usize,
    /// Pipes with a link.
    pub(crate) linked: usize,
    /// Links registered for writability: their transport is full, or was.
    pub(crate) blocked: usize,
    /// Of the peers that are gone.
    pub(crate) totals: Traffic,
    pub(crate) drops: Drops,
    pub(crate) handshakes_failed: u64,
    pub(crate) authentications_failed: u64,
    pub(crate) authentications_undecided: u64,
    pub(crate) addresses_refused: u64,
    pub(crate) untyped_peers: u64,
    pub(crate) switched: u64,
    pub(crate) switches_refused: u64,
    pub(crate) violations: u64,
}

impl State {
    pub(crate) fn new(machine: Machine, spin: Spin) -> Self {
        Self {
            machine,
            pipes: Vec::new(),
            connectors: HashMap::new(),
            pools: Pools {
                blocks: BlockPool::new(),
                buffers: BufferPool::new(BufferPool::DEFAULT_LIMIT),
                output: Default::default(),
                offer: Default::default(),
            },
            deferred: Vec::new(),
            inbound: Inbound::default(),
            finished: Vec::new(),
            seat: Seat::default(),
            spin_for_returns: Spin::new(),
            spin,
            phase: Phase::Open,
            in_use: false,
            pace: Pace::new(),
            armed: Vec::new(),
            silenced: None,
            news: false,
            received: false,
            endpoints: Vec::new(),
            unread: Vec::new(),
            looked_at: usize::MAX,
            by_reference: 0,
            linked: 0,
            blocked: 0,
            totals: Traffic::default(),
            drops: Drops::default(),
            handshakes_failed: 0,
            authentications_failed: 0,
            authentications_undecided: 0,
            addresses_refused: 0,
            untyped_peers: 0,
            switched: 0,
            switches_refused: 0,
            violations: 0,
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Closed => Err(Error::Closed),
            Phase::Terminated => Err(Error::Terminated),
        }
    }

    #[inline]
    pub(crate) fn pipe(&mut self, id: PeerId) -> Option<&mut Pipe> {
        self.pipes
            .get_mut(id.index())?
            .as_deref_mut()
            .filter(|pipe| pipe.id == id)
    }

    /// The ids of all peers, to walk them while they change.
    pub(crate) fn ids(&self) -> Vec<PeerId> {
        self.pipes.iter().flatten().map(|pipe| pipe.id).collect()
    }

    /// Counts dropped messages, at their peer where there is one.
    pub(crate) fn drop_messages(&mut self, id: Option<PeerId>, cause: DropCause, messages: u64) {
        match id.and_then(|id| self.pipe(id)) {
            Some(pipe) => pipe.drops.add(cause, messages),
            None => self.drops.add(cause, messages),
        }
    }
}
