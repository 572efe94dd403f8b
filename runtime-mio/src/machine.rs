//! One socket's pattern, chosen at run time.
//!
//! An enum and not a trait object: the compiler sees through it, and a frame
//! costs a jump instead of a call.

mod routing;
mod topics;

use ferromq_patterns::{
    Accept, AttachError, Bucket, Correlation, Dealer, IdentitySlot, MAX_IDENTITY_LEN, Matching,
    Named, Pair, Pattern, Payload, Peer, PeerId, Pull, Push, Rep, Replier, Req, ReqEnvelope,
    ReqError, Requester, Resend, Router, Seed, Server,
};
use ferromq_wire::SocketType;

use crate::error::StateError;
use crate::io::random;
use crate::statistics::DropCause;
use crate::storage::Chunks;
use crate::{Error, Frame, Options};

/// Peers of one socket.
const PEERS: usize = 1 << 20;

type Table<T = ()> = Chunks<Peer<T>>;
type RouterMachine = Router<Table<Named>, Chunks<IdentitySlot>, Chunks<Bucket>>;
type ServerMachine = Server<Table<Named>, Chunks<Bucket>>;

/// The state machine of a socket.
pub(crate) enum Machine {
    Pair(Pair),
    Push(Push<Table>),
    Pull(Pull<Table>),
    Dealer(Dealer<Table>),
    Router {
        router: RouterMachine,
        mandatory: bool,
    },
    Req(Req<Table<Replier>>),
    Rep(Rep<Table<Requester>>),
    Pub(topics::PubMachine),
    XPub(topics::XPubMachine),
    Sub(topics::SubMachine),
    XSub(topics::XSubMachine),
    // The drafts: the same machines, with a parameter where they differ.
    Scatter(Push<Table>),
    Gather(Pull<Table>),
    Client(Dealer<Table>),
    Channel(Pair),
    Server(ServerMachine),
    Peer(ServerMachine),
    Radio(topics::PubMachine),
    Dish(topics::SubMachine),
}

/// Where a message goes.
pub(crate) enum Route {
    /// To this peer, without its first frame.
    Skip(PeerId),
    /// To this peer, behind the request's envelope.
    Request {
        peer: PeerId,
        envelope: ReqEnvelope,
        abandoned: Option<PeerId>,
    },
    /// To this peer, behind the envelope that its pipe keeps.
    Reply(PeerId),
    /// To everybody whose subscription matches.
    Subscribers,
    /// XSUB: it may be a subscription.
    Upstream,
    /// To nobody: it is dropped, and counted.
    Nobody(DropCause),
}

/// Does the same to whichever machine it is.
macro_rules! each {
    ($machine:expr, $it:ident => $body:expr) => {
        match $machine {
            Machine::Pair($it) | Machine::Channel($it) => $body,
            Machine::Push($it) | Machine::Scatter($it) => $body,
            Machine::Pull($it) | Machine::Gather($it) => $body,
            Machine::Dealer($it) | Machine::Client($it) => $body,
            Machine::Router { router: $it, .. } => $body,
            Machine::Server($it) | Machine::Peer($it) => $body,
            Machine::Req($it) => $body,
            Machine::Rep($it) => $body,
            Machine::Pub($it) | Machine::Radio($it) => $body,
            Machine::XPub($it) => $body,
            Machine::Sub($it) | Machine::Dish($it) => $body,
            Machine::XSub($it) => $body,
        }
    };
}

