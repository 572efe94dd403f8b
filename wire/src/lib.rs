//! ZMTP 3.1 as a sans-IO codec.
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
mod error;
mod frame;
mod greeting;
mod heartbeat;
mod instant;
mod limits;
mod mechanism;
mod metadata;
mod offer;
mod receiver;
mod scratch;
mod socket_type;
mod transmitter;
mod version;

pub use command::{Command, Subscription};
pub use config::Config;
pub use connection::{Connection, Peer, Status};
pub use error::{ConfigError, HandshakeError, ProtocolError};
pub use frame::{FRAME_OVERHEAD, FrameFlags, FrameHeader, Header, Trailer, peek_header};
pub use greeting::MechanismName;
pub use heartbeat::{HeartbeatAction, HeartbeatConfig, Heartbeats, PongContext};
pub use instant::Instant;
pub use limits::Limits;
pub use mechanism::{
    Credentials, Decision, Mechanism, Null, Outbox, PlainClient, PlainServer, Protection, Role,
    Security, Step,
};
pub use metadata::Properties;
pub use offer::{Features, Offer};
pub use receiver::{Event, Progress, Receiver};
pub use scratch::Scratch;
pub use socket_type::SocketType;
pub use transmitter::Transmitter;
pub use version::Version;
