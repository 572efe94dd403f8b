//! A socket's pattern, chosen at run time: the machines of `ferromq-patterns`
//! over tables in heap memory.

use ferromq_patterns::{
    Accept, AttachError, Bucket, Correlation, Dealer, Entry, IdentitySlot, LimitError,
    MAX_IDENTITY_LEN, Match, Matching, Named, Node, Pair, Pattern, Peer, PeerId, Pub, Publisher,
    Pull, Push, Rep, Replier, Req, Requester, Resend, ResendCursor, Router, Seed, Server, Sub,
    Subscriber, Subscription, SubscriptionLimits, SubscriptionStorage, TopicStep, TopicStorage,
    Upstream, Verbosity, XPub, XPubOptions, XSub,
};
use ferromq_wire::SocketType;

use crate::random::Random;
use crate::storage::Table;

type PubMachine = Pub<Table<Peer<Subscriber>>, Table<Node>, Table<Entry>, Table<Bucket>>;
type XPubMachine = XPub<Table<Peer<Subscriber>>, Table<Node>, Table<Entry>, Table<Bucket>>;
type SubMachine = Sub<Table<Peer<Publisher>>, Table<Node>, Table<Bucket>>;
type XSubMachine = XSub<Table<Peer<Publisher>>, Table<Node>, Table<Bucket>>;

/// The state machine of a socket.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // as a runtime has it, one a socket
pub(crate) enum Machine {
    Pair(Pair),
    Push(Push<Table<Peer>>),
    Pull(Pull<Table<Peer>>),
    Dealer(Dealer<Table<Peer>>),
    Router(Router<Table<Peer<Named>>, Table<IdentitySlot>, Table<Bucket>>),
    Server(Server<Table<Peer<Named>>, Table<Bucket>>),
    Req(Req<Table<Peer<Replier>>>),
    Rep(Rep<Table<Peer<Requester>>>),
    Pub(PubMachine),
    XPub(XPubMachine),
    Sub(SubMachine),
    XSub(XSubMachine),
}

/// What only some types are set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras {
    /// REQ.
    pub(crate) correlation: Correlation,
    pub(crate) resend: Resend,
    /// XPUB: what it shows. Whatever that is, a proxy's counts end at zero.
    pub(crate) verbosity: Verbosity,
    /// Most peers at a time: not one more than there are, so that who comes back
    /// early is turned away.
    pub(crate) peers: usize,
}

macro_rules! each {
    ($machine:expr, $it:ident => $body:expr) => {
        match $machine {
            Machine::Pair($it) => $body,
            Machine::Push($it) => $body,
            Machine::Pull($it) => $body,
            Machine::Dealer($it) => $body,
            Machine::Router($it) => $body,
            Machine::Server($it) => $body,
            Machine::Req($it) => $body,
            Machine::Rep($it) => $body,
            Machine::Pub($it) => $body,
            Machine::XPub($it) => $body,
            Machine::Sub($it) => $body,
            Machine::XSub($it) => $body,
        }
    };
}

/// Most nodes and entries of a tree.
const NODES: usize = 4096;

impl Machine {
    pub(crate) fn new(kind: SocketType, extras: Extras, random: &mut Random) -> Self {
        use SocketType as T;
        let seed = Seed::new(random.word(), random.word());
        let peers = extras.peers;
        match kind {
            T::Pair => Self::Pair(Pair::new()),
            T::Channel => Self::Pair(Pair::channel()),
            T::Push | T::Scatter => Self::Push(Push::new(Table::with_limit(peers))),
            T::Pull => Self::Pull(Pull::new(Table::with_limit(peers))),
            T::Gather => Self::Pull(Pull::gather(Table::with_limit(peers))),
            T::Dealer => Self::Dealer(Dealer::new(Table::with_limit(peers))),
            T::Client => Self::Dealer(Dealer::client(Table::with_limit(peers))),
            T::Router => Self::Router(Router::new(
                Table::with_limit(peers),
                Table::with_limit(NODES),
                Table::with_limit(NODES),
                seed,
            )),
            T::Server | T::Peer => Self::Server(Router::server(
                Table::with_limit(peers),
                Table::with_limit(NODES),
                seed,
            )),
            T::Req => Self::Req(Req::new(
                Table::with_limit(peers),
                extras.correlation,
                extras.resend,
                random.word() as u32,
            )),
            T::Rep => Self::Rep(Rep::new(Table::with_limit(peers))),
            T::Pub | T::XPub | T::Sub | T::XSub | T::Radio | T::Dish => {
                Self::of_topics(kind, extras, seed)
            }
        }
    }

    fn of_topics(kind: SocketType, extras: Extras, seed: Seed) -> Self {
        use SocketType as T;
        let peers = extras.peers;
        match kind {
            T::Pub => Self::Pub(publisher(Matching::Prefix, peers, seed)),
            T::Radio => Self::Pub(publisher(Matching::Exact, peers, seed)),
            T::XPub => Self::XPub(XPub::new(
                Table::with_limit(peers),
                subscriptions(),
                XPubOptions {
                    verbosity: extras.verbosity,
                    ..XPubOptions::default()
                },
                SubscriptionLimits::default(),
                seed,
            )),
            T::Sub => Self::Sub(subscriber(Matching::Prefix, peers, seed)),
            T::Dish => Self::Sub(subscriber(Matching::Exact, peers, seed)),
            _ => Self::XSub(XSub::new(Table::with_limit(peers), topics(), seed)),
        }
    }

