//! An open connection, as the runtime and `wire` see it.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::memory::Memory;

/// A reliable, ordered byte stream between two processes.
///
/// ZMTP runs unchanged over every link, so a link promises what a TCP
/// connection does: bytes arrive once, whole and in order, or the link fails.
/// Where the carrier is not a stream of the kernel's, the link makes one:
///
/// - **Shared memory**: one ring of bytes in each direction. `write` copies
///   into the ring and publishes its head, `read` copies out and returns the
///   room. `fd` is a Unix socket, on which the peer leaves a byte only when a
///   read or a write found nothing and said so, and which ends with the process.
/// - **RDMA verbs**: both directions are rings in registered memory. `write`
///   copies into the send ring and posts it, spending credits for the peer's
///   receive ring; `read` polls the completion queue and copies out. `fd` is an epoll
///   over the completion channel and that of the connection's events, which tells of
///   room too but is only ever readable; whatever finds nothing arms it.
///
/// These copies are the price of a stream. What is to cross without copies goes
/// through [`Link::memory`].
///
/// # Contract
/// - No call blocks but `wait_direct`. `ErrorKind::WouldBlock` means that the
///   carrier was found empty (or full), so that an edge-triggered poller sees
///   the next edge: input makes `fd` readable, room makes it writable, or readable
///   too where [`room_makes_readable`](Link::room_makes_readable) says so. (An epoll
///   over several descriptors never becomes writable; `Joined`, with the feature
///   of this name, does.)
/// - So does a read that leaves room in its (first) buffer: bytes that are left
///   or come later, and the end, make `fd` readable once more, unless `fd` itself
///   announced the hang-up before (EPOLLRDHUP). A short write promises nothing:
///   write on. Nor does any read promise something after
///   [`begin_polling`](Link::begin_polling).
/// - A write of something answers `WouldBlock`, never 0.
///   `ErrorKind::Interrupted` is never returned.
/// - A read of 0 bytes into a non-empty buffer is the end of the stream.
/// - Any other error is the end of the link.
/// - Writing to a peer that is gone is an error, never a SIGPIPE.
/// - `fd` stays the same from the link's creation to its drop.
pub trait Link: Send {
    /// The descriptor to register, once and edge-triggered, for both directions.
    fn fd(&self) -> RawFd;

    /// A second descriptor, which tells of nothing but the end: of a link that also
    /// ends with something else than its carrier. Registered for hang-ups only, where
    /// it is; [`handle_hangup`](Self::handle_hangup) is called for both. `None` by
    /// default.
    fn end_fd(&self) -> Option<RawFd> {
        None
    }

    /// A further descriptor, by which input wakes more quickly than by [`fd`](Self::fd).
    /// Known, and then always the same, once bytes have been read. A runtime that wants it
    /// registers it beside `fd`, edge-triggered and for reading, and then calls
    /// [`wake_by_it`](Self::wake_by_it). It is deregistered before the link is dropped, for
    /// the peer may have it open as well. `None` by default.
    fn wake_fd(&self) -> Option<RawFd> {
        None
    }

    /// Says that [`wake_fd`](Self::wake_fd) is registered: from now on input makes either
    /// of both readable. Does nothing by default.
    fn wake_by_it(&mut self) {}

    /// Whether room that a write did not find makes [`fd`](Self::fd) readable, as input
    /// does, and never writable. Constant. A caller that waits for room then writes again
    /// at each event.
    fn room_makes_readable(&self) -> bool {
        false
    }

    /// Reads what is there, up to the buffer's length.
    ///
    /// # Errors
    /// See the trait's contract.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Reads into several buffers in turn, each filled before the next one is
    /// touched. At least one buffer's worth may be used a call; the system's
    /// limit on their number (1,024 on Linux) is the link's to observe.
    ///
    /// # Errors
    /// See the trait's contract.
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

    /// Writes a first part of the buffer.
    ///
    /// # Errors
    /// See the trait's contract.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize>;

    /// Writes a first part of the buffers' concatenation, in one operation
    /// where the carrier can.
    ///
    /// # Errors
    /// See the trait's contract.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether [`prepare_wait`](Self::prepare_wait) is needed before each sleep and
    /// [`after_wake`](Self::after_wake) after. Constant, so that a runtime asks once
    /// and saves two calls a sleep on links that wake whoever found nothing.
    fn needs_prepare(&self) -> bool {
        false
    }

    /// Called before sleeping on `fd`, where that [is needed](Self::needs_prepare),
    /// and after [`begin_polling`](Self::begin_polling): arms whatever makes `fd`
    /// readable.
    ///
    /// Arming comes first and looking second, so that what arrives in between
    /// either answers [`Wait::Ready`] or wakes the sleeper.
    fn prepare_wait(&mut self) -> Wait {
        Wait::Sleep
    }

