//! The loop of the I/O thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::{Connecting, Link, Route, TransportError};
use mio::{Events, Poll, Registry};
use slab::Slab;

use super::connector::{Connector, Stage};
use super::handshake::{Failure, Handshake, Origin, Progress};
use super::listener::Listening;
use super::timers::{Timer, Timers};
use super::watch::{Rhythm, Watch};
use super::{Command, ConnectorId, IoHandle, SocketId, Source, WAKE, deregister, register};
use crate::monitor::EventKind;
use crate::socket::Core;

/// Events taken from the kernel at once.
const EVENTS: usize = 256;

/// Everything that the I/O thread owns.
pub(crate) struct Reactor {
    poll: Poll,
    pub(super) registry: Registry,
    pub(super) handle: Arc<IoHandle>,
    pub(super) watches: Slab<Watch>,
    by_socket: HashMap<SocketId, usize>,
    pub(super) listeners: Slab<Listening>,
    connectors: HashMap<ConnectorId, Connector>,
    connecting: Slab<Attempt>,
    handshakes: Slab<Handshake>,
    pub(super) timers: Timers,
    pub(super) rhythm: Rhythm,
    serial: u64,
    shutdown: bool,
}

/// A transport that is connecting.
struct Attempt {
    connector: ConnectorId,
    connecting: Box<dyn Connecting>,
    serial: u64,
}

impl Reactor {
    pub(crate) fn new(poll: Poll, handle: Arc<IoHandle>) -> std::io::Result<Self> {
        Ok(Self {
            registry: poll.registry().try_clone()?,
            poll,
            handle,
            watches: Slab::new(),
            by_socket: HashMap::new(),
            listeners: Slab::new(),
            connectors: HashMap::new(),
            connecting: Slab::new(),
            handshakes: Slab::new(),
            timers: Timers::default(),
            rhythm: Rhythm::new(),
            serial: 0,
            shutdown: false,
        })
    }

    /// Runs until the context is shut down and its sockets have lingered.
    pub(crate) fn run(mut self) {
        crate::system::sleep_precisely();
        let mut events = Events::with_capacity(EVENTS);
        while !(self.shutdown && self.watches.is_empty()) {
            self.wait(&mut events);
            for event in events.iter().filter(|event| event.token() != WAKE) {
                match Source::of(event.token()) {
                    Source::Socket(key) => self.socket_ready(key),
                    Source::Listener(key) => self.accept(key),
                    Source::Connecting(key) => self.advance_connecting(key),
                    Source::Handshake(key) => self.drive_handshake(key),
                }
            }
            for command in self.handle.take_commands() {
                self.obey(command);
            }
            let now = Instant::now();
            while let Some(timer) = self.timers.pop(now) {
                self.fire(timer);
            }
            self.look_around();
        }
    }

    fn wait(&mut self, events: &mut Events) {
        let due = self
            .timers
            .next()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = match self.rhythm.fine_nap() {
            // epoll knows milliseconds: shorter naps are slept elsewhere.
            Some(nap) => {
                std::thread::sleep(due.map_or(nap, |due| due.min(nap)));
                Some(Duration::ZERO)
            }
            None => match (due, self.rhythm.coarse_timeout()) {
                (Some(due), Some(tick)) => Some(due.min(tick)),
                (due, tick) => due.or(tick),
            },
        };
        if self.poll.poll(events, timeout).is_err() {
            events.clear();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Watch(core) => {
                let id = core.id;
                let key = self.watches.insert(Watch::new(core));
                self.by_socket.insert(id, key);
            }
            Command::Listen { core, listener } => self.listen(core, listener),
            Command::Unlisten {
                socket,
                endpoint,
                done,
            } => {
                let found = self.listeners.iter().find(|(_, listening)| {
                    listening.core.id == socket && *listening.endpoint == *endpoint
                });
                let key = found.map(|(key, _)| key);
                if let Some(key) = key {
                    self.unlisten(key);
                }
                let _ = done.send(key.is_some());
            }
            Command::Connect {
                core,
                id,
                endpoint,
                transport,
            } => {
                self.connectors
                    .insert(id, Connector::new(core, endpoint, transport));
                self.connect(id);
            }
            Command::Disconnect(id) => self.disconnect(id),
            Command::Reconnect(id) => self.retry(id, None),
            Command::Resolved { id, result } => self.resolved(id, result),
            Command::Close(socket) => self.close(socket),
            Command::Heartbeat(socket) => self.heartbeat(socket),
            Command::Shutdown => self.shutdown = true,
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Handshake(key, serial) => {
                if self
                    .handshakes
                    .get(key)
                    .is_some_and(|handshake| handshake.serial == serial)
                {
                    let handshake = self.handshakes.remove(key);
                    self.handshake_failed(handshake, String::from("the handshake timed out"));
                }
            }
            Timer::Connecting(key, serial) => {
                let Some(attempt) = self.connecting.get_mut(key) else {
                    return;
                };
                if attempt.serial != serial {
                    return;
                }
                let before = attempt.connecting.fd();
                match attempt.connecting.timed_out() {
                    Ok(()) => self.rewatch_connecting(key, before),
                    Err(cause) => self.connecting_failed(key, before, &cause),
                }
            }
            Timer::Reconnect(id) => {
                if self
                    .connectors
                    .get(&id)
                    .is_some_and(|c| c.stage == Stage::Waiting)
                {
                    self.connect(id);
                }
            }
            Timer::Heartbeat(socket) => self.heartbeat(socket),
            Timer::Linger(socket) => self.linger_over(socket),
            Timer::Accept(key) => self.accept(key),
        }
    }

