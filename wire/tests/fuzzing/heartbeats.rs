//! The watch over a connection, against what happened on it, written down.

use std::time::Duration;

use ferromq_wire::{HeartbeatAction, HeartbeatConfig, Heartbeats, Instant, Version};

use super::Input;

/// Target `heartbeats`. Settings: interval, timeout, time to live, the peer's version;
/// then what happens, and how long after the last.
pub(crate) fn fuzz_heartbeats(data: &[u8]) {
    let mut input = Input(data.get(..4096).unwrap_or(data));
    let end = run(&mut input);
    assert_eq!(end, None, "the data ends the run, or a death");
}

fn run(input: &mut Input<'_>) -> Option<()> {
    let [interval, timeout, ttl, settings] =
        [input.byte()?, input.byte()?, input.byte()?, input.byte()?];
    let chosen = |bit: u8, value: u8| (settings & bit != 0).then(|| seconds(value.into()));
    let config = HeartbeatConfig {
        interval: seconds(interval.into()),
        timeout: chosen(1, timeout),
        ttl: chosen(2, ttl),
    };
    let peer = match settings & 4 {
        0 => Version::ZMTP_3_1,
        _ => Version::ZMTP_3_0,
    };
    let mut watch = Heartbeats::new(config, peer, at(0));
    let mut log = Log::new(config, peer);
    loop {
        let action = input.byte()?;
        log.now += u64::from(input.byte()?);
        match action % 6 {
            0 => {
                watch.heard(at(log.now));
                log.heard();
            }
            1 => {
                let ttl = u64::from(input.byte()?);
                let context = input.bytes(20)?;
                watch.ping_received(seconds(ttl), context, at(log.now));
                log.ttl = ttl;
                log.alive = log.now;
                log.pong = Some(context[..context.len().min(16)].to_vec());
            }
            2 => {
                watch.pong_received();
                log.unasked += u32::from(!log.awaits_pong);
                log.awaits_pong = false;
            }
            3 => {
                let pong = watch.poll_pong();
                assert_eq!(pong.as_ref().map(AsRef::as_ref), log.pong.take().as_deref());
            }
            _ => log.look(watch.handle_timeout(at(log.now)))?,
        }
        assert_eq!(watch.unasked_pongs(), log.unasked);
        assert_eq!(watch.poll_timeout(), log.due().map(at), "{log:?}");
    }
}

/// What happened so far, in seconds.
#[derive(Debug)]
struct Log {
    config: HeartbeatConfig,
    now: u64,
    /// When we ask next.
    next_ping: Option<u64>,
    /// The first PING since a byte of the peer was heard.
    unheard: Option<u64>,
    /// The last byte, or PING, that counts towards the peer's own time to live.
    alive: u64,
    ttl: u64,
    pong: Option<Vec<u8>>,
    awaits_pong: bool,
    unasked: u32,
}

impl Log {
    fn new(config: HeartbeatConfig, peer: Version) -> Self {
        let asks = !config.interval.is_zero() && peer == Version::ZMTP_3_1;
        Self {
            config,
            now: 0,
            next_ping: asks.then_some(config.interval.as_secs()),
            unheard: None,
            alive: 0,
            ttl: 0,
            pong: None,
            awaits_pong: false,
            unasked: 0,
        }
    }

    fn heard(&mut self) {
        self.unheard = None;
        self.alive = self.now;
    }

    fn timeout(&self) -> u64 {
        self.config
            .timeout
            .unwrap_or(self.config.interval)
            .as_secs()
    }

    /// When the peer is given up.
    fn death(&self) -> Option<u64> {
        let silence = self.unheard.map(|asked| asked + self.timeout());
        let expiry = (self.ttl > 0).then(|| self.alive + self.ttl);
        silence.into_iter().chain(expiry).min()
    }

    fn due(&self) -> Option<u64> {
        self.death().into_iter().chain(self.next_ping).min()
    }

    /// What was to be done just now; `None` when that is to close the connection.
    fn look(&mut self, action: HeartbeatAction) -> Option<()> {
        let past = |due: Option<u64>| due.is_some_and(|due| due <= self.now);
        match action {
            HeartbeatAction::PeerDead => {
                assert!(past(self.death()), "given up too early: {self:?}");
                return None;
            }
            HeartbeatAction::SendPing { ttl } => {
                assert!(past(self.next_ping) && !past(self.death()), "{self:?}");
                assert_eq!(ttl, self.config.ttl.unwrap_or_default());
                self.next_ping = Some(self.now + self.config.interval.as_secs());
                self.unheard.get_or_insert(self.now);
                self.awaits_pong = true;
            }
            HeartbeatAction::None => assert!(!past(self.due()), "missed: {self:?}"),
        }
        Some(())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(second: u64) -> Instant {
    Instant::from_nanos(second * 1_000_000_000)
}
