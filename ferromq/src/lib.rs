//! ZeroMQ's sockets in Rust: messages between threads' sockets, processes and
//! machines, in the patterns that ZeroMQ made known, compatible on the wire
//! with every ZMTP 3 program.
//!
//! # A first program
//! One side hands out work, the other takes it. Either may start first, stop
//! and come back; what is sent meanwhile waits.
//!
//! ```
//! use ferromq::{Context, Pull, Push};
//!
//! let context = Context::new()?;
//!
//! let pull = context.socket::<Pull>()?;
//! let endpoint = pull.bind("tcp://127.0.0.1:*")?; // a free port, told here
//!
//! let push = context.socket::<Push>()?;
//! push.connect(&endpoint.to_string())?;
//! push.send("hello")?;
//! push.send([&b"a message"[..], b"of two frames"])?;
//!
//! assert_eq!(pull.recv()?, "hello".into());
//! assert_eq!(pull.recv()?.len(), 2);
//! # Ok::<(), ferromq::Error>(())
//! ```
//!
//! The type of a socket is part of its type: a [`Socket<Sub>`](Socket) has no
//! `send`. Where the type is known at run time only, [`AnySocket`] has all
//! calls. Both are handles to share between threads.
//!
//! # Which socket
//! | Pattern | Sockets | Who gets a message |
//! |---|---|---|
//! | pipeline | [`Push`] → [`Pull`] | one of the peers, in turn |
//! | publish and subscribe | [`Pub`] → [`Sub`] | everybody who subscribed to its topic |
//! | the same, subscriptions in sight | [`XPub`] ↔ [`XSub`] | as above; subscriptions the other way |
//! | request and reply | [`Req`] ↔ [`Rep`] | one peer, which replies |
//! | the same, asynchronous | [`Dealer`] ↔ [`Router`] | a peer in turn ↔ the peer that is named |
//! | exclusive pair | [`Pair`] ↔ [`Pair`] | the only peer |
//!
//! and the draft types: [`Client`] ↔ [`Server`], [`Peer`] ↔ [`Peer`],
//! [`Scatter`] → [`Gather`], [`Radio`] → [`Dish`], [`Channel`] ↔ [`Channel`].
//! A [`Proxy`] passes messages on between two sockets, alone or in a chain.
//!
//! # The layers
//! This crate puts them together and adds nothing of its own but the choice of
//! transports. Each is a crate that can be used without those above it.
//!
//! ```text
//!                 your program          the program `ferromq`
//!                       └────────┬────────────┘
//!   ferromq            Context with every transport           (this crate)
//!                                │
//!   ferromq-mio        contexts, sockets, pipes, reconnection, monitoring
//!              ┌─────────────────┼────────────────────┐
//!   ferromq-patterns       ferromq-wire        ferromq-transport
//!   who gets which         ZMTP 3.1:           what a transport is,
//!   message                bytes, frames       endpoints
//!   no_std, no alloc       no_std, no alloc           │
//!                                      ferromq-transport-tcp, -shm, -rdma
//!                                      tcp://  ipc://  shm://  rdma://
//! ```
//!
//! `rdma://` comes with the feature `rdma`, and finds devices with the feature `verbs`,
//! which takes the system's libraries to build.
//!
//! # Other transports
//! A crate that implements [`ferromq_transport::Transport`] brings a scheme of
//! its own:
//!
//! ```
//! use ferromq::Context;
//!
//! # fn example(carrier_pigeons: impl ferromq_transport::Transport + 'static)
//! # -> Result<(), ferromq::Error> {
//! let context = Context::builder().transport(carrier_pigeons).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//! Linux first; macOS compiles. A peer's frames and messages are limited to
//! 4 GiB and 1,024 frames, its handshake to 10 seconds ([`Options`]). Without
//! [`Options::curve_server`] and [`Options::curve_client`] nothing is encrypted.

#![forbid(unsafe_code)]

mod context;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "status")]
pub mod status;

pub use context::{Context, ContextBuilder};
pub use ferromq_mio::*;
