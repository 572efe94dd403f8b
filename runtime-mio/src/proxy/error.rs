//! Which of a proxy's sockets failed, and why.

use std::fmt;

use ferromq_wire::SocketType;

use crate::Error;

/// What a socket is for in a [`Proxy`](super::Proxy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyRole {
    /// The side that clients, publishers or tasks come from, by custom.
    Frontend,
    /// The other side.
    Backend,
    /// The socket that gets a copy of everything.
    Capture,
    /// The socket that words of command come in by.
    Control,
}

impl fmt::Display for ProxyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Capture => "capture",
            Self::Control => "control",
        })
    }
}

/// Why a proxy cannot be made, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A type of socket that cannot do this.
    #[error("a {} socket cannot be the {role} of a proxy: {needed}", socket_type.name())]
    Unfit {
        /// What it was meant for.
        role: ProxyRole,
        /// The type of the socket.
        socket_type: SocketType,
        /// What can.
        needed: &'static str,
    },
    /// Neither side could send what the other one receives.
    #[error("nothing passes between a {} frontend and a {} backend", frontend.name(), backend.name())]
    NoWay {
        /// The type of the frontend.
        frontend: SocketType,
        /// The type of the backend.
        backend: SocketType,
    },
    /// One socket was given twice; only frontend and backend may be the same.
    #[error("the {role} is also the {other}")]
    Shared {
        /// What it was given for.
        role: ProxyRole,
        /// What it was given for besides.
        other: ProxyRole,
    },
    /// One of the sockets failed while the proxy ran.
    #[error("{role}: {cause}")]
    Socket {
        /// Which one.
        role: ProxyRole,
        /// Its answer: [`Error::Closed`], [`Error::Terminated`], or what the
        /// system refused.
        #[source]
        cause: Error,
    },
    /// The system refused a descriptor, or to wait.
    #[error(transparent)]
    System(Error),
}
