//! FerroMQ's event loop on mio: contexts, sockets, pipes, reconnection and
//! monitoring, over any transport.
//!
//! ```text
//!   application threads                                  the I/O thread
//!   send ──▶ Machine::route ──▶ Pipe ──▶ Link ──▶ write     listens, connects,
//!   recv ◀── Machine::next  ◀── Pipe ◀── Link ◀── read      shakes hands, keeps
//!              │ who             │ queues   │ codec          time; does a caller's
//!              └── one socket's State, behind a biased lock ─┘ work while it is away
//! ```
//! A socket belongs to whoever calls it: the calling thread encodes, writes,
//! reads and decodes. Each socket has an epoll of its own, in which a waiting
//! caller sleeps and which a user's event loop can nest. The I/O thread touches
//! a socket when a connection comes, when a heartbeat is due, when a burst's
//! tail was left, and when its caller has been away for some milliseconds.
//! `ARCHITECTURE.md` has the reasons and the measurements.
//!
//! # First program
//! A context needs transports; the facade crate `ferromq` brings them all.
//!
//! ```
//! use ferromq_mio::{Context, Pull, Push};
//! use ferromq_transport_tcp::Tcp;
//!
//! let context = Context::builder().transport(Tcp).build()?;
//! let sink = context.socket::<Pull>()?;
//! let endpoint = sink.bind("tcp://127.0.0.1:*")?;
//! let source = context.socket::<Push>()?;
//! source.connect(&endpoint.to_string())?;
//! source.send("hello")?;
//! assert_eq!(sink.recv()?.frame(0).map(|frame| &frame[..]), Some(&b"hello"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Memory and limits
//! A pipe holds at most [`Options::send_high_water_mark`] messages and 32 MiB;
//! an empty one takes a message of any size. A received message of one frame
//! costs no allocation. What users keep pins at most 2 MiB of receive blocks a
//! socket beyond its own length; frames from 4 KiB are aligned to 64 bytes.

#![cfg_attr(
    loom,
    allow(dead_code, unused_imports, reason = "the models use a part")
)]

mod clock;
mod frame;
mod hand_over;
mod lock;
mod memory;
mod message;
mod sync;

// loom models what is above; below nothing is lock-free.
#[cfg(all(feature = "conformance", target_os = "linux", not(loom)))]
pub mod conformance;
#[cfg(not(loom))]
mod context;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod inproc;
#[cfg(not(loom))]
mod io;
#[cfg(not(loom))]
mod link;
#[cfg(not(loom))]
mod machine;
#[cfg(not(loom))]
mod monitor;
#[cfg(not(loom))]
mod options;
#[cfg(not(loom))]
mod pipe;
#[cfg(not(loom))]
mod poller;
#[cfg(not(loom))]
mod proxy;
#[cfg(not(loom))]
mod security;
#[cfg(not(loom))]
mod settings;
#[cfg(not(loom))]
mod sight;
#[cfg(not(loom))]
mod socket;
#[cfg(not(loom))]
mod statistics;
#[cfg(not(loom))]
mod storage;
#[cfg(not(loom))]
mod switching;
#[cfg(not(loom))]
mod system;

pub use frame::Frame;
pub use message::{IntoFrames, Message, PeerInfo};

#[cfg(not(loom))]
pub use self::{
    context::{Context, ContextBuilder},
    error::{Error, SendError, StateError},
    memory::Landing,
    monitor::{Event, EventKind, Monitor},
    options::Options,
    poller::{Interest, PollEvent, Poller},
    proxy::{Proxy, ProxyBuilder, ProxyError, ProxyHandle, ProxyRole, ProxyStatistics},
    security::{
        AddressRange, AddressRangeError, AuthenticationRequest, AuthenticationTable, Authenticator,
        Claim, CurveClients, CurveKeys, KeyError, Password, PublicKey, SecretKey, Verdict,
    },
    sight::{
        CallerState, ContextObserver, EndpointSnapshot, EndpointState, SocketSnapshot, SocketState,
    },
    socket::{
        AnySocket, CanJoin, CanReceive, CanSend, CanSubscribe, Channel, Client, Dealer, Dish,
        Gather, Kind, Loan, Pair, Peer, Pub, Pull, Push, Radio, Readiness, Rep, Req, Router,
        Scatter, Server, Socket, Sub, Together, XPub, XSub,
    },
    statistics::{DropCause, Drops, PeerState, PeerStatistics, Statistics, Traffic},
    switching::{Fabric, FabricError, Switching},
};

#[cfg(not(loom))]
pub use ferromq_patterns::{GroupError, check_group};
#[cfg(not(loom))]
pub use ferromq_transport::{Endpoint, LinkOptions};
#[cfg(not(loom))]
pub use ferromq_wire::SocketType;
