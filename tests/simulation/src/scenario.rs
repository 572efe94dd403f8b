//! Who is there, and who connects to whom.

use clap::ValueEnum;
use ferromq_patterns::{Correlation, Resend};
use ferromq_wire::SocketType;

use crate::machine::ReqOptions;
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
    pub(crate) req: ReqOptions,
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
        use Role::{Consume, Produce, Publish, Query, Reply, Request, Serve, Subscribe, Talk};
        use SocketType as T;
        let mut plan = Plan::default();
        let few = random.between(1, 2);
        let several = random.between(1, 3);
        match self {
            Self::PushPull => plan.two_sides(
                (Produce, T::Push, several),
                (Consume, T::Pull, few + 1),
                random,
            ),
            Self::ScatterGather => plan.two_sides(
                (Produce, T::Scatter, several),
                (Consume, T::Gather, few),
                random,
            ),
            Self::PubSub => {
                plan.two_sides((Publish, T::Pub, few), (Subscribe, T::Sub, several), random)
            }
            Self::RadioDish => plan.two_sides(
                (Publish, T::Radio, few),
                (Subscribe, T::Dish, several),
                random,
            ),
            Self::ReqRep => {
                plan.two_sides((Request, T::Req, several), (Reply, T::Rep, few), random);
            }
            Self::Streamer => plan.through(
                (Produce, T::Push, several),
                [T::Pull, T::Push],
                (Consume, T::Pull, few),
                random,
            ),
            Self::Forwarder => plan.through(
                (Publish, T::Pub, few),
                [T::XSub, T::XPub],
                (Subscribe, T::Sub, several),
                random,
            ),
            Self::Broker => plan.through(
                (Request, T::Req, several),
                [T::Router, T::Dealer],
                (Reply, T::Rep, few),
                random,
            ),
            Self::DealerRouter => {
                plan.around((Serve, T::Router), (Query, T::Dealer, several), random)
            }
            Self::ClientServer => {
                plan.around((Serve, T::Server), (Query, T::Client, several), random)
            }
            Self::Pair => plan.around((Talk, T::Pair), (Talk, T::Pair, 1), random),
            Self::Channel => plan.around((Talk, T::Channel), (Talk, T::Channel, 1), random),
        }
        plan
    }
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
                req: req_options(random),
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
        let target = self.node(middle.0, &[(middle.1, &[])], random);
        let others = self.nodes(others, &[target], random);
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

fn req_options(random: &mut Random) -> ReqOptions {
    ReqOptions {
        correlation: random.pick(&[Correlation::Off, Correlation::On]),
        resend: random.pick(&[Resend::Strict, Resend::Relaxed]),
    }
}
