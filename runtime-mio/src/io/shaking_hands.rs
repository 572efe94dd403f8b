//! The reactor drives handshakes to their end.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::Link;

use super::connector::Stage;
use super::handshake::{Failure, Handshake, Offered, Origin, Progress, Watcher};
use super::reactor::Reactor;
use super::timers::{Timer, TimerId};
use super::{Source, deregister, register};
use crate::Options;
use crate::monitor::EventKind;
use crate::security::{AuthenticationRequest, Outcome, Question, Ticket};
use crate::socket::Core;
use crate::switching::Routes;

/// How long who gave a wrong password waits to be told so.
const WRONG_PASSWORD: Duration = Duration::from_millis(500);

impl Reactor {
    pub(super) fn start_handshake(
        &mut self,
        core: Arc<Core>,
        options: Arc<Options>,
        link: Box<dyn Link>,
        origin: Origin,
        endpoint: Arc<str>,
    ) {
        self.serial += 1;
        let connector = match origin {
            Origin::Accepted => None,
            Origin::Connected(id) => self.connectors.get(&id),
        };
        let offer = Offered {
            extensions: connector.is_none_or(|it| it.offer),
            routes: match connector.is_none_or(|it| it.switch) {
                true => self.ways.of(&endpoint, &options),
                false => Routes::default(),
            },
        };
        let started = Handshake::new(
            core.clone(),
            options,
            link,
            origin,
            endpoint.clone(),
            offer,
            self.serial,
        );
        let handshake = match started {
            Ok(handshake) => handshake,
            Err(cause) => {
                core.tell(&endpoint, None, || EventKind::HandshakeFailed {
                    cause: cause.clone(),
                });
                if let Origin::Connected(id) = origin {
                    self.retry(id, None);
                }
                return;
            }
        };
        let fd = handshake.link.fd();
        let (deadline, serial) = (handshake.deadline, handshake.serial);
        let key = self.handshakes.insert(handshake);
        if let Err(cause) = register(&self.registry, fd, Source::Handshake(key)) {
            let handshake = self.handshakes.remove(key);
            return self.handshake_failed(handshake, cause.to_string().into());
        }
        if let Some(deadline) = deadline {
            let timer = self.timers.set(deadline, Timer::Handshake(key, serial));
            self.handshakes[key].timer = Some(timer);
        }
        self.note_stage(origin, Stage::Handshaking(key));
        self.drive_handshake(key);
    }

    /// Before it [runs](Self::run): how many handshakes may be under way.
    pub(crate) fn set_max_handshakes(&mut self, count: NonZeroUsize) {
        self.max_handshakes = count.get();
    }

