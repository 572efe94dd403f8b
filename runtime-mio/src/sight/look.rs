//! What is copied under a socket's lock, and what is made of it afterwards.
//!
//! Under the lock: numbers, and handles to what is shared anyway. Text is made
//! of them when the socket is free again.

use std::sync::Arc;

use super::{CallerState, SocketSnapshot, SocketState};
use crate::pipe::Pipe;
use crate::socket::{Core, Phase, State};
use crate::statistics::{Drops, PeerState, PeerStatistics, Queued, Statistics, Traffic};
use crate::{Frame, PeerInfo};

/// A socket's counts, as they were.
pub(crate) struct Look {
    peers: Vec<PeerLook>,
    /// Of the peers that are gone.
    traffic: Traffic,
    drops: Drops,
    handshakes_failed: u64,
    authentications_failed: u64,
    authentications_undecided: u64,
    addresses_refused: u64,
    untyped_peers: u64,
    switched: u64,
    switches_refused: u64,
    violations: u64,
    phase: Phase,
}

struct PeerLook {
    id: u64,
    endpoint: Arc<str>,
    info: Option<Arc<PeerInfo>>,
    via: Option<&'static str>,
    identity: Option<Frame>,
    state: PeerState,
    traffic: Traffic,
    drops: Drops,
    queued: Queued,
    reconnects: u64,
    ignored_commands: u32,
}

impl Core {
    /// What the socket has counted. Who looks does the socket's work no more than who
    /// looks from outside: it is no call, or a socket that is only looked at would wait
    /// for one.
    pub(crate) fn statistics(&self) -> Statistics {
        self.enter_foreign().observe().into_statistics()
    }

    /// The socket as it is now, without its endpoints: those are the I/O
    /// thread's. For others than the socket's callers: as the I/O thread it
    /// neither takes the lock's bias nor counts as a call.
    pub(super) fn snapshot(&self) -> SocketSnapshot {
        let look = self.enter_foreign().observe();
        SocketSnapshot {
            id: self.id.0,
            name: self.settings.current().name.clone(),
            socket_type: self.socket_type,
            state: match look.phase {
                Phase::Open => SocketState::Open,
                Phase::Closed => SocketState::Closed,
                Phase::Terminated => SocketState::Terminated,
            },
            caller: match () {
                () if self.flags.is_waited_for() => CallerState::Waiting,
                () if self.flags.is_taken() => CallerState::Away,
                () => CallerState::Present,
            },
            send_high_water_mark: self.settings.send_high_water_mark(),
            receive_high_water_mark: self.settings.receive_high_water_mark(),
            endpoints: Vec::new(),
            statistics: look.into_statistics(),
        }
    }
}

impl State {
    /// O(peers); one allocation.
    pub(crate) fn observe(&self) -> Look {
        let mut peers = Vec::with_capacity(self.pipes.len());
        peers.extend(self.pipes.iter().flatten().map(|pipe| of(pipe)));
        Look {
            peers,
            traffic: self.totals,
            drops: self.drops,
            handshakes_failed: self.handshakes_failed,
            authentications_failed: self.authentications_failed,
            authentications_undecided: self.authentications_undecided,
            addresses_refused: self.addresses_refused,
            untyped_peers: self.untyped_peers,
            switched: self.switched,
            switches_refused: self.switches_refused,
            violations: self.violations,
            phase: self.phase,
        }
    }
}

fn of(pipe: &Pipe) -> PeerLook {
    let link = pipe.link.as_deref();
    let state = match link {
        Some(_) if !pipe.broken => PeerState::Connected,
        None if pipe.connector.is_some() => PeerState::Unconnected,
        _ => PeerState::Leaving,
    };
    let mut traffic = pipe.traffic;
    if let Some(link) = link {
        traffic.add(&link.traffic());
    }
    PeerLook {
        id: pipe.id.to_bits(),
        endpoint: pipe.endpoint.clone(),
        info: link.map(|link| link.peer.clone()),
        via: pipe.via.filter(|_| link.is_some()),
        identity: pipe.identity.clone(),
        state,
        traffic,
        drops: pipe.drops,
        queued: pipe.queued(),
        reconnects: pipe.links.saturating_sub(1),
        ignored_commands: link.map_or(0, |link| link.ignored()),
    }
}

impl Look {
    pub(crate) fn into_statistics(self) -> Statistics {
        let (mut traffic, mut drops) = (self.traffic, self.drops);
        for peer in &self.peers {
            traffic.add(&peer.traffic);
            drops.add_all(&peer.drops);
        }
        Statistics {
            peers: self.peers.into_iter().map(PeerStatistics::from).collect(),
            traffic,
            drops,
            handshakes_failed: self.handshakes_failed,
            authentications_failed: self.authentications_failed,
            authentications_undecided: self.authentications_undecided,
            addresses_refused: self.addresses_refused,
            untyped_peers: self.untyped_peers,
            switched: self.switched,
            switches_refused: self.switches_refused,
            violations: self.violations,
        }
    }
}

impl From<PeerLook> for PeerStatistics {
    fn from(look: PeerLook) -> Self {
        let info = look.info.as_deref();
        let identity = look.identity.as_deref().or(info.map(PeerInfo::identity));
        Self {
            id: look.id,
            identity: identity.unwrap_or_default().to_vec(),
            address: info.map(|info| info.address().to_owned()),
            via: look.via,
            endpoint: look.endpoint.as_ref().to_owned(),
            state: look.state,
            traffic: look.traffic,
            drops: look.drops,
            queued_messages: look.queued.messages_out,
            queued_bytes: look.queued.bytes_out,
            received_messages: look.queued.messages_in,
            received_bytes: look.queued.bytes_in,
            reconnects: look.reconnects,
            ignored_commands: look.ignored_commands,
        }
    }
}
