//! `inproc://name`: between the sockets of one context.
//!
//! ```text
//!  connect ─┬─▶ End ══ lane ══▶ End ──▶ backlog ──▶ accept     the name is bound
//!           └─▶ End ══ lane ══▶ End ──▶ waits for a bind        it is not yet
//! ```
//! A transport like any other, so that handshake, identities, reconnection,
//! high-water marks and events are those of every socket; but for one thing. A
//! lane carries encoded small frames, copied, and long bodies as handles: what
//! a socket sends is what the other one receives, the same memory. It holds as
//! many messages as its reader's high-water mark; with the writer's own queue
//! that makes the sum that ZeroMQ promises.
//!
//! Security is left out: in one process there is nobody to keep out.

mod bell;
mod end;
mod lane;

use std::collections::{HashMap, VecDeque};
use std::os::fd::RawFd;
use std::sync::Arc;

use ferromq_transport::{
    Cause, Connecting, Endpoint, Link, LinkOptions, Listener, Operation, Route, Transport,
    TransportError,
};

use self::bell::Bell;
pub(crate) use self::end::End;
pub(crate) use self::lane::Writing;
use crate::sync::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock_unpoisoned};

/// The names of one context.
#[derive(Default, Clone)]
pub(crate) struct Inproc {
    names: Arc<Mutex<HashMap<String, Name>>>,
}

/// Who is at a name.
enum Name {
    Bound(Arc<Backlog>),
    /// Those who connected before anybody bound it.
    Awaited(Vec<Waiting>),
}

/// Ends that nobody has accepted yet.
struct Backlog {
    ends: Mutex<VecDeque<End>>,
    bell: Bell,
}

struct Waiting {
    end: End,
    met: Arc<AtomicBool>,
}

impl Backlog {
    fn push(&self, end: End) {
        lock_unpoisoned(&self.ends).push_back(end);
        self.bell.ring();
    }

    fn take(&self, waiting: Waiting) {
        // Relaxed: it says nothing about other memory, and who waits for it is
        // rung for after it.
        waiting.met.store(true, Ordering::Relaxed);
        waiting.end.ring_peer();
        self.push(waiting.end);
    }
}

impl Inproc {
    /// Whether somebody is bound to this endpoint now.
    pub(crate) fn is_bound(&self, endpoint: &str) -> bool {
        let names = lock_unpoisoned(&self.names);
        matches!(names.get(endpoint), Some(Name::Bound(_)))
    }
}

impl Transport for Inproc {
    fn schemes(&self) -> &'static [&'static str] {
        &["inproc"]
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        Ok(Route::new(endpoint.clone()))
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        _: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        let failed = |error| TransportError::from_io(Operation::Bind, endpoint, &error);
        let backlog = Arc::new(Backlog {
            ends: Mutex::default(),
            bell: Bell::new().map_err(failed)?,
        });
        let mut names = lock_unpoisoned(&self.names);
        let name = names
            .entry(endpoint.to_string())
            .or_insert_with(|| Name::Awaited(Vec::new()));
        match std::mem::replace(name, Name::Bound(backlog.clone())) {
            Name::Awaited(waiting) => waiting
                .into_iter()
                .filter(|waiting| waiting.end.has_peer())
                .for_each(|waiting| backlog.take(waiting)),
            bound => {
                *name = bound;
                let cause = Cause::AddressInUse;
                return Err(TransportError::new(Operation::Bind, endpoint, cause));
            }
        }
        Ok(Box::new(Bound {
            names: self.names.clone(),
            endpoint: endpoint.clone(),
            backlog,
        }))
    }

    fn connect(
        &self,
        route: &Route,
        _: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        let failed = |error| TransportError::from_io(Operation::Connect, &route.endpoint, &error);
        let (ours, end) = End::pair(&route.endpoint).map_err(failed)?;
        let met = Arc::new(AtomicBool::new(false));
        let waiting = Waiting {
            end,
            met: met.clone(),
        };
        let mut names = lock_unpoisoned(&self.names);
        let name = names
            .entry(route.endpoint.to_string())
            .or_insert_with(|| Name::Awaited(Vec::new()));
        match name {
            Name::Bound(backlog) => backlog.take(waiting),
            Name::Awaited(others) => {
                others.retain(|other| other.end.has_peer());
                others.push(waiting);
            }
        }
        Ok(Box::new(Meeting {
            fd: ours.fd(),
            end: Some(ours),
            met,
            names: self.names.clone(),
            endpoint: route.endpoint.clone(),
        }))
    }
}

struct Bound {
    names: Arc<Mutex<HashMap<String, Name>>>,
    endpoint: Endpoint,
    backlog: Arc<Backlog>,
}

impl Listener for Bound {
    fn fd(&self) -> RawFd {
        self.backlog.bell.fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let end = lock_unpoisoned(&self.backlog.ends).pop_front();
        Ok(end.map(|end| Box::new(end) as Box<dyn Link>))
    }
}

impl Drop for Bound {
    /// The name is free; who was not accepted connects again.
    fn drop(&mut self) {
        lock_unpoisoned(&self.names).remove(&self.endpoint.to_string());
        let ends = std::mem::take(&mut *lock_unpoisoned(&self.backlog.ends));
        drop(ends);
    }
}

/// A connection to a name, bound or not.
struct Meeting {
    fd: RawFd,
    end: Option<End>,
    met: Arc<AtomicBool>,
    names: Arc<Mutex<HashMap<String, Name>>>,
    endpoint: Endpoint,
}

impl Drop for Meeting {
    /// Who gives up waits no longer: names come and go, and each that waits
    /// costs two descriptors.
    fn drop(&mut self) {
        if self.end.take().is_none() {
            return;
        }
        let mut names = lock_unpoisoned(&self.names);
        let name = self.endpoint.to_string();
        if let Some(Name::Awaited(waiting)) = names.get_mut(&name) {
            waiting.retain(|other| other.end.has_peer());
            if waiting.is_empty() {
                names.remove(&name);
            }
        }
    }
}

impl Connecting for Meeting {
    fn fd(&self) -> RawFd {
        self.fd
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let end = match self.met.load(Ordering::Relaxed) {
            true => self.end.take(),
            false => None,
        };
        Ok(end.map(|end| Box::new(end) as Box<dyn Link>))
    }

    /// There is no other address, and waiting for a bind has no end.
    fn timed_out(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}
