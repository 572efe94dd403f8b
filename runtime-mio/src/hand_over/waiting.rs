//! Waiting for a socket's events, when there are several who want them.
//!
//! An event that one thread takes from an epoll wakes nobody else. So one
//! thread takes them, and tells the others:
//!
//! ```text
//!  pollers          first of all: they sleep in poll(2) on the socket's epoll,
//!                   take its events when they look, and turn the turnstile
//!  the sleeper      a blocking call, when there is no poller: it has the wait
//!                   token and sleeps in the epoll, and turns the turnstile
//!  the others       blocking calls; they wait at the turnstile
//!  calls that do    take events when nobody waits, and raise the descriptor
//!  not wait         of a user's loop if they do
//!  the I/O thread   takes events when nobody waits, nor calls, and raises too;
//!                   if somebody has come meanwhile it wakes the epoll
//! ```
//!
//! Each of them looks at the state under the socket's lock after it has said
//! that it waits, and before it sleeps; and each who takes events looks under
//! the lock who waits. So of the two one sees the other.

use std::time::Duration;

use super::flags::Flags;
use super::turnstile::Turnstile;
use crate::sync::{Fault, planted};

/// Who waits for a socket's events, as far as the socket's lock protects it.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// Somebody sleeps in the socket's epoll.
    token: bool,
    /// Threads at the turnstile.
    waiters: u32,
}

impl Seat {
    /// Whether somebody sleeps in the socket's epoll.
    pub(crate) fn is_taken(&self) -> bool {
        self.token
    }
}

/// Who looks at a socket's epoll without sleeping there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looker {
    /// A call that does not wait, and that looks next for what a user's loop
    /// may have been told of.
    Call,
    /// A send on a socket that may receive: the loop stays told of messages.
    Sender,
    /// A poller, between two sleeps in poll(2).
    Poller,
}

/// A socket with its lock and its epoll. A trait, so that models run the
/// protocol over ones of their own.
pub(crate) trait Awaited {
    /// The state, locked.
    type Inside<'a>
    where
        Self: 'a;
    /// The epoll, locked, with the events that were last taken from it.
    type Epoll<'a>
    where
        Self: 'a;
    /// Why a call ends.
    type Error;

