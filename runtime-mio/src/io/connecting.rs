//! The reactor connects, and connects again.

use std::time::{Duration, Instant};

use ferromq_transport::{Route, TransportError};

use super::closing::{CLOSING_PAUSE, CLOSING_PAUSE_MAX};
use super::connector::Stage;
use super::handshake::Origin;
use super::reactor::{Attempt, Reactor};
use super::timers::Timer;
use super::{ConnectorId, Source, deregister, register};
use crate::monitor::EventKind;

impl Reactor {
    pub(super) fn connect(&mut self, id: ConnectorId) {
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        if connector.transport.needs_resolver(&connector.endpoint) {
            if !connector.resolve(id, &self.resolver) {
                self.retry(id, Some("cannot start a thread to look the name up".into()));
            }
            return;
        }
        let result = connector.transport.resolve(&connector.endpoint);
        connector.stage = Stage::Resolving;
        self.resolved(id, result);
    }

    pub(super) fn resolved(&mut self, id: ConnectorId, result: Result<Route, TransportError>) {
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        if connector.stage != Stage::Resolving {
            return;
        }
        let link = &connector.options.link;
        let attempt = result.and_then(|route| connector.transport.connect(&route, link));
        match attempt {
            Err(cause) => self.retry(id, Some(cause.to_string())),
            Ok(connecting) => {
                self.serial += 1;
                let serial = self.serial;
                let fd = connecting.fd();
                let key = self.connecting.insert(Attempt {
                    connector: id,
                    connecting,
                    serial,
                    timer: None,
                });
                connector.stage = Stage::Connecting(key);
                self.limit_connecting(key);
                // Before the first look, so that no edge is missed after it.
                if let Err(cause) = register(&self.registry, fd, Source::Connecting(key)) {
                    self.end_attempt(key);
                    return self.retry(id, Some(cause.to_string()));
                }
                self.advance_connecting(key);
            }
        }
    }

    /// Gives the address that is being tried its time.
    pub(super) fn limit_connecting(&mut self, key: usize) {
        let Some(attempt) = self.connecting.get_mut(key) else {
            return;
        };
        let Some(connector) = self.connectors.get(&attempt.connector) else {
            return;
        };
        let timeout = connector.options.handshake_timeout;
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            let timer = Timer::Connecting(key, attempt.serial);
            attempt.timer = Some(self.timers.set(deadline, timer));
        }
    }

    /// The attempt is over: nobody waits for its time to be.
    fn end_attempt(&mut self, key: usize) -> Option<Attempt> {
        let attempt = self.connecting.try_remove(key)?;
        if let Some(timer) = attempt.timer {
            self.timers.cancel(timer);
        }
        Some(attempt)
    }

    pub(super) fn advance_connecting(&mut self, key: usize) {
        let Some(attempt) = self.connecting.get_mut(key) else {
            return;
        };
        let before = attempt.connecting.fd();
        match attempt.connecting.poll_connected() {
            Ok(None) => self.rewatch_connecting(key, before),
            Err(cause) => self.connecting_failed(key, before, &cause),
            Ok(Some(link)) => {
                deregister(&self.registry, before);
                let ended = self.end_attempt(key);
                let Some((id, connector)) = ended.and_then(|attempt| {
                    let id = attempt.connector;
                    Some((id, self.connectors.get(&id)?))
                }) else {
                    return;
                };
                let (core, endpoint) = (connector.core.clone(), connector.text.clone());
                let options = connector.options.clone();
                core.tell(&endpoint, None, || EventKind::Connected);
                self.start_handshake(core, options, link, Origin::Connected(id), endpoint);
            }
        }
    }

    /// The attempt may have gone on to the next address, and descriptor.
    pub(super) fn rewatch_connecting(&mut self, key: usize, before: std::os::fd::RawFd) {
        let Some(attempt) = self.connecting.get(key) else {
            return;
        };
        let fd = attempt.connecting.fd();
        if fd != before {
            deregister(&self.registry, before);
            let _ = register(&self.registry, fd, Source::Connecting(key));
        }
    }

    pub(super) fn connecting_failed(
        &mut self,
        key: usize,
        fd: std::os::fd::RawFd,
        cause: &TransportError,
    ) {
        deregister(&self.registry, fd);
        if let Some(attempt) = self.end_attempt(key) {
            self.retry(attempt.connector, Some(cause.to_string()));
        }
    }

    /// Connects again after a pause; `cause` is told unless the link had stood.
    pub(super) fn retry(&mut self, id: ConnectorId, cause: Option<String>) {
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        let delay = connector.failed();
        let at = Instant::now() + delay;
        connector.retry_at = Some(at);
        if let Some(cause) = cause {
            connector.failure = Some(cause.clone());
            let core = connector.core.clone();
            core.tell(&connector.text, None, || EventKind::ConnectRetried {
                cause,
                delay,
            });
        }
        self.timers.set(at, Timer::Reconnect(id));
    }

    /// A link that stood is lost. Told by the socket, so it may come late.
    pub(super) fn reconnect(&mut self, id: ConnectorId) {
        let connector = self.connectors.get(&id);
        if connector.is_some_and(|connector| connector.stage == Stage::Established) {
            self.retry(id, None);
        }
    }

    /// The application disconnected, and messages are queued.
    pub(super) fn depart(&mut self, id: ConnectorId) {
        let Some(connector) = self.connectors.get(&id) else {
            return;
        };
        let linger = connector.core.settings.linger();
        if let Some(at) = linger.and_then(|linger| Instant::now().checked_add(linger)) {
            self.timers.set(at, Timer::Departure(id));
        }
        self.look_at_departing(id, CLOSING_PAUSE);
    }

    /// What was written last may still be on its way, and no event tells when
    /// it has arrived.
    pub(super) fn look_at_departing(&mut self, id: ConnectorId, pause: Duration) {
        let core = self.connectors.get(&id).map(|c| c.core.clone());
        if core.is_some_and(|core| core.is_departing(id)) {
            let timer = Timer::Departing(id, (pause * 2).min(CLOSING_PAUSE_MAX));
            self.timers.set(Instant::now() + pause, timer);
        }
    }

    pub(super) fn departure_over(&mut self, id: ConnectorId) {
        if let Some(connector) = self.connectors.get(&id) {
            connector.core.clone().departure_over(id);
        }
    }

    pub(super) fn disconnect(&mut self, id: ConnectorId) {
        let Some(connector) = self.connectors.remove(&id) else {
            return;
        };
        match connector.stage {
            Stage::Connecting(key) => {
                if let Some(attempt) = self.end_attempt(key) {
                    deregister(&self.registry, attempt.connecting.fd());
                }
            }
            Stage::Handshaking(key) => {
                if let Some(handshake) = self.handshakes.try_remove(key) {
                    self.forget_deadline(handshake.timer);
                    self.forget_deadline(handshake.moving_timer);
                    deregister(&self.registry, handshake.link.fd());
                }
            }
            Stage::Resolving | Stage::Established | Stage::Waiting | Stage::Refused => {}
        }
        connector
            .core
            .tell(&connector.text, None, || EventKind::Closed);
    }
}
