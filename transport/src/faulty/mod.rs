//! A transport between another one and its user that gets in the way.

mod link;
mod random;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::error::{Operation, TransportError};
use crate::link::Link;
use crate::options::LinkOptions;
use crate::transport::{Connecting, Listener, Route, Transport};
use link::FaultyLink;
pub use random::Random;

/// A transport that does what another one does, in the most awkward way that
/// the contract of [`Link`] allows: reads and writes are cut short, and calls
/// answer `WouldBlock` for a while and wake their caller later. If asked to, its
/// links also break.
///
/// It stands wherever the other one does; whoever is correct notices nothing.
///
/// ```
/// # fn example<T: ferromq_transport::Transport>(tcp: T) {
/// use ferromq_transport::{Faults, Faulty};
///
/// let awkward = Faulty::new(tcp, Faults::new(42));
/// let treacherous = Faulty::new(awkward, Faults::new(43).resetting_after(0..=100_000));
/// # }
/// ```
///
/// The faults of the n-th link are determined by the seed and n. Linux only.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    plan: Arc<Plan>,
}

/// What goes wrong with the links of a [`Faulty`] transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    seed: u64,
    cut_one_in: u64,
    stall_one_in: u64,
    stall_up_to: Duration,
    reset_after: Option<RangeInclusive<u64>>,
}

impl Faults {
    /// Every second read and write is cut short; one call in 16 stalls for up to
    /// a millisecond; nothing breaks.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            cut_one_in: 2,
            stall_one_in: 16,
            stall_up_to: Duration::from_millis(1),
            reset_after: None,
        }
    }

    /// Cuts one read or write in `n` short; 0: none.
    #[must_use]
    pub fn cutting_one_in(self, n: u64) -> Self {
        Self {
            cut_one_in: n,
            ..self
        }
    }

    /// Stalls one call in `n`, up to `longest`; 0: none.
    #[must_use]
    pub fn stalling_one_in(self, n: u64, longest: Duration) -> Self {
        Self {
            stall_one_in: n,
            stall_up_to: longest,
            ..self
        }
    }

    /// Breaks each link after a number of bytes in this range, both directions
    /// counted: from then on its calls answer `ConnectionReset`, and the other
    /// side sees an end.
    #[must_use]
    pub fn resetting_after(self, bytes: RangeInclusive<u64>) -> Self {
        Self {
            reset_after: Some(bytes),
            ..self
        }
    }
}

/// The faults, and how many links have got theirs.
#[derive(Debug)]
struct Plan {
    faults: Faults,
    links: AtomicU64,
}

impl<T> Faulty<T> {
    /// Puts `faults` between `inner` and its user.
    #[must_use]
    pub fn new(inner: T, faults: Faults) -> Self {
        let links = AtomicU64::new(0);
        Self {
            inner,
            plan: Arc::new(Plan { faults, links }),
        }
    }
}

impl Plan {
    fn wrap(
        &self,
        link: Box<dyn Link>,
        operation: Operation,
        endpoint: &Endpoint,
    ) -> Result<Box<dyn Link>, TransportError> {
        let number = self.links.fetch_add(1, Ordering::Relaxed);
        let link = FaultyLink::new(link, &self.faults, number)
            .map_err(|error| TransportError::from_io(operation, endpoint, &error))?;
        Ok(Box::new(link))
    }
}

impl<T: Transport> Transport for Faulty<T> {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    fn common_ground(&self) -> Option<[u8; 16]> {
        self.inner.common_ground()
    }

    fn meeting_address(&self, beside: Option<IpAddr>) -> Option<IpAddr> {
        self.inner.meeting_address(beside)
    }

    fn needs_resolver(&self, endpoint: &Endpoint) -> bool {
        self.inner.needs_resolver(endpoint)
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        self.inner.resolve(endpoint)
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(FaultyListener {
            inner: self.inner.bind(endpoint, options)?,
            plan: self.plan.clone(),
        }))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        Ok(Box::new(FaultyConnecting {
            inner: self.inner.connect(route, options)?,
            endpoint: route.endpoint.clone(),
            plan: self.plan.clone(),
        }))
    }
}

struct FaultyListener {
    inner: Box<dyn Listener>,
    plan: Arc<Plan>,
}

impl Listener for FaultyListener {
    fn fd(&self) -> RawFd {
        self.inner.fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        self.inner.local_endpoint()
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some(link) = self.inner.accept()? else {
            return Ok(None);
        };
        let endpoint = self.inner.local_endpoint();
        self.plan.wrap(link, Operation::Accept, endpoint).map(Some)
    }
}

struct FaultyConnecting {
    inner: Box<dyn Connecting>,
    endpoint: Endpoint,
    plan: Arc<Plan>,
}

impl Connecting for FaultyConnecting {
    fn fd(&self) -> RawFd {
        self.inner.fd()
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some(link) = self.inner.poll_connected()? else {
            return Ok(None);
        };
        self.plan
            .wrap(link, Operation::Connect, &self.endpoint)
            .map(Some)
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        self.inner.timed_out()
    }
}
