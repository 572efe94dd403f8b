//! What a context has decided on switching, and how much of its memory is taken.

use std::sync::Arc;
use std::time::Duration;

use ferromq_transport::{Endpoint, LinkOptions, LocalUsers, Transport};

use super::Switching;
use crate::io::Transports;
use crate::sync::{Mutex, lock_unpoisoned};

/// How connections of one context move.
pub(crate) struct Plan {
    from: Vec<&'static str>,
    pub(crate) to: &'static str,
    pub(crate) transport: Arc<dyn Transport>,
    /// Shown to peers: who has the same can be met.
    pub(crate) host: [u8; 16],
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
    /// `None` where nothing moves: the user, the environment or the system is against it.
    pub(crate) fn new(switching: Option<Switching>, transports: &Transports) -> Option<Arc<Self>> {
        let Switching {
            from,
            to,
            ring,
            memory,
            patience,
        } = switching.filter(|it| !it.from.is_empty() && !is_off_by_environment())?;
        let transport = transports.by_scheme(to)?.clone();
        let mut options = LinkOptions::default();
        options.send_buffer = Some(ring);
        options.local_users = LocalUsers::Same;
        options.backlog = 4;
        Some(Arc::new(Self {
            from,
            to,
            host: transport.common_ground()?,
            transport,
            options,
            patience,
            cost: ring.saturating_mul(2),
            free: Mutex::new(memory),
        }))
    }

    /// Whether connections of this endpoint move.
    pub(crate) fn concerns(&self, endpoint: &str) -> bool {
        let scheme = endpoint.split("://").next();
        scheme.is_some_and(|scheme| self.from.contains(&scheme))
    }

    /// Where two meet who have agreed on this name.
    pub(crate) fn place(&self, name: &[u8]) -> Option<Endpoint> {
        let name = std::str::from_utf8(name).ok()?;
        format!("{}://{name}", self.to).parse().ok()
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

/// Whether an operator has turned it off for every context of this process.
fn is_off_by_environment() -> bool {
    std::env::var_os("FERROMQ_SWITCH").is_some_and(|value| value == "0")
}
