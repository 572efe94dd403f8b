//! Sleeping in the socket's epoll, and what its events mean.

use std::time::{Duration, Instant};

use ferromq_patterns::PeerId;
use mio::Events;

use super::core::{Core, Entered, WAKE};
use super::state::State;
use crate::Error;
use crate::clock::Ticks;

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until then.
    Until(Instant),
    /// As long as it takes.
    Endless,
}

impl Patience {
    pub(crate) fn of(timeout: Option<Duration>) -> Self {
        // A deadline past the end of time is none.
        timeout.map_or(Self::Endless, |timeout| {
            Instant::now()
                .checked_add(timeout)
                .map_or(Self::Endless, Self::Until)
        })
    }

    /// The same, and no longer than until `deadline`.
    pub(crate) fn at_most(self, deadline: Instant) -> Self {
        match self {
            Self::None => Self::None,
            Self::Until(earlier) if earlier < deadline => self,
            Self::Until(_) | Self::Endless => Self::Until(deadline),
        }
    }

    /// The time left to sleep; `None` is for ever.
    fn left(self) -> Result<Option<Duration>, Error> {
        match self {
            Self::None => Err(Error::WouldBlock),
            Self::Endless => Ok(None),
            Self::Until(deadline) => {
                match deadline
                    .checked_duration_since(Instant::now())
                    .filter(|left| !left.is_zero())
                {
                    Some(left) => Ok(Some(left)),
                    None => Err(Error::TimedOut),
                }
            }
        }
    }
}

impl Core {
    /// Sleeps until something may have changed, the lock released. Everything
    /// deferred is written before.
    pub(crate) fn wait<'a>(
        &'a self,
        mut guard: Entered<'a>,
        patience: Patience,
    ) -> Result<Entered<'a>, Error> {
        // Under the lock: who closes now finds the token, or we find it closed.
        // The wake-up of an earlier close may be spent.
        guard.check_open()?;
        let left = patience.left()?;
        if !guard.deferred.is_empty() {
            // That may have made the room that the caller waits for, and then
            // no event would tell of it: let him look again first.
            guard.flush_deferred(self);
            return Ok(guard);
        }
        if guard.token {
            guard.waiters += 1;
            let ticket = self.turnstile.ticket();
            drop(guard);
            self.turnstile.wait(ticket, left);
            guard = self.enter();
            guard.waiters -= 1;
        } else {
            guard = self.sleep(guard, left);
        }
        guard.check_open()?;
        Ok(guard)
    }

    /// Takes the wait token and sleeps in the socket's epoll.
    fn sleep<'a>(&'a self, mut guard: Entered<'a>, left: Option<Duration>) -> Entered<'a> {
        if self.flags.take_back() {
            self.io.release(self);
        }
        guard.token = true;
        let timeout = if guard.prepare_wait() && !guard.has_stale() {
            left
        } else {
            Some(Duration::ZERO)
        };
        self.flags.wait_begins();
        drop(guard);
        let mut sleeper = self.lock_poll();
        sleeper.sleep(timeout);
        self.flags.wait_ends();
        let mut guard = self.enter();
        guard.token = false;
        guard.last_service = Ticks::now();
        guard.handle_events(self, &sleeper.events);
        if guard.waiters > 0 {
            self.turnstile.turn();
        }
        guard
    }

    /// Looks at the socket's epoll without sleeping, unless somebody sleeps
    /// there: then that thread sees what comes.
    pub(crate) fn service(&self, guard: &mut Entered<'_>) {
        self.clear_notification();
        if guard.token {
            return;
        }
        if let Ok(mut sleeper) = self.poll.try_lock() {
            sleeper.sleep(Some(Duration::ZERO));
            guard.handle_events(self, &sleeper.events);
            if !std::mem::take(&mut guard.received) {
                // Who only sends still owes PONGs.
                guard.pump_readable(self, &sleeper.events);
            }
        }
    }
}

impl State {
    /// Arms the links that have to be told before one sleeps. False: one of
    /// them has something already.
    fn prepare_wait(&mut self) -> bool {
        let mut sleep = true;
        for id in std::mem::take(&mut self.armed) {
            let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_mut()) else {
                continue;
            };
            if matches!(
                link.transport.prepare_wait(),
                ferromq_transport::Wait::Ready
            ) {
                link.drained = false;
                self.machine.peer_readable(id);
                sleep = false;
            }
            self.armed.push(id);
        }
        sleep
    }

    /// Takes notice of readiness, and does what nobody else would.
    pub(crate) fn handle_events(&mut self, core: &Core, events: &Events) {
        if self.has_stale() {
            self.remove_stale();
        }
        for event in events.iter().filter(|event| event.token() != WAKE) {
            let id = PeerId::from_bits(event.token().0 as u64);
            if event.is_writable() {
                self.peer_writable(core, id);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                let hangup = event.is_read_closed() || event.is_error();
                self.peer_readable(core, id, hangup);
            }
        }
    }

    /// Reads what the events tell of, without being asked for it.
    pub(crate) fn pump_readable(&mut self, core: &Core, events: &Events) {
        let readable = events
            .iter()
            .filter(|event| event.is_readable() && event.token() != WAKE);
        for event in readable {
            self.pump(core, PeerId::from_bits(event.token().0 as u64));
        }
    }

    fn peer_writable(&mut self, core: &Core, id: PeerId) {
        let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_mut()) else {
            return;
        };
        if link.write_interest {
            link.output.blocked = false;
            self.flush(core, id);
        }
    }

    fn peer_readable(&mut self, core: &Core, id: PeerId, hangup: bool) {
        let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_mut()) else {
            return;
        };
        let hangup = hangup || link.has_ended();
        link.drained = false;
        link.hangup |= hangup;
        self.machine.peer_readable(id);
        // Publishers act on subscriptions, and everybody on a peer that went,
        // without waiting for a receive call.
        if hangup || self.machine.reads_eagerly() {
            self.pump(core, id);
        }
    }
}
