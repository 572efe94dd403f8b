//! The I/O thread: it accepts, connects, shakes hands and keeps time, and does
//! a caller's work while the caller is away.
//!
//! ```text
//!  calls ──Command──▶ ┌──────────────── Reactor ───────────────┐
//!        ──mode────▶  │ listeners   connectors   handshakes    │──link──▶ socket
//!                     │ timers      watches (epoch, deferred)  │◀─lost──
//!                     └────────────────────────────────────────┘
//! ```
//! Established links belong to their sockets; the reactor touches a socket's
//! state only under its lock, for bounded work.

mod closing;
mod connecting;
mod connector;
mod handshake;
mod listener;
mod reactor;
mod resolver;
mod shaking_hands;
mod sight;
mod timers;
mod watch;

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ferromq_transport::{Endpoint, Lender, Listener, Route, Transport, TransportError};
use mio::unix::SourceFd;
use mio::{Interest, Poll, Registry, Token, Waker};

use crate::hand_over::{Flags, Mode};
use crate::security::{Outcome, Ticket};
use crate::socket::{After, Core};
use crate::sync::{Mutex, lock_unpoisoned};
use crate::{Error, Options};

pub(crate) use connector::random;
pub(crate) use reactor::Reactor;

/// A socket, for the life of its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SocketId(pub(crate) u64);

/// A call of `connect`, for the life of its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectorId(pub(crate) u64);

/// What the I/O thread is asked to do.
pub(crate) enum Command {
    /// Watch a new socket.
    Watch(Arc<Core>),
    /// Accept connections for a socket.
    Listen {
        core: Arc<Core>,
        options: Arc<Options>,
        listener: Box<dyn Listener>,
    },
    /// Stop accepting at an endpoint; answers whether it was one.
    Unlisten {
        socket: SocketId,
        endpoint: String,
        done: SyncSender<bool>,
    },
    /// Keep a connection to an endpoint.
    Connect {
        core: Arc<Core>,
        options: Arc<Options>,
        id: ConnectorId,
        endpoint: Endpoint,
        transport: Arc<dyn Transport>,
    },
    /// Give a connection up when what is queued for it has left, or has
    /// lingered long enough.
    Depart(ConnectorId),
    /// Give a connection up.
    Disconnect(ConnectorId),
    /// A connection that stood is lost.
    Reconnect(ConnectorId),
    /// A name was looked up.
    Resolved {
        id: ConnectorId,
        result: Result<Route, TransportError>,
    },
    /// Somebody has decided on the peer of a handshake, or could not.
    Authenticated {
        ticket: Ticket,
        outcome: Box<Outcome>,
    },
    /// The socket was closed: send what is left, then forget it.
    Close(SocketId),
    /// A link of this socket needs its heartbeat timer.
    Heartbeat(SocketId),
    /// Tell every endpoint and its state.
    Describe(SyncSender<sight::Endpoints>),
    /// End when every socket is forgotten.
    Shutdown,
}

/// The I/O thread as everybody else sees it.
pub(crate) struct IoHandle {
    mode: Mode,
    waker: Waker,
    registry: Registry,
    /// `None` when the thread has ended: nobody would obey, and whoever waits
    /// for an answer would wait for ever.
    commands: Mutex<Option<Vec<Command>>>,
}

/// The token of the I/O thread's own waker.
const WAKE: Token = Token(usize::MAX);

impl IoHandle {
    /// The handle, and the poll that its thread waits in.
    pub(crate) fn new() -> Result<(Arc<Self>, Poll), Error> {
        let poll = Poll::new().map_err(Error::system("make the context's epoll"))?;
        let registry = poll
            .registry()
            .try_clone()
            .map_err(Error::system("clone the epoll"))?;
        let waker = Waker::new(&registry, WAKE).map_err(Error::system("make the waker"))?;
        Ok((
            Arc::new(Self {
                mode: Mode::new(),
                waker,
                registry,
                commands: Mutex::new(Some(Vec::new())),
            }),
            poll,
        ))
    }

    /// Asks for something. The thread wakes at once. After its end nothing is
    /// done, and who waits for an answer learns that there is none.
    pub(crate) fn send(&self, command: Command) {
        let mut commands = lock_unpoisoned(&self.commands);
        let Some(commands) = commands.as_mut() else {
            return;
        };
        commands.push(command);
        self.wake();
    }

