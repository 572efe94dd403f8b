//! What can go wrong between a question and its answer.

use ferromq_patterns::{AttachError, ReqError};
use ferromq_wire::{ConfigError, HandshakeError, ProtocolError};

/// Why there is no answer; `E` is the stream's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error<E> {
    /// The stream failed.
    Stream(E),
    /// The peer closed the connection.
    Closed,
    /// The question or the answer is longer than the room for it.
    TooLong,
    /// Our own configuration breaks a rule of ZMTP.
    Config(ConfigError),
    /// The peer did not greet us as ZMTP asks, or may not talk to a REQ.
    Handshake(HandshakeError),
    /// The peer broke the protocol or one of our limits.
    Protocol(ProtocolError),
    /// The machine has no place for the peer.
    Attach(AttachError),
    /// A question out of turn.
    Request(ReqError),
}

impl<E> From<ConfigError> for Error<E> {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl<E> From<HandshakeError> for Error<E> {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl<E> From<ProtocolError> for Error<E> {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl<E> From<AttachError> for Error<E> {
    fn from(error: AttachError) -> Self {
        Self::Attach(error)
    }
}

impl<E> From<ReqError> for Error<E> {
    fn from(error: ReqError) -> Self {
        Self::Request(error)
    }
}
