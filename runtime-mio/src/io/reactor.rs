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
use super::resolver::Resolver;
use super::timers::{Timer, Timers};
use super::watch::{Rhythm, Watch};
use super::{Command, ConnectorId, IoHandle, SocketId, Source, WAKE, deregister, register};
use crate::monitor::EventKind;
use crate::socket::Core;

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Shortest time between a link's wish for a heartbeat and the look at all of
/// the socket's: a tenth of the shortest TTL that a peer can ask for.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(10);
/// First and longest pause between two looks at a closed socket.
const CLOSING_PAUSE: Duration = Duration::from_millis(2);
const CLOSING_PAUSE_MAX: Duration = Duration::from_secs(1);

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
    resolver: Resolver,
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
            watches: Slab::new(),
            by_socket: HashMap::new(),
            listeners: Slab::new(),
            connectors: HashMap::new(),
            connecting: Slab::new(),
            handshakes: Slab::new(),
            resolver: Resolver::new(handle.clone()),
            timers: Timers::default(),
            rhythm: Rhythm::new(),
            serial: 0,
            shutdown: false,
            handle,
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
            if self.rhythm.is_due(&self.handle) {
                self.look_around();
            }
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
                self.rhythm.ask();
            }
            // A socket may be closed while another thread binds or connects it.
            Command::Listen { core, .. } | Command::Connect { core, .. }
                if !self.is_open(core.id) => {}
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
            Command::Reconnect(id) => self.reconnect(id),
            Command::Resolved { id, result } => self.resolved(id, result),
            Command::Close(socket) => self.close(socket),
            Command::Heartbeat(socket) => self.heartbeat_asked(socket),
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
                    self.handshake_failed(
                        handshake,
                        String::from("the handshake timed out").into(),
                    );
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
                    Ok(()) => {
                        // The next address has as much time.
                        self.limit_connecting(key);
                        self.rewatch_connecting(key, before);
                    }
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
            Timer::Closing(socket, pause) => self.look_at_closing(socket, pause),
            Timer::Accept(key) => self.accept(key),
        }
    }

    // Connecting.

    fn connect(&mut self, id: ConnectorId) {
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
                self.limit_connecting(key);
                // Before the first look, so that no edge is missed after it.
                if let Err(cause) = register(&self.registry, fd, Source::Connecting(key)) {
                    self.connecting.remove(key);
                    return self.retry(id, Some(cause.to_string()));
                }
                self.advance_connecting(key);
            }
        }
    }

    /// Gives the address that is being tried its time.
    fn limit_connecting(&mut self, key: usize) {
        let Some(attempt) = self.connecting.get(key) else {
            return;
        };
        let Some(connector) = self.connectors.get(&attempt.connector) else {
            return;
        };
        let timeout = connector.core.options.handshake_timeout;
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            let timer = Timer::Connecting(key, attempt.serial);
            self.timers.set(deadline, timer);
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

    /// A link that stood is lost. Told by the socket, so it may come late.
    fn reconnect(&mut self, id: ConnectorId) {
        let connector = self.connectors.get(&id);
        if connector.is_some_and(|connector| connector.stage == Stage::Established) {
            self.retry(id, None);
        }
    }

    fn disconnect(&mut self, id: ConnectorId) {
        let Some(connector) = self.connectors.remove(&id) else {
            return;
        };
        match connector.stage {
            Stage::Connecting(key) => {
                if let Some(attempt) = self.connecting.try_remove(key) {
                    deregister(&self.registry, attempt.connecting.fd());
                }
            }
            Stage::Handshaking(key) => {
                if let Some(handshake) = self.handshakes.try_remove(key) {
                    deregister(&self.registry, handshake.link.fd());
                }
            }
            Stage::Resolving | Stage::Established | Stage::Waiting | Stage::Refused => {}
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
            (Some(handshake), Progress::Failed(failure)) => {
                self.handshake_failed(handshake, failure);
            }
            (None, Progress::Failed(failure)) => self.give_handshake_up(&core, origin, &failure),
        }
    }

    fn handshake_failed(&mut self, mut handshake: Handshake, failure: Failure) {
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
        if failure.is_final {
            connector.stage = Stage::Refused;
            core.tell(&handshake.endpoint, None, || EventKind::Closed);
        } else {
            self.retry(id, None);
        }
    }

    /// A handshake that consumed itself without giving a link.
    fn give_handshake_up(&mut self, core: &Core, origin: Origin, failure: &Failure) {
        core.handshake_failed();
        if let Origin::Connected(id) = origin {
            self.retry(id, Some(failure.cause.clone()));
        }
    }

    // Sockets.

    /// Whether a socket is watched and takes calls.
    fn is_open(&self, socket: SocketId) -> bool {
        let key = self.by_socket.get(&socket);
        key.and_then(|&key| self.watches.get(key))
            .is_some_and(|watch| !watch.closing)
    }

    /// A link wants its heartbeats looked at. Not at once: a peer could have
    /// every link of the socket looked at with every PING.
    fn heartbeat_asked(&mut self, socket: SocketId) {
        self.heartbeat_within(socket, HEARTBEAT_PAUSE);
    }

    fn heartbeat_within(&mut self, socket: SocketId, pause: Duration) {
        let key = self.by_socket.get(&socket).copied();
        let Some(watch) = key.and_then(|key| self.watches.get_mut(key)) else {
            return;
        };
        let Some(at) = Instant::now().checked_add(pause) else {
            return;
        };
        // A timer that is already set for an earlier time will look again.
        if watch.heartbeat_at.is_none_or(|set| at < set) {
            watch.heartbeat_at = Some(at);
            self.timers.set(at, Timer::Heartbeat(socket));
        }
    }

    fn heartbeat(&mut self, socket: SocketId) {
        let key = self.by_socket.get(&socket).copied();
        let Some(watch) = key.and_then(|key| self.watches.get_mut(key)) else {
            return;
        };
        let now = Instant::now();
        if watch.heartbeat_at.is_some_and(|set| set > now) {
            // An earlier look set another time, and its own timer.
            return;
        }
        watch.heartbeat_at = None;
        let core = watch.core.clone();
        if let Some(pause) = core.heartbeat() {
            self.heartbeat_within(socket, pause);
        }
        if let Some(key) = key {
            self.finish_if_sent(key);
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
        self.look_at_closing(socket, CLOSING_PAUSE);
    }

    /// Takes a closed socket once its callers have left: whoever still waits is
    /// woken by the socket's epoll, and we would take the event away. On its way
    /// out a caller may see the socket's last event, so that none comes here:
    /// look again, ever more rarely.
    fn look_at_closing(&mut self, socket: SocketId, pause: Duration) {
        let Some(&key) = self.by_socket.get(&socket) else {
            return;
        };
        let waited_for = |watch: &Watch| watch.core.flags.is_waited_for();
        match self.watches.get(key) {
            Some(watch) if waited_for(watch) => {}
            Some(watch) if !watch.taken => self.take(key),
            _ => self.finish_if_sent(key),
        }
        if self.watches.contains(key) {
            let timer = Timer::Closing(socket, (pause * 2).min(CLOSING_PAUSE_MAX));
            self.timers.set(Instant::now() + pause, timer);
        }
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