    /// A call is made: the thread is to watch whether the caller goes away.
    #[inline]
    pub(crate) fn call_made(&self, flags: &Flags) {
        flags.call_made(&self.mode, || self.wake());
    }

    /// A call has ended; what it deferred is to leave soon.
    #[inline]
    pub(crate) fn after(&self, after: After) {
        if after == After::Deferred {
            self.mode.deferred(|| self.wake());
        }
    }

    fn wake(&self) {
        // An eventfd that cannot be written is full, that is, already ready.
        let _ = self.waker.wake();
    }

    /// Asks to connect again.
    pub(crate) fn reconnect(&self, connector: ConnectorId) {
        self.send(Command::Reconnect(connector));
    }

    /// A caller takes its socket back: the thread no longer waits for it.
    pub(crate) fn release(&self, core: &Core) {
        let _ = self.registry.deregister(&mut SourceFd(&core.epoll()));
    }

    fn take_commands(&self) -> Vec<Command> {
        let mut commands = lock_unpoisoned(&self.commands);
        commands.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The thread ends, in good order or not.
    fn retire(&self) {
        let left = lock_unpoisoned(&self.commands).take();
        // Outside the lock: they may hold the last handle of a socket.
        drop(left);
    }
}

/// What a token of the I/O thread's poll stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Socket(usize),
    Listener(usize),
    Connecting(usize),
    Handshake(usize),
}

impl Source {
    fn token(self) -> Token {
        let (kind, key) = match self {
            Self::Socket(key) => (0, key),
            Self::Listener(key) => (1, key),
            Self::Connecting(key) => (2, key),
            Self::Handshake(key) => (3, key),
        };
        Token(key << 2 | kind)
    }

    fn of(token: Token) -> Self {
        let key = token.0 >> 2;
        match token.0 & 3 {
            0 => Self::Socket(key),
            1 => Self::Listener(key),
            2 => Self::Connecting(key),
            _ => Self::Handshake(key),
        }
    }
}

/// Registers a descriptor for both directions, edge-triggered.
fn register(registry: &Registry, fd: RawFd, source: Source) -> std::io::Result<()> {
    registry.register(
        &mut SourceFd(&fd),
        source.token(),
        Interest::READABLE | Interest::WRITABLE,
    )
}

fn deregister(registry: &Registry, fd: RawFd) {
    let _ = registry.deregister(&mut SourceFd(&fd));
}

/// The transports of a context, by scheme.
#[derive(Default, Clone)]
pub(crate) struct Transports {
    by_scheme: HashMap<&'static str, Arc<dyn Transport>>,
    /// Those that have memory to lend, in the order in which they were added.
    lenders: Vec<(&'static [&'static str], Arc<dyn Lender>)>,
}

impl Transports {
    pub(crate) fn add(&mut self, transport: Arc<dyn Transport>) {
        let schemes = transport.schemes();
        let taken_over = |(of, _): &(&[&str], _)| of.iter().any(|it| schemes.contains(it));
        let place = self.lenders.iter().position(taken_over);
        match (place, transport.lender()) {
            (Some(place), Some(lender)) => self.lenders[place] = (schemes, lender),
            (None, Some(lender)) => self.lenders.push((schemes, lender)),
            (Some(place), None) => drop(self.lenders.remove(place)),
            (None, None) => {}
        }
        for scheme in schemes {
            self.by_scheme.insert(scheme, transport.clone());
        }
    }

    pub(crate) fn by_scheme(&self, scheme: &str) -> Option<&Arc<dyn Transport>> {
        self.by_scheme.get(scheme)
    }

    /// Memory that peers of one of them read in place: of the one that was added first.
    pub(crate) fn lender(&self) -> Option<Arc<dyn Lender>> {
        self.lenders.first().map(|(_, lender)| lender.clone())
    }

    pub(crate) fn of(&self, endpoint: &Endpoint) -> Result<&Arc<dyn Transport>, Error> {
        self.by_scheme.get(endpoint.scheme()).ok_or_else(|| {
            let mut known: Vec<_> = self.by_scheme.keys().copied().collect();
            known.sort_unstable();
            Error::UnknownScheme {
                endpoint: endpoint.to_string(),
                known: known.join(", "),
            }
        })
    }
}