impl Machine {
    /// The machine of a socket type.
    pub(crate) fn new(socket_type: SocketType, options: &Options) -> Self {
        match socket_type {
            SocketType::Pair => Self::Pair(Pair::new()),
            SocketType::Push => Self::Push(Push::new(Table::with_limit(PEERS))),
            SocketType::Pull => Self::Pull(Pull::new(Table::with_limit(PEERS))),
            SocketType::Dealer => Self::Dealer(Dealer::new(Table::with_limit(PEERS))),
            SocketType::Router => Self::Router {
                router: Router::new(
                    Chunks::with_limit(PEERS),
                    Chunks::with_limit(PEERS * 10),
                    Chunks::with_limit(PEERS * 2),
                    seed(),
                ),
                mandatory: options.router_mandatory,
            },
            SocketType::Req => Self::Req(requester(options)),
            SocketType::Rep => Self::Rep(Rep::new(Chunks::with_limit(PEERS))),
            SocketType::Pub => Self::Pub(topics::publisher(topics::matching(options), options)),
            SocketType::XPub => Self::XPub(topics::shown_publisher(options)),
            SocketType::Sub => Self::Sub(topics::subscriber(topics::matching(options))),
            SocketType::XSub => Self::XSub(topics::shown_subscriber()),
            SocketType::Scatter => Self::Scatter(Push::new(Table::with_limit(PEERS))),
            SocketType::Gather => Self::Gather(Pull::gather(Table::with_limit(PEERS))),
            SocketType::Client => Self::Client(Dealer::client(Table::with_limit(PEERS))),
            SocketType::Channel => Self::Channel(Pair::channel()),
            SocketType::Server => Self::Server(server()),
            SocketType::Peer => Self::Peer(server()),
            SocketType::Radio => Self::Radio(topics::publisher(Matching::Exact, options)),
            SocketType::Dish => Self::Dish(topics::subscriber(Matching::Exact)),
        }
    }

    /// ROUTER: whether an unknown identity is an error.
    pub(crate) fn set_mandatory(&mut self, on: bool) {
        if let Self::Router { mandatory, .. } = self {
            *mandatory = on;
        }
    }

    /// The type that it was made for.
    pub(crate) fn socket_type(&self) -> SocketType {
        match self {
            Self::Pair(_) => SocketType::Pair,
            Self::Push(_) => SocketType::Push,
            Self::Pull(_) => SocketType::Pull,
            Self::Dealer(_) => SocketType::Dealer,
            Self::Router { .. } => SocketType::Router,
            Self::Req(_) => SocketType::Req,
            Self::Rep(_) => SocketType::Rep,
            Self::Pub(_) => SocketType::Pub,
            Self::XPub(_) => SocketType::XPub,
            Self::Sub(_) => SocketType::Sub,
            Self::XSub(_) => SocketType::XSub,
            Self::Scatter(_) => SocketType::Scatter,
            Self::Gather(_) => SocketType::Gather,
            Self::Client(_) => SocketType::Client,
            Self::Channel(_) => SocketType::Channel,
            Self::Server(_) => SocketType::Server,
            Self::Peer(_) => SocketType::Peer,
            Self::Radio(_) => SocketType::Radio,
            Self::Dish(_) => SocketType::Dish,
        }
    }

    // What every pattern has.

    #[inline]
    pub(crate) fn next(&self) -> Option<PeerId> {
        each!(self, machine => machine.next())
    }

    #[inline]
    pub(crate) fn delivered(&mut self, id: PeerId) {
        each!(self, machine => machine.delivered(id));
        if let Self::XPub(machine) = self {
            // Manual mode applies to whoever was heard last.
            machine.set_last(id);
        }
    }

    #[inline]
    pub(crate) fn accept(&mut self, id: PeerId, frame: &Frame, more: bool) -> Accept {
        each!(self, machine => machine.accept(id, frame, more))
    }

    /// Whether a message of this one frame is for the application as it is, so
    /// that it needs no further look.
    #[inline]
    pub(crate) fn takes_single(&self, body: &[u8]) -> bool {
        match self {
            Self::Pull(_)
            | Self::Dealer(_)
            | Self::Pair(_)
            | Self::Gather(_)
            | Self::Client(_)
            | Self::Channel(_) => true,
            Self::Sub(machine) => machine.takes_single(body),
            _ => false,
        }
    }

    /// Whether it ever takes a message as one short frame; others need not try.
    #[inline]
    pub(crate) fn takes_short(&self) -> bool {
        let by_frame = matches!(
            self,
            Self::Router { .. }
                | Self::Server(_)
                | Self::Peer(_)
                | Self::XPub(_)
                | Self::XSub(_)
                | Self::Dish(_)
        );
        self.receives() && !by_frame
    }

    /// Takes an empty frame and the one that ends the message, if they are a plain
    /// request or reply; false if they need a look each.
    #[inline]
    pub(crate) fn accept_delimited(&mut self, id: PeerId) -> bool {
        match self {
            Self::Req(machine) => machine.accept_delimited(id),
            Self::Rep(machine) => machine.accept_delimited(id),
            _ => false,
        }
    }

    pub(crate) fn peer_attached(&mut self, identity: &[u8]) -> Result<PeerId, AttachError> {
        each!(self, machine => machine.peer_attached(identity))
    }

