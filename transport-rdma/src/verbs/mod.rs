//! Verbs, as far as this transport needs them: what a provider implements.
//!
//! Two do: the system's libraries (rdma_cm and ibverbs), behind a feature, and one in
//! software, within a process, on which everything else is tested. The names are
//! those of the verbs where they have any.
//!
//! ```text
//!  Provider ─ listen ─▶ Listening ─ next ─▶ Request ─ queue ─┐   posts receives,
//!      │                                                     ├─▶ Queue ─ establish ─▶ Event::Established
//!      └───── dial ───▶ Dialling ─── poll_routed ────────────┘
//! ```
//!
//! A queue is a queue pair with its completion queue, its channel of completions, its
//! protection domain, and the connection's identifier with its channel of events:
//! nothing is shared between links, so that what breaks is one link, and a key opens
//! nothing of another one's. It is used by one thread at a time.
//!
//! Nothing here blocks. Dropping a queue ends the connection without ceremony; when
//! the drop returns, no device touches its memory any more.

#[cfg(any(test, feature = "software"))]
pub(crate) mod soft;
mod status;
#[cfg(test)]
pub(crate) mod testing;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

pub use status::Status;

use crate::sys::Pages;

/// Where queues come from.
pub(crate) trait Provider: Send + Sync {
    /// Tells networks apart of which none leads into another one, as far as that is
    /// known. It is shown to peers.
    fn network(&self) -> [u8; 16];

    /// Our addresses that a device serves, but for those of one link only (which mean
    /// nothing without its interface). Costs a few system calls for each.
    ///
    /// # Errors
    /// As of the system; ENODEV where there is no device.
    fn addresses(&self) -> io::Result<Vec<Served>>;

    /// Listens (rdma_bind_addr, rdma_listen). Port 0 is any that is free.
    ///
    /// # Errors
    /// As of the system; ENODEV where no device serves the address.
    fn listen(&self, at: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listening>>;

    /// Starts to look for a way (rdma_resolve_addr), from an address of ours if one
    /// is given: which device that is, is what it is for.
    ///
    /// # Errors
    /// As of the system; ENODEV where there is no device.
    fn dial(&self, to: SocketAddr, from: Option<SocketAddr>) -> io::Result<Box<dyn Dialling>>;
}

/// An address of ours that a device serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// The network interface that has it.
    pub(crate) interface: String,
    pub(crate) address: IpAddr,
}

/// A place to connect to.
pub(crate) trait Listening: Send {
    /// Readable when somebody may be there (the event channel).
    fn fd(&self) -> BorrowedFd<'_>;

    /// Where it listens, with the real port.
    fn local(&self) -> SocketAddr;

    /// Who has waited longest. Those who are gone are passed over.
    ///
    /// # Errors
    /// `WouldBlock`: nobody, and the next one makes `fd` readable. Any other: the
    /// listener is broken, or (ENOMEM, EMFILE) has to wait.
    fn next(&mut self) -> io::Result<Box<dyn Request>>;
}

/// Somebody who connects (RDMA_CM_EVENT_CONNECT_REQUEST). Dropped, it is turned away.
pub(crate) trait Request: Send {
    /// What came with it: as it came, which is with padding.
    fn private_data(&self) -> &[u8];

    /// Makes the queue to it (rdma_create_qp), not connected yet: receives are posted
    /// first, then [`Queue::establish`] accepts.
    ///
    /// # Errors
    /// As of the system.
    fn queue(self: Box<Self>, sizes: Sizes) -> io::Result<Box<dyn Queue>>;

    /// Turns it away with a word (rdma_reject).
    fn refuse(self: Box<Self>, private_data: &[u8]);
}

/// A connection whose way is being looked for. Dropped, it is given up.
pub(crate) trait Dialling: Send {
    /// Readable when [`poll_routed`](Self::poll_routed) is worth a call. It is the
    /// [`connection_fd`](Queue::connection_fd) of the queue that comes of it.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Goes on (rdma_resolve_route), and makes the queue (rdma_create_qp) once the
    /// device is known. `None`: not yet. Not called again after the queue.
    ///
    /// # Errors
    /// No way leads there, or as of the system.
    fn poll_routed(&mut self, sizes: Sizes) -> io::Result<Option<Box<dyn Queue>>>;
}