    fn flags(&self) -> &Flags;
    fn turnstile(&self) -> &Turnstile;
    /// Locks the state for a call: that also bumps the epoch.
    fn enter_call(&self) -> Self::Inside<'_>;
    /// Locks the state for the I/O thread.
    fn enter_io(&self) -> Self::Inside<'_>;
    fn seat<'i>(inside: &'i mut Self::Inside<'_>) -> &'i mut Seat;
    fn check(inside: &Self::Inside<'_>) -> Result<(), Self::Error>;
    /// Writes what is deferred. True: there was something, and there may be
    /// room for what the caller waits for.
    fn write_deferred(&self, inside: &mut Self::Inside<'_>) -> bool;
    /// Ends the silence of every link; what is there already is as good as an event.
    fn count_on_events(&self, inside: &mut Self::Inside<'_>);
    /// Prepares the links for a sleep. False: something is there already.
    fn may_sleep(&self, inside: &mut Self::Inside<'_>) -> bool;
    fn lock_epoll(&self) -> Self::Epoll<'_>;
    /// `None` while somebody else has it.
    fn try_lock_epoll(&self) -> Option<Self::Epoll<'_>>;
    fn take_events(epoll: &mut Self::Epoll<'_>, timeout: Option<Duration>);
    /// Takes notice of the events. True: they are more than a wake-up.
    fn handle(&self, inside: &mut Self::Inside<'_>, epoll: &Self::Epoll<'_>) -> bool;
    /// The I/O thread no longer waits for the socket's events.
    fn release(&self);
    /// Wakes whoever sleeps in the epoll or polls it.
    fn wake(&self);
    /// Makes the descriptor of a user's loop readable, if there is one.
    fn raise(&self);
    /// And not readable any more, but for the epoll's events.
    fn lower(&self);

    /// Waits until something may have changed, the lock released.
    fn rest<'a>(
        &'a self,
        mut inside: Self::Inside<'a>,
        left: impl FnOnce() -> Result<Option<Duration>, Self::Error>,
    ) -> Result<Self::Inside<'a>, Self::Error> {
        // Under the lock: who closes now finds the token, or we find it closed.
        // The wake-up of an earlier close may be spent.
        if !planted(Fault::SleepsOnClosed) {
            Self::check(&inside)?;
        }
        let left = left()?;
        if self.write_deferred(&mut inside) {
            return Ok(inside);
        }
        let polled = self.flags().is_waited_for() && !planted(Fault::SleepsBesidePoller);
        let queues = polled || Self::seat(&mut inside).token;
        let inside = if queues && !planted(Fault::SleepsBesideSleeper) {
            self.queue(inside, left)
        } else {
            self.sleep(inside, left)
        };
        Self::check(&inside)?;
        Ok(inside)
    }

    /// Waits until whoever takes the events has taken some.
    fn queue<'a>(
        &'a self,
        mut inside: Self::Inside<'a>,
        left: Option<Duration>,
    ) -> Self::Inside<'a> {
        let mut ticket = self.turnstile().ticket();
        Self::seat(&mut inside).waiters += 1;
        drop(inside);
        if planted(Fault::TicketAfterUnlock) {
            ticket = self.turnstile().ticket();
        }
        self.turnstile().wait(ticket, left);
        let mut inside = self.enter_call();
        Self::seat(&mut inside).waiters -= 1;
        inside
    }

    /// Takes the wait token and sleeps in the epoll.
    fn sleep<'a>(
        &'a self,
        mut inside: Self::Inside<'a>,
        left: Option<Duration>,
    ) -> Self::Inside<'a> {
        self.take_back();
        Self::seat(&mut inside).token = !planted(Fault::SleepsWithoutToken);
        if !planted(Fault::SleeperLeavesSilence) {
            self.count_on_events(&mut inside);
        }
        // Said first, looked second: what is left for the sleeper without the lock
        // is either seen by it, or by whoever left it.
        let late = planted(Fault::SleeperLooksFirst);
        if !late {
            self.flags().wait_begins();
        }
        let timeout = match self.may_sleep(&mut inside) {
            true => left,
            false => Some(Duration::ZERO),
        };
        if late {
            self.flags().wait_begins();
        }
        drop(inside);
        let mut epoll = self.lock_epoll();
        Self::take_events(&mut epoll, timeout);
        self.flags().wait_ends();
        let mut inside = self.enter_call();
        Self::seat(&mut inside).token = false;
        let news = self.handle(&mut inside, &epoll);
        self.turn(&mut inside);
        self.tell_loop(news);
        inside
    }

    /// Looks at the epoll without sleeping, unless somebody waits for its
    /// events: then that thread sees to them.
    fn look(
        &self,
        inside: &mut Self::Inside<'_>,
        looker: Looker,
        also: impl FnOnce(&mut Self::Inside<'_>, &Self::Epoll<'_>),
    ) {
        if !planted(Fault::LookerLeavesSilence) {
            self.count_on_events(inside);
        }
        // Before the look, and under the lock: what is raised after is news.
        if looker == Looker::Call && !planted(Fault::DescriptorIsLoweredLate) {
            self.lower();
        }
        if Self::seat(inside).token {
            return;
        }
        let polled = looker != Looker::Poller && self.flags().is_waited_for();
        if polled && !planted(Fault::CallTakesFromPoller) {
            return;
        }
        let Some(mut epoll) = self.try_lock_epoll() else {
            return;
        };
        Self::take_events(&mut epoll, Some(Duration::ZERO));
        let news = self.handle(inside, &epoll);
        also(inside, &epoll);
        self.turn(inside);
        self.tell_loop(news);
        if planted(Fault::DescriptorIsLoweredLate) {
            self.lower();
        }
    }

    /// The I/O thread does a caller's work: `work` takes events and handles
    /// them, and says whether it is finished, and whether it has brought news.
    ///
    /// It waits for a call that looks at the epoll to end, for a caller who is not run
    /// for some milliseconds seems away: nobody else would see to what his look leaves.
    /// Whoever has the epoll without the lock sleeps there, and makes a call afterwards.
    fn work(&self, work: impl FnOnce(&mut Self::Inside<'_>, &mut Self::Epoll<'_>) -> (bool, bool)) {
        let early = planted(Fault::WorkerLeavesToCall).then(|| self.try_lock_epoll());
        if matches!(early, Some(None)) {
            return;
        }
        let mut inside = self.enter_io();
        let Some(mut epoll) = early.flatten().or_else(|| self.try_lock_epoll()) else {
            return;
        };
        if !planted(Fault::WorkerLeavesSilence) {
            self.count_on_events(&mut inside);
        }
        let (finished, news) = work(&mut inside, &mut epoll);
        let notify = self.is_awaited(&mut inside) && !planted(Fault::WorkerKeepsEvents);
        drop(inside);
        drop(epoll);
        if notify || !finished {
            self.wake();
        }
        self.tell_loop(news);
    }

    /// Whether somebody waits for the socket's epoll, asleep or not yet.
    fn is_awaited(&self, inside: &mut Self::Inside<'_>) -> bool {
        let polled = self.flags().is_waited_for() && !planted(Fault::WorkerForgetsPoller);
        polled || Self::seat(inside).token
    }

    /// Whether somebody besides this call counts on events.
    fn is_heard(&self, inside: &mut Self::Inside<'_>) -> bool {
        self.flags().is_exported() || self.is_awaited(inside)
    }

    /// Whether this call may silence a link, because it looks there again and again.
    fn may_silence(&self, inside: &mut Self::Inside<'_>) -> bool {
        !self.is_heard(inside) || planted(Fault::SpinnerSilencesAll)
    }

    /// A user's loop has the descriptor from now on.
    fn export_begins(&self) {
        if !self.flags().is_exported() {
            self.flags().set_exported();
            let mut inside = self.enter_call();
            if !planted(Fault::ExporterLeavesSilence) {
                self.count_on_events(&mut inside);
            }
        }
    }

    /// Ends all waits. `end` closes the state; every later wait finds it so.
    fn end_waits(&self, mut inside: Self::Inside<'_>, end: impl FnOnce(&mut Self::Inside<'_>)) {
        end(&mut inside);
        self.turnstile().turn();
        drop(inside);
        self.wake();
        self.raise();
    }

    /// A poller is about to wait; it looks at the socket next. Whoever sleeps
    /// in the epoll leaves it first, and does not come back before the end.
    fn poll_begins(&self) {
        self.take_back();
        self.flags().wait_begins();
        let mut inside = self.enter_call();
        while Self::seat(&mut inside).token && !planted(Fault::PollerLeavesSleeper) {
            self.wake();
            inside = self.queue(inside, None);
        }
    }

    /// A poller waits no longer.
    fn poll_ends(&self) {
        self.flags().wait_ends();
        // A call, so that the I/O thread looks after the socket again: it may
        // have gone to rest because somebody waited, or have taken the socket
        // while we took it back.
        let mut inside = self.enter_call();
        if !planted(Fault::PollerForgetsQueue) {
            self.turn(&mut inside);
        }
    }

    /// Takes the socket back from the I/O thread.
    fn take_back(&self) {
        if self.flags().take_back() {
            self.release();
        }
    }

    /// Tells a user's loop of events that are taken.
    fn tell_loop(&self, news: bool) {
        if news && !planted(Fault::DescriptorIsNotRaised) {
            self.raise();
        }
    }

    /// Lets those at the turnstile look, and one of them sleep in our place.
    fn turn(&self, inside: &mut Self::Inside<'_>) {
        if Self::seat(inside).waiters > 0 && !planted(Fault::TokenIsKept) {
            self.turnstile().turn();
        }
    }
}
