//! Whole sockets of many nodes over a virtual network and a virtual clock.
//!
//! ```text
//!   apps ─ send, receive ─▶ socket: machine of ferromq-patterns, pipes, connectors
//!                             │ link: Connection, Receiver, Transmitter, Heartbeats
//!                             ▼        of ferromq-wire
//!   world: events in order ─▶ network: byte streams that split, stall and break
//!     │ faults                │ tap: counts what passes, in words of its own
//!     ▼ checks ◀──────────────┴─ model: who sent what to whom
//! ```
//!
//! [`run`] runs one [`Schedule`]: applications send while faults happen, then both
//! stop, everything drains, one more message of each arrives, subscribers leave.
//! A seed decides everything: the same one makes the same [`Outcome::trace_hash`].
//! `docs/simulation.md` says what must hold.
#![forbid(unsafe_code)]

mod apps;
mod context;
mod drops;
mod failure;
mod link;
mod machine;
mod message;
mod model;
mod network;
mod pipe;
mod plant;
mod random;
mod scenario;
mod socket;
mod storage;
mod topics;
mod trace;
mod world;

pub use drops::{Cause, Drops};
pub use failure::{Failure, Promise};
pub use plant::Plant;
pub use scenario::Scenario;
pub use world::{FAULTS, Outcome, Schedule, run};
