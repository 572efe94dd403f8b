//! Connections between processes of one machine, or of machines with a fabric between
//! them, take a shorter path from their first message on (docs/PROTOCOL.md, SWITCH).
//!
//! The agreement is `ferromq_wire::Switch`, driven by the I/O thread as the last part
//! of a handshake (`io/handshake/moving`). Here is what a context knows of it, and the
//! link that comes of it.

mod fabric;
mod link;
mod plan;
mod ways;

use std::time::Duration;

use ferromq_wire::SwitchWay;

pub use self::fabric::{Fabric, FabricError};
pub(crate) use self::link::SwitchedLink;
pub(crate) use self::plan::{Plan, Reservation, address_of};
pub(crate) use self::ways::{Routes, Ways};

/// Which connections move to a shorter path, and what that may cost; see
/// [`ContextBuilder::switching`](crate::ContextBuilder::switching).
#[derive(Debug, Clone)]
pub struct Switching {
    way: SwitchWay,
    from: Vec<&'static str>,
    to: &'static str,
    ring: usize,
    memory: usize,
    patience: Duration,
}

impl Switching {
    /// Connections of the schemes `from` within a machine move to the transport of the
    /// scheme `to`.
    #[must_use]
    pub fn new(from: &[&'static str], to: &'static str) -> Self {
        Self {
            way: SwitchWay::Machine,
            from: from.to_vec(),
            to,
            ring: 256 << 10,
            memory: 64 << 20,
            patience: Duration::from_millis(200),
        }
    }

    /// Connections of the schemes `from` between peers whose devices reach each other
    /// move to the transport of the scheme `to`: those of sockets that ask for it
    /// ([`Options::fabric`](crate::Options::fabric)). Within a second, unless
    /// [`patience`](Self::patience) says otherwise: a way has to be looked for.
    #[must_use]
    pub fn over_fabric(from: &[&'static str], to: &'static str) -> Self {
        Self {
            way: SwitchWay::Fabric,
            patience: Duration::from_secs(1),
            ..Self::new(from, to)
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
    /// messages wait meanwhile. Default 200 ms; over a fabric 1 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn is_over_fabric(&self) -> bool {
        self.way == SwitchWay::Fabric
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
    /// It stays, though both ends share a machine or a fabric.
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
