//! Sockets whose type is known to the compiler: `send` on a SUB is an error
//! before the program runs.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use ferromq_wire::SocketType;

use super::{AnySocket, Loan};
use crate::{Error, Message, SendError};

mod sealed {
    pub trait Sealed {}
}

/// A socket type as a Rust type.
pub trait Kind: sealed::Sealed {
    /// The same as a value.
    const SOCKET_TYPE: SocketType;
}

/// The types that send.
pub trait CanSend: Kind {}

/// The types that receive.
pub trait CanReceive: Kind {}

/// The types that subscribe to topics.
pub trait CanSubscribe: Kind {}

/// The types that join groups.
pub trait CanJoin: Kind {}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $($can:ident)+;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl Kind for $name {
            const SOCKET_TYPE: SocketType = SocketType::$name;
        }
        $(impl $can for $name {})+
    )*};
}

kinds! {
    /// Exactly one peer, both ways (31/EXPAIR).
    Pair: CanSend CanReceive;
    /// Sends to whoever subscribed (29/PUBSUB).
    Pub: CanSend;
    /// Receives what it subscribed to (29/PUBSUB).
    Sub: CanReceive CanSubscribe;
    /// PUB that receives subscriptions as messages (29/PUBSUB).
    XPub: CanSend CanReceive;
    /// SUB that may send subscriptions as messages (29/PUBSUB).
    XSub: CanSend CanReceive CanSubscribe;
    /// Asks and waits for the reply (28/REQREP).
    Req: CanSend CanReceive;
    /// Answers one request at a time (28/REQREP).
    Rep: CanSend CanReceive;
    /// Sends in turn, receives in turn (28/REQREP).
    Dealer: CanSend CanReceive;
    /// Sends by identity (28/REQREP).
    Router: CanSend CanReceive;
    /// Sends in turn (30/PIPELINE).
    Push: CanSend;
    /// Receives in turn (30/PIPELINE).
    Pull: CanReceive;
    /// DEALER for messages of one frame (41/CLISRV).
    Client: CanSend CanReceive;
    /// Sends by routing id: a message is four bytes that name the peer, as it
    /// was received from it, and one more frame (41/CLISRV).
    Server: CanSend CanReceive;
    /// SERVER to its own kind, which may connect (51/P2P).
    Peer: CanSend CanReceive;
    /// PUSH for messages of one frame (49/SCATTERGATHER).
    Scatter: CanSend;
    /// PULL for messages of one frame (49/SCATTERGATHER).
    Gather: CanReceive;
    /// Sends to a group, which is its messages' first frame (48/RADIO-DISH).
    Radio: CanSend;
    /// Receives what goes to the groups that it joined (48/RADIO-DISH).
    Dish: CanReceive CanJoin;
    /// PAIR for messages of one frame (52/CHANNEL).
    Channel: CanSend CanReceive;
}

/// A socket of the type `K`: a view of an [`AnySocket`] that has only the
/// calls that this type knows.
///
/// ```compile_fail
/// # fn example(subscriber: ferromq_mio::Socket<ferromq_mio::Sub>) {
/// subscriber.send("a SUB does not send");
/// # }
/// ```
pub struct Socket<K> {
    socket: AnySocket,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Socket<K> {
    /// Another handle to the same socket.
    fn clone(&self) -> Self {
        Self {
            socket: self.socket.clone(),
            kind: PhantomData,
        }
    }
}

impl<K> std::fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Socket({})", self.socket.socket_type().name())
    }
}

impl<K: Kind> TryFrom<AnySocket> for Socket<K> {
    type Error = AnySocket;

    /// The view, if the socket is of this type; else the socket back.
    fn try_from(socket: AnySocket) -> Result<Self, AnySocket> {
        match socket.socket_type() == K::SOCKET_TYPE {
            true => Ok(Self {
                socket,
                kind: PhantomData,
            }),
            false => Err(socket),
        }
    }
}

impl<K> From<Socket<K>> for AnySocket {
    fn from(socket: Socket<K>) -> Self {
        socket.socket
    }
}

impl<K> AsRef<AnySocket> for Socket<K> {
    fn as_ref(&self) -> &AnySocket {
        &self.socket
    }
}

impl AsRef<AnySocket> for AnySocket {
    fn as_ref(&self) -> &AnySocket {
        self
    }
}

