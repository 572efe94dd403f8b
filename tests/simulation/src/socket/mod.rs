//! A socket as an embedder would build it: machines of both crates, pipes,
//! connectors. No thread, no clock, no descriptor.

mod connecting;
mod leaving;
mod options;
mod publishing;
mod receiving;
mod sending;

use ferromq_patterns::PeerId;
use ferromq_wire::SocketType;

use crate::context::{Context, Event};
use crate::drops::{Cause, Drops};
use crate::link::Link;
use crate::machine::{Extras, Machine};
use crate::model::Turns;
use crate::network::{ConnectionId, End};
use crate::pipe::Pipe;
use crate::topics::{Counts, Reach};
pub(crate) use connecting::{Connector, Stage, sends};
pub(crate) use options::Options;
pub(crate) use sending::Unsent;

/// A socket.
pub(crate) struct Socket {
    pub(crate) place: Place,
    pub(crate) machine: Machine,
    pub(crate) options: Options,
    pub(crate) extras: Extras,
    pub(crate) identity: Vec<u8>,
    pub(crate) connectors: Vec<Connector>,
    pub(crate) pipes: Vec<Option<Box<Pipe>>>,
    /// Links that shake hands, each perhaps for a connector.
    handshakes: Vec<(Link, Option<usize>)>,
    pub(crate) drops: Drops,
    pub(crate) phase: Phase,
    /// Of lost connections subscriptions are left to remove.
    stale: bool,
    /// XPUB: what the application is to see, in the order in which it became true.
    upstream: std::collections::VecDeque<crate::message::Message>,
    /// SUB, XSUB, DISH: what the application wants, by a naive count.
    pub(crate) wants: Counts,
    /// What that was before each change.
    wanted: Vec<Counts>,
    /// Where the last message went.
    pub(crate) routed: Option<PeerId>,
    /// How often somebody became ready to be sent to, or to be read from, or ceased.
    room_edges: u64,
    read_edges: u64,
    sent_turns: Turns,
    read_turns: Turns,
    timer: u64,
}

/// Where a socket belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) index: u8,
    pub(crate) node: u8,
    pub(crate) kind: SocketType,
    /// Sockets of which only one receives a message that has one receiver.
    pub(crate) level: u32,
    /// A proxy's: messages are passed on.
    pub(crate) forwards: bool,
    pub(crate) incarnation: u32,
}

/// Whether calls still work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Closed by its application; what is queued leaves until then.
    Lingering {
        until: u64,
    },
    /// Its process is gone.
    Down,
}

impl Socket {
    pub(crate) fn new(
        place: Place,
        options: Options,
        extras: Extras,
        identity: Vec<u8>,
        targets: &[u8],
        context: &mut Context,
    ) -> Self {
        let machine = Machine::new(place.kind, extras, &mut context.random);
        Self {
            place,
            machine,
            options,
            extras,
            identity,
            connectors: targets
                .iter()
                .map(|target| Connector::new(*target))
                .collect(),
            pipes: Vec::new(),
            handshakes: Vec::new(),
            drops: Drops::default(),
            phase: Phase::Down,
            stale: false,
            upstream: Default::default(),
            wants: Counts::default(),
            wanted: Vec::new(),
            routed: None,
            room_edges: 0,
            read_edges: 0,
            sent_turns: Turns::default(),
            read_turns: Turns::default(),
            timer: u64::MAX,
        }
    }

    /// Names this socket in messages, for as long as its process lives.
    pub(crate) fn name(&self) -> u64 {
        // An announced identity outlives the process, and so does the number that
        // a SERVER has for whom it connects to.
        let bound_client = self.place.kind == SocketType::Client && self.connectors.is_empty();
        let incarnation = match self.identity.is_empty() && !bound_client {
            true => self.place.incarnation,
            false => 0,
        };
        u64::from(incarnation) << 8 | u64::from(self.place.index)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(crate) fn reach(&self) -> Reach {
        match self.place.kind {
            SocketType::Radio | SocketType::Dish => Reach::Exact,
            _ => Reach::Prefix,
        }
    }

    pub(crate) fn pipe(&mut self, id: PeerId) -> Option<&mut Pipe> {
        self.pipes
            .get_mut(id.index())?
            .as_deref_mut()
            .filter(|pipe| pipe.id == id)
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &Pipe> {
        self.pipes.iter().flatten().map(|pipe| &**pipe)
    }

    /// The ids of all peers, to walk them while they change.
    fn ids(&self) -> heapless::Vec<PeerId, 64> {
        self.peers().map(|pipe| pipe.id).collect()
    }

    pub(crate) fn drop_messages(&mut self, cause: Cause, messages: u64, context: &mut Context) {
        if messages > 0 {
            self.drops.add(cause, messages);
            let socket = self.place.index;
            context.note(crate::trace::Step::Dropped { socket, cause });
        }
    }

    /// Messages that this socket holds: to be written, to be decoded, to be received.
    pub(crate) fn held(&self) -> u64 {
        self.peers()
            .map(|pipe| {
                let link = pipe.link.as_ref().map_or(0, |link| link.undecoded());
                (pipe.waiting() + pipe.unread()) as u64 + link
            })
            .sum()
    }

    /// Whether a call to receive may find something.
    pub(crate) fn has_news(&self) -> bool {
        self.stale || !self.upstream.is_empty() || self.machine.next().is_some()
    }

    /// Whether no hands are being shaken.
    pub(crate) fn is_shaking_none(&self) -> bool {
        self.handshakes.is_empty()
    }

    fn link_of(&mut self, end: End, connection: ConnectionId) -> Option<&mut Link> {
        match end.peer {
            Some(id) => self.pipe(id)?.link.as_deref_mut(),
            None => self
                .handshakes
                .iter_mut()
                .map(|(link, _)| link)
                .find(|link| link.connection == connection),
        }
    }

    /// Arranges to be asked when the next thing is due.
    pub(crate) fn arm(&mut self, context: &mut Context) {
        if self.phase == Phase::Down {
            return;
        }
        let node = self.place.node;
        let links = self.peers().filter_map(|pipe| pipe.link.as_deref());
        let links = links.chain(self.handshakes.iter().map(|(link, _)| link));
        let links = links
            .filter_map(Link::due)
            .map(|due| context.when(node, due));
        let connectors = self.connectors.iter().filter_map(Connector::due);
        let linger = match self.phase {
            Phase::Lingering { until } => Some(until),
            _ => None,
        };
        let due = links.chain(connectors).chain(linger).min();
        if let Some(due) = due.filter(|due| *due < self.timer) {
            let due = due.max(context.now);
            self.timer = due;
            context.at(due, Event::Timer(self.place.index));
        }
    }

    /// A moment that it asked for has come, or its clock has jumped.
    pub(crate) fn timer(&mut self, context: &mut Context) {
        self.timer = u64::MAX;
        if self.phase == Phase::Down {
            return;
        }
        for connector in 0..self.connectors.len() {
            self.dial_if_due(connector, context);
        }
        self.check_handshakes(context);
        for id in self.ids() {
            self.beat(id, context);
        }
        self.arm(context);
    }
}
