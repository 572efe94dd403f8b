//! rdma_cm: event channels, identifiers, and what happens to them.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::BorrowedFd;
use std::ptr::{null_mut, slice_from_raw_parts};

use rdma_sys as ffi;
use rdma_sys::rdma_cm_event_type as event;

use super::handle::{Handle, set_nonblocking, told_in_errno};

/// Where events are told of.
#[derive(Debug)]
pub(super) struct Channel(Handle<ffi::rdma_event_channel>);

impl Channel {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no conditions.
        let channel = unsafe { ffi::rdma_create_event_channel() };
        let channel = Self(Handle::new(channel)?);
        set_nonblocking(channel.fd())?;
        Ok(channel)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.borrow(self.0.as_ref().fd)
    }

    /// The next event, acknowledged.
    ///
    /// # Errors
    /// `WouldBlock`: there is none.
    pub(super) fn next(&self) -> io::Result<Happened> {
        let mut told = null_mut();
        loop {
            // SAFETY: the channel is alive, and `told` is for the address.
            let returned = unsafe { ffi::rdma_get_cm_event(self.0.as_ptr(), &raw mut told) };
            match told_in_errno(returned) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        }
        let told = Handle::new(told)?;
        let happened = Happened::copied(told.as_ref());
        // SAFETY: just got, acknowledged once, and nothing of it is kept.
        unsafe { ffi::rdma_ack_cm_event(told.as_ptr()) };
        Ok(happened)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: nobody else has it: identifiers own theirs and end before it.
        unsafe { ffi::rdma_destroy_event_channel(self.0.as_ptr()) };
    }
}

/// One end of a connection, or of what will be one; with a channel of its own.
#[derive(Debug)]
pub(super) struct Identifier {
    id: Handle<ffi::rdma_cm_id>,
    /// `None`: still on the channel of the listener that it came by.
    channel: Option<Channel>,
}

impl Identifier {
    pub(super) fn new(channel: Channel) -> io::Result<Self> {
        let (mut id, space) = (null_mut(), ffi::rdma_port_space::RDMA_PS_TCP);
        // SAFETY: the channel is alive and stays so, in the identifier; `id` is for the
        // address; nobody asks for a context.
        let made =
            unsafe { ffi::rdma_create_id(channel.0.as_ptr(), &raw mut id, null_mut(), space) };
        told_in_errno(made)?;
        Ok(Self {
            id: Handle::new(id)?,
            channel: Some(channel),
        })
    }

    /// Its own channel.
    pub(super) fn channel(&self) -> &Channel {
        // One without is inside `Listening::next`, and does not get out of there.
        self.channel
            .as_ref()
            .expect("moved to a channel of its own")
    }

    pub(super) fn bind(&mut self, at: SocketAddr) -> io::Result<()> {
        let mut address = Address::new(at);
        // SAFETY: alive; the address is one, and is copied.
        told_in_errno(unsafe { ffi::rdma_bind_addr(self.id.as_ptr(), address.as_mut_ptr()) })
    }

