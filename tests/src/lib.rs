//! Interoperation, conformance and hostile-input tests of whole sockets.
//!
//! Everything here goes through the public interface of `ferromq`, with
//! somebody else on the other end of the wire:
//!
//! ```text
//!   tests/conformance   ferromq sockets ── tcp, ipc ── RawPeer   bytes written by hand
//!   tests/hostile       ferromq sockets ── tcp, ipc ── RawPeer   that breaks every rule
//!   tests/kill_points   ferromq sockets ── shm ─────── ferromq, in a process that dies
//!   tests/interop       ferromq sockets ── tcp, ipc ── ZmqPeer   pyzmq, that is libzmq
//!   tests/program       ferromq program ── tcp, ipc ── ZmqPeer
//! ```
//!
//! [`RawPeer`] knows ZMTP on its own: it shares no code with `ferromq-wire`,
//! so an error there cannot hide behind the same error here. A
//! [`ZmqPeer`] is a Python process with real libzmq; `cargo xtask interop`
//! prepares the interpreter, and without it those tests say that they are
//! skipped.
//!
//! No test sleeps and none asserts an upper bound on time: tests wait for
//! conditions, and [`Watchdog`] ends one whose condition never comes.

mod allocator;
mod alone;
mod nobody;
mod ours;
mod program;
mod raw;
mod relay;
mod rows;
mod via;
mod watchdog;
mod zmq_peer;

/// The Rust in the manual compiles and does what it says.
#[cfg(doctest)]
mod manual {
    #[doc = include_str!("../../docs/manual/guide.md")]
    mod guide {}
    #[doc = include_str!("../../docs/manual/options.md")]
    mod options {}
    #[doc = include_str!("../../docs/manual/patterns.md")]
    mod patterns {}
    #[doc = include_str!("../../docs/manual/performance.md")]
    mod performance {}
    #[doc = include_str!("../../README.md")]
    mod readme {}
}

pub use allocator::{Counting, live};
pub use alone::{Limited, alone};
pub use nobody::Nobody;
pub use ours::{Ours, parts_of};
pub use program::Program;
pub use raw::{
    COMMAND, Greeting, LONG, MORE, RawFrame, RawListener, RawPeer, SharedStream, Sharing,
    command_body, is_mapped, metadata,
};
pub use relay::Downgrade;
pub use rows::{project, quoted, rows_of, tests_in, tests_of};
pub use via::{Place, Via};
pub use watchdog::{PATIENCE, Watchdog, until};
pub use zmq_peer::{ZmqPeer, ZmqSocket, payload, sha256};
