//! `shm://` for FerroMQ: bytes move through memory that two processes share.
//!
//! ```text
//!   process A                                              process B
//!  ┌──────────────────────┐      shm://name, a Unix      ┌──────────────────────┐
//!  │ Shm: connect, listen │═════ socket without a file ══│ Shm                  │
//!  │  └ hello ────────────│── greeting + memory's fd ───▶│  checks, maps, answers
//!  │                      │                              │                      │
//!  │ link                 │    A's memory   B's memory   │ link                 │
//!  │  ├ ring (stream) ────│──▶ ▓▓▓▓▓▓░░░ ──────────────▶ │  ring                │
//!  │  │           ◀───────│────────────── ░░▓▓▓▓▓▓░ ◀────│                      │
//!  │  ├ bell ─────────────│── a byte: "look" ───────────▶│  epoll               │
//!  │  └ doorbell ─────────│── the same, through a pipe ─▶│                      │
//!  └──────────────────────┘    only to one who sleeps    └──────────────────────┘
//! ```
//!
//! A connection begins on a Unix socket whose name is `shm://name`: there the kernel
//! tells who the other one is, and the two exchange descriptors of memory, a ring
//! each. From then on bytes move through the rings alone. The socket stays: a byte on
//! it wakes a side that has said that it sleeps, and its end is the end of the
//! process on the other side, which the kernel reports at once. Who waits for input is woken
//! through a pipe instead, where both sides have one: that is quicker.
//!
//! Each side writes only to memory of its own, which is sealed so that the other one
//! cannot write to it and neither can shorten it; what is not so is refused. A peer
//! that is killed takes nothing with it but itself: what it had published is read, what
//! it had not is not there, and the memory goes with the last mapping, for it has no
//! name.
//!
//! - `ring/`: positions, who waits for what, and why nobody sleeps too long; proven
//!   by loom. Knows no memory but by two traits.
//! - `segment`: making and checking memory. `mapping`: the `unsafe` part.
//! - `hello`, `bell`, `doorbell`, `link`, `connect`, `listen`, `name`, `peer`, `ground`: the rest.
//! - `kill_point`: where tests kill a process, with the feature `kill-points` only.
//!
//! # The run loop
//! As with every transport: see [`ferromq_transport`]. Two things are worth telling a
//! link of this one: that one looks again and again ([`begin_polling`]), so that the peer saves a
//! system call, and that a poller saw a hang-up ([`handle_hangup`]), without which a
//! peer that was killed is found out late. One is worth asking: the doorbell's descriptor
//! ([`wake_fd`]).
//!
//! [`begin_polling`]: ferromq_transport::Link::begin_polling
//! [`handle_hangup`]: ferromq_transport::Link::handle_hangup
//! [`wake_fd`]: ferromq_transport::Link::wake_fd
//!
//! # Limits
//! Linux 5.1 or newer (`F_SEAL_FUTURE_WRITE`). Names are those of the network
//! namespace. A ring has 1 MiB unless [`LinkOptions::send_buffer`] says otherwise
//! (4 KiB to 1 GiB, rounded up to a power of two), and all of it is allocated when
//! the connection is made.

#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod arena;
mod bell;
mod connect;
mod doorbell;
mod ground;
mod hello;
mod kill_point;
mod lending;
mod link;
mod listen;
// The one module that touches memory by its address.
#[allow(unsafe_code)]
mod mapping;
mod memory;
mod name;
mod peer;
mod ring;
mod segment;
mod sync;

use std::sync::Arc;

use arena::Arena;
use ferromq_transport::{
    Connecting, Endpoint, Lender, LinkOptions, Listener, Operation, Route, Transport,
    TransportError,
};

#[cfg(feature = "kill-points")]
pub use kill_point::{KILL_AT, KillPoint};

/// The `shm://` transport: rings in shared memory.
///
/// - `shm://name` is a name of up to 95 bytes, known to all processes of this network
///   namespace. It leaves no file behind, and is free again when its listener is
///   dropped or killed.
/// - `shm://*` is a name that nobody else has; [`Listener::local_endpoint`] tells it.
/// - Both sides ask the kernel who the other one is, see
///   [`LinkOptions::local_users`] and [`PeerAddress::credentials`].
///
/// Nothing blocks. A connection costs two descriptors while it is made and one
/// afterwards, three more for its doorbells as long as the process has used less than an
/// eighth of those that it may have (RLIMIT_NOFILE), and two rings of memory.
///
/// [`PeerAddress::credentials`]: ferromq_transport::PeerAddress::credentials
#[derive(Clone)]
pub struct Shm {
    arena: Arc<Arena>,
}

impl Shm {
    /// The most that is lent to payloads, in bytes, unless
    /// [`with_limit`](Self::with_limit) says otherwise.
    pub const LENT_MAX: usize = 1 << 30;

    /// The transport, with memory of its own to lend to payloads.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(Self::LENT_MAX)
    }

    /// The same, which lends no more than so many bytes at a time. Payloads beyond go
    /// through the rings.
    #[must_use]
    pub fn with_limit(bytes: usize) -> Self {
        let arena = Arena::new(bytes);
        Self { arena }
    }
}

impl Default for Shm {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Shm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shm").finish_non_exhaustive()
    }
}

impl Transport for Shm {
    fn schemes(&self) -> &'static [&'static str] {
        &["shm"]
    }

    fn common_ground(&self) -> Option<[u8; 16]> {
        ground::common()
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        name::check(endpoint, Operation::Resolve)?;
        Ok(Route::new(endpoint.clone()))
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(listen::ShmListener::bind(
            endpoint,
            options,
            self.arena.clone(),
        )?))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        name::check(&route.endpoint, Operation::Connect)?;
        let connecting =
            connect::ShmConnecting::start(&route.endpoint, options, self.arena.clone())?;
        Ok(Box::new(connecting))
    }

    fn lender(&self) -> Option<Arc<dyn Lender>> {
        Some(self.arena.clone())
    }
}

/// The length of our ring, as the options have it.
fn ring_len(options: &LinkOptions) -> usize {
    options
        .send_buffer
        .unwrap_or(RING)
        .clamp(hello::RING_MIN, hello::RING_MAX)
        .next_power_of_two()
}

/// A ring's length in bytes, unless something else is asked for.
const RING: usize = 1 << 20;
