//! Making a report of what the observers see.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ferromq_mio::{
    CallerState, Drops, EndpointSnapshot, EndpointState, PeerState, PeerStatistics, SocketSnapshot,
    SocketState, Statistics, Traffic,
};

use super::{
    ALL_PEERS, Amount, EndpointReport, Identity, PEERS, PeerReport, Report, SOCKETS, SocketReport,
    VERSION,
};

impl Report {
    /// A report of this process. Bounded: what is beyond the limits is counted.
    pub(in crate::status) fn new(
        program: &str,
        clock_us: u64,
        snapshots: Vec<(u64, SocketSnapshot)>,
    ) -> Self {
        let mut peers = ALL_PEERS;
        let omitted = snapshots.len().saturating_sub(SOCKETS);
        let sockets = snapshots
            .into_iter()
            .take(SOCKETS)
            .map(|(context, snapshot)| socket(context, snapshot, &mut peers))
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            ferromq_status: VERSION,
            pid: std::process::id(),
            program: program.into(),
            clock_us,
            time_ms: now.map_or(0, |now| now.as_millis() as u64),
            sockets,
            sockets_omitted: omitted as u64,
        }
    }
}

/// `peers_left`: how many more the report may tell.
fn socket(context: u64, snapshot: SocketSnapshot, peers_left: &mut usize) -> SocketReport {
    let SocketSnapshot {
        endpoints,
        statistics,
        ..
    } = snapshot;
    let (sent, received) = passed(&statistics.traffic);
    let told = statistics.peers.len().min(PEERS).min(*peers_left);
    *peers_left -= told;
    SocketReport {
        context,
        id: snapshot.id,
        name: snapshot.name,
        socket_type: snapshot.socket_type.name().into(),
        state: state(snapshot.state).into(),
        caller: caller(snapshot.caller).into(),
        send_hwm: snapshot.send_high_water_mark as u64,
        receive_hwm: snapshot.receive_high_water_mark as u64,
        reconnects: endpoints.iter().map(EndpointSnapshot::reconnects).sum(),
        endpoints: endpoints.into_iter().map(endpoint).collect(),
        sent,
        received,
        queue_out: sum(&statistics, waits_out),
        queue_in: sum(&statistics, waits_in),
        drops: drops(&statistics.drops),
        handshakes_failed: statistics.handshakes_failed,
        authentications_failed: statistics.authentications_failed,
        authentications_undecided: statistics.authentications_undecided,
        addresses_refused: statistics.addresses_refused,
        violations: statistics.violations,
        untyped_peers: statistics.untyped_peers,
        switched: statistics.switched,
        switches_refused: statistics.switches_refused,
        peers_total: statistics.peers.len() as u64,
        peers_connected: statistics.connected() as u64,
        peers: statistics.peers.into_iter().take(told).map(peer).collect(),
        rates: None,
    }
}

fn peer(peer: PeerStatistics) -> PeerReport {
    let (sent, received) = passed(&peer.traffic);
    PeerReport {
        id: peer.id.to_string(),
        queue_out: waits_out(&peer),
        queue_in: waits_in(&peer),
        identity: Identity::of(&peer.identity),
        endpoint: peer.endpoint,
        address: peer.address,
        via: peer.via.map(str::to_owned),
        state: match peer.state {
            PeerState::Connected => "connected",
            PeerState::Unconnected => "unconnected",
            _ => "leaving",
        }
        .into(),
        sent,
        received,
        drops: drops(&peer.drops),
        reconnects: peer.reconnects,
        ignored_commands: peer.ignored_commands.into(),
        rates: None,
    }
}

fn endpoint(endpoint: EndpointSnapshot) -> EndpointReport {
    let (state, retry_in_ms) = match endpoint.state {
        EndpointState::Listening => ("listening", None),
        EndpointState::Resolving => ("resolving", None),
        EndpointState::Connecting => ("connecting", None),
        EndpointState::Handshaking => ("handshaking", None),
        EndpointState::Connected => ("connected", None),
        EndpointState::Retrying { pause } => ("retrying", Some(pause.as_millis() as u64)),
        _ => ("refused", None),
    };
    EndpointReport {
        endpoint: endpoint.endpoint,
        state: state.into(),
        connections: endpoint.connections,
        retry_in_ms,
        failure: endpoint.failure,
    }
}

fn state(state: SocketState) -> &'static str {
    match state {
        SocketState::Open => "open",
        SocketState::Closed => "closed",
        _ => "terminated",
    }
}

fn caller(caller: CallerState) -> &'static str {
    match caller {
        CallerState::Waiting => "waiting",
        CallerState::Away => "away",
        _ => "present",
    }
}

fn passed(traffic: &Traffic) -> (Amount, Amount) {
    let sent = Amount {
        messages: traffic.messages_sent,
        bytes: traffic.bytes_sent,
    };
    let received = Amount {
        messages: traffic.messages_received,
        bytes: traffic.bytes_received,
    };
    (sent, received)
}

fn waits_out(peer: &PeerStatistics) -> Amount {
    Amount {
        messages: peer.queued_messages as u64,
        bytes: peer.queued_bytes as u64,
    }
}

fn waits_in(peer: &PeerStatistics) -> Amount {
    Amount {
        messages: peer.received_messages as u64,
        bytes: peer.received_bytes as u64,
    }
}

fn sum(statistics: &Statistics, waits: fn(&PeerStatistics) -> Amount) -> Amount {
    let mut all = Amount::default();
    for peer in &statistics.peers {
        let amount = waits(peer);
        all.messages += amount.messages;
        all.bytes += amount.bytes;
    }
    all
}

fn drops(drops: &Drops) -> BTreeMap<String, u64> {
    drops
        .iter()
        .map(|(cause, messages)| (cause.name().into(), messages))
        .collect()
}
