//! Whether a socket asks for a fabric, and why it may not have one.

use thiserror::Error;

/// Whether connections move to the fabric that both ends have a device on: to
/// `rdma://`, from `tcp://`. Both ends have to ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Fabric {
    /// They do not. The default, unless the environment says `MC_RPC_PROTOCOL=rdma`.
    #[default]
    Unused,
    /// They do, between machines. Those within a machine move to shared memory, as they
    /// do by default.
    BetweenMachines,
    /// They do, within a machine too, if the other end asks for it as well. This is what
    /// `MC_RPC_PROTOCOL=rdma` says.
    Preferred,
}

/// Why a connection does not move to a fabric though its socket asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FabricError {
    /// The context has no transport over one: FerroMQ was built without.
    #[error("this context has no transport over a fabric")]
    NoTransport,
    /// `FERROMQ_SWITCH=0` is in the environment.
    #[error("FERROMQ_SWITCH=0 keeps connections where they are")]
    TurnedOff,
    /// No device of this machine can be used.
    #[error("no device for {scheme}:// can be used here; see `ferromq rdma`")]
    NoDevice {
        /// The scheme of the transport.
        scheme: &'static str,
    },
    /// The peer does not ask for it, or has no device.
    #[error("the peer does not ask for {scheme}://, or has no device")]
    PeerWithout {
        /// The scheme of the transport.
        scheme: &'static str,
    },
    /// The peer's device is on another network.
    #[error("the peer's device for {scheme}:// is on another network")]
    NotShared {
        /// The scheme of the transport.
        scheme: &'static str,
    },
}

/// What the environment asks for.
pub(super) fn from_environment() -> Fabric {
    let asked = std::env::var_os("MC_RPC_PROTOCOL").is_some_and(|it| it == "rdma");
    match asked {
        true => Fabric::Preferred,
        false => Fabric::Unused,
    }
}