    // Connecting.

    fn connect(&mut self, id: ConnectorId) {
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        if connector.transport.needs_resolver(&connector.endpoint) {
            if !connector.resolve(id, &self.handle) {
                self.retry(id, Some("cannot start a thread to look the name up".into()));
            }
            return;
        }
        let result = connector.transport.resolve(&connector.endpoint);
        connector.stage = Stage::Resolving;
        self.resolved(id, result);
    }

    fn resolved(&mut self, id: ConnectorId, result: Result<Route, TransportError>) {
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        if connector.stage != Stage::Resolving {
            return;
        }
        let link = &connector.core.options.link;
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
                });
                connector.stage = Stage::Connecting(key);
                let timeout = connector.core.options.handshake_timeout;
                self.timers
                    .set(Instant::now() + timeout, Timer::Connecting(key, serial));
                // Before the first look, so that no edge is missed after it.
                if let Err(cause) = register(&self.registry, fd, Source::Connecting(key)) {
                    self.connecting.remove(key);
                    return self.retry(id, Some(cause.to_string()));
                }
                self.advance_connecting(key);
            }
        }
    }

    fn advance_connecting(&mut self, key: usize) {
        let Some(attempt) = self.connecting.get_mut(key) else {
            return;
        };
        let before = attempt.connecting.fd();
        match attempt.connecting.poll_connected() {
            Ok(None) => self.rewatch_connecting(key, before),
            Err(cause) => self.connecting_failed(key, before, &cause),
            Ok(Some(link)) => {
                deregister(&self.registry, before);
                let id = self.connecting.remove(key).connector;
                let Some(connector) = self.connectors.get(&id) else {
                    return;
                };
                let (core, endpoint) = (connector.core.clone(), connector.text.clone());
                core.tell(&endpoint, None, || EventKind::Connected);
                self.start_handshake(core, link, Origin::Connected(id), endpoint);
            }
        }
    }

    /// The attempt may have gone on to the next address, and descriptor.
    fn rewatch_connecting(&mut self, key: usize, before: std::os::fd::RawFd) {
        let Some(attempt) = self.connecting.get(key) else {
            return;
        };
        let fd = attempt.connecting.fd();
        if fd != before {
            deregister(&self.registry, before);
            let _ = register(&self.registry, fd, Source::Connecting(key));
        }
    }

    fn connecting_failed(&mut self, key: usize, fd: std::os::fd::RawFd, cause: &TransportError) {
        deregister(&self.registry, fd);
        let attempt = self.connecting.remove(key);
        self.retry(attempt.connector, Some(cause.to_string()));
    }

    /// Connects again after a pause; `cause` is told unless the link had stood.
    fn retry(&mut self, id: ConnectorId, cause: Option<String>) {
        let Some(connector) = self.connectors.get_mut(&id) else {
            return;
        };
        let delay = connector.failed();
        if let Some(cause) = cause {
            let core = connector.core.clone();
            core.tell(&connector.text, None, || EventKind::ConnectRetried {
                cause,
                delay,
            });
        }
        self.timers
            .set(Instant::now() + delay, Timer::Reconnect(id));
    }

    fn disconnect(&mut self, id: ConnectorId) {
        let Some(connector) = self.connectors.remove(&id) else {
            return;
        };
        match connector.stage {
            Stage::Connecting(key) => {
                let attempt = self.connecting.remove(key);
                deregister(&self.registry, attempt.connecting.fd());
            }
            Stage::Handshaking(key) => {
                let handshake = self.handshakes.remove(key);
                deregister(&self.registry, handshake.link.fd());
            }
            Stage::Resolving | Stage::Established | Stage::Waiting => {}
        }
        connector
            .core
            .tell(&connector.text, None, || EventKind::Closed);
    }

    // Handshakes.

    pub(super) fn start_handshake(
        &mut self,
        core: Arc<Core>,
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
            return self.handshake_failed(handshake, cause.to_string());
        }
        if let Some(deadline) = deadline {
            self.timers.set(deadline, Timer::Handshake(key, serial));
        }
        self.note_stage(origin, Stage::Handshaking(key));
        self.drive_handshake(key);
    }

    fn note_stage(&mut self, origin: Origin, stage: Stage) {
        if let Origin::Connected(id) = origin
            && let Some(connector) = self.connectors.get_mut(&id)
        {
            connector.stage = stage;
        }
    }

    fn drive_handshake(&mut self, key: usize) {
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
            (Some(handshake), Progress::Failed(cause)) => self.handshake_failed(handshake, cause),
            (None, Progress::Failed(_)) => deregister(&self.registry, fd),
        }
    }

    fn handshake_failed(&mut self, mut handshake: Handshake, failure: impl Into<Failure>) {
        let Failure { cause, is_final } = failure.into();
        deregister(&self.registry, handshake.link.fd());
        let core = handshake.core.clone();
        core.handshake_failed();
        core.tell(&handshake.endpoint, None, || EventKind::HandshakeFailed {
            cause,
        });
        if let Origin::Connected(id) = handshake.origin {
            if let Some(connector) = self.connectors.get_mut(&id) {
                connector.offer = !handshake.may_dislike_offer();
            }
            if !is_final {
                self.retry(id, None);
            }
        }
        handshake.link.shutdown();
    }

    // Sockets.

    pub(super) fn watch_keys(&self) -> Vec<usize> {
        self.watches.iter().map(|(key, _)| key).collect()
    }

    fn heartbeat(&mut self, socket: SocketId) {
        let key = self.by_socket.get(&socket).copied();
        let Some(watch) = key.and_then(|key| self.watches.get_mut(key)) else {
            return;
        };
        let Some(pause) = watch.core.heartbeat() else {
            return;
        };
        let now = Instant::now();
        let at = now + pause;
        // A timer that is already set for an earlier time will look again.
        if watch.heartbeat_at.is_none_or(|set| set <= now || at < set) {
            watch.heartbeat_at = Some(at);
            self.timers.set(at, Timer::Heartbeat(socket));
        }
    }

    /// The socket takes no calls any more: its endpoints go, and itself when
    /// it has sent what waits.
    fn close(&mut self, socket: SocketId) {
        let Some(&key) = self.by_socket.get(&socket) else {
            return;
        };
        let keys: Vec<_> = self
            .listeners
            .iter()
            .map(|(key, l)| (key, l.core.id))
            .collect();
        for (listener, _) in keys.into_iter().filter(|(_, owner)| *owner == socket) {
            self.unlisten(listener);
        }
        let Some(watch) = self.watches.get_mut(key) else {
            return;
        };
        watch.closing = true;
        let linger = watch.core.options.linger;
        if let Some(deadline) = linger.and_then(|linger| Instant::now().checked_add(linger)) {
            self.timers.set(deadline, Timer::Linger(socket));
        }
        self.take(key);
    }

    fn linger_over(&mut self, socket: SocketId) {
        if let Some(&key) = self.by_socket.get(&socket) {
            self.forget(key);
        }
    }

    /// Forgets a closing socket that has nothing left to send.
    pub(super) fn finish_if_sent(&mut self, key: usize) {
        let Some(watch) = self.watches.get(key).filter(|watch| watch.closing) else {
            return;
        };
        if watch.core.clone().has_sent_everything() {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: usize) {
        let Some(watch) = self.watches.try_remove(key) else {
            return;
        };
        self.by_socket.remove(&watch.core.id);
        deregister(&self.registry, watch.core.epoll());
        let id = watch.core.id;
        let connectors: Vec<_> = self
            .connectors
            .iter()
            .filter(|(_, c)| c.core.id == id)
            .map(|(id, _)| *id)
            .collect();
        connectors
            .into_iter()
            .for_each(|connector| self.disconnect(connector));
        let handshakes: Vec<_> = self
            .handshakes
            .iter()
            .filter(|(_, h)| h.core.id == id)
            .map(|(key, _)| key)
            .collect();
        for key in handshakes {
            let handshake = self.handshakes.remove(key);
            deregister(&self.registry, handshake.link.fd());
        }
        watch.core.discard();
    }
}
