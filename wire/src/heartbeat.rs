//! Heartbeats: when to ask, what to answer, when to give up
//! (37/ZMTP, Connection Heartbeating).

use crate::command::CONTEXT_MAX;
use crate::{Instant, Version};
use core::time::Duration;

/// How a connection keeps watch over its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// How often to send a PING; zero (the default) never.
    pub interval: Duration,
    /// How long to wait after a PING for any byte of the peer; `None` as long
    /// as `interval`.
    pub timeout: Option<Duration>,
    /// How long the peer shall wait for any byte of ours after a PING; `None`
    /// leaves that to the peer.
    pub ttl: Option<Duration>,
}

/// The watch over one established connection, both ways.
///
/// Tell it of every byte that comes in, and of each PING; ask it for the PONG
/// that is due, and call `handle_timeout` at `poll_timeout`. Every call is
/// O(1). However many PINGs come, one PONG is pending at most.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    interval: Duration,
    timeout: Duration,
    ttl: Duration,
    /// How long the peer lets us wait for its bytes; zero if for ever.
    remote_ttl: Duration,
    timers: [Option<Instant>; TIMERS],
    pong: Option<PongContext>,
    /// Whether a PONG is still to come for a PING of ours.
    asked: Asked,
    unasked_pongs: u32,
}

/// What [`Heartbeats::handle_timeout`] wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum HeartbeatAction {
    /// Nothing.
    None,
    /// A PING with this time to live.
    SendPing {
        /// What to put into the PING.
        ttl: Duration,
    },
    /// The peer is given up: close the connection.
    PeerDead,
}

/// The context of a PING, to be sent back in a PONG; `as_ref` gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PongContext {
    bytes: [u8; CONTEXT_MAX],
    len: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    Yes,
}

/// The timers, as places in a table.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
enum Timer {
    /// The next PING.
    Ping,
    /// The peer has not answered one.
    Silence,
    /// The peer has not kept the time to live that it announced.
    RemoteTtl,
}

const TIMERS: usize = 3;

impl Heartbeats {
    /// Starts to watch a connection that is established at `now`. A 3.0 peer
    /// does not know PING, so none is sent to it.
    #[must_use]
    pub fn new(config: HeartbeatConfig, peer: Version, now: Instant) -> Self {
        let mut heartbeats = Self {
            interval: config.interval,
            timeout: config.timeout.unwrap_or(config.interval),
            ttl: config.ttl.unwrap_or(Duration::ZERO),
            remote_ttl: Duration::ZERO,
            timers: [None; TIMERS],
            pong: None,
            asked: Asked::No,
            unasked_pongs: 0,
        };
        if !config.interval.is_zero() && peer.has_commands() {
            heartbeats.set(Timer::Ping, Some(now.saturating_add(config.interval)));
        }
        heartbeats
    }

    /// A byte came in, of whatever kind: the peer is alive.
    #[inline]
    pub fn heard(&mut self, now: Instant) {
        self.set(Timer::Silence, None);
        if !self.remote_ttl.is_zero() {
            self.set(Timer::RemoteTtl, Some(now.saturating_add(self.remote_ttl)));
        }
    }

    /// A PING came in. A PONG is due; an earlier one that was not fetched is
    /// forgotten. From now on the peer has to be heard every `ttl`, unless
    /// that is zero.
    pub fn ping_received(&mut self, ttl: Duration, context: &[u8], now: Instant) {
        self.pong = Some(PongContext::new(context));
        self.remote_ttl = ttl;
        let due = (!ttl.is_zero()).then(|| now.saturating_add(ttl));
        self.set(Timer::RemoteTtl, due);
    }

    /// A PONG came in. One that nobody asked for is counted, and harmless.
    pub fn pong_received(&mut self) {
        if self.asked == Asked::No {
            self.unasked_pongs = self.unasked_pongs.saturating_add(1);
        }
        self.asked = Asked::No;
    }

    /// The PONG to be sent, once.
    #[inline]
    pub fn poll_pong(&mut self) -> Option<PongContext> {
        self.pong.take()
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.iter().flatten().min().copied()
    }

    /// It is `now`: at most one thing to do; call again while `poll_timeout`
    /// is not later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) -> HeartbeatAction {
        if self.is_due(Timer::Silence, now) || self.is_due(Timer::RemoteTtl, now) {
            self.timers = [None; TIMERS];
            return HeartbeatAction::PeerDead;
        }
        if !self.is_due(Timer::Ping, now) {
            return HeartbeatAction::None;
        }
        // Counted from now, so that a late caller does not send a burst.
        self.set(Timer::Ping, Some(now.saturating_add(self.interval)));
        // A PING that is unanswered yet keeps its own, earlier deadline.
        if self.due(Timer::Silence).is_none() {
            self.set(Timer::Silence, Some(now.saturating_add(self.timeout)));
        }
        self.asked = Asked::Yes;
        HeartbeatAction::SendPing { ttl: self.ttl }
    }

    /// PONGs that came without a PING of ours.
    #[must_use]
    pub fn unasked_pongs(&self) -> u32 {
        self.unasked_pongs
    }

    fn due(&self, timer: Timer) -> Option<Instant> {
        self.timers.get(timer as usize).copied().flatten()
    }

    fn is_due(&self, timer: Timer, now: Instant) -> bool {
        self.due(timer).is_some_and(|due| due <= now)
    }

    fn set(&mut self, timer: Timer, due: Option<Instant>) {
        if let Some(slot) = self.timers.get_mut(timer as usize) {
            *slot = due;
        }
    }
}

impl PongContext {
    /// Copies `context`, cut off after 16 bytes (a receiver lets no more pass).
    fn new(context: &[u8]) -> Self {
        let mut bytes = [0; CONTEXT_MAX];
        let mut len: u8 = 0;
        for (slot, byte) in bytes.iter_mut().zip(context) {
            *slot = *byte;
            len = len.saturating_add(1);
        }
        Self { bytes, len }
    }
}

impl AsRef<[u8]> for PongContext {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
