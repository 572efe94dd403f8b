//! What can be wrong with an endpoint, and what can go wrong on it.

use std::fmt;
use std::io;

use thiserror::Error;

use crate::endpoint::Endpoint;

/// A text that is no endpoint, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("endpoint \"{}\": {cause}", text.escape_debug())]
pub struct EndpointError {
    text: String,
    cause: EndpointCause,
}

impl EndpointError {
    /// The error of `text`. Foreign transports report theirs with it too.
    #[must_use]
    pub fn new(text: impl Into<String>, cause: EndpointCause) -> Self {
        Self {
            text: text.into(),
            cause,
        }
    }

    /// The whole text as it was given.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.text
    }

    /// The first thing wrong with it.
    #[must_use]
    pub fn cause(&self) -> EndpointCause {
        self.cause
    }
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointCause {
    /// No `://`.
    #[error("the scheme is missing, as in tcp://host:port")]
    MissingScheme,
    /// The scheme is empty or has a character that no scheme has.
    #[error("a scheme is lower-case letters, digits, +, - and . after a letter")]
    BadScheme,
    /// Nothing after `://`.
    #[error("nothing follows the scheme")]
    EmptyAddress,
    /// Nothing before the port.
    #[error("the host is empty; * stands for all of them")]
    EmptyHost,
    /// A name with a character that neither hosts nor interfaces have.
    #[error("the host has a character that no host or interface name has")]
    BadHost,
    /// A name longer than the DNS allows.
    #[error("the host name of {len} bytes exceeds the limit of {limit}")]
    HostTooLong {
        /// Bytes of the name.
        len: usize,
        /// Bytes that the DNS allows.
        limit: usize,
    },
    /// Only digits and dots, but not four bytes.
    #[error("the host is no IPv4 address of four numbers up to 255")]
    BadIpv4,
    /// The brackets do not hold an IPv6 address.
    #[error("the brackets hold no IPv6 address")]
    BadIpv6,
    /// Several colons outside brackets.
    #[error("an IPv6 address stands in brackets, as in [::1]:5555")]
    UnbracketedIpv6,
    /// The zone of an IPv6 address is empty or malformed.
    #[error("the zone after % is neither an interface name nor a number")]
    BadScope,
    /// No port where one is needed.
    #[error("the port is missing")]
    MissingPort,
    /// A port that is neither `*` nor a number of 16 bits.
    #[error("the port is neither * nor a number up to 65535")]
    BadPort,
    /// `ipc://@` with nothing after it.
    #[error("the abstract name after @ is empty")]
    EmptyAbstractName,
    /// A NUL byte in a path or an abstract name.
    #[error("the name holds a NUL byte")]
    NulInName,
    /// A path or abstract name that does not fit the system's `sun_path`.
    #[error("the name of {len} bytes exceeds the limit of {limit} for Unix sockets")]
    NameTooLong {
        /// Bytes of the path or name.
        len: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// A foreign transport could not make sense of what follows its scheme.
    #[error("its transport does not understand the address")]
    BadAddress,
}

/// An operation on an endpoint that failed, with the endpoint and the cause.
///
/// ```text
/// cannot bind tcp://127.0.0.1:5555: the address is in use
/// cannot connect tcp://db.example:5555: nothing accepts connections there (192.0.2.7:5555)
/// ```
#[derive(Debug)]
pub struct TransportError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    operation: Operation,
    endpoint: Endpoint,
    cause: Cause,
    detail: Option<String>,
}

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Looking up a name.
    Resolve,
    /// Starting to listen.
    Bind,
    /// Opening a connection.
    Connect,
    /// Taking a connection that a peer opened.
    Accept,
}

