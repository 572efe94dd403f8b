//! What `ferromq proxy` is told.

use std::time::Duration;

use clap::{Args, ValueEnum};
use ferromq::SocketType;
use ferromq::status::StatusPlace;

use crate::cli::args::{PathArgs, endpoint, seconds, status_place};
use crate::cli::security::SecurityArgs;

/// Arguments of `ferromq proxy`.
#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    pub(super) frontend: FrontendArgs,
    #[command(flatten)]
    pub(super) backend: BackendArgs,
    /// What the two sides are
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t)]
    pub(super) device: Device,
    /// Type of the frontend's socket, instead of --type
    #[arg(
        long = "frontend",
        value_name = "SOCKET",
        value_enum,
        requires = "backend_type",
        conflicts_with = "device"
    )]
    pub(super) frontend_type: Option<Side>,
    /// Type of the backend's socket, instead of --type
    #[arg(
        long = "backend",
        value_name = "SOCKET",
        value_enum,
        requires = "frontend_type",
        conflicts_with = "device"
    )]
    pub(super) backend_type: Option<Side>,
    #[command(flatten)]
    pub(super) capture: CaptureArgs,
    /// Obey PAUSE, RESUME, STATISTICS and TERMINATE from REQ peers of this
    /// endpoint; repeatable. Whoever reaches it can end the proxy
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) control_bind: Vec<String>,
    /// Messages that may wait for one peer, each way; 0 is no limit [default: 1000]
    #[arg(long, value_name = "N")]
    pub(super) hwm: Option<usize>,
    /// At the end keep trying for so long to deliver what waits
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "1")]
    pub(super) linger: Duration,
    /// Show the sockets to `ferromq inspect`, where it looks for this process or
    /// at a path
    #[arg(
        long,
        value_name = "PATH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1",
        value_parser = status_place
    )]
    pub(super) status: Option<StatusPlace>,
    #[command(flatten)]
    pub(super) path: PathArgs,
    /// Tell on standard error what happens to connections
    #[arg(long, short)]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) security: SecurityArgs,
}

/// Where the frontend is.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct FrontendArgs {
    /// Let clients, publishers or task givers connect here; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) frontend_bind: Vec<String>,
    /// Connect the same side there, to a publisher or another proxy; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) frontend_connect: Vec<String>,
}

/// Where the backend is.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct BackendArgs {
    /// Let servers, subscribers or workers connect here; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) backend_bind: Vec<String>,
    /// Connect the same side there, to a server or another proxy; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) backend_connect: Vec<String>,
}

/// Where copies go.
#[derive(Debug, Args)]
pub(super) struct CaptureArgs {
    /// Offer a copy of each message here; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) capture_bind: Vec<String>,
    /// Send a copy of each message there; repeatable
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    pub(super) capture_connect: Vec<String>,
    /// Type of the socket that copies leave by. One without room, or without a
    /// peer, goes without the copy
    #[arg(long, value_name = "SOCKET", value_enum, default_value_t)]
    pub(super) capture: Capture,
}

/// A usual pair of sides.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum Device {
    /// ROUTER and DEALER: requests to servers in turn, replies to who asked
    #[default]
    Queue,
    /// XSUB and XPUB: what publishers say to who subscribed
    Forwarder,
    /// PULL and PUSH: tasks to workers in turn
    Streamer,
}

/// A socket that can be a side.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs, reason = "their names are ZeroMQ's")]
pub(super) enum Side {
    Router,
    Dealer,
    Xsub,
    Xpub,
    Sub,
    Pub,
    Pull,
    Push,
    Pair,
}

/// A socket that copies can leave by.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
#[allow(missing_docs, reason = "their names are ZeroMQ's")]
pub(super) enum Capture {
    #[default]
    Pub,
    Push,
    Dealer,
    Pair,
}

impl ProxyArgs {
    /// The types of frontend and backend.
    pub(super) fn sides(&self) -> (SocketType, SocketType) {
        if let (Some(frontend), Some(backend)) = (self.frontend_type, self.backend_type) {
            return (frontend.socket_type(), backend.socket_type());
        }
        match self.device {
            Device::Queue => (SocketType::Router, SocketType::Dealer),
            Device::Forwarder => (SocketType::XSub, SocketType::XPub),
            Device::Streamer => (SocketType::Pull, SocketType::Push),
        }
    }
}

impl Side {
    fn socket_type(self) -> SocketType {
        match self {
            Self::Router => SocketType::Router,
            Self::Dealer => SocketType::Dealer,
            Self::Xsub => SocketType::XSub,
            Self::Xpub => SocketType::XPub,
            Self::Sub => SocketType::Sub,
            Self::Pub => SocketType::Pub,
            Self::Pull => SocketType::Pull,
            Self::Push => SocketType::Push,
            Self::Pair => SocketType::Pair,
        }
    }
}

impl Capture {
    pub(super) fn socket_type(self) -> SocketType {
        match self {
            Self::Pub => SocketType::Pub,
            Self::Push => SocketType::Push,
            Self::Dealer => SocketType::Dealer,
            Self::Pair => SocketType::Pair,
        }
    }
}

impl CaptureArgs {
    pub(super) fn is_wanted(&self) -> bool {
        !(self.capture_bind.is_empty() && self.capture_connect.is_empty())
    }
}
