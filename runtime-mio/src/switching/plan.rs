//! What a context has decided on one way of switching, and how much of its memory is
//! taken.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ferromq_transport::{Endpoint, LinkOptions, LocalUsers, Transport};
use ferromq_wire::SwitchWay;

use super::Switching;
use crate::sync::{Mutex, lock_unpoisoned};

/// How connections of one context move, one way.
pub(crate) struct Plan {
    pub(crate) way: SwitchWay,
    from: Vec<&'static str>,
    pub(crate) to: &'static str,
    pub(crate) transport: Arc<dyn Transport>,
    ground: OnceLock<[u8; 16]>,
    pub(crate) options: LinkOptions,
    pub(crate) patience: Duration,
    /// What each connection takes of the memory.
    cost: usize,
    /// Bytes that are not taken.
    free: Mutex<usize>,
}

/// The memory of one connection, taken until this is dropped.
pub(crate) struct Reservation(Arc<Plan>);

impl Plan {
    pub(super) fn new(switching: Switching, transport: Arc<dyn Transport>) -> Self {
        let Switching {
            way,
            from,
            to,
            ring,
            memory,
            patience,
        } = switching;
        let mut options = LinkOptions::default();
        options.send_buffer = Some(ring);
        options.receive_buffer = Some(ring);
        options.local_users = LocalUsers::Same;
        options.backlog = 4;
        Self {
            way,
            from,
            to,
            transport,
            ground: OnceLock::new(),
            options,
            patience,
            cost: ring.saturating_mul(2),
            free: Mutex::new(memory),
        }
    }

    /// Shown to peers: who has the same can be met. `None`: not now, for want of a
    /// device; that is asked for again the next time.
    pub(crate) fn ground(&self) -> Option<[u8; 16]> {
        if let Some(ground) = self.ground.get() {
            return Some(*ground);
        }
        let ground = self.transport.common_ground()?;
        Some(*self.ground.get_or_init(|| ground))
    }

    /// Whether connections of this endpoint move.
    pub(super) fn concerns(&self, endpoint: &str) -> bool {
        let scheme = endpoint.split("://").next();
        scheme.is_some_and(|scheme| self.from.contains(&scheme))
    }

    /// Where two meet who have agreed on this name.
    pub(crate) fn place(&self, name: &[u8]) -> Option<Endpoint> {
        let name = std::str::from_utf8(name).ok()?;
        format!("{}://{name}", self.to).parse().ok()
    }

    /// Where to wait for a peer that came to this address of ours.
    pub(crate) fn door(&self, beside: Option<&Endpoint>) -> Option<Endpoint> {
        let beside = beside.and_then(address_of).map(|at| at.ip());
        let host = match self.transport.meeting_address(beside)? {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        format!("{}://{host}:*", self.to).parse().ok()
    }

    /// The endpoint at an address that a peer waits at.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<Endpoint> {
        format!("{}://{address}", self.to).parse().ok()
    }

    /// Whether there is memory for one more connection.
    pub(crate) fn has_room(&self) -> bool {
        *lock_unpoisoned(&self.free) >= self.cost
    }

    /// Memory for one more connection, if there is any.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Reservation> {
        let mut free = lock_unpoisoned(&self.free);
        *free = free.checked_sub(self.cost)?;
        Some(Reservation(self.clone()))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *lock_unpoisoned(&self.0.free) += self.0.cost;
    }
}

/// The address in an endpoint that is one.
pub(crate) fn address_of(endpoint: &Endpoint) -> Option<SocketAddr> {
    endpoint.to_string().split_once("://")?.1.parse().ok()
}
