//! The transport.

use std::fmt;
use std::io;
use std::net::IpAddr;
#[cfg(not(feature = "verbs"))]
use std::net::SocketAddr;
use std::sync::Arc;

use ferromq_transport::{
    Cause, Connecting, Endpoint, Lender, LinkOptions, Listener, Operation, Route, Transport,
    TransportError,
};
use rustix::io::Errno;

use crate::address;
use crate::arena::Arena;
use crate::channel::Room;
use crate::closing::Closer;
use crate::connect::RdmaConnecting;
use crate::counters::{Counters, Tally};
use crate::error::LinkError;
use crate::hello::{Hello, SLOTS_MAX, SLOTS_MIN};
use crate::listen::RdmaListener;
use crate::verbs::Provider;
#[cfg(not(feature = "verbs"))]
use crate::verbs::{Dialling, Listening, Served};

/// Bytes of a slot: the longest message, with its header.
const SLOT_LEN: u32 = 8 << 10;
/// Slots for each direction, unless the options say otherwise.
const SLOTS: u16 = 32;

/// How long a peer can read a payload that it was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Keys {
    /// Until it says that it is done: a key opens that one payload, to that one peer, and
    /// nothing after. Costs a registration a payload.
    #[default]
    OfOnePayload,
    /// For longer: memory stays registered, so that a payload in a block that the peer was
    /// told of before costs none. A peer that breaks its word can read what is put there
    /// later, for others too. For peers who may see all that goes over this transport.
    Kept,
}

/// The `rdma://` transport: queue pairs on InfiniBand, RoCE or iWARP.
///
/// - `rdma://host:port` is an address of an interface that has an RDMA device, as
///   `rdma_cm` knows it, or a name of one; `rdma://source;host:port` says from which of
///   our addresses, and so by which device, to connect. Of our own addresses, which are
///   those to bind and sources, an interface's name stands for the first one.
/// - `rdma://*:port` listens on all devices, `rdma://host:*` at any port that is free.
/// - Payloads from 4 KiB that lie in its [`Lender`]'s memory, and others from 64 KiB, are
///   fetched by their receiver: no CPU copies them.
///
/// Nothing blocks, except that a drop of the last clone waits up to 2 s until what closed
/// links had written has arrived. A link costs three descriptors and some 560 KiB of
/// registered memory ([`LinkOptions::send_buffer`] and [`receive_buffer`] change that).
///
/// [`receive_buffer`]: LinkOptions::receive_buffer
#[derive(Clone)]
pub struct Rdma(pub(crate) Arc<Inner>);

/// Puts an [`Rdma`] together.
pub struct RdmaBuilder {
    provider: Arc<dyn Provider>,
    limit: usize,
    keys: Keys,
    source: Option<IpAddr>,
    presumed: u16,
}

pub(crate) struct Inner {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) arena: Arc<Arena>,
    pub(crate) closer: Arc<Closer>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) keys: Keys,
    /// Where connections come from that do not say it.
    pub(crate) source: Option<IpAddr>,
    /// Messages that peers have no room for and that are sent nevertheless.
    pub(crate) presumed: u16,
}

impl Rdma {
    /// The most that is lent to payloads, in bytes, unless
    /// [`RdmaBuilder::lending`] says otherwise.
    pub const LENT_MAX: usize = 1 << 30;

    /// The transport over this system's devices. Where there is none, or the crate was
    /// built without the feature `verbs`, binding and connecting say so.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// The same with choices.
    #[must_use]
    pub fn builder() -> RdmaBuilder {
        RdmaBuilder::over(system())
    }

    /// The transport over devices in software.
    #[cfg(any(test, feature = "software"))]
    #[must_use]
    pub fn over(fabric: &crate::Fabric) -> RdmaBuilder {
        RdmaBuilder::over(Arc::new(fabric.clone()))
    }

    /// What its links did so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.tally.counters()
    }
}

impl RdmaBuilder {
    fn over(provider: Arc<dyn Provider>) -> Self {
        Self {
            provider,
            limit: Rdma::LENT_MAX,
            keys: Keys::default(),
            source: None,
            presumed: 0,
        }
    }

    /// Lends no more than so many bytes to payloads at a time. Others go through the
    /// stream.
    #[must_use]
    pub fn lending(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// How long peers can read what they were told of.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Connects from this address, and so by its device, where an endpoint names no
    /// source.
    #[must_use]
    pub fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// Sends so many messages more than a peer says that it has room for: what no link may
    /// do, for tests of those who have to bear it.
    #[cfg(any(test, feature = "software"))]
    #[must_use]
    pub fn presuming(mut self, messages: u16) -> Self {
        self.presumed = messages;
        self
    }

    /// The transport.
    #[must_use]
    pub fn build(self) -> Rdma {
        let arena = Arena::new(self.limit);
        Rdma(Arc::new(Inner {
            provider: self.provider,
            closer: Closer::new(arena.clone()),
            arena,
            tally: Arc::default(),
            keys: self.keys,
            source: self.source,
            presumed: self.presumed,
        }))
    }
}

impl Default for Rdma {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Rdma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rdma").finish_non_exhaustive()
    }
}

