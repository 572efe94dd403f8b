//! Connections between processes of one machine take a shorter path from their first
//! message on (docs/PROTOCOL.md, SWITCH).
//!
//! The agreement is `ferromq_wire::Switch`, driven by the I/O thread as the last part
//! of a handshake (`io/handshake/moving`). Here is what a context knows of it, and the
//! link that comes of it.

mod link;
mod plan;

use std::time::Duration;

pub(crate) use self::link::SwitchedLink;
pub(crate) use self::plan::{Plan, Reservation};

/// Which connections move to a shorter path, and what that may cost; see
/// [`ContextBuilder::switching`](crate::ContextBuilder::switching).
#[derive(Debug, Clone)]
pub struct Switching {
    from: Vec<&'static str>,
    to: &'static str,
    ring: usize,
    memory: usize,
    patience: Duration,
}

impl Switching {
    /// Connections of the schemes `from` move to the transport of the scheme `to`.
    #[must_use]
    pub fn new(from: &[&'static str], to: &'static str) -> Self {
        Self {
            from: from.to_vec(),
            to,
            ring: 256 << 10,
            memory: 64 << 20,
            patience: Duration::from_millis(200),
        }
    }

    /// Bytes of memory for each direction of a connection. Default 256 KiB.
    #[must_use]
    pub fn ring(self, bytes: usize) -> Self {
        Self {
            ring: bytes,
            ..self
        }
    }

    /// Bytes of memory for all connections of the context, both directions counted:
    /// those beyond stay where they are. Default 64 MiB, which are 128 connections.
    #[must_use]
    pub fn memory(self, bytes: usize) -> Self {
        Self {
            memory: bytes,
            ..self
        }
    }

    /// How long a connection may take to move before it stays where it is. Its
    /// messages wait meanwhile. Default 200 ms.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Leaves connections of these schemes where they are.
    pub(crate) fn exempt(&mut self, schemes: &[&str]) {
        self.from.retain(|scheme| !schemes.contains(scheme));
    }
}

/// What came of a connection's switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switched {
    /// There was nothing to be tried.
    No,
    /// It moved to the transport of this scheme.
    To(&'static str),
    /// It stays, though both ends share a machine.
    Refused(ferromq_wire::SwitchReason),
    /// It stays, for this context has as many as it may.
    Full,
}

impl Switched {
    /// The scheme of the transport that it moved to.
    pub(crate) fn path(self) -> Option<&'static str> {
        match self {
            Self::To(path) => Some(path),
            Self::No | Self::Refused(_) | Self::Full => None,
        }
    }

    /// Whether it could not move though there was something to be tried.
    pub(crate) fn is_refused(self) -> bool {
        matches!(self, Self::Refused(_) | Self::Full)
    }
}
