//! The loop of the I/O thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::Connecting;
use mio::{Events, Poll, Registry};
use slab::Slab;

use super::connector::{Connector, Stage};
use super::handshake::Handshake;
use super::listener::{HALF_OPEN, Listening};
use super::resolver::Resolver;
use super::timers::{Timer, TimerId, Timers};
use super::watch::{Rhythm, Watch};
use crate::security::{Authority, NoVerdict, Ticket, Verdict};
use crate::switching::Ways;

use super::{Command, ConnectorId, IoHandle, SocketId, Source, WAKE};

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Shortest time between a link's wish for a heartbeat and the look at all of
/// the socket's: a tenth of the shortest TTL that a peer can ask for.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(10);

/// Everything that the I/O thread owns.
pub(crate) struct Reactor {
    poll: Poll,
    pub(super) registry: Registry,
    pub(super) handle: Arc<IoHandle>,
    pub(super) watches: Slab<Watch>,
    pub(super) by_socket: HashMap<SocketId, usize>,
    pub(super) listeners: Slab<Listening>,
    pub(super) connectors: HashMap<ConnectorId, Connector>,
    pub(super) connecting: Slab<Attempt>,
    pub(super) handshakes: Slab<Handshake>,
    /// So many of them, and nobody else is accepted.
    pub(super) max_handshakes: usize,
    pub(super) resolver: Resolver,
    pub(super) authority: Arc<Authority>,
    pub(super) timers: Timers,
    pub(super) rhythm: Rhythm,
    pub(super) serial: u64,
    /// How connections take a shorter path, if they may.
    pub(super) ways: Arc<Ways>,
    shutdown: bool,
}

/// A transport that is connecting.
pub(super) struct Attempt {
    pub(super) connector: ConnectorId,
    pub(super) connecting: Box<dyn Connecting>,
    pub(super) serial: u64,
    /// What fires when its address has had its time.
    pub(super) timer: Option<TimerId>,
}

impl Reactor {
    pub(crate) fn new(
        poll: Poll,
        handle: Arc<IoHandle>,
        authority: Arc<Authority>,
        ways: Arc<Ways>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            registry: poll.registry().try_clone()?,
            poll,
            watches: Slab::new(),
            by_socket: HashMap::new(),
            listeners: Slab::new(),
            connectors: HashMap::new(),
            connecting: Slab::new(),
            handshakes: Slab::new(),
            max_handshakes: HALF_OPEN,
            resolver: Resolver::new(handle.clone()),
            authority,
            timers: Timers::default(),
            rhythm: Rhythm::new(),
            serial: 0,
            ways,
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
                    Source::Listener(key) => self.listener_ready(key),
                    Source::Connecting(key) => self.advance_connecting(key),
                    Source::Handshake(key) => {
                        let hangup = event.is_read_closed() || event.is_error();
                        self.handshake_ready(key, hangup);
                    }
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
            Command::Listen {
                core,
                options,
                listener,
            } => self.listen(core, options, listener),
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
                options,
                id,
                endpoint,
                transport,
            } => {
                self.connectors
                    .insert(id, Connector::new(core, options, endpoint, transport));
                self.connect(id);
            }
            Command::Depart(id) => self.depart(id),
            Command::Disconnect(id) => self.disconnect(id),
            Command::Reconnect(id) => self.reconnect(id),
            Command::Resolved { id, result } => self.resolved(id, result),
            Command::Authenticated { ticket, outcome } => self.authenticated(ticket, *outcome),
            Command::Close(socket) => self.close(socket),
            Command::Heartbeat(socket) => self.heartbeat_asked(socket),
            Command::Describe(answer) => self.describe(&answer),
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
            Timer::Authentication(key, serial) => {
                self.authenticated(Ticket { key, serial }, Err(NoVerdict::TimedOut));
            }
            Timer::Refusal(key, serial) => {
                self.authenticated(Ticket { key, serial }, Ok(Verdict::deny("")));
            }
            Timer::Moving(key, serial) => self.moving_over(key, serial),
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
            Timer::Departure(id) => self.departure_over(id),
            Timer::Departing(id, pause) => self.look_at_departing(id, pause),
            Timer::Linger(socket) => self.linger_over(socket),
            Timer::Closing(socket, pause) => self.look_at_closing(socket, pause),
            Timer::Accept(key) => self.accept_again(key),
        }
    }

    // Connecting.

    // Handshakes.

    // Sockets.

    /// Whether a socket is watched and takes calls.
    pub(super) fn is_open(&self, socket: SocketId) -> bool {
        let key = self.by_socket.get(&socket);
        key.and_then(|&key| self.watches.get(key))
            .is_some_and(|watch| !watch.closing)
    }

    /// A link wants its heartbeats looked at. Not at once: a peer could have
    /// every link of the socket looked at with every PING.
    pub(super) fn heartbeat_asked(&mut self, socket: SocketId) {
        self.heartbeat_within(socket, HEARTBEAT_PAUSE);
    }

    pub(super) fn heartbeat_within(&mut self, socket: SocketId, pause: Duration) {
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

    pub(super) fn heartbeat(&mut self, socket: SocketId) {
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
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.handle.retire();
    }
}