/// How much of everything a queue has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Sends, reads and writes that are posted and not known to be complete.
    pub(crate) sends: u32,
    /// Receives that are posted.
    pub(crate) receives: u32,
    /// Reads under way in each direction; fewer where the device has fewer.
    pub(crate) reads: u8,
    /// Bytes that go with a send itself; fewer where the device takes fewer.
    pub(crate) inline: u32,
    /// Pieces that a write is gathered from; fewer where the device takes fewer.
    pub(crate) pieces: u32,
}

/// What a queue's device can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The longest send from which the bytes are taken when it is posted, so that
    /// the provider posts it inline by itself.
    pub(crate) inline: usize,
    /// The longest message, and so the longest read or write, in bytes.
    pub(crate) message: usize,
    /// Reads that may be posted at a time; 1 at least.
    pub(crate) reads: usize,
    /// Pieces that a write may have; 1 at least.
    pub(crate) pieces: usize,
}

/// A queue pair and what belongs to it.
///
/// What is posted completes in the order in which it was posted, sends, reads and writes
/// among themselves and receives among themselves. Memory that a posted piece lies in belongs to
/// the device until the completion was polled, or the queue is dropped.
pub(crate) trait Queue: Send {
    /// Readable when an armed completion has come (the completion channel).
    fn completion_fd(&self) -> BorrowedFd<'_>;

    /// Readable when [`poll_event`](Self::poll_event) is worth a call (the event
    /// channel of the identifier).
    fn connection_fd(&self) -> BorrowedFd<'_>;

    /// What its device can do.
    fn limits(&self) -> Limits;

    /// Where we are, and where the peer is.
    fn addresses(&self) -> (SocketAddr, SocketAddr);

    /// Connects or accepts, with up to 56 bytes for the peer (rdma_connect, rdma_accept). Called
    /// once. [`Event::Established`] tells when sends may be posted.
    ///
    /// # Errors
    /// As of the system.
    fn establish(&mut self, private_data: &[u8]) -> io::Result<()>;

    /// The next event of the connection, if there is one (rdma_get_cm_event, without
    /// waiting, acknowledged at once). Each makes `connection_fd` readable.
    fn poll_event(&mut self) -> Option<Event>;

    /// Ends the connection in order (rdma_disconnect): what is posted still is flushed.
    fn disconnect(&mut self);

    /// Gives the device access to memory (ibv_reg_mr), which stays mapped until it is
    /// taken back, and is pinned.
    ///
    /// # Errors
    /// As of the system: ENOMEM beyond the limit of locked memory.
    fn register(&mut self, memory: Part, access: Access) -> io::Result<Registered>;

    /// Takes memory back (ibv_dereg_mr). When it returns well, no key opens it any more.
    ///
    /// # Errors
    /// As of the system: the device may have it still, and it stays mapped. EINVAL: no
    /// region of this queue's.
    fn deregister(&mut self, region: Region) -> io::Result<()>;

    /// Posts sends, in their order, with one call of the device if it can
    /// (ibv_post_send with a list).
    ///
    /// # Errors
    /// ENOMEM: more than [`Sizes::sends`]. Whatever it is, the queue is of no use after.
    fn post_sends(&mut self, sends: &[Outgoing]) -> io::Result<()>;

    /// Posts receives, in their order (ibv_post_recv with a list).
    ///
    /// # Errors
    /// ENOMEM: more than [`Sizes::receives`]. Whatever it is, the queue is of no use after.
    fn post_receives(&mut self, receives: &[Incoming]) -> io::Result<()>;

    /// Posts a read of the peer's memory (IBV_WR_RDMA_READ, signalled).
    ///
    /// # Errors
    /// ENOMEM: more than [`Sizes::sends`]. Whatever it is, the queue is of no use after.
    fn post_read(&mut self, fetch: Fetch) -> io::Result<()>;