    /// Says that the caller looks for input again and again, so that nothing has to
    /// make `fd` readable, whatever a read finds. Lasts until
    /// [`prepare_wait`](Self::prepare_wait), which the caller owes before anybody counts
    /// on `fd`. Does nothing by default.
    fn begin_polling(&mut self) {}

    /// Told when a poller saw a hang-up or an error on `fd` (EPOLLRDHUP, EPOLLHUP,
    /// EPOLLERR), before the next read: where that cannot be seen in the carrier
    /// itself, the link asks the system then. Does nothing by default.
    fn handle_hangup(&mut self) {}

    /// Waits for input in a way that beats sleeping on `fd`, at most for
    /// `timeout` (`None`: for ever). Answers `None` at once where there is none.
    ///
    /// `Some(Ok(()))` means that reading is worth a try: input, the end, or an
    /// expired timeout; the caller looks.
    ///
    /// # Errors
    /// See the trait's contract.
    fn wait_direct(&mut self, timeout: Option<Duration>) -> Option<io::Result<()>> {
        let _ = timeout;
        None
    }

    /// Called after a sleep on `fd`: disarms, and takes from `fd` what made it
    /// readable.
    fn after_wake(&mut self) {}

    /// A hint: until `bytes` have come, or the stream has ended, `fd` need not
    /// become readable. 1 takes it back.
    ///
    /// For a reader in the middle of a long body: waking it for each piece
    /// costs the sender more than the piece. Does nothing by default.
    fn set_read_low_water(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// Whether the peer's bytes were last handled on the CPU that the calling
    /// thread is on: spinning for input then only delays who is to send it.
    ///
    /// A hint, at the cost of a system call; `false` where it is not known.
    fn shares_core(&self) -> bool {
        false
    }

    /// Whether a write would find room that is worth a try, as far as the link can tell
    /// without one; where it says no, room is told of as after a write that was refused.
    ///
    /// For a writer that would rather wait before a long message than in its middle. At
    /// the cost of a system call; `true` where it is not known.
    fn has_room(&self) -> bool {
        true
    }

    /// Most bytes of long messages that a single write is worth being given: a link takes
    /// bounded turns. Constant; 512 KiB by default.
    fn longest_write(&self) -> usize {
        512 << 10
    }

    /// Who is on the other end.
    fn peer(&self) -> &PeerAddress;

    /// Our own end, where it has a name. May cost a system call.
    fn local_endpoint(&self) -> Option<Endpoint> {
        None
    }

    /// The way around the stream, where the carrier has one. It answers the same
    /// each time.
    fn memory(&mut self) -> Option<&mut dyn Memory> {
        None
    }

    /// The link itself, for a runtime that has something better than a stream
    /// for links of its own making (inproc hands messages over). `None` by
    /// default.
    fn as_any_mut(&mut self) -> Option<&mut dyn std::any::Any> {
        None
    }

    /// Bytes that were written and that the peer's side has not taken yet. A
    /// link that is dropped before may lose them, where the carrier resets a
    /// connection that is closed with input unread. 0 where it does not.
    fn unsent(&self) -> usize {
        0
    }

    /// Ends both directions. What was written before still reaches the peer
    /// where the carrier can see to it; reading and writing fail or end from
    /// now on, on both sides. Idempotent.
    fn shutdown(&mut self);

    /// The same, and then ends `other`, over which nothing passes but its end: not
    /// before all that was written here is with the peer, so that who finds that end
    /// finds everything else. By default at once, which is right for a carrier that
    /// has nothing under way.
    fn shutdown_before(&mut self, mut other: Box<dyn Link>) {
        self.shutdown();
        other.shutdown();
    }
}

/// What to do after [`Link::prepare_wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Wait {
    /// Input came meanwhile, or the end: read instead of sleeping.
    Ready,
    /// Sleep until the link's `fd` is readable.
    Sleep,
}

/// The other end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAddress {
    /// Where the peer is. For TCP its numeric address and port; for a local
    /// transport, whose connecting side has no name, the listener's endpoint.
    pub endpoint: Endpoint,
    /// Who the peer is, if the kernel vouches for it (local transports).
    pub credentials: Option<Credentials>,
}

/// What the kernel says about the process on the other end, as it was when the
/// connection was opened (or, seen from there, when the listener began).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// The process id, where the system tells. It may be reused once the
    /// process is gone: for messages to people, not for decisions.
    pub pid: Option<u32>,
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
}

impl PeerAddress {
    /// A peer that no kernel vouches for.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            credentials: None,
        }
    }

    /// The same with credentials.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self {
            credentials: Some(credentials),
            ..self
        }
    }
}