/// Why an operation failed. `Copy`, so that it can be counted and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody else listens there (EADDRINUSE; EEXIST, where it is a file).
    #[error("the address is in use")]
    AddressInUse,
    /// No local interface has the address (EADDRNOTAVAIL).
    #[error("no interface of this machine has the address")]
    AddressNotAvailable,
    /// The system forbids it (EACCES, EPERM).
    #[error("permission denied")]
    PermissionDenied,
    /// Neither a host nor, where that is allowed, an interface has this name.
    /// Worth another try: name servers come and go.
    #[error("the name cannot be resolved")]
    Unresolvable,
    /// The name has no address of the IP version that the options ask for, or
    /// none of the version that the source address has.
    #[error("there is no address of a usable IP version")]
    NoUsableAddress,
    /// A wildcard where a definite address is needed.
    #[error("a wildcard can be bound but not connected to")]
    Wildcard,
    /// Nothing listens there (ECONNREFUSED; ENXIO, where it is a pipe).
    #[error("nothing accepts connections there")]
    ConnectionRefused,
    /// A path, or a directory on its way, does not exist (ENOENT).
    #[error("no such file or directory")]
    NotFound,
    /// No way leads there (EHOSTUNREACH, ENETUNREACH).
    #[error("the host or its network is unreachable")]
    Unreachable,
    /// Nobody answered in time.
    #[error("timed out")]
    TimedOut,
    /// The listener has more waiting connections than it keeps.
    #[error("the listener's queue of connections is full")]
    QueueFull,
    /// Out of descriptors or memory (EMFILE, ENFILE, ENOMEM, ENOBUFS), or beyond another
    /// limit on them, which the detail names.
    #[error("out of descriptors or memory: {}", io::Error::from_raw_os_error(*errno))]
    Exhausted {
        /// The system's error number.
        errno: i32,
    },
    /// The path is taken by something that is not ours to remove.
    #[error("the path is taken by {0}")]
    PathTaken(Occupant),
    /// A fresh path would not fit the system's `sun_path`.
    #[error("the path of {len} bytes exceeds the limit of {limit} for Unix sockets")]
    PathTooLong {
        /// Bytes of the path.
        len: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// The process on the other end runs as a user that is not admitted.
    #[error("the peer is local user {uid}, only user {admitted} is admitted")]
    UserRefused {
        /// The peer's effective user id.
        uid: u32,
        /// The user id that would have been admitted.
        admitted: u32,
    },
    /// Connections were gone before they could be taken.
    #[error("{count} connections in a row were gone before they could be accepted")]
    PeersGone {
        /// How many.
        count: u32,
    },
    /// The transport cannot do this at all, or not on this system.
    #[error("not supported by this transport on this system")]
    Unsupported,
    /// Any other refusal of the system.
    #[error("{}", io::Error::from_raw_os_error(*errno))]
    System {
        /// The system's error number.
        errno: i32,
    },
    /// A failure without an error number; the detail says more.
    #[error("it failed")]
    Other,
}

/// What was found where a socket's file was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occupant {
    /// A symbolic link, wherever it points.
    Symlink,
    /// A directory.
    Directory,
    /// A regular file, a device or a pipe.
    File,
    /// A socket that another user owns.
    SocketOf {
        /// Its owner.
        uid: u32,
    },
}

impl TransportError {
    /// The error of one operation on one endpoint.
    #[must_use]
    pub fn new(operation: Operation, endpoint: &Endpoint, cause: Cause) -> Self {
        Self(Box::new(Failure {
            operation,
            endpoint: endpoint.clone(),
            cause,
            detail: None,
        }))
    }

    /// The same from what the system answered.
    #[must_use]
    pub fn from_io(operation: Operation, endpoint: &Endpoint, error: &io::Error) -> Self {
        let failure = Self::new(operation, endpoint, Cause::from(error));
        match failure.cause() {
            Cause::Other => failure.with_detail(error.to_string()),
            _ => failure,
        }
    }

    /// Adds what the cause alone does not tell, such as the address tried.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The endpoint that the operation was asked for.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Why it failed.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.0.cause
    }

    /// Whether descriptors or memory ran out: pause and try again later. The
    /// connection that was to be accepted still waits in the system's queue.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        matches!(self.cause(), Cause::Exhausted { .. })
    }

    /// Whether peers were turned away or lost while the listener itself is
    /// well: go on accepting at once.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(
            self.cause(),
            Cause::UserRefused { .. } | Cause::PeersGone { .. }
        )
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            operation,
            endpoint,
            cause,
            detail,
        } = &*self.0;
        write!(f, "cannot {operation} {endpoint}: {cause}")?;
        match detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Bind => "bind",
            Self::Connect => "connect",
            Self::Accept => "accept on",
        })
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("a symbolic link"),
            Self::Directory => f.write_str("a directory"),
            Self::File => f.write_str("a file that is no socket"),
            Self::SocketOf { uid } => write!(f, "a socket of user {uid}"),
        }
    }
}

impl From<&io::Error> for Cause {
    /// Sorts a system error by what a caller can do about it.
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match (error.raw_os_error(), error.kind()) {
            (Some(errno @ (ENFILE | EMFILE | ENOMEM | ENOBUFS)), _) => Self::Exhausted { errno },
            (Some(ENXIO), _) => Self::ConnectionRefused,
            (_, Kind::AddrInUse | Kind::AlreadyExists) => Self::AddressInUse,
            (_, Kind::AddrNotAvailable) => Self::AddressNotAvailable,
            (_, Kind::PermissionDenied) => Self::PermissionDenied,
            (_, Kind::ConnectionRefused) => Self::ConnectionRefused,
            (_, Kind::NotFound) => Self::NotFound,
            (_, Kind::HostUnreachable | Kind::NetworkUnreachable) => Self::Unreachable,
            (_, Kind::TimedOut) => Self::TimedOut,
            (_, Kind::Unsupported) => Self::Unsupported,
            (Some(errno), _) => Self::System { errno },
            (None, _) => Self::Other,
        }
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

// `io::ErrorKind` has no name for these. All but the last have the same numbers
// on every Unix.
const ENXIO: i32 = 6;
const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    105
} else {
    55
};

#[cfg(test)]
mod tests;
