//! `tcp://` and `ipc://` for FerroMQ: links over the kernel's stream sockets.
//!
//! ```text
//!                      ferromq-transport: Transport, Listener, Connecting, Link
//!                            ▲                               ▲
//!             ┌──────────────┴──────────────┐ ┌──────────────┴──────────────┐
//!             │ Tcp                         │ │ Ipc                         │
//!             │ resolve   names, interfaces │ │ file    claims and removes  │
//!             │ connect   each address      │ │         socket files        │
//!             │ listen    wildcard ports    │ │ users   who may connect     │
//!             └──────────────┬──────────────┘ └──────────────┬──────────────┘
//!                            └───────────┬───────────────────┘
//!                       link: recv, recvmsg, send, sendmsg without blocking
//!                                        │
//!                       sys: what differs between systems or is `unsafe`
//! ```
//!
//! [`Tcp`] and [`Ipc`] keep no state: sockets belong to the listeners and links
//! that they make. Endpoints are those of [`ferromq_transport::Endpoint`].
//!
//! # The run loop
//! A listener, a connection and a byte from one to the other. A real loop sleeps
//! until the `fd()` at hand is ready; this one tries again.
//!
//! ```
//! use std::{io, thread};
//! use ferromq_transport::{Link, LinkOptions, Transport};
//! use ferromq_transport_tcp::Tcp;
//!
//! let options = LinkOptions::default();
//! let mut listener = Tcp.bind(&"tcp://127.0.0.1:*".parse()?, &options)?;
//!
//! // The real port instead of the wildcard: what others connect to.
//! let route = Tcp.resolve(listener.local_endpoint())?;
//! let mut connecting = Tcp.connect(&route, &options)?;
//! let mut client = loop {
//!     match connecting.poll_connected()? {
//!         Some(link) => break link,
//!         None => thread::yield_now(),
//!     }
//! };
//! let mut server = loop {
//!     match listener.accept()? {
//!         Some(link) => break link,
//!         None => thread::yield_now(),
//!     }
//! };
//!
//! client.write(b"x")?;
//! let mut buf = [0; 8];
//! let n = loop {
//!     match server.read(&mut buf) {
//!         Err(e) if e.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
//!         other => break other?,
//!     }
//! };
//! assert_eq!(&buf[..n], b"x");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! Linux first; macOS compiles, without abstract names, without the hint for
//! spinning, and with two calls instead of one to accept. A vectored call takes
//! the first 1,024 buffers. Nothing here sets timers: deadlines for connections
//! are the runtime's ([`Connecting::timed_out`]).
//!
//! [`Connecting::timed_out`]: ferromq_transport::Connecting::timed_out

#![deny(unsafe_code)]

mod accept;
mod ipc;
mod link;
mod options;
// The one module that talks to the system directly.
#[allow(unsafe_code)]
mod sys;
mod tcp;

pub use ipc::Ipc;
pub use tcp::Tcp;
