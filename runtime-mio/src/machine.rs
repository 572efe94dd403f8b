//! One socket's pattern, chosen at run time.
//!
//! An enum and not a trait object: the compiler sees through it, and a frame
//! costs a jump instead of a call.

mod topics;

use ferromq_patterns::{
    Accept, AttachError, Bucket, Correlation, Dealer, IdentitySlot, MAX_IDENTITY_LEN, Named, Pair,
    Pattern, Payload, Peer, PeerId, Pull, Push, Rep, RepError, Replier, Req, ReqEnvelope, ReqError,
    Requester, Resend, Router, Seed,
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
            Machine::Pair($it) => $body,
            Machine::Push($it) => $body,
            Machine::Pull($it) => $body,
            Machine::Dealer($it) => $body,
            Machine::Router { router: $it, .. } => $body,
            Machine::Req($it) => $body,
            Machine::Rep($it) => $body,
            Machine::Pub($it) => $body,
            Machine::XPub($it) => $body,
            Machine::Sub($it) => $body,
            Machine::XSub($it) => $body,
        }
    };
}

impl Machine {
    /// The machine of a socket type, if this runtime has it.
    pub(crate) fn new(socket_type: SocketType, options: &Options) -> Result<Self, Error> {
        Ok(match socket_type {
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
            SocketType::Req => {
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
                Self::Req(Req::new(table, correlation, resend, random() as u32))
            }
            SocketType::Rep => Self::Rep(Rep::new(Chunks::with_limit(PEERS))),
            SocketType::Pub => Self::Pub(topics::publisher(options)),
            SocketType::XPub => Self::XPub(topics::shown_publisher(options)),
            SocketType::Sub => Self::Sub(topics::subscriber(options)),
            SocketType::XSub => Self::XSub(topics::shown_subscriber()),
            other => {
                return Err(Error::Unsupported {
                    operation: "be made: this type is not built yet",
                    socket_type: other,
                });
            }
        })
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

    /// Whether every message of this peer is for the application as it is, so
    /// that a frame that is a message needs no further look.
    #[inline]
    pub(crate) fn takes_single(&self) -> bool {
        matches!(self, Self::Pull(_) | Self::Dealer(_) | Self::Pair(_))
    }

    /// The peer whose turn it is, for the types that send in turn.
    #[inline]
    pub(crate) fn route_in_turn(&mut self) -> Option<PeerId> {
        match self {
            Self::Push(machine) => machine.route(),
            Self::Dealer(machine) => machine.route(),
            Self::Pair(machine) => machine.route(),
            _ => None,
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

    // Sending.

    /// Names where a message goes, for the types that do not just take turns.
    /// `peeked`: a message was decoded to answer whether there is one, which
    /// the application has not received.
    pub(crate) fn route(
        &mut self,
        first: &[u8],
        parts: usize,
        peeked: bool,
    ) -> Result<Route, Error> {
        match self {
            Self::Router { router, mandatory } => {
                if parts < 2 {
                    return Err(Error::TooFewParts { parts, needed: 2 });
                }
                route_by_identity(router, *mandatory, first)
            }
            Self::Req(machine) if peeked && !machine.may_send() => {
                Err(StateError::AwaitingReply.into())
            }
            Self::Req(machine) => match machine.route() {
                Ok(peer) => Ok(Route::Request {
                    peer,
                    envelope: machine.envelope(),
                    abandoned: machine.poll_abandoned(),
                }),
                Err(ReqError::AwaitingReply) => Err(StateError::AwaitingReply.into()),
                Err(_) => Err(Error::WouldBlock),
            },
            Self::Rep(_) if peeked => Err(StateError::NoRequestReceived.into()),
            Self::Rep(machine) => match machine.route() {
                Ok(peer) => Ok(Route::Reply(peer)),
                Err(RepError::NoRequest) => Err(StateError::NoRequestReceived.into()),
                Err(_) => Ok(Route::Nobody(DropCause::Unroutable)),
            },
            Self::Pub(_) | Self::XPub(_) => Ok(Route::Subscribers),
            Self::XSub(_) => Ok(Route::Upstream),
            Self::Sub(_) => Err(unsupported("send", SocketType::Sub)),
            Self::Pull(_) => Err(unsupported("send", SocketType::Pull)),
            Self::Push(_) | Self::Dealer(_) | Self::Pair(_) => Err(Error::WouldBlock),
        }
    }

    /// Whether a send would find a peer now.
    pub(crate) fn may_send(&self, peeked: bool) -> bool {
        match self {
            Self::Pair(machine) => machine.any_has_room(),
            Self::Push(machine) => machine.any_has_room(),
            Self::Dealer(machine) => machine.any_has_room(),
            Self::Router { router, mandatory } => !mandatory || router.any_has_room(),
            Self::Req(machine) => !peeked && machine.may_send(),
            Self::Rep(machine) => !peeked && machine.check_receive().is_err(),
            Self::Pub(_) | Self::XPub(_) | Self::XSub(_) => true,
            Self::Pull(_) | Self::Sub(_) => false,
        }
    }

    // Receiving.

    /// Whether receiving is in turn, and something this type does.
    pub(crate) fn check_receive(&self) -> Result<(), Error> {
        match self {
            Self::Push(_) => Err(unsupported("receive", SocketType::Push)),
            Self::Pub(_) => Err(unsupported("receive", SocketType::Pub)),
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
        !matches!(self, Self::Push(_) | Self::Pub(_))
    }

    /// Whether what peers send is acted upon without a receive call.
    pub(crate) fn reads_eagerly(&self) -> bool {
        matches!(self, Self::Push(_) | Self::Pub(_) | Self::XPub(_))
    }

    /// REP: the frames in front of the delimiter wait for the reply.
    #[inline]
    pub(crate) fn keeps_envelopes(&self) -> bool {
        matches!(self, Self::Rep(_))
    }

    // ROUTER.

    /// Whether peers are told apart by identity.
    pub(crate) fn needs_identity(&self) -> bool {
        matches!(self, Self::Router { .. })
    }

    /// The frame that names a peer to the application.
    pub(crate) fn identity(&self, id: PeerId) -> Option<Frame> {
        let Self::Router { router, .. } = self else {
            return None;
        };
        router
            .identity(id, &mut [0; MAX_IDENTITY_LEN])
            .map(Frame::from)
    }

    /// Whether `probe_router` means anything.
    pub(crate) fn probes_routers(&self) -> bool {
        matches!(self, Self::Router { .. } | Self::Req(_) | Self::Dealer(_))
    }
}

fn route_by_identity(
    router: &RouterMachine,
    mandatory: bool,
    identity: &[u8],
) -> Result<Route, Error> {
    match (router.route(identity), mandatory) {
        (ferromq_patterns::Route::Peer(id), _) => Ok(Route::Skip(id)),
        (ferromq_patterns::Route::Full(_), true) => Err(Error::WouldBlock),
        (ferromq_patterns::Route::Full(_), false) => Ok(Route::Nobody(DropCause::PeerFull)),
        (ferromq_patterns::Route::Unknown, false) => Ok(Route::Nobody(DropCause::Unroutable)),
        (ferromq_patterns::Route::Unknown, true) => Err(Error::HostUnreachable {
            identity: identity.to_vec(),
        }),
    }
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
