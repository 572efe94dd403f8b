//! Receiving: bytes come, are decoded now or when asked for, and the machine
//! says whose message is next.

use ferromq_patterns::{PeerId, Reason, TopicStep};
use ferromq_wire::{ProtocolError, SocketType};

use super::{Phase, Socket};
use crate::Plant;
use crate::context::Context;
use crate::drops::Cause;
use crate::failure::Promise;
use crate::link::{Decoded, Moment};
use crate::machine::Machine;
use crate::message::{Message, Number, read_body};
use crate::model::{ANYBODY, Arrival};
use crate::network::ConnectionId;
use crate::pipe::{Inbound, Origin};
use crate::random::mix;
use crate::trace::{Lost, Step};

/// A message for the application.
pub(crate) struct Received {
    /// With the name of its peer in front of it, where the type has that.
    pub(crate) message: Message,
    /// Its number, if it is a message of an application's.
    pub(crate) number: Option<Number>,
}

impl Socket {
    /// The network has bytes for this end of a connection.
    pub(crate) fn bytes_came(&mut self, id: ConnectionId, side: u8, context: &mut Context) {
        let end = context.network.connection(id).ends[usize::from(side)];
        let now = context.clock(self.place.node);
        let Some(link) = self.link_of(end, id) else {
            return;
        };
        let (room, random) = (link.room(), &mut context.random);
        let network = &mut context.network;
        let (bytes, messages) = network.read(id, 1 - side, room, link.input_mut(), random);
        if bytes == 0 {
            return;
        }
        link.arrived += messages;
        if let Some(heartbeats) = &mut link.heartbeats {
            heartbeats.heard(now);
        }
        context.note(Step::Moved {
            connection: id,
            from: 1 - side,
            bytes,
        });
        let Some(peer) = end.peer else {
            self.shake(id, context);
            if self.handshake_at(id).is_some() {
                context.transfer(id, 1 - side);
            }
            return;
        };
        self.mark_readable(peer);
        if self.reads_eagerly() {
            self.pump(peer, context);
        }
        self.want_input(peer, context);
    }

    /// Whether what comes is decoded without anybody asking.
    pub(super) fn reads_eagerly(&self) -> bool {
        // A REQ that awaits nothing refuses what comes: later it might be taken
        // for a reply.
        let awaits_nothing =
            matches!(&self.machine, Machine::Req(req) if req.check_receive().is_err());
        let eager = self.options.eager || awaits_nothing;
        eager || self.machine.publishes() || self.phase != Phase::Open
    }

    pub(super) fn mark_readable(&mut self, id: PeerId) {
        let Some(pipe) = self.pipe(id) else { return };
        if !std::mem::replace(&mut pipe.readable, true) {
            self.read_edges += 1;
        }
        self.machine.peer_readable(id);
    }

    fn mark_drained(&mut self, id: PeerId) {
        if let Some(pipe) = self.pipe(id) {
            pipe.readable = false;
        }
        self.read_edges += 1;
        self.machine.peer_drained(id);
    }

