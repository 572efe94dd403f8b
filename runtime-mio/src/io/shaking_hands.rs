//! The reactor drives handshakes to their end.

use std::sync::Arc;

use ferromq_transport::Link;

use super::connector::Stage;
use super::handshake::{Failure, Handshake, Origin, Progress};
use super::reactor::Reactor;
use super::timers::Timer;
use super::{Source, deregister, register};
use crate::Options;
use crate::monitor::EventKind;
use crate::socket::Core;

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
        let offer = match origin {
            Origin::Accepted => true,
            Origin::Connected(id) => self.connectors.get(&id).is_none_or(|c| c.offer),
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
            self.timers.set(deadline, Timer::Handshake(key, serial));
        }
        self.note_stage(origin, Stage::Handshaking(key));
        self.drive_handshake(key);
    }

    /// Handshakes under way.
    pub(super) fn half_open(&self) -> usize {
        self.handshakes.len()
    }

    pub(super) fn note_stage(&mut self, origin: Origin, stage: Stage) {
        if let Origin::Connected(id) = origin
            && let Some(connector) = self.connectors.get_mut(&id)
        {
            connector.stage = stage;
        }
    }

    pub(super) fn drive_handshake(&mut self, key: usize) {
        if !self.handshakes.contains(key) {
            return;
        }
        let handshake = self.handshakes.remove(key);
        let (core, origin, fd) = (
            handshake.core.clone(),
            handshake.origin,
            handshake.link.fd(),
        );
        match handshake.drive() {
            (Some(handshake), Progress::Pending) => {
                // Nothing was inserted in between: it gets its key back.
                let again = self.handshakes.insert(handshake);
                debug_assert_eq!(again, key);
            }
            (_, Progress::Pending) => {}
            (_, Progress::Established(established)) => {
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
            (None, Progress::Failed(failure)) => self.give_handshake_up(&core, origin, &failure),
        }
    }

    pub(super) fn handshake_failed(&mut self, mut handshake: Handshake, failure: Failure) {
        deregister(&self.registry, handshake.link.fd());
        let core = handshake.core.clone();
        core.handshake_failed();
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
        connector.failure = Some(failure.cause);
        if failure.is_final {
            connector.stage = Stage::Refused;
            core.tell(&handshake.endpoint, None, || EventKind::Closed);
        } else {
            self.retry(id, None);
        }
    }

    /// A handshake that consumed itself without giving a link.
    pub(super) fn give_handshake_up(&mut self, core: &Core, origin: Origin, failure: &Failure) {
        core.handshake_failed();
        if let Origin::Connected(id) = origin {
            self.retry(id, Some(failure.cause.clone()));
        }
    }
}
