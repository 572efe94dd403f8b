//! Doing a caller's work while the caller is away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reactor::Reactor;
use super::timers::TimerId;
use super::{IoHandle, Source, deregister};
use crate::clock::{Ticks, ticks};
use crate::hand_over::{Attendance, Presence, level};
use crate::socket::Core;

/// A caller that has not been seen for this long is away: so that is noticed two looks
/// after its last call, and the death of a peer within 10 ms also where nobody calls.
const AWAY: Duration = Duration::from_millis(4);
/// Deferred output that nothing was added to for this long leaves.
const QUIET: Duration = Duration::from_micros(50);
/// How often a parked thread's sockets are looked at before it parks.
const COARSE: Duration = Duration::from_millis(4);
/// Looks without news before the thread parks.
const QUIET_TICKS: u32 = 20;
/// Shortest and longest time between two looks at deferred output.
const FINE: Duration = Duration::from_micros(100);
const FINE_MAX: Duration = Duration::from_millis(1);
/// What a look costs at most, a socket, is a twentieth of this: so much later
/// comes the next, so that looking at very many takes a bounded part of a core.
const SHARE: Duration = Duration::from_micros(1);

/// A socket as the I/O thread saw it last.
pub(super) struct Watch {
    pub(super) core: Arc<Core>,
    pub(super) presence: Presence,
    away: Duration,
    /// The socket is closed and forgotten once it has sent everything.
    pub(super) closing: bool,
    /// What fires when a closed socket has lingered long enough.
    pub(super) linger: Option<TimerId>,
    /// When the heartbeats are looked at next.
    pub(super) heartbeat_at: Option<Instant>,
}

/// The rhythm of the looks.
pub(super) struct Rhythm {
    mode: u8,
    quiet: u32,
    fine: Duration,
    last: Instant,
    /// The least time between two looks, for there are that many sockets.
    rest: Duration,
    /// Something was seen that the next look has to see to.
    asked: bool,
    quiet_ticks: u64,
}

impl Watch {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            presence: Presence::new(&core.flags),
            core,
            away: Duration::ZERO,
            closing: false,
            linger: None,
            heartbeat_at: None,
        }
    }
}

impl Rhythm {
    pub(super) fn new() -> Self {
        Self {
            mode: level::PARKED,
            quiet: 0,
            fine: FINE,
            last: Instant::now(),
            rest: Duration::ZERO,
            asked: true,
            quiet_ticks: ticks(QUIET),
        }
    }

    /// How long to sleep in the poll; `None` is until something happens.
    pub(super) fn coarse_timeout(&self) -> Option<Duration> {
        match self.mode {
            level::PARKED => None,
            _ => Some(self.pause().saturating_sub(self.last.elapsed())),
        }
    }

    /// The nap to take instead of sleeping in the poll.
    pub(super) fn fine_nap(&self) -> Option<Duration> {
        (self.mode == level::FINE).then(|| self.pause())
    }

    /// Has the next look taken at once.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether the time for a look has come. Events alone do not bring it: with
    /// thousands of sockets a look costs more than what most events ask for.
    pub(super) fn is_due(&self, handle: &IoHandle) -> bool {
        self.asked
            || handle.mode.was_raised(self.mode)
            || (self.mode != level::PARKED && self.last.elapsed() >= self.pause())
    }

    /// The time between two looks.
    fn pause(&self) -> Duration {
        let pause = if self.mode == level::FINE {
            self.fine
        } else {
            COARSE
        };
        pause.max(self.rest)
    }

    /// What a look at `sockets` of them found sets the pace: the mode that the next
    /// is taken in.
    fn keep_pace(&mut self, found: &Look, sockets: usize) -> u8 {
        self.rest = SHARE * u32::try_from(sockets).unwrap_or(u32::MAX);
        self.fine = if found.streaming {
            (self.fine * 2).min(FINE_MAX)
        } else {
            FINE
        };
        self.quiet = if found.active { 0 } else { self.quiet + 1 };
        match found {
            Look { deferred: true, .. } => level::FINE,
            _ if self.quiet < QUIET_TICKS => level::COARSE,
            _ => level::PARKED,
        }
    }
}

/// What a look at one socket found.
#[derive(Default)]
struct Look {
    /// Somebody used it, or may have gone away.
    active: bool,
    /// Output is deferred.
    deferred: bool,
    /// Output is being deferred right now.
    streaming: bool,
}

impl Reactor {
    /// Looks at every socket once and sets the pace for the next look.
    pub(super) fn look_around(&mut self) {
        let now = Instant::now();
        self.rhythm.asked = false;
        let elapsed = now.duration_since(std::mem::replace(&mut self.rhythm.last, now));
        let mut all = Look::default();
        // New sockets come by command only, so that no key is missed.
        for key in 0..self.watches.capacity() {
            let look = self.look(key, elapsed);
            all.active |= look.active;
            all.deferred |= look.deferred;
            all.streaming |= look.streaming;
        }
        let next = self.rhythm.keep_pace(&all, self.watches.len());
        self.set_mode(next);
    }