    /// Lets the network go on, if there is room for what it has.
    pub(super) fn want_input(&mut self, id: PeerId, context: &mut Context) {
        let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_deref()) else {
            return;
        };
        if link.room() > 0 {
            context.transfer(link.connection, 1 - link.side);
        }
    }

    /// Decodes what came, up to the high-water mark.
    pub(super) fn pump(&mut self, id: PeerId, context: &mut Context) {
        let mark = self.options.receive_mark;
        while self.pipe(id).is_some_and(|pipe| pipe.unread() < mark) {
            match self.step(id, context) {
                Some(Some(inbound)) => self.keep(id, inbound),
                Some(None) => {}
                None => return,
            }
        }
    }

    fn keep(&mut self, id: PeerId, inbound: Inbound) {
        if let Some(pipe) = self.pipe(id) {
            pipe.inbound.push_back(inbound);
            self.mark_readable(id);
        }
    }

    /// Decodes once: a message, something else (`Some(None)`), or nothing.
    fn step(&mut self, id: PeerId, context: &mut Context) -> Option<Option<Inbound>> {
        let moment = self.moment(context);
        let pipe = self.pipes.get_mut(id.index())?.as_deref_mut()?;
        let link = pipe.link.as_deref_mut()?;
        match link.decode(id, &mut self.machine, moment) {
            Ok(Decoded::Starved) => {
                // A PING may have come; and there is room for more.
                self.flush(id, context);
                self.want_input(id, context);
                None
            }
            Ok(decoded) => Some(self.take_decoded(id, decoded, context)),
            Err(error) => {
                self.broken_protocol(id, error, context);
                None
            }
        }
    }

    pub(super) fn take_decoded(
        &mut self,
        id: PeerId,
        decoded: Decoded,
        context: &mut Context,
    ) -> Option<Inbound> {
        match decoded {
            Decoded::Message {
                envelope,
                message,
                begun,
            } => {
                self.check_wanted(&message, begun, context);
                return Some(Inbound {
                    envelope,
                    message,
                    origin: Origin::Peer,
                });
            }
            Decoded::Refused(reason) => {
                let cause = match reason {
                    Reason::NotSubscribed => Cause::Unsubscribed,
                    _ => Cause::Refused,
                };
                self.check_refused(reason, context);
                self.drop_messages(cause, 1, context);
            }
            Decoded::Subscription(subscription, topic) => {
                self.subscribed(id, subscription, &topic, context);
            }
            Decoded::Starved => {}
        }
        None
    }

    /// What nobody asked for may come. What has the wrong shape may not: all
    /// peers are ours.
    fn check_refused(&self, reason: Reason, context: &mut Context) {
        use Reason::{NotAsked, NotCorrelated, NotSubscribed};
        if !matches!(reason, NotAsked | NotCorrelated | NotSubscribed) {
            let what = format!("socket {} refuses: {reason}", self.place.index);
            context.fail(Promise::Whole, what);
        }
    }

    /// All peers are ours: none of them breaks the protocol.
    fn broken_protocol(&mut self, id: PeerId, error: ProtocolError, context: &mut Context) {
        let what = format!("socket {} cannot read: {error}", self.place.index);
        context.fail(Promise::Whole, what);
        self.unlink(id, Lost::Protocol, context);
    }

    /// The next message, in the order that the machine asks for.
    pub(crate) fn receive(&mut self, context: &mut Context) -> Option<Received> {
        if !context.has(Plant::CancelFirst)
            && let Some(message) = self.upstream.pop_front()
        {
            return Some(Received::upstream(message));
        }
        if let Some(message) = self.next_cancellation() {
            return Some(Received::upstream(message));
        }
        loop {
            let id = self.machine.next()?;
            let Some(inbound) = self.take(id, context) else {
                self.mark_drained(id);
                self.detach_if_read(id, context);
                continue;
            };
            return Some(self.deliver(id, inbound, context));
        }
    }

    fn take(&mut self, id: PeerId, context: &mut Context) -> Option<Inbound> {
        loop {
            if let Some(inbound) = self.pipe(id)?.inbound.pop_front() {
                return Some(inbound);
            }
            if let Some(inbound) = self.step(id, context)? {
                return Some(inbound);
            }
        }
    }

    fn deliver(&mut self, id: PeerId, inbound: Inbound, context: &mut Context) -> Received {
        self.check_read_turn(id, context);
        if !context.has(Plant::KeepTurn) || self.place.kind != SocketType::Pull {
            self.machine.delivered(id);
        }
        let received = match inbound.origin {
            Origin::Peer => {
                let number = self.account(id, &inbound.message, context);
                let mut message = Message::default();
                if let Some(name) = self.pipe(id).and_then(|pipe| pipe.identity.clone()) {
                    message.push(&name);
                }
                message.append(&inbound.message);
                Received { message, number }
            }
            Origin::Subscription => Received::upstream(inbound.message),
        };
        if let Some(pipe) = self.pipe(id) {
            pipe.envelope = inbound.envelope;
        }
        if self.reads_eagerly() {
            for id in self.ids() {
                self.pump(id, context);
            }
        }
        self.want_input(id, context);
        // At once, and not when it is found empty: a REQ that has its reply looks
        // at nobody, and a slot may be all that the machine has.
        self.detach_if_read(id, context);
        received
    }

    /// Tells the model of a message that the application gets.
    fn account(&mut self, id: PeerId, message: &Message, context: &mut Context) -> Option<Number> {
        let start = self.body_start(message);
        let arrival = Arrival {
            number: read_body(message, start),
            socket: self.place.index,
            level: self.place.level,
            pipe: mix(self.name() << 8 ^ mix(id.to_bits())),
            forwarded: self.place.forwards,
        };
        let number = context.model.received(context.now, &arrival)?;
        context.note(Step::Received {
            socket: self.place.index,
            peer: id.to_bits(),
            number,
        });
        let to = context.model.record(number).to;
        if to != ANYBODY && to != self.name() && !self.place.forwards {
            let what = format!("{:#x} receives {number}, which is for {to:#x}", self.name());
            context.fail(Promise::Route, what);
        }
        Some(number)
    }

    /// Where the application's own frames begin: behind the topic, or behind
    /// the delimiter if there is one.
    fn body_start(&self, message: &Message) -> usize {
        match self.place.kind {
            SocketType::Sub | SocketType::XSub | SocketType::Dish => 1,
            SocketType::Req | SocketType::Rep => 0,
            _ => message
                .frames()
                .position(<[u8]>::is_empty)
                .map_or(0, |delimiter| delimiter + 1),
        }
    }

    pub(super) fn moment(&self, context: &Context) -> Moment {
        Moment {
            now: context.clock(self.place.node),
            topics: self.wanted.len(),
        }
    }

    /// SUB, DISH: what is let through was subscribed to when it began.
    fn check_wanted(&self, message: &Message, begun: usize, context: &mut Context) {
        let filters = matches!(self.place.kind, SocketType::Sub | SocketType::Dish);
        let wanted = self.wanted.get(begun).unwrap_or(&self.wants);
        if filters && !wanted.matches(message.frame(0), self.reach()) {
            let topic = String::from_utf8_lossy(message.frame(0)).into_owned();
            let what = format!("socket {} lets '{topic}' through", self.place.index);
            context.fail(Promise::Match, what);
        }
    }

    fn check_read_turn(&mut self, id: PeerId, context: &mut Context) {
        if self.req_decides() {
            return;
        }
        let ready = self.pipes.iter().flatten().filter(|pipe| pipe.readable);
        let ready = ready.map(|pipe| pipe.id.to_bits());
        if !self.read_turns.take(self.read_edges, ready, id.to_bits()) {
            let what = format!(
                "socket {} receives from {id:?}, whose turn it is not: {:?}",
                self.place.index, self.read_turns
            );
            context.fail(Promise::Fairness, what);
        }
    }

    /// REQ: whose message is next is who was asked.
    fn req_decides(&self) -> bool {
        self.place.kind == SocketType::Req
    }

    /// XPUB: the next cancellation that a peer which went did not send.
    fn next_cancellation(&mut self) -> Option<Message> {
        if self.place.kind != SocketType::XPub {
            return None;
        }
        let mut topic = [0; 16];
        while self.stale {
            match self.machine.poll_unsubscribed(&mut topic) {
                Some(TopicStep::Topic { len }) => {
                    let mut frame = vec![0];
                    frame.extend_from_slice(&topic[..len]);
                    return Some(Message::of(&[&frame]));
                }
                Some(_) => {}
                None => self.stale = false,
            }
        }
        None
    }
}

impl Received {
    fn upstream(message: Message) -> Self {
        Self {
            message,
            number: None,
        }
    }
}
