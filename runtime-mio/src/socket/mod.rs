//! Sockets: what the application holds.

mod attach;
mod away;
mod configure;
mod connect;
mod core;
mod departing;
mod epoll;
mod exported;
mod groups;
mod inbound;
mod landing;
mod leaving;
mod lending;
mod loan;
mod pacing;
mod publish;
mod reading;
mod recv;
mod returns;
mod send;
mod share;
mod silence;
mod spin;
mod state;
mod together;
mod typed;
mod wait;
mod writing;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_patterns::Subscription;
use ferromq_transport::Endpoint;
use ferromq_wire::SocketType;

pub(crate) use self::attach::{Established, Unauthenticated};
pub(crate) use self::away::Turn;
pub(crate) use self::core::Core;
pub(crate) use self::returns::{GivenBack, Returns};
pub(crate) use self::send::After;
pub(crate) use self::state::{Phase, State};
pub(crate) use self::wait::Patience;
pub use loan::Loan;
pub use together::Together;
pub use typed::{
    CanJoin, CanReceive, CanSend, CanSubscribe, Channel, Client, Dealer, Dish, Gather, Kind, Pair,
    Peer, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server, Socket, Sub, XPub, XSub,
};

use crate::context::ContextInner;
use crate::hand_over::Looker;
use crate::io::Command;
use crate::memory::Landing;
use crate::security::Role;
use crate::{Error, Message, Monitor, Options, SendError, Statistics};

/// A socket of a type chosen at run time.
///
/// A handle: clones are the same socket, and the last one to go closes it. All
/// calls take `&self`, from any thread: one thread may send while another
/// receives, and whole messages of several senders never mix. A socket that
/// one thread uses costs no atomic operation a call.
///
/// Every message leaves without a further call, also when the application
/// goes away: a lone one at once, the last of a burst within about the burst's
/// length and never after more than a millisecond or so.
#[derive(Clone)]
pub struct AnySocket {
    handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
    context: Arc<ContextInner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.close(Phase::Closed);
    }
}

/// What a socket would do now without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// A receive would find a message.
    pub readable: bool,
    /// A send would find a peer with room.
    pub writable: bool,
}

impl AnySocket {
    pub(crate) fn new(core: Arc<Core>, context: Arc<ContextInner>) -> Self {
        Self {
            handle: Arc::new(Handle { core, context }),
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// The type that it was made with.
    pub fn socket_type(&self) -> SocketType {
        self.core().socket_type
    }

    // Endpoints.

    /// Accepts connections at `endpoint`; answers the real one, with the port
    /// or path where it was a wildcard (`tcp://127.0.0.1:*`, `ipc://*`).
    ///
    /// # Errors
    /// [`Error::Endpoint`], [`Error::UnknownScheme`], or [`Error::Transport`]
    /// with the system's reason; [`Error::Unauthenticated`]; [`Error::Closed`],
    /// [`Error::Terminated`].
    pub fn bind(&self, endpoint: &str) -> Result<Endpoint, Error> {
        self.core().enter().check_open()?;
        let endpoint: Endpoint = endpoint.parse()?;
        let transport = self.handle.context.transports().of(&endpoint)?;
        let options = self.core().settings.current();
        self.handle
            .context
            .check(&endpoint, &options, Role::Bound)?;
        let listener = transport.bind(&endpoint, &options.link)?;
        let real = listener.local_endpoint().clone();
        self.core().enter().in_use = true;
        self.core().warn_if_exposed(&real, &options);
        self.core().io.send(Command::Listen {
            core: self.core().clone(),
            options,
            listener,
        });
        Ok(real)
    }

    /// Connects to `endpoint`, now and whenever the connection is lost. Does
    /// not wait: the [monitor](Self::monitor) tells how it goes, names are
    /// looked up elsewhere, and messages queue meanwhile (unless `immediate`).
    ///
    /// REQ, DEALER, PUB and SUB hold one connection an endpoint: connecting
    /// twice is connecting once.
    ///
    /// # Errors
    /// [`Error::Endpoint`], [`Error::UnknownScheme`]; [`Error::Connect`] when
    /// the pattern has no room for another peer; [`Error::Unauthenticated`];
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn connect(&self, endpoint: &str) -> Result<(), Error> {
        self.connect_to(endpoint).map(|_| ())
    }

    /// Stops accepting at an endpoint as [`bind`](Self::bind) returned it.
    /// Connections that stand go on. The port is free when this returns.
    ///
    /// # Errors
    /// [`Error::NoSuchEndpoint`], [`Error::Closed`], [`Error::Terminated`].
    pub fn unbind(&self, endpoint: &str) -> Result<(), Error> {
        self.core().enter().check_open()?;
        let endpoint: Endpoint = endpoint.parse()?;
        let endpoint = endpoint.to_string();
        let (done, answer) = std::sync::mpsc::sync_channel(1);
        let command = Command::Unlisten {
            socket: self.core().id,
            endpoint: endpoint.clone(),
            done,
        };
        self.core().io.send(command);
        match answer.recv() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::NoSuchEndpoint { endpoint }),
            Err(_) => Err(Error::Terminated),
        }
    }