impl fmt::Debug for RdmaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RdmaBuilder").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closer.finish();
    }
}

impl Transport for Rdma {
    fn schemes(&self) -> &'static [&'static str] {
        &[address::RDMA]
    }

    /// That of the provider's network, if a device of ours is on it.
    fn common_ground(&self) -> Option<[u8; 16]> {
        self.meeting_address(None)?;
        Some(self.0.provider.network())
    }

    /// That of [`RdmaBuilder::source`], where there is one; else `beside`, if a device
    /// serves it; else the first one of its kind; else any.
    fn meeting_address(&self, beside: Option<IpAddr>) -> Option<IpAddr> {
        let served = self.0.provider.addresses().ok()?;
        let all = || served.iter().map(|served| served.address);
        if let Some(source) = self.0.source {
            return all().find(|address| *address == source);
        }
        let same = beside.and_then(|beside| all().find(|address| *address == beside));
        let kind = beside.is_none_or(|beside| beside.is_ipv4());
        let alike = || all().find(|address| address.is_ipv4() == kind);
        same.or_else(alike).or_else(|| all().next())
    }

    fn needs_resolver(&self, endpoint: &Endpoint) -> bool {
        address::has_name(endpoint)
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        let (to, from) = address::to_connect(endpoint, &*self.0.provider)?;
        Ok(Route::new(endpoint.clone()).with_addresses(to, from))
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        let listener = RdmaListener::bind(endpoint, options, self.0.clone())?;
        Ok(Box::new(listener))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        address::parse(&route.endpoint, Operation::Connect)?;
        let connecting = RdmaConnecting::start(route, options, self.0.clone())?;
        Ok(Box::new(connecting))
    }

    fn lender(&self) -> Option<Arc<dyn Lender>> {
        Some(self.0.arena.clone())
    }
}

/// The room of a link, as the options have it.
pub(crate) fn room_of(options: &LinkOptions) -> Room {
    let slots = |bytes: Option<usize>| {
        let wanted = bytes.map_or(SLOTS.into(), |bytes| bytes / SLOT_LEN as usize);
        u16::try_from(wanted)
            .unwrap_or(SLOTS_MAX)
            .clamp(SLOTS_MIN, SLOTS_MAX)
    };
    Room {
        receive: Hello {
            slots: slots(options.receive_buffer),
            slot_len: SLOT_LEN,
        },
        send_slots: slots(options.send_buffer),
    }
}

/// The error of an operation on an endpoint.
pub(crate) fn failed(
    operation: Operation,
    endpoint: &Endpoint,
    error: &io::Error,
) -> TransportError {
    let own = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<LinkError>());
    if let Some(own) = own {
        let cause = match *own {
            LinkError::Rejected { .. } => Cause::ConnectionRefused,
            LinkError::Failed { errno } => io::Error::from_raw_os_error(errno).into(),
            LinkError::Refused { errno, .. } => Cause::Exhausted { errno },
            // Somebody else is there, or a later version of ours.
            LinkError::Greeting { .. } | LinkError::Room { .. } => Cause::Unsupported,
            _ => io::Error::from(Errno::CONNRESET).into(),
        };
        return TransportError::new(operation, endpoint, cause).with_detail(own.to_string());
    }
    let failure = TransportError::from_io(operation, endpoint, error);
    match error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) {
        true if cfg!(feature = "verbs") => {
            failure.with_detail("no RDMA device; run `ferromq rdma`")
        }
        true => failure.with_detail("built without verbs: see docs/RDMA.md"),
        false => failure,
    }
}

/// This system's devices.
#[cfg(feature = "verbs")]
fn system() -> Arc<dyn Provider> {
    Arc::new(crate::sys::System)
}

#[cfg(not(feature = "verbs"))]
fn system() -> Arc<dyn Provider> {
    Arc::new(Nowhere)
}

/// Where this build knows of no verbs.
#[cfg(not(feature = "verbs"))]
struct Nowhere;

#[cfg(not(feature = "verbs"))]
impl Provider for Nowhere {
    fn network(&self) -> [u8; 16] {
        [0; 16]
    }

    fn addresses(&self) -> io::Result<Vec<Served>> {
        Err(Errno::NODEV.into())
    }

    fn listen(&self, _: SocketAddr, _: u32) -> io::Result<Box<dyn Listening>> {
        Err(Errno::NODEV.into())
    }

    fn dial(&self, _: SocketAddr, _: Option<SocketAddr>) -> io::Result<Box<dyn Dialling>> {
        Err(Errno::NODEV.into())
    }
}