    pub(super) fn listen(&mut self, backlog: u32) -> io::Result<()> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        // SAFETY: alive.
        told_in_errno(unsafe { ffi::rdma_listen(self.id.as_ptr(), backlog) })
    }

    /// Starts it: `AddressResolved` tells of the end, or a failure.
    pub(super) fn resolve_address(
        &mut self,
        from: Option<SocketAddr>,
        to: SocketAddr,
    ) -> io::Result<()> {
        let (mut from, mut to) = (from.map(Address::new), Address::new(to));
        let from = from.as_mut().map_or(null_mut(), Address::as_mut_ptr);
        // SAFETY: alive; null is any address, the others are addresses, and are copied.
        told_in_errno(unsafe {
            ffi::rdma_resolve_addr(self.id.as_ptr(), from, to.as_mut_ptr(), RESOLVING_MS)
        })
    }

    /// Starts it: `RouteResolved` tells of the end, or a failure.
    pub(super) fn resolve_route(&mut self) -> io::Result<()> {
        // SAFETY: alive.
        told_in_errno(unsafe { ffi::rdma_resolve_route(self.id.as_ptr(), RESOLVING_MS) })
    }

    /// Moves it, and what was not told of yet, to a channel of its own. Every event of the
    /// old one has to be acknowledged.
    pub(super) fn move_to(&mut self, channel: Channel) -> io::Result<()> {
        // SAFETY: both are alive, and the channel stays so, in the identifier.
        let moved = unsafe { ffi::rdma_migrate_id(self.id.as_ptr(), channel.0.as_ptr()) };
        told_in_errno(moved)?;
        self.channel = Some(channel);
        Ok(())
    }

    /// Has a device send again what was not acknowledged in this time: 4.096 us times two
    /// to this power. Kernels before 5.3 leave it at what they find right.
    pub(super) fn set_acknowledge_timeout(&mut self, mut power: u8) {
        let value = (&raw mut power).cast();
        // SAFETY: alive; the value has the length that is told, and is copied.
        unsafe { ffi::rdma_set_option(self.id.as_ptr(), OPTION_ID, OPTION_ACK_TIMEOUT, value, 1) };
    }

    pub(super) fn connect(&mut self, word: &[u8], reads: Reads) -> io::Result<()> {
        let mut parameters = parameters(word, reads);
        // SAFETY: alive; what the parameters point to is, and is copied.
        told_in_errno(unsafe { ffi::rdma_connect(self.id.as_ptr(), &raw mut parameters) })
    }

    pub(super) fn accept(&mut self, word: &[u8], reads: Reads) -> io::Result<()> {
        let mut parameters = parameters(word, reads);
        // SAFETY: alive; what the parameters point to is, and is copied.
        told_in_errno(unsafe { ffi::rdma_accept(self.id.as_ptr(), &raw mut parameters) })
    }

    pub(super) fn reject(&mut self, word: &[u8]) -> io::Result<()> {
        let (start, len) = (word.as_ptr().cast(), as_u8(word.len()));
        // SAFETY: alive; at least `len` bytes are there, and are copied.
        told_in_errno(unsafe { ffi::rdma_reject(self.id.as_ptr(), start, len) })
    }

    pub(super) fn disconnect(&mut self) -> io::Result<()> {
        // SAFETY: alive.
        told_in_errno(unsafe { ffi::rdma_disconnect(self.id.as_ptr()) })
    }

    /// The device that serves it, and the port: known once an address is resolved.
    pub(super) fn device(&self) -> (*mut ffi::ibv_context, u8) {
        let id = self.id.as_ref();
        (id.verbs, id.port_num)
    }

    /// Its queue pair; null before it was made.
    pub(super) fn pair(&self) -> *mut ffi::ibv_qp {
        self.id.as_ref().qp
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::rdma_cm_id {
        self.id.as_ptr()
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        // SAFETY: every member of this union is made of integers, of which any bits are one.
        address_in(unsafe { &self.id.as_ref().route.addr.src_addr_union.src_storage })
    }

    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        // SAFETY: as above.
        address_in(unsafe { &self.id.as_ref().route.addr.dst_addr_union.dst_storage })
    }
}

impl Drop for Identifier {
    fn drop(&mut self) {
        // SAFETY: its queue pair is gone, and every event acknowledged; the channel lives
        // longer. One whose request was not answered is turned away by this.
        unsafe { ffi::rdma_destroy_id(self.id.as_ptr()) };
    }
}

/// An event, copied.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) kind: Kind,
    /// 0, the number of an error (negative), or why we were rejected.
    pub(super) status: i32,
    /// As it came: with padding.
    pub(super) private_data: Vec<u8>,
    /// What the peer can do; zeros where it does not say.
    pub(super) reads: Reads,
    /// Whose connection request this is.
    pub(super) newcomer: Option<Identifier>,
}

