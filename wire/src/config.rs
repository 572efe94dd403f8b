//! What a connection is told about its own side.

use crate::{Offer, SocketType};
use core::time::Duration;

/// Our side of a handshake. Borrowed by [`Connection::new`](crate::Connection::new) only.
///
/// ```
/// use ferromq_wire::{Config, Features, Offer, SocketType};
///
/// let config = Config {
///     identity: b"worker-7",
///     properties: &[("X-Region", b"south")],
///     offer: Some(Offer::new(Features::CRC)),
///     ..Config::new(SocketType::Dealer)
/// };
/// # assert_eq!(config.handshake_timeout.as_secs(), 10);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// Our socket type; decides which peers are taken.
    pub socket_type: SocketType,
    /// Our identity, up to 255 bytes, not starting with zero. Sent by REQ,
    /// DEALER and ROUTER, even when empty; by no other type.
    pub identity: &'a [u8],
    /// Further properties, sent in this order. ZeroMQ asks applications to
    /// start their names with `X-`.
    pub properties: &'a [(&'a str, &'a [u8])],
    /// The extensions that we offer; `None` sends no `X-FerroMQ` property.
    pub offer: Option<Offer>,
    /// How long the whole handshake may take, from `Connection::new` to the
    /// last byte written. Default 10 s; `Duration::MAX` waits for ever.
    pub handshake_timeout: Duration,
}

impl<'a> Config<'a> {
    /// A socket without identity, properties or offer, and 10 s to shake hands.
    #[must_use]
    pub const fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            identity: &[],
            properties: &[],
            offer: None,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}