    /// Whether as many handshakes are under way as may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.handshakes.len() >= self.max_handshakes
    }

    pub(super) fn note_stage(&mut self, origin: Origin, stage: Stage) {
        if let Origin::Connected(id) = origin
            && let Some(connector) = self.connectors.get_mut(&id)
        {
            connector.stage = stage;
        }
    }

    /// The peer said something, or went.
    pub(super) fn handshake_ready(&mut self, key: usize, hangup: bool) {
        if hangup && let Some(handshake) = self.handshakes.get_mut(key) {
            handshake.handle_hangup();
        }
        self.drive_handshake(key);
    }

    pub(super) fn drive_handshake(&mut self, key: usize) {
        if !self.handshakes.contains(key) {
            return;
        }
        let handshake = self.handshakes.remove(key);
        let (core, origin, fd, timer, moving_timer) = (
            handshake.core.clone(),
            handshake.origin,
            handshake.link.fd(),
            handshake.timer,
            handshake.moving_timer,
        );
        let watcher = Watcher {
            registry: &self.registry,
            key,
        };
        match handshake.drive(watcher) {
            (Some(handshake), Progress::Pending) => {
                // Nothing was inserted in between: it gets its key back.
                let again = self.handshakes.insert(handshake);
                debug_assert_eq!(again, key);
                self.limit_moving(key);
            }
            (Some(handshake), Progress::Asks(request)) => {
                let again = self.handshakes.insert(handshake);
                debug_assert_eq!(again, key);
                self.ask_about(key, *request);
            }
            (Some(handshake), Progress::IsRefused) => {
                let serial = handshake.serial;
                let again = self.handshakes.insert(handshake);
                debug_assert_eq!(again, key);
                let at = Instant::now() + WRONG_PASSWORD;
                self.timers.set(at, Timer::Refusal(key, serial));
            }
            (None, Progress::Pending | Progress::Asks(_) | Progress::IsRefused) => {}
            (_, Progress::Established(established)) => {
                self.forget_deadline(timer);
                self.forget_deadline(moving_timer);
                deregister(&self.registry, fd);
                if let Origin::Connected(id) = origin
                    && let Some(connector) = self.connectors.get_mut(&id)
                {
                    connector.succeeded();
                }
                let socket = core.id;
                core.attach(*established);
                // It may have been all that a closed socket waited for.
                if let Some(&key) = self.by_socket.get(&socket) {
                    self.finish_if_sent(key);
                }
            }
            (Some(handshake), Progress::Failed(failure)) => {
                self.handshake_failed(handshake, failure);
            }
            (None, Progress::Failed(failure)) => {
                self.forget_deadline(timer);
                self.forget_deadline(moving_timer);
                self.give_handshake_up(&core, origin, &failure);
            }
        }
    }

    /// Gives the move to a shorter path its time, which is not that of the handshake.
    fn limit_moving(&mut self, key: usize) {
        let handshake = &mut self.handshakes[key];
        if handshake.moving_timer.is_none()
            && let Some(limit) = handshake.moving_limit()
            && let Some(at) = Instant::now().checked_add(limit)
        {
            let timer = Timer::Moving(key, handshake.serial);
            handshake.moving_timer = Some(self.timers.set(at, timer));
        }
    }

    /// A connection had its time to move: it stays, unless it only waits for the peer's
    /// last word.
    pub(super) fn moving_over(&mut self, key: usize, serial: u64) {
        let handshake = self.handshakes.get_mut(key);
        if let Some(handshake) = handshake.filter(|it| it.serial == serial) {
            handshake.moving_timed_out();
            self.drive_handshake(key);
        }
    }

    /// Has somebody decide on the peer of a handshake, which is left alone until
    /// then, or until the time for it is over.
    fn ask_about(&mut self, key: usize, request: AuthenticationRequest) {
        let Some(handshake) = self.handshakes.get(key) else {
            return;
        };
        let serial = handshake.serial;
        let deadline = Instant::now() + handshake.authentication_timeout();
        let ticket = Ticket { key, serial };
        let question = Question {
            ticket,
            request,
            deadline,
        };
        match self.authority.ask(question) {
            Ok(()) => {
                self.timers
                    .set(deadline, Timer::Authentication(key, serial));
            }
            Err(cause) => self.authenticated(ticket, Err(cause)),
        }
    }

    /// What somebody has decided; of no interest when the handshake is over, or
    /// was answered before.
    pub(super) fn authenticated(&mut self, ticket: Ticket, outcome: Outcome) {
        let Ticket { key, serial } = ticket;
        let handshake = self.handshakes.get_mut(key);
        let asking =
            |handshake: &&mut Handshake| handshake.serial == serial && handshake.is_asking();
        let Some(handshake) = handshake.filter(asking) else {
            return;
        };
        match handshake.answer(outcome) {
            // Also reads what came meanwhile: its events went unheeded.
            Ok(()) => self.drive_handshake(key),
            Err(failure) => {
                let handshake = self.handshakes.remove(key);
                self.handshake_failed(handshake, failure);
            }
        }
    }

    pub(super) fn handshake_failed(&mut self, mut handshake: Handshake, failure: Failure) {
        self.forget_deadline(handshake.timer);
        self.forget_deadline(handshake.moving_timer);
        deregister(&self.registry, handshake.link.fd());
        let core = handshake.core.clone();
        core.handshake_failed(failure.unauthenticated);
        if let Some(unauthenticated) = failure.unauthenticated {
            core.tell(&handshake.endpoint, None, || {
                EventKind::AuthenticationFailed {
                    status: unauthenticated.status(),
                    cause: failure.cause.clone(),
                }
            });
        }
        core.tell(&handshake.endpoint, None, || EventKind::HandshakeFailed {
            cause: failure.cause.clone(),
        });
        handshake.link.shutdown();
        let Origin::Connected(id) = handshake.origin else {
            return;
        };
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        connector.offer = !handshake.may_dislike_offer();
        connector.switch = !handshake.is_moving();
        connector.failure = Some(failure.cause);
        if failure.is_final {
            connector.stage = Stage::Refused;
            core.tell(&handshake.endpoint, None, || EventKind::Closed);
        } else {
            self.retry(id, None);
        }
    }

    /// What it was for is over: nobody waits for its deadline.
    pub(super) fn forget_deadline(&mut self, timer: Option<TimerId>) {
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
    }

    /// A handshake that consumed itself without giving a link.
    pub(super) fn give_handshake_up(&mut self, core: &Core, origin: Origin, failure: &Failure) {
        core.handshake_failed(failure.unauthenticated);
        if let Origin::Connected(id) = origin {
            self.retry(id, Some(failure.cause.clone()));
        }
    }
}