impl Happened {
    fn copied(told: &ffi::rdma_cm_event) -> Self {
        let kind = Kind::from_number(told.event);
        let mut happened = Self {
            kind,
            status: told.status,
            private_data: Vec::new(),
            reads: Reads::default(),
            newcomer: None,
        };
        if !matches!(kind, Kind::Request | Kind::Established | Kind::Rejected) {
            return happened;
        }
        // SAFETY: these are events of connections, and what they say is in this member.
        let said = unsafe { &told.param.conn };
        happened.reads = Reads {
            answered: said.responder_resources,
            asked: said.initiator_depth,
        };
        if !said.private_data.is_null() {
            let word = slice_from_raw_parts(said.private_data.cast(), said.private_data_len.into());
            // SAFETY: so many bytes are there until the event is acknowledged.
            happened.private_data = unsafe { &*word }.to_vec();
        }
        if kind == Kind::Request {
            let id = Handle::new(told.id).ok();
            // It is ours to end from now on.
            happened.newcomer = id.map(|id| Identifier { id, channel: None });
        }
        happened
    }

    /// What has failed.
    pub(super) fn failure(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno())
    }

    /// The number of the error; some events of failure come without.
    pub(super) fn errno(&self) -> i32 {
        let without = match self.kind {
            Kind::AddressFailed | Kind::RouteFailed => rustix::io::Errno::HOSTUNREACH,
            Kind::DeviceRemoval => rustix::io::Errno::NODEV,
            _ => rustix::io::Errno::CONNABORTED,
        };
        match self.status {
            status @ ..0 => status.saturating_neg(),
            _ => without.raw_os_error(),
        }
    }
}

/// What an event tells of (rdma_cm_event_type).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    AddressResolved,
    AddressFailed,
    RouteResolved,
    RouteFailed,
    Request,
    ConnectFailed,
    Unreachable,
    Rejected,
    Established,
    Disconnected,
    DeviceRemoval,
    /// What nothing follows from: an address that moved, the end of a connection's
    /// quarantine, a number that we do not know.
    Other,
}

impl Kind {
    fn from_number(number: event::Type) -> Self {
        match number {
            event::RDMA_CM_EVENT_ADDR_RESOLVED => Self::AddressResolved,
            event::RDMA_CM_EVENT_ADDR_ERROR => Self::AddressFailed,
            event::RDMA_CM_EVENT_ROUTE_RESOLVED => Self::RouteResolved,
            event::RDMA_CM_EVENT_ROUTE_ERROR => Self::RouteFailed,
            event::RDMA_CM_EVENT_CONNECT_REQUEST => Self::Request,
            event::RDMA_CM_EVENT_CONNECT_ERROR => Self::ConnectFailed,
            event::RDMA_CM_EVENT_UNREACHABLE => Self::Unreachable,
            event::RDMA_CM_EVENT_REJECTED => Self::Rejected,
            event::RDMA_CM_EVENT_ESTABLISHED => Self::Established,
            event::RDMA_CM_EVENT_DISCONNECTED => Self::Disconnected,
            event::RDMA_CM_EVENT_DEVICE_REMOVAL => Self::DeviceRemoval,
            _ => Self::Other,
        }
    }
}

/// Reads under way at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Of the peer's, that are answered (responder resources).
    pub(super) answered: u8,
    /// Of one's own (initiator depth).
    pub(super) asked: u8,
}

impl Reads {
    /// What both can do. In an event, the numbers are from the side of whoever reads it.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            answered: self.answered.min(other.answered),
            asked: self.asked.min(other.asked),
        }
    }
}

fn parameters(word: &[u8], reads: Reads) -> ffi::rdma_conn_param {
    ffi::rdma_conn_param {
        private_data: word.as_ptr().cast::<c_void>(),
        private_data_len: as_u8(word.len()),
        responder_resources: reads.answered,
        initiator_depth: reads.asked,
        flow_control: 1,
        retry_count: RETRIES,
        rnr_retry_count: RETRIES_UNREADY,
        srq: 0,
        qp_num: 0,
    }
}

