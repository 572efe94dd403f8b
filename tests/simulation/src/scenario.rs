//! Who is there, and who connects to whom.

use clap::ValueEnum;
use ferromq_patterns::{Correlation, Resend, Verbosity};
use ferromq_wire::SocketType;

use crate::machine::Extras;
use crate::random::Random;

/// A topology, whose size and options the seed decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Scenario {
    /// Several PUSH and PULL; either side binds.
    PushPull,
    /// PUSH, a streamer (PULL and PUSH), PULL.
    Streamer,
    /// PUB and SUB; either side binds.
    PubSub,
    /// PUB, a forwarder (XSUB and XPUB), SUB.
    Forwarder,
    /// REQ and REP; either side binds.
    ReqRep,
    /// REQ, a broker (ROUTER and DEALER), REP.
    Broker,
    /// DEALER and ROUTER, with identities or without.
    DealerRouter,
    /// Two PAIR.
    Pair,
    /// CLIENT and SERVER.
    ClientServer,
    /// RADIO and DISH; either side binds.
    RadioDish,
    /// SCATTER and GATHER; either side binds.
    ScatterGather,
    /// Two CHANNEL.
    Channel,
}

/// What a node's application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends.
    Produce,
    /// Receives.
    Consume,
    /// Sends and receives, whatever it is.
    Talk,
    /// Sends and awaits an answer to each.
    Query,
    /// Answers.
    Serve,
    Publish,
    Subscribe,
    Request,
    Reply,
    /// Passes on, between two sockets.
    Forward,
}

/// A socket to be.
#[derive(Clone, Debug)]
pub(crate) struct SocketPlan {
    pub(crate) kind: SocketType,
    /// Sockets that it connects to; it is bound if there are none.
    pub(crate) targets: Vec<u8>,
    pub(crate) level: u32,
    pub(crate) extras: Extras,
    pub(crate) identity: Vec<u8>,
}

/// A node to be.
#[derive(Clone, Debug)]
pub(crate) struct NodePlan {
    pub(crate) role: Role,
    pub(crate) sockets: Vec<u8>,
}

/// A topology.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) sockets: Vec<SocketPlan>,
    pub(crate) nodes: Vec<NodePlan>,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: &'static [Self] = &[
        Self::PushPull,
        Self::Streamer,
        Self::PubSub,
        Self::Forwarder,
        Self::ReqRep,
        Self::Broker,
        Self::DealerRouter,
        Self::Pair,
        Self::ClientServer,
        Self::RadioDish,
        Self::ScatterGather,
        Self::Channel,
    ];

    pub(crate) fn plan(self, random: &mut Random) -> Plan {
        let mut plan = Plan::default();
        let few = random.between(1, 2);
        let several = random.between(1, 3);
        match self.shape() {
            Shape::TwoSides(a, b) => {
                let few = few + u64::from(self == Self::PushPull);
                plan.two_sides((a.0, a.1, several), (b.0, b.1, few), random);
            }
            Shape::Through(front, middle, back) => {
                let front = (front.0, front.1, several);
                plan.through(front, middle, (back.0, back.1, few), random);
            }
            Shape::Around(middle, others) => {
                plan.around(middle, (others.0, others.1, several), random);
            }
            Shape::Two(role, kind) => plan.around((role, kind), (role, kind, 1), random),
        }
        plan.limit_peers();
        plan
    }

    fn shape(self) -> Shape {
        use Role::{Consume, Produce, Publish, Query, Reply, Request, Serve, Subscribe, Talk};
        use Shape::{Around, Through, Two, TwoSides};
        use SocketType as T;
        match self {
            Self::PushPull => TwoSides((Produce, T::Push), (Consume, T::Pull)),
            Self::ScatterGather => TwoSides((Produce, T::Scatter), (Consume, T::Gather)),
            Self::PubSub => TwoSides((Subscribe, T::Sub), (Publish, T::Pub)),
            Self::RadioDish => TwoSides((Subscribe, T::Dish), (Publish, T::Radio)),
            Self::ReqRep => TwoSides((Request, T::Req), (Reply, T::Rep)),
            Self::Streamer => Through((Produce, T::Push), [T::Pull, T::Push], (Consume, T::Pull)),
            Self::Forwarder => Through((Publish, T::Pub), [T::XSub, T::XPub], (Subscribe, T::Sub)),
            Self::Broker => Through((Request, T::Req), [T::Router, T::Dealer], (Reply, T::Rep)),
            Self::DealerRouter => Around((Serve, T::Router), (Query, T::Dealer)),
            Self::ClientServer => Around((Serve, T::Server), (Query, T::Client)),
            Self::Pair => Two(Talk, T::Pair),
            Self::Channel => Two(Talk, T::Channel),
        }
    }
}

