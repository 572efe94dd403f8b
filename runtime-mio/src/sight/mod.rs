//! Sight into a context from outside: what each of its sockets is doing.
//!
//! ```text
//!  observer ──▶ list of sockets ──▶ each socket: one short hold of its lock
//!           └─▶ Command::Describe ▶ the I/O thread: endpoints and their states
//! ```
//! Nothing is counted for this but what [`Statistics`] counts anyway, so that
//! looking costs only who looks, and the socket for the time of one look.

mod look;

use std::collections::HashMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ferromq_wire::SocketType;

use crate::Statistics;
use crate::io::{Command, IoHandle, SocketId};
use crate::socket::Core;
use crate::sync::{Mutex, lock_unpoisoned};

/// Longest wait for the I/O thread's answer. It answers within a millisecond
/// or so, unless a user's release callback holds it up.
const ANSWER: Duration = Duration::from_secs(1);

/// The sockets of a context, none of them kept alive.
pub(crate) type SocketList = Mutex<Vec<Weak<Core>>>;

/// Looks at the sockets of one context, for as long as there are any.
///
/// It keeps neither the context nor a socket alive, and is `Send + Sync`: a
/// thread that serves status holds one. Clones look at the same context.
#[derive(Clone)]
pub struct ContextObserver {
    sockets: Arc<SocketList>,
    io: Arc<IoHandle>,
}

/// One socket at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketSnapshot {
    /// Tells the sockets of a context apart; never used again.
    pub id: u64,
    /// [`Options::name`](crate::Options::name); empty if it was given none.
    pub name: String,
    /// Its type.
    pub socket_type: SocketType,
    /// Whether it takes calls.
    pub state: SocketState,
    /// Who looks after it.
    pub caller: CallerState,
    /// Messages that may wait for one peer to be sent; 0 is no limit.
    pub send_high_water_mark: usize,
    /// Messages that may wait from one peer to be received; 0 is no limit.
    pub receive_high_water_mark: usize,
    /// What it is bound and connected to, in no particular order.
    ///
    /// Empty if the I/O thread did not answer within a second, as one does that
    /// a frame's release callback holds up.
    pub endpoints: Vec<EndpointSnapshot>,
    /// Its counts, and its peers.
    pub statistics: Statistics,
}

/// Whether a socket takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketState {
    /// It does.
    Open,
    /// It was closed: what waits is sent while its linger lasts.
    Closed,
    /// So was its context.
    Terminated,
}

/// Where the application is, as the socket knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallerState {
    /// It has made a call some milliseconds ago at most, or nothing has been
    /// seen of it yet.
    Present,
    /// It waits in a call or a poller: for a message, for room, for a peer.
    Waiting,
    /// It has been away for some milliseconds: the I/O thread reads up to the
    /// high-water mark for it.
    Away,
}

/// An endpoint that a socket was bound or connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointSnapshot {
    /// As text; for a bound one the real one, without wildcards.
    pub endpoint: String,
    /// What happens there.
    pub state: EndpointState,
    /// Connections that were accepted here, or made from here and completed
    /// their handshake, ever. For a connected endpoint all but the first are
    /// reconnections.
    pub connections: u64,
    /// Why the last attempt to connect failed, until one succeeds.
    pub failure: Option<String>,
}

/// What happens at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointState {
    /// Bound: it accepts connections.
    Listening,
    /// Its name is being looked up.
    Resolving,
    /// The transport connects.
    Connecting,
    /// The connection stands and the handshake is under way.
    Handshaking,
    /// The connection carries messages.
    Connected,
    /// Not connected: the next attempt comes after `pause`.
    Retrying {
        /// Time until then.
        pause: Duration,
    },
    /// The peer refused our credentials for good (37/ZMTP, ERROR).
    Refused,
}

impl EndpointSnapshot {
    /// Connections made after the first; 0 for a bound endpoint.
    pub fn reconnects(&self) -> u64 {
        match self.state {
            EndpointState::Listening => 0,
            _ => self.connections.saturating_sub(1),
        }
    }
}

impl ContextObserver {
    pub(crate) fn new(sockets: Arc<SocketList>, io: Arc<IoHandle>) -> Self {
        Self { sockets, io }
    }

    /// Every socket that exists right now: also those that are closed and still
    /// send what waits.
    ///
    /// O(sockets, peers and endpoints). Each socket is held for O(its peers)
    /// and not longer than a handful of words are copied for each; traffic goes
    /// on in between. Wakes the I/O thread once, and waits for its answer for a
    /// second at most.
    pub fn sockets(&self) -> Vec<SocketSnapshot> {
        let cores: Vec<_> = lock_unpoisoned(&self.sockets)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        if cores.is_empty() {
            return Vec::new();
        }
        let mut endpoints = self.endpoints();
        let snapshots = cores.iter().map(|core| SocketSnapshot {
            endpoints: endpoints.remove(&core.id).unwrap_or_default(),
            ..core.snapshot()
        });
        snapshots.collect()
    }

    /// Whether both look at the same context.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.io, &other.io)
    }

    fn endpoints(&self) -> HashMap<SocketId, Vec<EndpointSnapshot>> {
        let (answer, answered) = sync_channel(1);
        self.io.send(Command::Describe(answer));
        let mut by_socket = HashMap::<_, Vec<_>>::new();
        for (socket, endpoint) in answered.recv_timeout(ANSWER).unwrap_or_default() {
            by_socket.entry(socket).or_default().push(endpoint);
        }
        by_socket
    }
}

impl std::fmt::Debug for ContextObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextObserver").finish_non_exhaustive()
    }
}
