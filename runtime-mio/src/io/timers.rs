//! What the I/O thread has to do later.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{ConnectorId, SocketId};

/// Something that is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// A handshake's total time is over, by its key and serial number.
    Handshake(usize, u64),
    /// Nobody has decided on a handshake's peer in time, by its key and serial
    /// number.
    Authentication(usize, u64),
    /// A handshake's peer, who gave a wrong password, may be told now, by its key
    /// and serial number.
    Refusal(usize, u64),
    /// A handshake has had its time to move to a shorter path, by its key and serial
    /// number.
    Moving(usize, u64),
    /// An attempt to connect took too long, by its key and serial number.
    Connecting(usize, u64),
    /// Time to connect again.
    Reconnect(ConnectorId),
    /// Time to look at a socket's heartbeats.
    Heartbeat(SocketId),
    /// A connection that was given up with messages queued gives up sending.
    Departure(ConnectorId),
    /// Time to look whether such a one has sent everything; the pause before
    /// the next look.
    Departing(ConnectorId, Duration),
    /// A closed socket gives up sending.
    Linger(SocketId),
    /// Time to look whether a closed socket has sent everything; the pause
    /// before the next look.
    Closing(SocketId, Duration),
    /// A listener that ran out of descriptors tries again.
    Accept(usize),
}

/// A timer that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimerId(Instant, u64);

/// Timers by time. Those that have lost their meaning fire and find nothing.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<(Instant, u64), Timer>,
    serial: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) -> TimerId {
        self.serial += 1;
        self.due.insert((at, self.serial), timer);
        TimerId(at, self.serial)
    }

    /// Forgets a timer that has not fired, so that whoever comes and goes often
    /// leaves nothing behind.
    pub(super) fn cancel(&mut self, TimerId(at, serial): TimerId) {
        self.due.remove(&(at, serial));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes one timer that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_not_early() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(at(20), Timer::Accept(2));
        timers.set(at(10), Timer::Accept(0));
        timers.set(at(10), Timer::Accept(1));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop(at(9)), None);
        let cancelled = timers.set(at(5), Timer::Accept(3));
        timers.cancel(cancelled);
        timers.cancel(cancelled);
        assert_eq!(timers.pop(at(15)), Some(Timer::Accept(0)));
        assert_eq!(timers.pop(at(15)), Some(Timer::Accept(1)));
        assert_eq!(timers.pop(at(15)), None);
        assert_eq!(timers.pop(at(25)), Some(Timer::Accept(2)));
        assert_eq!(timers.next(), None);
    }
}