    /// Posts a write into the peer's memory (IBV_WR_RDMA_WRITE, or with an immediate
    /// IBV_WR_RDMA_WRITE_WITH_IMM, which takes a receive of the peer's; signalled). It is
    /// in place before anything that is posted later arrives.
    ///
    /// # Errors
    /// ENOMEM: more than [`Sizes::sends`]. EINVAL: more pieces than [`Limits::pieces`].
    /// Whatever it is, the queue is of no use after.
    fn post_write(&mut self, store: Store) -> io::Result<()>;

    /// Takes completions (ibv_poll_cq): how many there were, 0 if there is none.
    fn poll(&mut self, into: &mut [Completion]) -> usize;

    /// Has the next completion of this kind make `completion_fd` readable, once
    /// (ibv_req_notify_cq). One that came before and was not polled does not: arm
    /// first, look after.
    ///
    /// # Errors
    /// As of the system.
    fn arm(&mut self, notify: Notify) -> io::Result<()>;

    /// Takes from `completion_fd` what made it readable (ibv_get_cq_event without
    /// waiting, ibv_ack_cq_events). Whether there was anything: then the queue is
    /// armed no more.
    fn drain(&mut self) -> bool;
}

/// Memory to register: `len` bytes of `pages` from `offset` on.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) pages: Arc<Pages>,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// What a registration permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// The device alone reads and writes: sends, receives, what is read from the peer.
    Local,
    /// The peer reads (IBV_ACCESS_REMOTE_READ), and nothing else.
    RemoteRead,
    /// The peer writes (IBV_ACCESS_REMOTE_WRITE), and nothing else.
    RemoteWrite,
}

/// A registration of one queue's: a number that means nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Region(pub(crate) u32);

/// What [`Queue::register`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) region: Region,
    /// What the peer calls the first byte of it.
    pub(crate) remote: Remote,
}

/// A place in a peer's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) address: u64,
    /// The remote key.
    pub(crate) key: u32,
}

/// A piece of registered memory, by its place in its registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) region: Region,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// A message to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// What its completion calls it.
    pub(crate) work: u64,
    pub(crate) from: Piece,
    /// Whether success is told as well. Failure always is.
    pub(crate) signal: Signal,
    /// Whether it wakes a peer who armed for [`Notify::Solicited`] (IBV_SEND_SOLICITED).
    pub(crate) solicited: bool,
}

/// Whether a completion tells of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It does.
    Always,
    /// It does not; that of one posted later says the same of this one.
    OnFailure,
}

/// Room for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) work: u64,
    pub(crate) into: Piece,
}

/// A read of `into.len` bytes of the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) work: u64,
    pub(crate) into: Piece,
    pub(crate) from: Remote,
}

/// A write of pieces, one after the other, to a place of the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) work: u64,
    pub(crate) from: Vec<Piece>,
    pub(crate) to: Remote,
    /// What the peer is told, as the completion of a receive.
    pub(crate) immediate: Option<u32>,
}

/// Something that was posted is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completion {
    /// What it was called when it was posted.
    pub(crate) work: u64,
    /// The bytes of a receive (of anything else, any number), or what went wrong.
    pub(crate) outcome: Result<u32, Status>,
    /// What came with a write of the peer's, which took this receive and left its memory
    /// as it was.
    pub(crate) immediate: Option<u32>,
}

impl Completion {
    /// One to be written over.
    pub(crate) const BLANK: Self = Self {
        work: 0,
        outcome: Ok(0),
        immediate: None,
    };
}

/// Which completions make a queue's descriptor readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Notify {
    /// Messages that were sent as solicited, and what fails.
    Solicited,
    /// All.
    Any,
}

/// What happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It stands; with what the peer said when it accepted, padded.
    Established { private_data: Vec<u8> },
    /// The peer turned us away; with its word, padded, and the event's status.
    Rejected { private_data: Vec<u8>, status: i32 },
    /// No way leads there, nobody answered, or another failure on the way: an error
    /// number of the system's.
    Failed { errno: i32 },
    /// The peer ended it, or its device says that it is gone.
    Disconnected,
    /// The device is taken away.
    DeviceRemoved,
}