    /// Ends the connection to an endpoint that was connected. What waits for
    /// it is sent first, for as long as `linger` allows; then it is dropped and
    /// counted.
    ///
    /// # Errors
    /// [`Error::NoSuchEndpoint`], [`Error::Closed`], [`Error::Terminated`].
    pub fn disconnect(&self, endpoint: &str) -> Result<(), Error> {
        let endpoint: Endpoint = endpoint.parse()?;
        let endpoint = endpoint.to_string();
        match self.core().disconnect(&endpoint)? {
            true => Ok(()),
            false => Err(Error::NoSuchEndpoint { endpoint }),
        }
    }

    // Options.

    /// The options as they are now.
    pub fn options(&self) -> Options {
        (*self.core().settings.current()).clone()
    }

    /// Changes options of a socket that exists:
    /// `socket.set_options(|options| options.linger(None))`.
    ///
    /// High-water marks, byte limits, time-outs, linger, `immediate` and
    /// `pub_no_drop` hold at once, for peers that stand too; all else for what is
    /// bound or connected from now on. What decides how the pattern works
    /// (`conflate`, `req_correlate`, `req_relaxed`, `xpub_verbose`,
    /// `xpub_verboser`, `xpub_manual`, `invert_matching`) can change until the
    /// first bind, connect or subscribe. O(peers).
    ///
    /// # Errors
    /// [`Error::Option`] for a value that cannot be or comes too late, and
    /// nothing has changed; [`Error::Closed`], [`Error::Terminated`].
    pub fn set_options(&self, change: impl FnOnce(Options) -> Options) -> Result<(), Error> {
        self.core().configure(change)
    }

    // Sending.

