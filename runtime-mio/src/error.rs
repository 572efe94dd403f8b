//! What a call on a context or a socket can answer besides success.

use std::io;

use ferromq_patterns::{AttachError, GroupError};
use ferromq_transport::{EndpointError, TransportError};
use ferromq_wire::SocketType;

use crate::Message;

/// Why a call on a context, socket or poller failed.
///
/// Three families, never mixed: the caller misused the interface
/// ([`Unsupported`](Self::Unsupported), [`State`](Self::State), …), a resource
/// is full or gone ([`WouldBlock`](Self::WouldBlock), …), or the system
/// refused. What a *peer* does wrong ends its connection and is told by the
/// [monitor](crate::Monitor), never here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to receive, or no peer with room, right now.
    #[error("the operation would block")]
    WouldBlock,
    /// The deadline of the call passed.
    #[error("the operation timed out")]
    TimedOut,
    /// The socket was closed, possibly by another thread during this call.
    #[error("the socket is closed")]
    Closed,
    /// The context was terminated, possibly during this call.
    #[error("the context was terminated")]
    Terminated,
    /// This type of socket has no such operation.
    #[error("a {} socket cannot {operation}", socket_type.name())]
    Unsupported {
        /// What was asked for, as a verb.
        operation: &'static str,
        /// The type of the socket that was asked.
        socket_type: SocketType,
    },
    /// The operation is out of turn (libzmq's EFSM).
    #[error(transparent)]
    State(#[from] StateError),
    /// ROUTER with `router_mandatory`: no peer has this identity. SERVER, PEER:
    /// none has this routing id.
    #[error("no peer has the identity {}", Hex(identity))]
    HostUnreachable {
        /// The first frame of the refused message.
        identity: Vec<u8>,
    },
    /// A message needs at least one frame, for ROUTER an identity and one more.
    #[error("a message of {parts} frames is too short: {needed} are needed")]
    TooFewParts {
        /// Frames in the refused message.
        parts: usize,
        /// Frames that the operation needs.
        needed: usize,
    },
    /// CLIENT, SCATTER and CHANNEL send messages of one frame; SERVER, PEER and
    /// RADIO one behind a routing id or group (41, 48, 49, 51, 52).
    #[error("a message of {parts} frames is refused: a {} socket sends {needed}", socket_type.name())]
    WrongParts {
        /// Frames in the refused message.
        parts: usize,
        /// Frames that it must have.
        needed: usize,
        /// The type of the socket.
        socket_type: SocketType,
    },
    /// RADIO, DISH: no group can be called that (48/RADIO-DISH).
    #[error(transparent)]
    Group(#[from] GroupError),
    /// DISH: it is a member of the group, and can be so once.
    #[error("the group is joined already")]
    AlreadyJoined,
    /// DISH: it is no member of the group that it was to leave.
    #[error("the group is not joined")]
    NotJoined,
    /// An endpoint that does not parse.
    #[error(transparent)]
    Endpoint(#[from] Box<EndpointError>),
    /// The transport refused to bind or connect.
    #[error(transparent)]
    Transport(#[from] Box<TransportError>),
    /// No transport of this context serves the endpoint's scheme.
    #[error("no transport for {endpoint}: this context knows {known}")]
    UnknownScheme {
        /// The endpoint as given.
        endpoint: String,
        /// The schemes that are registered.
        known: String,
    },
    /// `unbind` or `disconnect` of an endpoint that is not in use here.
    #[error("{endpoint} is not an endpoint of this socket")]
    NoSuchEndpoint {
        /// The endpoint as given.
        endpoint: String,
    },
    /// An option whose value cannot be.
    #[error("option {option}: {reason}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What is wrong with the value.
        reason: String,
    },
    /// The context requires authentication, and the socket's options do not
    /// ask for it.
    #[error("{endpoint} is refused, for this context requires authentication: {missing}")]
    Unauthenticated {
        /// The endpoint as given.
        endpoint: String,
        /// What its options lack.
        missing: &'static str,
    },
    /// A subscription that cannot be made.
    #[error("cannot subscribe: {cause}")]
    Subscription {
        /// What limit it meets.
        cause: String,
    },
    /// The pattern has no room for another peer.
    #[error("cannot connect to {endpoint}: {cause}")]
    Connect {
        /// The endpoint as given.
        endpoint: String,
        /// Why.
        #[source]
        cause: AttachError,
    },
    /// The system refused a descriptor or a thread.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
}

/// An operation out of turn on a REQ or REP socket (28/REQREP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// REQ: a request is on its way and its reply was not received.
    #[error("this REQ socket awaits a reply: receive it before sending again")]
    AwaitingReply,
    /// REQ: nothing was asked.
    #[error("this REQ socket has sent no request: send before receiving")]
    NoRequestSent,
    /// REQ: the peer that was asked is gone for good.
    #[error("the peer that this REQ socket asked is gone: send again")]
    ReplierGone,
    /// REP: there is no request to answer.
    #[error("this REP socket holds no request: receive before sending")]
    NoRequestReceived,
    /// REP: a request was received and not answered.
    #[error("this REP socket holds an unanswered request: send the reply first")]
    ReplyPending,
}

/// A send that did not happen, with the message that was not sent.
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct SendError {
    /// Why.
    #[source]
    pub error: Error,
    /// The message, untouched.
    pub message: Message,
}

impl std::fmt::Debug for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendError")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl From<SendError> for Error {
    fn from(refused: SendError) -> Self {
        refused.error
    }
}

impl From<EndpointError> for Error {
    fn from(cause: EndpointError) -> Self {
        Self::Endpoint(Box::new(cause))
    }
}

impl From<TransportError> for Error {
    fn from(cause: TransportError) -> Self {
        Self::Transport(Box::new(cause))
    }
}

impl Error {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}

/// Bytes as hexadecimal digits, for identities in messages.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