    pub(crate) fn peer_detached(&mut self, id: PeerId) {
        each!(self, machine => machine.peer_detached(id));
    }

    pub(crate) fn link_lost(&mut self, id: PeerId) {
        each!(self, machine => machine.link_lost(id));
    }

    pub(crate) fn peer_readable(&mut self, id: PeerId) {
        each!(self, machine => machine.peer_readable(id));
    }

    pub(crate) fn peer_drained(&mut self, id: PeerId) {
        each!(self, machine => machine.peer_drained(id));
    }

    pub(crate) fn peer_full(&mut self, id: PeerId) {
        each!(self, machine => machine.peer_full(id));
    }

    pub(crate) fn peer_has_room(&mut self, id: PeerId) {
        each!(self, machine => machine.peer_has_room(id));
    }

    // Receiving.

    /// Whether receiving is in turn, and something this type does.
    pub(crate) fn check_receive(&self) -> Result<(), Error> {
        match self {
            _ if !self.receives() => Err(unsupported("receive", self.socket_type())),
            Self::Rep(machine) => machine
                .check_receive()
                .map_err(|_| StateError::ReplyPending.into()),
            Self::Req(machine) => match machine.check_receive() {
                Ok(()) => Ok(()),
                Err(ReqError::PeerGone) => Err(StateError::ReplierGone.into()),
                Err(_) => Err(StateError::NoRequestSent.into()),
            },
            _ => Ok(()),
        }
    }

    /// REQ, about to ask: whatever its peers sent before is refused when it is
    /// read now, and would be taken for the reply later.
    pub(crate) fn forgets_before_asking(&self) -> bool {
        matches!(self, Self::Req(machine) if machine.may_send() && machine.check_receive().is_err())
    }

    /// Whether its application receives.
    pub(crate) fn receives(&self) -> bool {
        !matches!(
            self,
            Self::Push(_) | Self::Pub(_) | Self::Scatter(_) | Self::Radio(_)
        )
    }

    /// Whether what peers send is acted upon without a receive call.
    pub(crate) fn reads_eagerly(&self) -> bool {
        !self.receives() || self.shows_subscriptions()
    }

    /// Whether the application sees who subscribes.
    #[inline]
    pub(crate) fn shows_subscriptions(&self) -> bool {
        matches!(self, Self::XPub(_))
    }

    /// REP: the frames in front of the delimiter wait for the reply.
    #[inline]
    pub(crate) fn keeps_envelopes(&self) -> bool {
        matches!(self, Self::Rep(_))
    }

    // ROUTER, SERVER, PEER.

    /// Whether peers are told apart by the identity that they announce.
    pub(crate) fn needs_identity(&self) -> bool {
        matches!(self, Self::Router { .. })
    }

    /// The frame that names a peer to the application.
    pub(crate) fn identity(&self, id: PeerId) -> Option<Frame> {
        let mut out = [0; MAX_IDENTITY_LEN];
        let name = match self {
            Self::Router { router, .. } => router.identity(id, &mut out),
            Self::Server(server) | Self::Peer(server) => server.identity(id, &mut out),
            _ => None,
        };
        name.map(Frame::from)
    }

    /// Whether `probe_router` means anything.
    pub(crate) fn probes_routers(&self) -> bool {
        matches!(self, Self::Router { .. } | Self::Req(_) | Self::Dealer(_))
    }
}

fn requester(options: &Options) -> Req<Table<Replier>> {
    let correlation = if options.req_correlate {
        Correlation::On
    } else {
        Correlation::Off
    };
    let resend = if options.req_relaxed {
        Resend::Relaxed
    } else {
        Resend::Strict
    };
    let table = Chunks::with_limit(PEERS);
    Req::new(table, correlation, resend, random() as u32)
}

fn server() -> ServerMachine {
    let (peers, buckets) = (Chunks::with_limit(PEERS), Chunks::with_limit(PEERS * 2));
    Router::server(peers, buckets, seed())
}

fn unsupported(operation: &'static str, socket_type: SocketType) -> Error {
    Error::Unsupported {
        operation,
        socket_type,
    }
}

fn seed() -> Seed {
    Seed::new(random(), random())
}

impl Payload for Frame {
    #[inline]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    #[inline]
    fn head(&self) -> &[u8] {
        self
    }
}
