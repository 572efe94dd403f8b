//! Sleeping in the socket's epoll, and what its events mean.

use std::time::{Duration, Instant};

use ferromq_patterns::PeerId;

use super::core::{Core, Entered};
use super::epoll::Sleeper;
use super::state::State;
use crate::Error;
use crate::hand_over::{Awaited, Flags, Looker, Seat, Turnstile};
use crate::sync::{MutexGuard, lock_unpoisoned};

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// The same, but until `deadline` if it waits at all.
    pub(crate) fn at_least(self, deadline: Instant) -> Self {
        match self {
            Self::Until(earlier) if earlier < deadline => Self::Until(deadline),
            patience => patience,
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
        guard: Entered<'a>,
        patience: Patience,
    ) -> Result<Entered<'a>, Error> {
        self.rest(guard, || patience.left())
    }

    /// Looks at the socket's epoll without sleeping, for a send.
    pub(crate) fn service(&self, guard: &mut Entered<'_>) {
        let looker = match guard.machine.check_receive() {
            Ok(()) => Looker::Sender,
            Err(_) => Looker::Call,
        };
        self.service_for(guard, looker);
    }

    /// Looks at the socket's epoll without sleeping.
    pub(crate) fn service_for(&self, guard: &mut Entered<'_>, looker: Looker) {
        self.look(guard, looker, |guard, sleeper| {
            if !std::mem::take(&mut guard.received) {
                // Who only sends still owes PONGs.
                guard.pump_readable(self, sleeper);
            }
        });
    }
}

impl Awaited for Core {
    type Inside<'a> = Entered<'a>;
    type Epoll<'a> = MutexGuard<'a, Sleeper>;
    type Error = Error;

    fn flags(&self) -> &Flags {
        &self.flags
    }

    fn turnstile(&self) -> &Turnstile {
        &self.turnstile
    }

    fn enter_call(&self) -> Entered<'_> {
        self.enter()
    }

    fn enter_io(&self) -> Entered<'_> {
        self.enter_foreign()
    }

    fn seat<'i>(inside: &'i mut Entered<'_>) -> &'i mut Seat {
        &mut inside.seat
    }

    fn check(inside: &Entered<'_>) -> Result<(), Error> {
        inside.check_open()
    }

    fn write_deferred(&self, inside: &mut Entered<'_>) -> bool {
        let some = !inside.deferred.is_empty() || self.returns.any();
        if some {
            inside.flush_deferred(self);
        }
        some
    }

    fn count_on_events(&self, inside: &mut Entered<'_>) {
        inside.count_on_events(self);
    }

    fn may_sleep(&self, inside: &mut Entered<'_>) -> bool {
        let returned = self.returns.any_after_all();
        inside.prepare_wait() && !inside.has_more_to_do() && !returned
    }

    fn lock_epoll(&self) -> Self::Epoll<'_> {
        lock_unpoisoned(&self.poll)
    }

    fn try_lock_epoll(&self) -> Option<Self::Epoll<'_>> {
        self.poll.try_lock().ok()
    }

    fn take_events(epoll: &mut Self::Epoll<'_>, timeout: Option<Duration>) {
        epoll.sleep(timeout);
    }

    fn handle(&self, inside: &mut Entered<'_>, epoll: &Self::Epoll<'_>) -> bool {
        inside.pace.attended();
        inside.handle_events(self, epoll);
        !epoll.told().is_empty()
    }

    fn release(&self) {
        self.io.release(self);
    }

    fn wake(&self) {
        self.wake_epoll();
    }

    fn raise(&self) {
        self.raise_exported();
    }

    fn lower(&self) {
        self.clear_exported();
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
    pub(crate) fn handle_events(&mut self, core: &Core, epoll: &Sleeper) {
        if self.has_stale() {
            self.remove_stale();
        }
        self.pump_unread(core);
        for told in epoll.told() {
            if told.is_writable() {
                self.peer_writable(core, told.peer);
            }
            let hangup = told.has_ended();
            if told.is_readable() || hangup {
                self.peer_readable(core, told.peer, hangup);
            }
        }
    }

    /// Reads what the events tell of, without being asked for it.
    pub(crate) fn pump_readable(&mut self, core: &Core, epoll: &Sleeper) {
        for told in epoll.told().iter().filter(|told| told.is_readable()) {
            self.pump(core, told.peer);
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
        if hangup {
            link.transport.handle_hangup();
        }
        if link.write_interest && link.transport.room_makes_readable() {
            self.peer_writable(core, id);
        }
        let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_mut()) else {
            return;
        };
        let hangup = hangup || link.has_ended();
        link.drained = false;
        link.hangup |= hangup;
        let lends = link.lends();
        self.machine.peer_readable(id);
        // Publishers act on subscriptions, and everybody on a peer that went,
        // without waiting for a receive call.
        // And a sender that is full, on what it lent and got back.
        let awaits = lends && self.pipe(id).is_some_and(|pipe| pipe.full);
        if hangup || awaits || self.machine.reads_eagerly() {
            self.pump(core, id);
        }
    }
}