/// Forwards calls to the [`AnySocket`], whose documentation is theirs.
macro_rules! forward {
    ($($(#[$doc:meta])* fn $name:ident$(<$p:ident: $b:path>)?(&self $(, $arg:ident: $type:ty)*) $(-> $out:ty)?;)*) => {
        $($(#[$doc])*
        #[inline]
        pub fn $name$(<$p: $b>)?(&self $(, $arg: $type)*) $(-> $out)? {
            self.socket.$name($($arg),*)
        })*
    };
}

impl<K> Socket<K> {
    pub(crate) fn of(socket: AnySocket) -> Self {
        Self {
            socket,
            kind: PhantomData,
        }
    }

    forward! {
        /// See [`AnySocket::bind`].
        fn bind(&self, endpoint: &str) -> Result<ferromq_transport::Endpoint, Error>;
        /// See [`AnySocket::connect`].
        fn connect(&self, endpoint: &str) -> Result<(), Error>;
        /// See [`AnySocket::unbind`].
        fn unbind(&self, endpoint: &str) -> Result<(), Error>;
        /// See [`AnySocket::disconnect`].
        fn disconnect(&self, endpoint: &str) -> Result<(), Error>;
        /// See [`AnySocket::monitor`].
        fn monitor(&self) -> crate::Monitor;
        /// See [`AnySocket::statistics`].
        fn statistics(&self) -> crate::Statistics;
        /// See [`AnySocket::wait_for_peers`].
        fn wait_for_peers(&self, count: usize, timeout: Duration) -> Result<bool, Error>;
        /// See [`AnySocket::readiness`].
        fn readiness(&self) -> Result<super::Readiness, Error>;
        /// See [`AnySocket::readiness_fd`].
        fn readiness_fd(&self) -> std::os::fd::BorrowedFd<'_>;
        /// See [`AnySocket::close`].
        fn close(&self);
    }
}

impl<K: CanSend> Socket<K> {
    forward! {
        /// See [`AnySocket::send`].
        fn send<M: Into<Message>>(&self, message: M) -> Result<(), SendError>;
        /// See [`AnySocket::try_send`].
        fn try_send<M: Into<Message>>(&self, message: M) -> Result<(), SendError>;
        /// See [`AnySocket::send_deadline`].
        fn send_deadline<M: Into<Message>>(&self, message: M, deadline: Instant) -> Result<(), SendError>;
        /// See [`AnySocket::send_bytes`].
        fn send_bytes(&self, body: &[u8]) -> Result<(), Error>;
        /// See [`AnySocket::try_send_bytes`].
        fn try_send_bytes(&self, body: &[u8]) -> Result<(), Error>;
        /// See [`AnySocket::send_parts`].
        fn send_parts(&self, parts: &[&[u8]]) -> Result<(), Error>;
        /// See [`AnySocket::send_parts_deadline`].
        fn send_parts_deadline(&self, parts: &[&[u8]], deadline: Instant) -> Result<(), Error>;
        /// See [`AnySocket::send_batch`].
        fn send_batch(&self, messages: &mut VecDeque<Message>) -> Result<usize, Error>;
        /// See [`AnySocket::loan`].
        fn loan(&self, len: usize) -> Result<Loan, Error>;
        /// See [`AnySocket::flush`].
        fn flush(&self) -> Result<(), Error>;
    }
}

impl<K: CanReceive> Socket<K> {
    forward! {
        /// See [`AnySocket::recv`].
        fn recv(&self) -> Result<Message, Error>;
        /// See [`AnySocket::try_recv`].
        fn try_recv(&self) -> Result<Message, Error>;
        /// See [`AnySocket::recv_timeout`].
        fn recv_timeout(&self, timeout: Duration) -> Result<Message, Error>;
        /// See [`AnySocket::recv_deadline`].
        fn recv_deadline(&self, deadline: Instant) -> Result<Message, Error>;
        /// See [`AnySocket::recv_batch`].
        fn recv_batch(&self, into: &mut Vec<Message>, max: usize) -> Result<usize, Error>;
    }
}

impl<K: CanSubscribe> Socket<K> {
    forward! {
        /// See [`AnySocket::subscribe`].
        fn subscribe<P: AsRef<[u8]>>(&self, prefix: P) -> Result<(), Error>;
        /// See [`AnySocket::unsubscribe`].
        fn unsubscribe<P: AsRef<[u8]>>(&self, prefix: P) -> Result<(), Error>;
    }
}

impl<K: CanJoin> Socket<K> {
    forward! {
        /// See [`AnySocket::join`].
        fn join<G: AsRef<[u8]>>(&self, group: G) -> Result<(), Error>;
        /// See [`AnySocket::leave`].
        fn leave<G: AsRef<[u8]>>(&self, group: G) -> Result<(), Error>;
    }
}

impl Socket<Peer> {
    forward! {
        /// See [`AnySocket::connect_peer`].
        fn connect_peer(&self, endpoint: &str) -> Result<u32, Error>;
    }
}
