//! What is told: the JSON of `docs/STATUS.md`, as types.

mod making;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the status protocol. Fields may be added within a version;
/// readers skip what they do not know.
pub const VERSION: u32 = 1;

/// Sockets told in one report.
const SOCKETS: usize = 1024;
/// Peers told of one socket.
const PEERS: usize = 1024;
/// Peers told in one report.
const ALL_PEERS: usize = 8192;

/// A process at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// [`VERSION`].
    pub ferromq_status: u32,
    /// The process.
    pub pid: u32,
    /// Its program's file name.
    pub program: String,
    /// Microseconds of a clock that never goes back and has any origin: what
    /// rates are counted by.
    pub clock_us: u64,
    /// Milliseconds since 1970, by the process's wall clock.
    pub time_ms: u64,
    /// Its sockets, those of all contexts that serve status here.
    pub sockets: Vec<SocketReport>,
    /// Sockets that exist beyond those told (more than 1,024).
    #[serde(default)]
    pub sockets_omitted: u64,
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SocketReport {
    /// The context, counted from 1 in the process.
    pub context: u64,
    /// The socket in its context; never used again.
    pub id: u64,
    /// The name that the application gave it, or nothing.
    #[serde(default)]
    pub name: String,
    /// `PUSH`, `PULL`, …
    #[serde(rename = "type")]
    pub socket_type: String,
    /// `open`, `closed` (it lingers) or `terminated`.
    pub state: String,
    /// `present`, `waiting` or `away`: what the application does.
    pub caller: String,
    /// Messages that may wait for one peer to be sent; 0 is no limit.
    pub send_hwm: u64,
    /// Messages that may wait from one peer to be received; 0 is no limit.
    pub receive_hwm: u64,
    /// What it is bound and connected to.
    pub endpoints: Vec<EndpointReport>,
    /// Messages accepted for sending, and their payload.
    pub sent: Amount,
    /// Messages taken by the application, and their payload.
    pub received: Amount,
    /// What waits to be written, for all peers.
    pub queue_out: Amount,
    /// What waits to be received, of all peers.
    pub queue_in: Amount,
    /// Messages dropped, by cause; causes without drops are left out.
    #[serde(default)]
    pub drops: BTreeMap<String, u64>,
    /// Connections that were made again, from here.
    pub reconnects: u64,
    /// Handshakes that failed, both ways.
    pub handshakes_failed: u64,
    /// Of these, the ones in which somebody was not let in for who he is.
    #[serde(default)]
    pub authentications_failed: u64,
    /// Of these in turn, the ones that nobody decided on: no handler or function was
    /// there, or it did not answer in time, or not as it should.
    #[serde(default)]
    pub authentications_undecided: u64,
    /// Peers turned away for their addresses, or on `ipc://` for their user.
    #[serde(default)]
    pub addresses_refused: u64,
    /// Connections ended because the peer broke the protocol, or a limit, after
    /// its handshake.
    #[serde(default)]
    pub violations: u64,
    /// Peers that did not say which type of socket they are.
    #[serde(default)]
    pub untyped_peers: u64,
    /// Connections that moved to a shorter path than their endpoint's.
    #[serde(default)]
    pub switched: u64,
    /// Connections that did not, though both ends are on one machine, or have devices of
    /// one kind, and would.
    #[serde(default)]
    pub switches_refused: u64,
    /// Peers that it has.
    pub peers_total: u64,
    /// Peers whose connection stands.
    pub peers_connected: u64,
    /// Its peers, 1,024 at most.
    pub peers: Vec<PeerReport>,
    /// What passed a second, where two reports were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// Somewhere that a socket is bound or connected to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndpointReport {
    /// As text; for a bound one the real one, without wildcards.
    pub endpoint: String,
    /// `listening`; or `resolving`, `connecting`, `handshaking`, `connected`,
    /// `retrying`, `refused`.
    pub state: String,
    /// Connections accepted, or made, ever.
    pub connections: u64,
    /// Milliseconds until the next attempt, when retrying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_in_ms: Option<u64>,
    /// Why the last attempt failed, until one succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A peer of a socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PeerReport {
    /// The peer in its socket, never used again. An accepted peer that comes
    /// back is another one.
    pub id: String,
    /// The endpoint that was bound or connected.
    pub endpoint: String,
    /// Where the peer is, while its connection stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What carries the connection, where that is not what the endpoint says: `shm`
    /// after a switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The identity that it gave, or that ROUTER gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// `connected`, `unconnected` (its endpoint says more) or `leaving`.
    pub state: String,
    /// Messages accepted for sending to it, and their payload.
    pub sent: Amount,
    /// Messages of its that the application took, and their payload.
    pub received: Amount,
    /// What waits to be written to it.
    pub queue_out: Amount,
    /// What waits to be received from it.
    pub queue_in: Amount,
    /// Messages dropped, by cause.
    #[serde(default)]
    pub drops: BTreeMap<String, u64>,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Unknown commands that it sent.
    pub ignored_commands: u64,
    /// What passed a second, where two reports were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// An identity, as text where it is text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// It is UTF-8.
    Text(String),
    /// It is not: in hexadecimal digits.
    Hex(String),
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// Whole messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Messages and bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rate {
    /// Whole messages a second.
    pub messages: f64,
    /// Bytes a second.
    pub bytes: f64,
}

