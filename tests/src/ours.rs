//! A FerroMQ socket with all that a test needs around it.

use std::ops::Deref;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, Event, EventKind, Message, Monitor, Options, SocketType};

use crate::{PATIENCE, Place, Via, Watchdog};

/// A socket of ours, in a context of its own, watched and monitored.
#[derive(Debug)]
pub struct Ours {
    socket: AnySocket,
    monitor: Monitor,
    endpoint: String,
    context: Context,
    /// Held for its directory.
    place: Option<Place>,
    _watchdog: Watchdog,
}

impl Ours {
    /// A socket that is neither bound nor connected.
    #[must_use]
    pub fn new(socket_type: SocketType, options: Options) -> Self {
        Self::within(Context::new().expect("a context"), socket_type, options)
    }

    /// The same in this context, which it keeps.
    #[must_use]
    pub fn within(context: Context, socket_type: SocketType, options: Options) -> Self {
        let options = options.linger(Some(Duration::ZERO));
        let socket = context.any_socket(socket_type, options).expect("a socket");
        let monitor = socket.monitor();
        let endpoint = String::new();
        Self {
            socket,
            monitor,
            endpoint,
            context,
            place: None,
            _watchdog: Watchdog::start(),
        }
    }

    /// A socket that is bound where nobody else is.
    #[must_use]
    pub fn bound(socket_type: SocketType, options: Options, via: Via) -> Self {
        let mut ours = Self::new(socket_type, options);
        let place = via.place();
        ours.bind_to(place.endpoint());
        ours.place = Some(place);
        ours
    }

    /// A socket with default options, bound on tcp.
    #[must_use]
    pub fn on_tcp(socket_type: SocketType) -> Self {
        Self::bound(socket_type, Options::new(), Via::Tcp)
    }

    /// A socket that is connected, or will be as soon as it can.
    #[must_use]
    pub fn connected(socket_type: SocketType, options: Options, endpoint: &str) -> Self {
        let mut ours = Self::new(socket_type, options);
        ours.socket.connect(endpoint).expect("connect");
        ours.endpoint = endpoint.to_owned();
        ours
    }

    /// Binds to this endpoint, which is where [`endpoint`](Self::endpoint)
    /// points from then on.
    pub fn bind_to(&mut self, endpoint: &str) {
        self.endpoint = self.socket.bind(endpoint).expect("bind").to_string();
    }

    /// Uses the socket, ends it and its context, and leaves where it was bound,
    /// for a successor.
    #[must_use]
    pub fn into_place_after(mut self, usage: impl FnOnce(&Self)) -> (String, Option<Place>) {
        usage(&self);
        (std::mem::take(&mut self.endpoint), self.place.take())
    }

    /// Keeps this place until the socket is gone, for an endpoint that somebody
    /// else is bound to.
    #[must_use]
    pub fn keeping(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Where the socket is bound, or what it was connected to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The context of the socket.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Receives one message, as bytes.
    #[must_use]
    pub fn recv_parts(&self) -> Vec<Vec<u8>> {
        parts_of(&self.socket.recv_timeout(PATIENCE).expect("a message"))
    }

    /// Waits for an event that `wanted` says yes to.
    pub fn await_event(&self, what: &str, wanted: impl Fn(&EventKind) -> bool) -> Event {
        // One deadline for all: a socket that connects in vain tells of it for ever.
        let deadline = Instant::now() + PATIENCE;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut seen = Vec::new();
        while let Some(event) = self.monitor.recv_timeout(left()) {
            if wanted(&event.kind) {
                return event;
            }
            seen.push(event.kind);
        }
        panic!("{what} never happened; what did: {seen:?}");
    }

    /// Whether an event that `wanted` says yes to comes within this time.
    #[must_use]
    pub fn happens_within(&self, time: Duration, wanted: impl Fn(&EventKind) -> bool) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.monitor.recv_timeout(left) {
                Some(event) if wanted(&event.kind) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Waits until a peer has completed its handshake.
    pub fn await_peer(&self) {
        self.await_event("a handshake", |kind| {
            matches!(kind, EventKind::HandshakeSucceeded)
        });
    }

    /// Waits until a peer was turned away during its handshake; why.
    #[must_use]
    pub fn await_handshake_failure(&self) -> String {
        let failed = |kind: &EventKind| matches!(kind, EventKind::HandshakeFailed { .. });
        match self.await_event("a failed handshake", failed).kind {
            EventKind::HandshakeFailed { cause } => cause,
            other => unreachable!("{other:?} was not waited for"),
        }
    }

    /// Waits until an established connection ended; why.
    #[must_use]
    pub fn await_disconnect(&self) -> String {
        let ended = |kind: &EventKind| matches!(kind, EventKind::Disconnected { .. });
        match self.await_event("a disconnect", ended).kind {
            EventKind::Disconnected { cause } => cause,
            other => unreachable!("{other:?} was not waited for"),
        }
    }
}

impl Deref for Ours {
    type Target = AnySocket;

    fn deref(&self) -> &AnySocket {
        &self.socket
    }
}

/// The frames of a message, as bytes.
#[must_use]
pub fn parts_of(message: &Message) -> Vec<Vec<u8>> {
    message.parts().iter().map(|frame| frame.to_vec()).collect()
}