    /// Sends a message, waiting for room within `send_timeout`. What is large
    /// is not copied: the frames are shared until written.
    ///
    /// # Errors
    /// With the message: [`Error::TimedOut`]; [`Error::State`],
    /// [`Error::HostUnreachable`], [`Error::TooFewParts`],
    /// [`Error::WrongParts`], [`Error::Group`], [`Error::Unsupported`] by type;
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_within(
            message.into(),
            Patience::of(self.core().settings.send_timeout()),
        )
    }

    /// Sends if that needs no waiting.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`Error::WouldBlock`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_within(message.into(), Patience::None)
    }

    /// Sends, waiting for room until `deadline`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_deadline(
        &self,
        message: impl Into<Message>,
        deadline: Instant,
    ) -> Result<(), SendError> {
        self.send_within(message.into(), Patience::Until(deadline))
    }

    fn send_within(&self, message: Message, patience: Patience) -> Result<(), SendError> {
        self.core()
            .send(&message, patience)
            .map_err(|error| SendError { error, message })
    }

    /// Sends a message of one frame from borrowed memory: the fastest way for
    /// small ones, which are copied once, into the link's output. Long ones are
    /// written from where they are, without a copy, while the peer takes about
    /// a gigabyte a second or more; what a slower one has not taken is copied. A
    /// time-out that ends meanwhile is exceeded by what copying would take (0.5 s a
    /// GiB) at most: the message is on its way.
    ///
    /// # Errors
    /// As [`send`](Self::send), without a message to return.
    #[inline]
    pub fn send_bytes(&self, body: &[u8]) -> Result<(), Error> {
        self.core()
            .send(body, Patience::of(self.core().settings.send_timeout()))
    }

    /// The same if that needs no waiting. What the link does not take at once is
    /// copied, however long.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes), and [`Error::WouldBlock`].
    #[inline]
    pub fn try_send_bytes(&self, body: &[u8]) -> Result<(), Error> {
        self.core().send(body, Patience::None)
    }

    /// Sends a message of several frames from borrowed memory; the last is treated as
    /// [`send_bytes`](Self::send_bytes) does its only one.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_parts(&self, parts: &[&[u8]]) -> Result<(), Error> {
        self.core()
            .send(parts, Patience::of(self.core().settings.send_timeout()))
    }

    /// The same, waiting until `deadline` instead.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_parts_deadline(&self, parts: &[&[u8]], deadline: Instant) -> Result<(), Error> {
        self.core().send(parts, Patience::Until(deadline))
    }

    /// Sends from the front of `messages` as many as need no waiting, and
    /// removes them; answers how many. They leave together.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send) if the first cannot be sent for another
    /// reason than want of room.
    pub fn send_batch(
        &self,
        messages: &mut std::collections::VecDeque<Message>,
    ) -> Result<usize, Error> {
        let _together = self.together();
        let mut sent = 0;
        while let Some(message) = messages.front() {
            match self.core().send(message, Patience::None) {
                Ok(()) => {}
                Err(Error::WouldBlock) => break,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            messages.pop_front();
            sent += 1;
        }
        Ok(sent)
    }

    /// Writes what is deferred. Never needed for a message to leave; it makes
    /// the tail of a burst leave now instead of within a millisecond.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn flush(&self) -> Result<(), Error> {
        self.core().flush().map(drop)
    }

    // Receiving.

    /// Receives the next message, waiting within `receive_timeout`. Small
    /// frames are slices of what was read, long ones were read in place.
    ///
    /// # Errors
    /// [`Error::TimedOut`]; [`Error::State`] and [`Error::Unsupported`] by
    /// type; [`Error::Closed`], [`Error::Terminated`].
    #[inline]
    pub fn recv(&self) -> Result<Message, Error> {
        self.core().receive_default()
    }

    /// Offers memory of yours for a frame that is exactly as long, and longer than
    /// 32 KiB: the next such frame whose body is not in a receive block yet is read into
    /// it, on whatever link it comes, and its [`Frame`](crate::Frame) is that memory.
    ///
    /// A block is what one read takes. While memory is offered that is 4 KiB, so that
    /// little of the body comes with the frames in front of it: that is copied, and the
    /// rest is read in place. Not in your memory is what had come before the offer (up to
    /// 128 KiB a link), and what comes over inproc or encrypted by CURVE. Whoever wants
    /// the bytes there compares addresses, and copies if need be.
    ///
    /// One offer a socket; the one before is [withdrawn](Self::withdraw_offer) and
    /// given back. O(1), one virtual call a read.
    pub fn offer(&self, landing: Landing) -> Option<Landing> {
        self.core().offer(landing)
    }

    /// Takes an [offer](Self::offer) back: what is offered still is returned. What a
    /// frame came for, or began to, and nobody has received is copied elsewhere, and
    /// nothing is written to the memory any more; it is dropped when this returns.
    /// Only a frame that was received keeps it.
    ///
    /// O(1), or O(peers) and the length of the frame if one has come for it.
    pub fn withdraw_offer(&self) -> Option<Landing> {
        self.core().withdraw()
    }

    /// Receives a message if one is there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and [`Error::WouldBlock`].
    pub fn try_recv(&self) -> Result<Message, Error> {
        self.core().receive(Patience::None)
    }

    /// Receives, waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, Error> {
        self.core().receive(Patience::of(Some(timeout)))
    }

    /// Receives, waiting until `deadline`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_deadline(&self, deadline: Instant) -> Result<Message, Error> {
        self.core().receive(Patience::Until(deadline))
    }

    /// Appends up to `max` messages to `into`, waiting for the first only;
    /// answers how many. Cheaper a message than one by one.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_batch(&self, into: &mut Vec<Message>, max: usize) -> Result<usize, Error> {
        let patience = Patience::of(self.core().settings.receive_timeout());
        self.core().receive_batch(into, max, patience)
    }

    // Topics.

    /// SUB, XSUB: receive messages whose first frame starts with `prefix`. A
    /// prefix subscribed to twice must be unsubscribed twice.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on other types, [`Error::Subscription`],
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core()
            .subscribe(Subscription::Subscribe, prefix.as_ref())
    }

    /// Takes one [`subscribe`](Self::subscribe) back. Without one, nothing.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on other types, [`Error::Closed`],
    /// [`Error::Terminated`].
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().subscribe(Subscription::Cancel, prefix.as_ref())
    }

    // Sight.

    /// Listens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.core().monitor.subscribe()
    }

    /// Counts of this moment. O(peers). It is no call of the socket: whoever only looks
    /// leaves its work to the I/O thread.
    pub fn statistics(&self) -> Statistics {
        self.core().statistics()
    }

    /// Waits until at least `count` peers are connected; false if `timeout`
    /// passed before. For a PUB, connected does not mean subscribed.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn wait_for_peers(&self, count: usize, timeout: Duration) -> Result<bool, Error> {
        self.core()
            .wait_for_peers(count, Patience::of(Some(timeout)))
    }

    /// Whether a receive or a send would wait. O(1), but may read and decode.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn readiness(&self) -> Result<Readiness, Error> {
        self.core().readiness(Looker::Call)
    }

    /// A descriptor for a user's own event loop: readable when something may
    /// have changed. Then receive until [`Error::WouldBlock`]: the descriptor
    /// tells of changes, not of messages that wait (as ZMQ_FD does). Other
    /// threads may call the socket, but whoever receives in vain has seen what
    /// the descriptor told of.
    pub fn readiness_fd(&self) -> BorrowedFd<'_> {
        self.core().export_epoll()
    }

    /// Closes the socket for all its handles: calls under way answer
    /// [`Error::Closed`], its endpoints end, and what waits is sent in the
    /// background for as long as `linger` allows.
    pub fn close(&self) {
        self.core().close(Phase::Closed);
    }
}

impl std::fmt::Debug for AnySocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnySocket({})", self.socket_type().name())
    }
}

#[cfg(test)]
mod tests;
