//! What a FerroMQ transport is: traits and the endpoint grammar.
//!
//! A transport opens [`Link`]s, which are reliable, ordered byte streams, and
//! knows nothing of what runs over them. The runtime drives links through these
//! traits and knows nothing of what carries them. So a new transport is a crate
//! that depends on this one alone, and ZMTP runs over it unchanged.
//!
//! ```text
//!   "tcp://eth0:5555"
//!          │ parse                            the runtime
//!          ▼                     ┌───────────────┴──────────────────┐
//!      Endpoint ──► Transport::bind ──► Listener ──accept──► Link ──┤ bytes
//!          │                                                  ▲     │
//!          └─────► Transport::resolve ──► Route               │     │
//!                  Transport::connect ──► Connecting ─────────┘     │
//!                                           poll_connected          │
//!                                                                   │
//!      carriers:  tcp, ipc │ shared memory │ verbs │ yours          │
//!                          └─ Link::memory ──► Memory ──────────────┘ payloads
//! ```
//!
//! - [`Endpoint`] is the grammar: `tcp://`, `ipc://`, and any other scheme for
//!   the transport that claims it.
//! - [`Transport`] resolves, binds and connects; [`Listener`] and [`Connecting`]
//!   are the two ways to a link. Nothing here blocks except looking up names.
//! - [`Link`] reads and writes, says how to wait for it, and who the peer is.
//! - [`Memory`] is the optional way around the stream, for payloads that are read
//!   where they are; a [`Lender`] has the memory for it.
//! - Errors name the whole endpoint and the cause ([`EndpointError`],
//!   [`TransportError`]).
//!
//! # The run loop
//! A transport needs no particular event loop. This one has none at all, which
//! is enough to move bytes through any transport; a real one waits for `fd()`
//! where this one yields.
//!
//! ```
//! use std::{io, thread};
//! use ferromq_transport::{Link, LinkOptions, Transport, TransportError, Endpoint};
//!
//! /// Connects, and writes one request.
//! fn ask(transport: &dyn Transport, to: &Endpoint, request: &[u8])
//!     -> Result<Box<dyn Link>, Box<dyn std::error::Error>>
//! {
//!     let route = transport.resolve(to)?;            // may block: names
//!     let mut connecting = transport.connect(&route, &LinkOptions::default())?;
//!     let mut link = loop {
//!         // A real loop waits until connecting.fd() is writable.
//!         match connecting.poll_connected()? {
//!             Some(link) => break link,
//!             None => thread::yield_now(),
//!         }
//!     };
//!     let mut rest = request;
//!     while !rest.is_empty() {
//!         match link.write(rest) {
//!             Ok(n) => rest = &rest[n..],
//!             // A real loop waits until link.fd() is writable again.
//!             Err(e) if e.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
//!             Err(e) => return Err(e.into()),
//!         }
//!     }
//!     Ok(link)
//! }
//! ```
//!
//! # Writing a transport
//! Implement [`Transport`], [`Listener`], [`Connecting`] and [`Link`] to the
//! contract written at each, and register the transport with the context. Of the
//! two in the middle less is left with [`Accepting`] and [`Opening`]. What the grammar does not
//! know arrives as [`Address::Other`]. Then let the suite in
//! `ferromq_transport::conformance` (feature `conformance`) tell whether it keeps
//! the contract; `docs/transports.md` in the repository goes through all of it.
//!
//! # Limits
//! Unix only: waiting is for file descriptors. Links are streams: a carrier of
//! datagrams has to order and repeat them itself.

#![forbid(unsafe_code)]

#[cfg(all(feature = "conformance", target_os = "linux"))]
pub mod conformance;
#[cfg(all(feature = "joined", target_os = "linux"))]
mod duplex;
mod endpoint;
mod error;
#[cfg(all(feature = "conformance", target_os = "linux"))]
mod faulty;
#[cfg(all(feature = "joined", target_os = "linux"))]
mod joined;
mod link;
mod memory;
mod opening;
mod options;
mod transport;

#[cfg(all(feature = "joined", target_os = "linux"))]
pub use duplex::Duplex;
pub use endpoint::{Address, Endpoint, Host, IPC_NAME_MAX, IpcAddress, TcpAddress, TcpSource};
pub use error::{Cause, EndpointCause, EndpointError, Occupant, Operation, TransportError};
#[cfg(all(feature = "conformance", target_os = "linux"))]
pub use faulty::{Faults, Faulty, Random};
#[cfg(all(feature = "joined", target_os = "linux"))]
pub use joined::Joined;
pub use link::{Credentials, Link, PeerAddress, Wait};
pub use memory::{Bytes, Lender, Lent, Loan, Memory, NoMemory, Place, Source};
pub use opening::{Accepting, Opening, connecting, listening};
pub use options::{IpVersion, Keepalive, LinkOptions, LocalUsers};
pub use transport::{Connecting, Listener, Route, Transport};
