//! `rdma://` for FerroMQ: queue pairs, credits, and payloads that the receiver fetches.
//!
//! ```text
//!   process A                                              process B
//!  ┌──────────────────────┐       rdma_cm: requests,     ┌──────────────────────┐
//!  │ Rdma: connect, listen│══════ answers, greetings ════│ Rdma                 │
//!  │                      │                              │                      │
//!  │ link                 │      SEND ─────▶ RECV        │ link                 │
//!  │  ├ channel (stream)  │  slots ▓▓░ ────▶ ▓▓░ slots   │  channel             │
//!  │  │   credits ◀───────│── on the next message back ──│                      │
//!  │  ├ lending           │                              │  lending             │
//!  │  │   payload ▓▓▓▓▓ ──│──────────── RDMA READ ───────│─▶ ▓▓▓▓▓ its own copy │
//!  │  └ epoll ◀───────────│─ completions │ events ───────│  epoll               │
//!  └──────────────────────┘                              └──────────────────────┘
//! ```
//!
//! - **A link is a byte stream** over one queue pair. Writing copies into registered slots
//!   and posts them, all of a call with one request to the device; each costs a credit, so
//!   that a receive is always posted (`credit`, where it is said why nobody waits for
//!   ever). One send in several is signalled. `hello` has the bytes.
//! - **Long payloads go by reference** (`lending`): the sender registers the payload, and
//!   it alone, to be read; the receiver reads it into memory of its own, in pieces of
//!   4 MiB, four at a time.
//! - **Memory that is opened** is written into by the peer (`lending::writing`), which is
//!   for those who move memory, not messages: no socket does. Sixteen writes at a time,
//!   each gathered from pieces that may lie apart.
//! - **Waiting** (`gather`, `link`): an epoll over the channel of completions and that of
//!   the connection's events. Whatever finds nothing arms, looks once more, and only then
//!   says so; events that were not needed are drained. Nothing spins.
//! - **Ends** (`closing`): the last message says so, and the queue stays until the peer's
//!   device has it. A connection that goes without a word was lost.
//! - **Verbs** (`verbs`) sit behind one small trait. Its provider for the system's
//!   libraries comes with the feature `verbs`, for which their headers are needed; the
//!   other one, in software, has threads and faults instead of a network, and every
//!   test runs over it (`software`).
//!
//! # READ, not WRITE
//! The sender could write a message's payload into the receiver's memory as well, and tell
//! it with the last packet (RDMA WRITE with immediate data). Where it has to ask for room
//! first, that takes as long: a question, an answer and the bytes, as READ takes a
//! reference, a request and the bytes. It saves one way and back only if
//! the receiver has set memory aside for each peer before it knows what comes, of the
//! longest payload's length, and lets the peer write there. With READ the
//! receiver chooses where, when and how much, its memory is never anybody else's to write
//! unless it says so, and nothing that it looks at is open to the peer. docs/RDMA.md has the counts.
//!
//! # Trust
//! Each link has a protection domain of its own: a key opens nothing of another link's. It
//! opens the bytes of one payload, to be read, until the peer has said that it is done with
//! them ([`Keys`]); where the device refuses to end it, those bytes are never used again.
//! The key of memory that is opened lets the peer write there, at any time until it is
//! closed, and nobody here looks at it before. Whatever a peer sends is checked against what
//! it was granted, and ends its link alone, with a [`LinkError`].
//!
//! # The run loop
//! As with every transport: see [`ferromq_transport`]. Here is a byte from one link to
//! another. It needs a device, or says that there is none:
//!
//! ```
//! use ferromq_transport::{LinkOptions, Transport};
//! use ferromq_transport_rdma::Rdma;
//!
//! let refused = Rdma::new().bind(&"rdma://127.0.0.1:*".parse()?, &LinkOptions::default());
//! if let Err(error) = refused {
//!     println!("{error}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! Linux. A link costs three descriptors and, unless the options say otherwise, 560 KiB of
//! locked memory. Payloads are fetched one at a time a link, in the order in which they
//! were sent. A sender that goes before its payloads are fetched waits for that: as long as
//! its socket lingers, and 10 s where nothing does.

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
mod registry;
mod ring;
// The one module that is unsafe.
#[allow(unsafe_code)]
mod sys;
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
