//! What happens to connections, told on standard error: trouble always, but
//! each once; everything with `--verbose`.

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::thread::{self, JoinHandle};

use ferromq::{Event, EventKind, Monitor};

use super::error::{Failure, Seconds};

/// Different troubles that are remembered, so that a peer that fails in ever
/// new ways costs neither memory nor attention.
const REMEMBERED: usize = 256;

/// Prints a line on standard error; that it cannot be printed is no reason to
/// stop.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "ferromq: {line}");
}

/// Watches until the socket is closed, and then gives the number of messages
/// that were not delivered.
pub(crate) fn observe(monitor: Monitor, told: Told) -> Result<JoinHandle<u64>, Failure> {
    let watch = move || {
        let mut troubles = Troubles::default();
        let mut undelivered = 0;
        for event in monitor {
            if let EventKind::LingerExpired { messages } = event.kind {
                undelivered += messages;
            }
            if told == Told::Everything || told == Told::Paths && is_path(&event) {
                say(format_args!("{}", Described(&event)));
            } else if let Some(line) = troubles.first(&event) {
                say(format_args!("{line}"));
            }
        }
        undelivered
    };
    let thread = thread::Builder::new().name("monitor".into()).spawn(watch);
    thread.map_err(Failure::system("start a thread"))
}

/// What is told of what happens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Trouble.
    Trouble,
    /// And what carries a connection, if not what its endpoint says.
    Paths,
    Everything,
}

impl Told {
    /// Everything with `--verbose`, else this.
    pub(crate) fn or_this(self, verbose: bool) -> Self {
        if verbose { Self::Everything } else { self }
    }
}

fn is_path(event: &Event) -> bool {
    matches!(event.kind, EventKind::Switched { .. })
}

/// The troubles that were told.
#[derive(Default)]
struct Troubles(HashSet<String>);

impl Troubles {
    /// The line for an event, if it is trouble and not yet told.
    fn first(&mut self, event: &Event) -> Option<String> {
        let trouble = matches!(
            event.kind,
            EventKind::AcceptFailed { .. }
                | EventKind::Refused { .. }
                | EventKind::ConnectRetried { .. }
                | EventKind::HandshakeFailed { .. }
                | EventKind::FabricUnavailable { .. }
        );
        if !trouble || self.0.len() == REMEMBERED {
            return None;
        }
        let line = match &event.kind {
            // The delay grows from one attempt to the next.
            EventKind::ConnectRetried { cause, .. } => {
                format!(
                    "{}{cause}, trying again",
                    At(&event.endpoint).unless_in(cause)
                )
            }
            _ => Described(event).to_string(),
        };
        self.0.insert(line.clone()).then_some(line)
    }
}

/// An event as one line.
struct Described<'a>(&'a Event);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event {
            kind,
            endpoint,
            peer,
            ..
        } = self.0;
        // Some events are the socket's, not an endpoint's.
        let at = At(endpoint);
        match kind {
            EventKind::Listening => write!(f, "listening on {endpoint}"),
            EventKind::Accepted => {
                write!(f, "{at}{} connected", peer.as_deref().unwrap_or("a peer"))
            }
            EventKind::AcceptFailed { cause } | EventKind::Refused { cause } => {
                write!(f, "{}{cause}", at.unless_in(cause))
            }
            EventKind::Connected => write!(f, "{at}connected"),
            EventKind::ConnectRetried { cause, delay } => {
                let at = at.unless_in(cause);
                write!(f, "{at}{cause}, trying again in {}", Seconds(*delay))
            }
            EventKind::HandshakeSucceeded => write!(f, "{at}ready to carry messages"),
            EventKind::Switched { path } => write!(f, "{at}{}", Path(path)),
            EventKind::SwitchRefused { cause } => {
                write!(f, "{at}stays as it is: {cause}")
            }
            EventKind::FabricUnavailable { cause } => {
                write!(f, "{at}stays as it is: {cause}")
            }
            EventKind::HandshakeFailed { cause } => write!(f, "{at}the handshake failed: {cause}"),
            EventKind::AuthenticationFailed { cause, .. } => {
                write!(f, "{at}not authenticated: {cause}")
            }
            EventKind::Exposed => {
                write!(f, "{at}without security, and other machines can connect")
            }
            EventKind::Disconnected { cause } => write!(f, "{at}disconnected: {cause}"),
            EventKind::Keeps { payloads, bytes } => {
                let kept = format!("{payloads} payloads, {bytes} bytes of our memory");
                write!(
                    f,
                    "{at}the peer keeps {kept}, and gets no more before it lets go"
                )
            }
            EventKind::Closed => write!(f, "{at}closed"),
            EventKind::LingerExpired { messages } => {
                write!(f, "{at}{messages} messages were not delivered")
            }
            other => write!(f, "{at}{other:?}"),
        }
    }
}

/// What carries a connection, in words.
struct Path<'a>(&'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "shm" => f.write_str("both ends are on one machine: using shared memory"),
            "rdma" => f.write_str("both ends have a device: using RDMA"),
            other => write!(f, "using {other}"),
        }
    }
}

/// An endpoint before what happened there; nothing where there is none.
struct At<'a>(&'a str);

impl At<'_> {
    /// Transports name the endpoint in their causes already.
    fn unless_in(self, cause: &str) -> Self {
        match cause.contains(self.0) {
            true => At(""),
            false => self,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            endpoint => write!(f, "{endpoint}: "),
        }
    }
}
