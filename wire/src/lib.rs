//! ZMTP 3.1 as a sans-IO codec: bytes in, bytes out, nothing else.
//!
//! This crate knows what ZeroMQ peers say to each other on a connection:
//! greeting, security handshake, metadata, frames, commands, heartbeats, and
//! the extensions that two FerroMQ peers agree on. It opens no socket, reads
//! no clock, allocates nothing and has no `unsafe`; whoever embeds it moves the
//! bytes and tells the time. `docs/PROTOCOL.md` is the text that it implements.
//!
//! ```text
//!            handshake                                      traffic
//!  ┌────────────────────────────┐   establish   ┌──────────────────────────────┐
//!  │ Connection<M: Mechanism>   │ ────────────▶ │ Receiver      Transmitter    │
//!  │  greeting ▸ commands ▸     │               │  bytes ▸       frame, header,│
//!  │  metadata ▸ established    │               │  Event + range  command      │
//!  └─────────────┬──────────────┘               └──────────────────────────────┘
//!                │ borrows                         Heartbeats: when to ask, what
//!           Scratch (8 KiB), one                   to answer, when to give up
//!           for many connections
//! ```
//!
//! The two halves share nothing, so that one thread may send while another
//! receives. Neither holds a payload: the receiver gives back ranges of the
//! caller's buffer, the transmitter writes into the caller's buffer or says
//! which few bytes go around a body that stays where it is.
//!
//! # The run loop
//!
//! ```
//! use ferromq_wire::*;
//! use std::io::{Read, Write};
//! # use std::{collections::VecDeque, io};
//! # /// A peer that has already sent everything.
//! # struct Stream { input: VecDeque<u8>, output: Vec<u8> }
//! # impl Read for Stream {
//! #     fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> { self.input.read(buf) }
//! # }
//! # impl Write for Stream {
//! #     fn write(&mut self, buf: &[u8]) -> io::Result<usize> { self.output.write(buf) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # fn stream() -> Stream {
//! #     let mut input = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 1];
//! #     input.extend(b"NULL");
//! #     input.resize(64, 0);
//! #     input.extend(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH");
//! #     input.extend(b"\x00\x05hello");
//! #     Stream { input: input.into(), output: vec![] }
//! # }
//! # let mut stream = stream();
//! # let now = || Instant::from_nanos(0);
//! # let mut received = Vec::new();
//! let mut scratch = Scratch::new();
//! let config = Config::new(SocketType::Pull);
//! let mut connection = Connection::new(&config, Null, &mut scratch, now())?;
//! let mut buffer = [0; 64 * 1024];
//! let mut filled = 0; // bytes in `buffer` that are not decoded yet
//!
//! // The handshake. (On a non-blocking stream, wait until poll_timeout.)
//! loop {
//!     let written = stream.write(connection.poll_output(&scratch))?;
//!     connection.output_written(&mut scratch, written);
//!     if connection.status() == Status::Established {
//!         break;
//!     }
//!     connection.handle_timeout(now())?;
//!     match stream.read(&mut buffer[filled..])? {
//!         0 => return Err("the peer closed".into()),
//!         n => filled += n,
//!     }
//!     let consumed = connection.handle_input(&mut buffer[..filled], &mut scratch)?;
//!     buffer.copy_within(consumed..filled, 0);
//!     filled -= consumed;
//! }
//! let (mut receiver, mut transmitter) = connection
//!     .establish(Limits::default(), 16 * 1024)
//!     .ok_or("not established")?;
//!
//! // The traffic. What was read behind the handshake is decoded first.
//! loop {
//!     let progress = receiver.handle_input(&mut buffer[..filled])?;
//!     match progress.event {
//!         Some(Event::Frame { more, body }) => {
//!             println!("{} bytes, more: {more}", body.len());
//! #           received.extend_from_slice(&buffer[body]);
//!         }
//!         Some(Event::Body { len, .. }) => println!("{len} bytes: read them elsewhere"),
//!         Some(Event::Ping { context, .. }) => {
//!             let pong = Command::Pong { context: &buffer[context] };
//!             let mut out = [0; 64];
//!             let len = transmitter.command(pong, &mut out).unwrap_or(0);
//!             stream.write_all(&out[..len])?;
//!         }
//!         Some(_) => {} // subscriptions, PONG
//!         None => {
//!             buffer.copy_within(progress.consumed..filled, 0);
//!             filled -= progress.consumed;
//!             match stream.read(&mut buffer[filled..])? {
//!                 0 => break,
//!                 n => filled += n,
//!             }
//!             continue;
//!         }
//!     }
//!     buffer.copy_within(progress.consumed..filled, 0);
//!     filled -= progress.consumed;
//! }
//! # assert_eq!(received, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! Everything that a peer sends is bounded before it is waited for: greetings
//! at the first bad byte, handshakes by one deadline, handshake commands at
//! 4,353 bytes, metadata at 4 KiB and 32 properties, traffic by [`Limits`],
//! commands in traffic by the caller's buffer, ignored commands at 16. No
//! input panics; the crate denies the lints that would let it.
//!
//! # Features
//!
//! `std` lets the checksums find the CPU's SIMD instructions at run time (about
//! 20 times faster), and does nothing else.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod checksum;
mod command;
mod config;
mod connection;
mod curve;
mod error;
mod event;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod greeting;
mod heartbeat;
mod instant;
mod limits;
mod mechanism;
mod metadata;
mod offer;
mod receiver;
mod reference;
mod scratch;
mod socket_type;
mod switch;
mod tensor;
mod transmitter;
mod version;

pub use command::{Command, Subscription};
pub use config::Config;
pub use connection::{Connection, Peer, Status};
pub use curve::{
    Crypto, CurveClient, CurveServer, Forged, KeyError, Opened, Opener, Opening, PublicKey, Sealer,
    SecretKey, Session, SharedKey,
};
pub use error::{ConfigError, HandshakeError, ProtocolError};
pub use event::{Event, Progress};
pub use frame::{FRAME_OVERHEAD, FrameFlags, FrameHeader, Header, Trailer, peek_header};
pub use greeting::MechanismName;
pub use heartbeat::{HeartbeatAction, HeartbeatConfig, Heartbeats, PongContext};
pub use instant::Instant;
pub use limits::Limits;
pub use mechanism::{
    Credentials, Decision, Mechanism, NoCrypto, Null, NullServer, Outbox, PlainClient, PlainServer,
    Protection, Role, Security, Step,
};
pub use metadata::Properties;
pub use offer::{Features, Offer};
pub use receiver::Receiver;
pub use reference::Reference;
pub use scratch::Scratch;
pub use socket_type::SocketType;
pub use switch::{
    Introduction, SWITCH_PROOF, Switch, SwitchAction, SwitchError, SwitchOutcome, SwitchReason,
    SwitchSide, SwitchWay,
};
pub use tensor::{
    TENSOR_MAGIC, TENSOR_MAX_DIMENSIONS, TensorError, TensorFlags, TensorHeader, TensorType,
    TensorView, tensor_checksum,
};
pub use transmitter::Transmitter;
pub use version::Version;