type Part = (Role, SocketType);

/// Who is where.
enum Shape {
    /// Several of the first, one or two of the second.
    TwoSides(Part, Part),
    /// A proxy between two sides.
    Through(Part, [SocketType; 2], Part),
    /// One in the middle.
    Around(Part, Part),
    /// Two of a kind.
    Two(Role, SocketType),
}

impl Plan {
    fn node(&mut self, role: Role, sockets: &[(SocketType, &[u8])], random: &mut Random) -> u8 {
        let first = self.sockets.len() as u8;
        for (kind, targets) in sockets {
            let index = self.sockets.len() as u8;
            self.sockets.push(SocketPlan {
                kind: *kind,
                targets: targets.to_vec(),
                level: 1 << index,
                extras: extras(random),
                identity: Vec::new(),
            });
        }
        self.nodes.push(NodePlan {
            role,
            sockets: (first..self.sockets.len() as u8).collect(),
        });
        first
    }

    fn nodes(
        &mut self,
        (role, kind, count): (Role, SocketType, u64),
        targets: &[u8],
        random: &mut Random,
    ) -> Vec<u8> {
        let sockets: Vec<u8> = (0..count)
            .map(|_| self.node(role, &[(kind, targets)], random))
            .collect();
        let level = sockets.iter().fold(0, |level, socket| level | 1 << socket);
        for socket in &sockets {
            self.sockets[usize::from(*socket)].level = level;
        }
        sockets
    }

    /// Each socket has room for as many peers as there are.
    fn limit_peers(&mut self) {
        for index in 0..self.sockets.len() {
            let dials = self.sockets[index].targets.len();
            let is_dialled = |it: &&SocketPlan| it.targets.contains(&(index as u8));
            let dialled = self.sockets.iter().filter(is_dialled).count();
            self.sockets[index].extras.peers = dials + dialled;
        }
    }

    /// Everybody of one side connects to everybody of the other.
    fn two_sides(
        &mut self,
        a: (Role, SocketType, u64),
        b: (Role, SocketType, u64),
        random: &mut Random,
    ) {
        let (binds, connects) = if random.one_in(2) { (a, b) } else { (b, a) };
        let targets = self.nodes(binds, &[], random);
        self.nodes(connects, &targets, random);
    }

    /// One in the middle, which the others connect to.
    fn around(
        &mut self,
        middle: (Role, SocketType),
        others: (Role, SocketType, u64),
        random: &mut Random,
    ) {
        let others = if random.one_in(3) {
            let targets = self.nodes(others, &[], random);
            self.node(middle.0, &[(middle.1, &targets)], random);
            targets
        } else {
            let target = self.node(middle.0, &[(middle.1, &[])], random);
            self.nodes(others, &[target], random)
        };
        if middle.1 == SocketType::Router {
            for socket in others {
                if random.one_in(2) {
                    self.sockets[usize::from(socket)].identity = vec![b'd', b'0' + socket];
                }
            }
        }
    }

    /// A proxy in the middle. Its own sockets bind, or connect to a side that does.
    fn through(
        &mut self,
        front: (Role, SocketType, u64),
        middle: [SocketType; 2],
        back: (Role, SocketType, u64),
        random: &mut Random,
    ) {
        let front_binds = random.one_in(3).then(|| self.nodes(front, &[], random));
        let back_binds = random.one_in(3).then(|| self.nodes(back, &[], random));
        let targets = |bound: &Option<Vec<u8>>| bound.clone().unwrap_or_default();
        let sockets = [
            (middle[0], &*targets(&front_binds)),
            (middle[1], &*targets(&back_binds)),
        ];
        let first = self.node(Role::Forward, &sockets, random);
        if front_binds.is_none() {
            self.nodes(front, &[first], random);
        }
        if back_binds.is_none() {
            self.nodes(back, &[first + 1], random);
        }
    }
}

fn extras(random: &mut Random) -> Extras {
    Extras {
        correlation: random.pick(&[Correlation::Off, Correlation::On]),
        resend: random.pick(&[Resend::Strict, Resend::Relaxed]),
        verbosity: random.pick(&[Verbosity::Edges, Verbosity::All]),
        peers: 0,
    }
}
