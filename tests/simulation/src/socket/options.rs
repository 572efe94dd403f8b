//! Options of a socket, drawn by the seed.

use std::time::Duration;

use ferromq_wire::HeartbeatConfig;

use crate::random::Random;

/// What a socket is set to. Times are in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// High-water marks, in messages.
    pub(crate) send_mark: usize,
    pub(crate) receive_mark: usize,
    /// Encoded bytes that wait for the network.
    pub(crate) output: usize,
    pub(crate) checksums: bool,
    pub(crate) handshake: u64,
    heartbeat: Option<u64>,
    pub(crate) reconnect: (u64, u64),
    /// Whether messages wait in a pipe without a link.
    pub(crate) immediate: bool,
    /// Whether what comes is decoded when it comes, or when it is asked for.
    pub(crate) eager: bool,
    /// ROUTER: whether a new peer takes over an identity.
    pub(crate) handover: bool,
}

impl Options {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let eager = !random.one_in(4);
        // Who decodes late answers late, and would be given up for dead.
        let heartbeat = (eager && random.one_in(2)).then(|| random.between(60_000, 200_000));
        let reconnect = random.between(2_000, 20_000);
        Self {
            send_mark: random.between(1, 8) as usize,
            receive_mark: random.between(1, 8) as usize,
            output: random.pick(&[32, 200, 1200]),
            checksums: random.one_in(3),
            handshake: random.between(100_000, 400_000),
            heartbeat,
            reconnect: (reconnect, reconnect * random.between(1, 8)),
            immediate: random.one_in(5),
            eager,
            handover: random.one_in(2),
        }
    }

    pub(crate) fn heartbeats(&self) -> Option<HeartbeatConfig> {
        let interval = Duration::from_micros(self.heartbeat?);
        Some(HeartbeatConfig {
            interval,
            timeout: None,
            ttl: Some(interval * 4),
        })
    }

    /// Whether a peer that fell silent is noticed.
    pub(crate) fn has_heartbeats(&self) -> bool {
        self.heartbeat.is_some()
    }
}