/// More than there is room for is refused by the library.
fn as_u8(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

/// An address as the system has it.
enum Address {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl Address {
    fn new(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::V4(libc::sockaddr_in {
                sin_family: AF_INET,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(address.ip().octets()),
                },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(address) => Self::V6(libc::sockaddr_in6 {
                sin6_family: AF_INET6,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            }),
        }
    }

    fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        match self {
            Self::V4(address) => (&raw mut *address).cast(),
            Self::V6(address) => (&raw mut *address).cast(),
        }
    }
}

/// The address in the room for one; no other families come from where we bind and connect.
fn address_in(storage: &libc::sockaddr_storage) -> io::Result<SocketAddr> {
    let start = &raw const *storage;
    match storage.ss_family {
        AF_INET => {
            const { assert!(mem::size_of::<libc::sockaddr_in>() <= STORAGE) };
            // SAFETY: it fits, is aligned for any address, and of this family.
            let address = unsafe { &*start.cast::<libc::sockaddr_in>() };
            let ip = address.sin_addr.s_addr.to_ne_bytes();
            Ok(SocketAddrV4::new(ip.into(), u16::from_be(address.sin_port)).into())
        }
        AF_INET6 => {
            const { assert!(mem::size_of::<libc::sockaddr_in6>() <= STORAGE) };
            // SAFETY: as above.
            let address = unsafe { &*start.cast::<libc::sockaddr_in6>() };
            let (ip, port) = (address.sin6_addr.s6_addr, u16::from_be(address.sin6_port));
            let (flow, scope) = (address.sin6_flowinfo, address.sin6_scope_id);
            Ok(SocketAddrV6::new(ip.into(), port, flow, scope).into())
        }
        _ => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

const STORAGE: usize = mem::size_of::<libc::sockaddr_storage>();
const AF_INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
const AF_INET6: libc::sa_family_t = libc::AF_INET6 as libc::sa_family_t;

/// How long an address, and then a route, is looked for.
const RESOLVING_MS: i32 = 2000;
/// How often a device sends again what nobody acknowledges. Seven is the most that can be
/// asked for, and means for ever to soft-RoCE.
const RETRIES: u8 = 6;
/// How often it sends again what found no receive posted. (Seven would be for ever.)
/// Credits see to it that there is one; a peer who breaks its word loses the connection.
const RETRIES_UNREADY: u8 = 6;
/// RDMA_OPTION_ID and RDMA_OPTION_ID_ACK_TIMEOUT of rdma_cma.h.
const OPTION_ID: i32 = 0;
const OPTION_ACK_TIMEOUT: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back() {
        for text in ["10.2.0.1:5555", "[fe80::1%3]:65535", "[::1]:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut ours = Address::new(address);
            // SAFETY: a room for any address, all zeros, which are integers.
            let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
            let len = match &ours {
                Address::V4(address) => mem::size_of_val(address),
                Address::V6(address) => mem::size_of_val(address),
            };
            let to: *mut u8 = (&raw mut storage).cast();
            // SAFETY: both have as many bytes, and are apart.
            unsafe {
                ours.as_mut_ptr()
                    .cast::<u8>()
                    .copy_to_nonoverlapping(to, len)
            };
            assert_eq!(address_in(&storage).unwrap(), address);
        }
    }

    #[test]
    fn an_event_of_failure_has_an_error_whether_or_not_it_says_one() {
        let happened = |kind, status| Happened {
            kind,
            status,
            private_data: Vec::new(),
            reads: Reads::default(),
            newcomer: None,
        };
        let timed_out = happened(Kind::Unreachable, -libc::ETIMEDOUT);
        assert_eq!(timed_out.errno(), libc::ETIMEDOUT);
        assert_eq!(happened(Kind::AddressFailed, 0).errno(), libc::EHOSTUNREACH);
        assert_eq!(happened(Kind::DeviceRemoval, 0).errno(), libc::ENODEV);
        assert_eq!(happened(Kind::ConnectFailed, i32::MIN).errno(), i32::MAX);
    }
}
