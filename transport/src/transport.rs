//! How links come about: transports, listeners and connections on their way.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::error::TransportError;
use crate::link::Link;
use crate::memory::Lender;
use crate::options::LinkOptions;

/// A family of endpoints and the way to open links between them.
///
/// A transport keeps no threads and no event loop: whatever takes time is a
/// descriptor to wait for, except looking up names, which [`resolve`] may block
/// on and which the runtime therefore calls from a thread of its own.
///
/// [`resolve`]: Self::resolve
pub trait Transport: Send + Sync {
    /// The schemes it serves, such as `["tcp"]`. Constant.
    fn schemes(&self) -> &'static [&'static str];

    /// Something that two processes have in common if one can bind an endpoint of
    /// this transport and the other one connect to it, whatever network lies between
    /// them otherwise. Of shared memory it is the machine, and tells exactly that; of
    /// a network for devices, that there is one: whether it leads to the peer is seen
    /// by trying. It is shown to peers, so it must not tell what is nobody's business.
    /// `None`, the default: nothing is known, or there is no device. May read files.
    fn common_ground(&self) -> Option<[u8; 16]> {
        None
    }

    /// Of a transport whose common ground is a network: an address of ours at which
    /// it can listen, for a peer to be told; `beside`, if that is one, which is where
    /// the peer has come to over another network. `None`, the default: there is none.
    /// Does not wait, and may cost a few system calls.
    fn meeting_address(&self, beside: Option<IpAddr>) -> Option<IpAddr> {
        let _ = beside;
        None
    }

    /// Whether [`resolve`](Self::resolve) may block for this endpoint (it has a
    /// name to look up). Does not block itself.
    fn needs_resolver(&self, endpoint: &Endpoint) -> bool {
        let _ = endpoint;
        false
    }

    /// Finds where an endpoint to connect to is now. Called again before each
    /// reconnection, because the answer may have changed. By default it is where
    /// it says.
    ///
    /// # Errors
    /// The name is not known, or the endpoint can only be bound.
    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        Ok(Route::new(endpoint.clone()))
    }

    /// Starts to listen. Looks names up itself, so it blocks where
    /// [`needs_resolver`](Self::needs_resolver) says so.
    ///
    /// # Errors
    /// The address is in use, not ours, not permitted, …
    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError>;

    /// Starts to connect. Never blocks.
    ///
    /// # Errors
    /// Every address of the route failed at once.
    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError>;

    /// Where memory comes from that peers of this transport read in place, if they
    /// do; the [`Memory`](crate::Memory) of its links has the same.
    fn lender(&self) -> Option<Arc<dyn Lender>> {
        None
    }
}

/// A shared transport is one too.
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn schemes(&self) -> &'static [&'static str] {
        (**self).schemes()
    }

    fn common_ground(&self) -> Option<[u8; 16]> {
        (**self).common_ground()
    }

    fn meeting_address(&self, beside: Option<IpAddr>) -> Option<IpAddr> {
        (**self).meeting_address(beside)
    }

    fn needs_resolver(&self, endpoint: &Endpoint) -> bool {
        (**self).needs_resolver(endpoint)
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        (**self).resolve(endpoint)
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        (**self).bind(endpoint, options)
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        (**self).connect(route, options)
    }

    fn lender(&self) -> Option<Arc<dyn Lender>> {
        (**self).lender()
    }
}

/// A connection on its way.
///
/// Drive it like this: register [`fd`](Self::fd) for both directions (a TCP
/// connection that stands is writable, another carrier may wait for an answer
/// to read), and at each event call [`poll_connected`](Self::poll_connected); as long as that answers
/// `Ok(None)`, look at `fd` again and register it anew if it changed. Dropping
/// it gives up.
pub trait Connecting: Send {
    /// The descriptor to wait for, in both directions. It changes when the next
    /// address is tried, and never to the same number: the transport opens the
    /// new descriptor before it closes the old one.
    fn fd(&self) -> RawFd;

    /// Looks whether the link is there. `Ok(None)`: not yet. Worth calling right
    /// after `connect` too: local connections are often complete by then. Not
    /// to be called again after it gave the link or an error.
    ///
    /// The link may keep the descriptor that `fd` told: who registered that for
    /// the connection takes it out before registering the link elsewhere.
    ///
    /// # Errors
    /// The last address failed, and why.
    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError>;

    /// Gives up the address that is being tried, for the caller's patience is
    /// at an end, and goes on with the next one.
    ///
    /// # Errors
    /// It was the last one: [`Cause::TimedOut`](crate::Cause::TimedOut).
    fn timed_out(&mut self) -> Result<(), TransportError>;
}

/// A place that peers connect to. Dropping it stops listening and removes what
/// it left in the file system; accepted links stay.
pub trait Listener: Send {
    /// The descriptor to register for readability.
    fn fd(&self) -> RawFd;

    /// Where it listens, with real values for wildcard ports and paths.
    fn local_endpoint(&self) -> &Endpoint;

    /// Takes one waiting connection; at most one a call, so that the caller
    /// sets the pace. `Ok(None)`: nobody waits, and the next one makes `fd`
    /// readable (an edge, too).
    ///
    /// # Errors
    /// - [`is_exhausted`](TransportError::is_exhausted): no descriptors or
    ///   memory left. The connection still waits, and no edge announces it:
    ///   pause, then call again.
    /// - [`is_refused`](TransportError::is_refused): a peer was turned away, or
    ///   some were gone. Call again at once.
    /// - Others: the listener is broken.
    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError>;
}

/// Where an endpoint is at the moment: what `resolve` found for `connect`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The endpoint that was resolved. Transports without IP addresses need
    /// nothing else; one with names of its own may resolve to another endpoint
    /// here.
    pub endpoint: Endpoint,
    /// The addresses to try, in the resolver's order. Empty for transports
    /// without IP addresses.
    pub addresses: Vec<SocketAddr>,
    /// The local addresses to connect from; the first one of the right IP
    /// version is taken. Empty: the system chooses.
    pub sources: Vec<SocketAddr>,
}

impl Route {
    /// A route that is nothing but its endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            addresses: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// The same with addresses to try and local addresses to try them from.
    #[must_use]
    pub fn with_addresses(self, addresses: Vec<SocketAddr>, sources: Vec<SocketAddr>) -> Self {
        Self {
            addresses,
            sources,
            ..self
        }
    }
}