    fn look(&mut self, key: usize, elapsed: Duration) -> Look {
        let Some(watch) = self.watches.get_mut(key) else {
            return Look::default();
        };
        let flags = &watch.core.flags;
        let attendance = watch.presence.look(flags);
        let mut look = Look {
            active: attendance != Attendance::Attended,
            ..Look::default()
        };
        if flags.deferred() {
            let quiet_ticks = self.rhythm.quiet_ticks;
            let quiet = Ticks::now().since(flags.last_deferral()) > quiet_ticks;
            look.streaming = !quiet;
            look.deferred = !quiet || !watch.core.flush_tail(quiet_ticks);
        }
        match attendance {
            // A call that writes to a thousand peers takes longer than an absence.
            _ if look.streaming => watch.away = Duration::ZERO,
            Attendance::Present => watch.away = Duration::ZERO,
            Attendance::Attended => {}
            Attendance::Alone => {
                watch.away += elapsed;
                if watch.away >= AWAY {
                    self.take(key);
                }
            }
        }
        look
    }

    /// Nests the socket's epoll into ours, and does what waits.
    pub(super) fn take(&mut self, key: usize) {
        let Some(watch) = self.watches.get_mut(key) else {
            return;
        };
        let core = watch.core.clone();
        watch.presence.take(&core.flags);
        // A socket that was taken before, and not released, is still nested.
        deregister(&self.registry, core.epoll());
        let epoll = core.epoll();
        let registered = self.registry.register(
            &mut mio::unix::SourceFd(&epoll),
            Source::Socket(key).token(),
            mio::Interest::READABLE,
        );
        if registered.is_err() {
            // The kernel has no memory for it: once more when it seems away for as long.
            watch.presence.give_back();
            watch.away = Duration::ZERO;
            return;
        }
        core.work(crate::socket::Turn::First);
        self.finish_if_sent(key);
    }

    /// Something happened at a socket that we have taken.
    pub(super) fn socket_ready(&mut self, key: usize) {
        let Some(watch) = self.watches.get(key) else {
            return;
        };
        let core = watch.core.clone();
        let closing = watch.closing && !core.flags.is_waited_for();
        if closing || watch.presence.is_away(&core.flags) {
            core.work(crate::socket::Turn::Next);
            self.finish_if_sent(key);
        } else {
            self.give_back(key);
        }
    }

    /// A caller is back: it sees to the socket's events, and each of them would
    /// wake us for nothing. The next look finds out when it has gone again.
    fn give_back(&mut self, key: usize) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.presence.give_back();
            deregister(&self.registry, watch.core.epoll());
            self.rhythm.ask();
        }
    }

    fn set_mode(&mut self, next: u8) {
        let sockets = self.watches.iter();
        let sockets = sockets.map(|(_, watch)| (&watch.presence, &watch.core.flags));
        self.rhythm.mode = self.handle.mode.set(next, sockets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAMING: Look = Look {
        active: true,
        deferred: true,
        streaming: true,
    };
    const NOTHING: Look = Look {
        active: false,
        deferred: false,
        streaming: false,
    };

    fn after(found: &[Look], sockets: usize) -> Rhythm {
        let mut rhythm = Rhythm::new();
        for look in found {
            rhythm.mode = rhythm.keep_pace(look, sockets);
        }
        rhythm
    }

    #[test]
    fn few_sockets_are_looked_at_as_often_as_their_output_asks_for() {
        assert_eq!(after(&[STREAMING], 1).fine_nap(), Some(2 * FINE));
        assert_eq!(after(&[STREAMING; 9], 100).fine_nap(), Some(FINE_MAX));
        let paused = Look {
            streaming: false,
            ..STREAMING
        };
        assert_eq!(after(&[STREAMING, paused], 1).fine_nap(), Some(FINE));
    }

    /// The more there are, the more rarely: looking takes a bounded part of a core.
    #[test]
    fn looks_at_thousands_of_sockets_are_far_apart() {
        for found in [STREAMING, NOTHING] {
            let rhythm = after(&[found], 30_000);
            assert_eq!(rhythm.pause(), Duration::from_millis(30));
        }
        let streaming = after(&[STREAMING], 3000);
        assert_eq!(streaming.fine_nap(), Some(Duration::from_millis(3)));
    }

    #[test]
    fn a_thread_without_news_parks() {
        let looks = [NOTHING; QUIET_TICKS as usize];
        assert!(after(&looks[1..], 1).coarse_timeout().is_some());
        assert_eq!(after(&looks, 1).coarse_timeout(), None);
    }
}