    pub(crate) fn next(&self) -> Option<PeerId> {
        each!(self, machine => machine.next())
    }

    pub(crate) fn delivered(&mut self, id: PeerId) {
        each!(self, machine => machine.delivered(id));
    }

    pub(crate) fn accept(&mut self, id: PeerId, frame: &[u8], more: bool) -> Accept {
        each!(self, machine => machine.accept(id, frame, more))
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

    /// The peer whose turn it is, for the types that send in turn.
    pub(crate) fn route_in_turn(&mut self) -> Option<PeerId> {
        match self {
            Self::Push(machine) => machine.route(),
            Self::Dealer(machine) => machine.route(),
            Self::Pair(machine) => machine.route(),
            _ => None,
        }
    }

    /// The frame that names a peer to the application (ROUTER, SERVER, PEER).
    pub(crate) fn identity(&self, id: PeerId) -> Option<Vec<u8>> {
        let mut out = [0; MAX_IDENTITY_LEN];
        let name = match self {
            Self::Router(router) => router.identity(id, &mut out),
            Self::Server(server) => server.identity(id, &mut out),
            _ => None,
        };
        name.map(<[u8]>::to_vec)
    }

    pub(crate) fn publishes(&self) -> bool {
        matches!(self, Self::Pub(_) | Self::XPub(_))
    }

    pub(crate) fn subscribes(&self) -> bool {
        matches!(self, Self::Sub(_) | Self::XSub(_))
    }

    /// A peer subscribes or cancels; whether the application is to see it.
    pub(crate) fn subscription(
        &mut self,
        id: PeerId,
        subscription: Subscription,
        topic: &[u8],
    ) -> Result<bool, LimitError> {
        match self {
            Self::Pub(machine) => machine
                .subscription(id, subscription, topic)
                .map(|()| false),
            Self::XPub(machine) => machine
                .subscription(id, subscription, topic)
                .map(|upstream| upstream == Upstream::Notify),
            _ => Ok(false),
        }
    }

    pub(crate) fn publish(&mut self, topic: &[u8]) {
        match self {
            Self::Pub(machine) => machine.publish(topic),
            Self::XPub(machine) => machine.publish(topic),
            _ => {}
        }
    }

    pub(crate) fn poll_match(&mut self) -> Option<Match> {
        match self {
            Self::Pub(machine) => machine.poll_match(),
            Self::XPub(machine) => machine.poll_match(),
            _ => None,
        }
    }

    pub(crate) fn poll_unsubscribed(&mut self, topic: &mut [u8]) -> Option<TopicStep> {
        match self {
            Self::Pub(machine) => machine.poll_unsubscribed(),
            Self::XPub(machine) => machine.poll_unsubscribed(topic),
            _ => None,
        }
    }

    /// The application subscribes or cancels; whether peers are to be told.
    pub(crate) fn change_topic(&mut self, subscription: Subscription, topic: &[u8]) -> bool {
        use Subscription::{Cancel, Subscribe};
        let told = match (self, subscription) {
            (Self::Sub(machine), Subscribe) => machine.subscribe(topic).ok(),
            (Self::XSub(machine), Subscribe) => machine.subscribe(topic).ok(),
            (Self::Sub(machine), Cancel) => machine.unsubscribe(topic).ok(),
            (Self::XSub(machine), Cancel) => machine.unsubscribe(topic).ok(),
            _ => None,
        };
        told == Some(Upstream::Notify)
    }

    pub(crate) fn poll_subscription(
        &self,
        cursor: &mut ResendCursor,
        topic: &mut [u8],
    ) -> Option<TopicStep> {
        match self {
            Self::Sub(machine) => machine.poll_subscription(cursor, topic),
            Self::XSub(machine) => machine.poll_subscription(cursor, topic),
            _ => None,
        }
    }

    pub(crate) fn comes_to(&self, cursor: &ResendCursor) -> bool {
        match self {
            Self::Sub(machine) => machine.comes_to(cursor),
            Self::XSub(machine) => machine.comes_to(cursor),
            _ => false,
        }
    }

    /// Subscriptions held: of peers, or of the application.
    pub(crate) fn subscriptions(&self) -> u32 {
        match self {
            Self::Pub(machine) => machine.subscriptions(),
            Self::XPub(machine) => machine.subscriptions(),
            Self::Sub(machine) => machine.subscriptions(),
            Self::XSub(machine) => machine.subscriptions(),
            _ => 0,
        }
    }
}

fn publisher(matching: Matching, peers: usize, seed: Seed) -> PubMachine {
    Pub::new(
        Table::with_limit(peers),
        subscriptions(),
        matching,
        SubscriptionLimits::default(),
        seed,
    )
}

fn subscriber(matching: Matching, peers: usize, seed: Seed) -> SubMachine {
    Sub::new(Table::with_limit(peers), topics(), matching, seed)
}

fn subscriptions() -> SubscriptionStorage<Table<Node>, Table<Entry>, Table<Bucket>> {
    SubscriptionStorage {
        nodes: Table::with_limit(NODES),
        entries: Table::with_limit(NODES),
        children: Table::with_limit(NODES),
        lookup: Table::with_limit(NODES),
    }
}

fn topics() -> TopicStorage<Table<Node>, Table<Bucket>> {
    TopicStorage {
        nodes: Table::with_limit(NODES),
        children: Table::with_limit(NODES),
    }
}