/// What passed between two reports.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Accepted for sending.
    pub sent: Rate,
    /// Taken by the application.
    pub received: Rate,
}

impl Report {
    /// Fills in the rates since an `earlier` report of the same process. A
    /// socket or peer that was not in it counts from nothing.
    pub fn set_rates(&mut self, earlier: &Self) {
        let seconds = self.clock_us.saturating_sub(earlier.clock_us) as f64 / 1e6;
        if seconds <= 0.0 || self.pid != earlier.pid {
            return;
        }
        let before: BTreeMap<_, _> = earlier.sockets.iter().map(|s| (s.key(), s)).collect();
        for socket in &mut self.sockets {
            let before = before.get(&socket.key());
            let passed = before.map(|before| (before.sent, before.received));
            socket.rates = Some(rates((socket.sent, socket.received), passed, seconds));
            let before: BTreeMap<_, _> = before
                .iter()
                .flat_map(|before| &before.peers)
                .map(|peer| (&*peer.id, (peer.sent, peer.received)))
                .collect();
            for peer in &mut socket.peers {
                let passed = before.get(&*peer.id).copied();
                peer.rates = Some(rates((peer.sent, peer.received), passed, seconds));
            }
        }
    }
}

impl SocketReport {
    /// Tells the sockets of a process apart.
    pub fn key(&self) -> (u64, u64) {
        (self.context, self.id)
    }
}

impl Identity {
    /// An identity's bytes; `None` for one that is empty.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match std::str::from_utf8(bytes) {
            Ok("") => None,
            Ok(text) => Some(Self::Text(text.into())),
            Err(_) => Some(Self::Hex(
                bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            )),
        }
    }

    /// The bytes; `None` if the digits are none.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let digits = match self {
            Self::Text(text) => return Some(text.as_bytes().to_vec()),
            Self::Hex(digits) => digits.as_bytes(),
        };
        digits
            .chunks(2)
            .map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                let is_hex = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
                is_hex.then(|| u8::from_str_radix(pair, 16).ok())?
            })
            .collect()
    }
}

type Passed = (Amount, Amount);

fn rates(now: Passed, before: Option<Passed>, seconds: f64) -> Rates {
    let before = before.unwrap_or_default();
    Rates {
        sent: rate(now.0, before.0, seconds),
        received: rate(now.1, before.1, seconds),
    }
}

fn rate(now: Amount, before: Amount, seconds: f64) -> Rate {
    Rate {
        messages: now.messages.saturating_sub(before.messages) as f64 / seconds,
        bytes: now.bytes.saturating_sub(before.bytes) as f64 / seconds,
    }
}

#[cfg(test)]
mod tests;
