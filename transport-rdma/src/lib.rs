//! `rdma://` for FerroMQ: queue pairs, credits, and payloads that the receiver fetches.
//! Under construction: the seam to the verbs is here, the transport is not.
//!
//! ```text
//!      runtime ── Transport, Listener, Connecting, Link ──► ferromq-transport
//!                                  ▲
//!                     ┌────────────┴─────────────┐
//!                     │ rdma:// (this crate)     │
//!                     │                          │   rdma_cm: addresses, connection
//!                     │  Connecting, Listener ───┼── requests, private data
//!                     │                          │
//!                     │  Link: one ring a        │   a queue pair: SEND and RECV
//!                     │  direction in registered ┼── out of and into the rings,
//!                     │  memory, with credits    │   credits for room in the peer's
//!                     │                          │
//!                     │  fd, prepare_wait,       │   the completion channel: armed
//!                     │  after_wake, wait_direct ┼── before sleeping, drained after;
//!                     │                          │   or spinning on the queue
//!                     │                          │
//!                     │  Memory: register,       │   ibv_reg_mr, remote keys,
//!                     │  export, read, write ────┼── RDMA READ and WRITE
//!                     └──────────────────────────┘
//! ```
//!
//! - **A link is a byte stream.** Writing copies into the send ring and posts it;
//!   reading copies out of the receive ring and returns the room as credits. So
//!   ZMTP runs over verbs unchanged. What is to cross without copies goes through
//!   the `Memory` of the link: a descriptor in the stream, one-sided operations
//!   beside it.
//! - **Connecting.** `rdma_cm` events arrive on a descriptor, which is what
//!   `Connecting` and `Listener` wait for; the rings' addresses and keys travel as
//!   private data. Names are resolved as for TCP.
//! - **Waiting.** Arm the completion channel, look at the queue once more, sleep:
//!   `prepare_wait`. Events that are there although the look found their
//!   completions are drained by `after_wake`.
//! - **Trust.** A peer holds the keys of one region of its own, in a protection
//!   domain of its own; what it may reach is as small as that. A queue that
//!   overruns is the end of its link alone.
//! - **Building.** The verbs library is a system library, so it will sit behind a
//!   cargo feature that is off by default, with a software stand-in behind the
//!   same internal trait, so that the link's state machine is tested everywhere.

#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod address;
mod arena;
mod channel;
mod closing;
mod connect;
mod counters;
mod credit;
mod error;
mod gather;
mod hello;
mod lending;
mod link;
mod listen;
// The one module that touches memory by its address.
#[allow(unsafe_code)]
mod memory;
mod registry;
mod ring;
mod transport;
// Without a provider nothing is ever told.
#[cfg_attr(
    not(any(test, feature = "software", feature = "verbs")),
    allow(dead_code)
)]
mod verbs;

pub use counters::Counters;
pub use error::{LinkError, Work};
pub use transport::{Keys, Rdma, RdmaBuilder};
pub use verbs::Status;
#[cfg(any(test, feature = "software"))]
pub use verbs::soft::{Fabric, LinkState};

use transport::{Inner, failed, room_of};

#[cfg(test)]
mod tests;
