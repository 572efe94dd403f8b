//! Sending: the machine names a pipe, the message waits there for its link.

use std::collections::VecDeque;

use ferromq_patterns::{PeerId, RepError, ReqError, Route, TopicStep};

use super::connecting::write_out;
use super::{Options, Phase, Socket};
use crate::Plant;
use crate::context::Context;
use crate::drops::Cause;
use crate::failure::Promise;
use crate::link::Link;
use crate::machine::Machine;
use crate::message::{Message, Number};
use crate::trace::{Lost, Step};

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// Nobody has room: later.
    Blocked,
    /// It is not the socket's turn to send.
    OutOfTurn,
}

impl Socket {
    /// Sends message `number`, or says why not.
    pub(crate) fn send(
        &mut self,
        message: Message,
        number: Number,
        context: &mut Context,
    ) -> Result<(), Unsent> {
        let socket = self.place.index;
        let sent = self.route(message, number, context);
        context.note(match sent {
            Ok(()) => Step::Sent { socket, number },
            Err(_) => Step::Blocked { socket, number },
        });
        sent
    }

    fn route(
        &mut self,
        message: Message,
        number: Number,
        context: &mut Context,
    ) -> Result<(), Unsent> {
        match &mut self.machine {
            Machine::Router(router) => {
                let route = router.route(message.frame(0));
                self.send_to(route, message, number, context);
            }
            Machine::Server(server) => {
                let route = server.route(message.frame(0));
                self.send_to(route, message, number, context);
            }
            Machine::Req(_) => return self.ask(&message, number, context),
            Machine::Rep(_) => return self.answer(&message, number, context),
            Machine::Pub(_) | Machine::XPub(_) => self.publish(&message, number, context),
            _ => {
                let id = self.machine.route_in_turn().ok_or(Unsent::Blocked);
                self.check_blocked(id.is_err(), context);
                let id = self.check_turn(id?, context);
                context.model.owed += 1;
                self.enqueue(id, message, number, context);
            }
        }
        Ok(())
    }

    /// ROUTER, SERVER: to who is named in the first frame.
    fn send_to(&mut self, route: Route, message: Message, number: Number, context: &mut Context) {
        context.model.owed += 1;
        match route {
            Route::Peer(id) => {
                let id = self.planted_misroute(id, context);
                self.enqueue(id, message.without(1), number, context);
            }
            Route::Unknown => self.drop_messages(Cause::Unroutable, 1, context),
            Route::Full(_) => self.drop_messages(Cause::PeerFull, 1, context),
        }
    }

    fn ask(
        &mut self,
        message: &Message,
        number: Number,
        context: &mut Context,
    ) -> Result<(), Unsent> {
        let Machine::Req(machine) = &mut self.machine else {
            return Err(Unsent::OutOfTurn);
        };
        let id = match machine.route() {
            Ok(id) => id,
            Err(ReqError::AwaitingReply) if context.strikes(Plant::SendTwice) => {
                let awaited = self.peers().next().map(|pipe| pipe.id);
                awaited.ok_or(Unsent::Blocked)?
            }
            Err(ReqError::AwaitingReply) => return Err(Unsent::OutOfTurn),
            Err(_) => return Err(Unsent::Blocked),
        };
        let Machine::Req(machine) = &mut self.machine else {
            return Err(Unsent::OutOfTurn);
        };
        let mut request = Message::of(&[]);
        for frame in machine.envelope().frames() {
            request.push(frame);
        }
        request.append(message);
        if let Some(late) = machine.poll_abandoned() {
            self.abandon(late, context);
        }
        if self.pipe(id).is_none() {
            // It was the one who was asked before, and went with its link.
            return Err(Unsent::Blocked);
        }
        context.model.owed += 1;
        self.enqueue(id, request, number, context);
        Ok(())
    }

    /// REQ: nobody wants this peer's reply any more. A request that did not
    /// leave yet must not leave, or its reply would be taken for the next one's.
    fn abandon(&mut self, id: PeerId, context: &mut Context) {
        let correlated = self.extras.correlation == ferromq_patterns::Correlation::On;
        let Some(pipe) = self.pipe(id) else { return };
        let late = pipe.unread() as u64;
        pipe.inbound.clear();
        self.drop_messages(Cause::Abandoned, late, context);
        self.detach_if_read(id, context);
        if correlated {
            return;
        }
        self.unlink(id, Lost::Unwanted, context);
        if context.has(Plant::KeepAbandoned) {
            return;
        }
        let Some(pipe) = self.pipe(id) else { return };
        let unsent = pipe.queue.len() as u64;
        pipe.queue.clear();
        self.drop_messages(Cause::Abandoned, unsent, context);
        self.update_room(id, context);
    }

    fn answer(
        &mut self,
        message: &Message,
        number: Number,
        context: &mut Context,
    ) -> Result<(), Unsent> {
        let Machine::Rep(machine) = &mut self.machine else {
            return Err(Unsent::OutOfTurn);
        };
        let route = machine.route();
        if route == Err(RepError::NoRequest) {
            return Err(Unsent::OutOfTurn);
        }
        context.model.owed += 1;
        let Ok(id) = route else {
            self.drop_messages(Cause::Unroutable, 1, context);
            return Ok(());
        };
        let mut reply = self.planted_envelope(id, context);
        reply.append(message);
        self.enqueue(id, reply, number, context);
        Ok(())
    }

    /// Puts a routed message into its pipe, and writes what can be written.
    pub(super) fn enqueue(
        &mut self,
        id: PeerId,
        message: Message,
        number: Number,
        context: &mut Context,
    ) {
        self.routed = Some(id);
        let (socket, peer, mark) = (self.place.index, id.to_bits(), self.options.send_mark);
        context.note(Step::Queued {
            socket,
            peer,
            number,
        });
        if context.strikes(Plant::DropSilently) {
            return;
        }
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        pipe.queue.push_back(message);
        plant_in_queue(&mut pipe.queue, context);
        let waiting = pipe.waiting();
        if waiting > mark {
            let what = format!("{waiting} messages wait in socket {socket}, whose mark is {mark}");
            context.fail(Promise::Limits, what);
        }
        self.flush(id, context);
    }

    /// Encodes and writes as much as the network takes, then says whether there
    /// is room.
    pub(crate) fn flush(&mut self, id: PeerId, context: &mut Context) {
        loop {
            self.encode(id, context);
            let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_deref_mut()) else {
                break;
            };
            if link.output.bytes().is_empty() || write_out(link, context) {
                break;
            }
        }
        self.update_room(id, context);
    }

    /// Fills the link's output: the PONG, subscriptions, messages.
    fn encode(&mut self, id: PeerId, context: &mut Context) {
        let limit = self.options.output;
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        let Some(link) = pipe.link.as_deref_mut() else {
            return;
        };
        link.append_pong();
        let mut topic = [0; 16];
        while link.output.bytes().len() < limit {
            let Some((transmitter, output)) = link.sending() else {
                return;
            };
            if let Some(cursor) = &mut pipe.resend {
                match self.machine.poll_subscription(cursor, &mut topic) {
                    Some(TopicStep::Topic { len }) => {
                        let what = ferromq_patterns::Subscription::Subscribe;
                        output.append_subscription(transmitter, what, &topic[..len]);
                    }
                    Some(_) => {}
                    None => pipe.resend = None,
                }
            } else if let Some(message) = pipe.queue.pop_front() {
                if message.len() > 1 && context.strikes(Plant::DuplicateFrame) {
                    output.append_stutter(transmitter, &message);
                }
                output.append(transmitter, message);
            } else {
                return;
            }
        }
    }

    /// Tells the machine when a pipe becomes full, or has room again.
    pub(super) fn update_room(&mut self, id: PeerId, context: &mut Context) {
        let Socket { options, phase, .. } = self;
        let (mark, immediate) = (options.send_mark, options.immediate);
        let open = *phase == Phase::Open;
        let Some(pipe) = self.pipe(id) else { return };
        let waits = pipe.link.is_none() && immediate;
        let over = pipe.waiting() >= mark && !context.has(Plant::IgnoreFull);
        let full = over || waits || pipe.ending || !open;
        if full == pipe.full {
            return;
        }
        if !full && context.has(Plant::ForgetRoom) && pipe.told_full {
            return;
        }
        pipe.told_full |= full;
        pipe.full = full;
        self.room_edges += 1;
        match full {
            true => self.machine.peer_full(id),
            false => self.machine.peer_has_room(id),
        }
    }

    /// A connection has room: whoever waits for it goes on.
    pub(crate) fn writable(&mut self, end: crate::network::End, id: u32, context: &mut Context) {
        match end.peer {
            Some(peer) => {
                let same = |link: &Link| link.connection == id;
                if self
                    .pipe(peer)
                    .is_some_and(|pipe| pipe.link.as_deref().is_some_and(same))
                {
                    self.flush(peer, context);
                    self.finish_lingering(context);
                }
            }
            None => self.shake(id, context),
        }
    }

    /// Nobody has room by the machine's word: by the pipes', too?
    fn check_blocked(&self, blocked: bool, context: &mut Context) {
        let Options {
            send_mark,
            immediate,
            ..
        } = self.options;
        let open = self.peers().find(|pipe| {
            let linked = pipe.link.is_some() || !immediate;
            linked && !pipe.ending && pipe.waiting() < send_mark
        });
        if let (true, Some(pipe)) = (blocked, open) {
            let what = format!(
                "socket {} blocks although its peer {:?} has room",
                self.place.index, pipe.id
            );
            context.fail(Promise::Fairness, what);
        }
    }

    /// Whether the peer's turn is fair.
    fn check_turn(&mut self, id: PeerId, context: &mut Context) -> PeerId {
        let first = self.peers().find(|pipe| !pipe.full).map(|pipe| pipe.id);
        let id = match first {
            Some(first) if context.has(Plant::Prefer) => first,
            _ => id,
        };
        let ready = self.pipes.iter().flatten().filter(|pipe| !pipe.full);
        let ready = ready.map(|pipe| pipe.id.to_bits());
        if !self.sent_turns.take(self.room_edges, ready, id.to_bits()) {
            let what = format!(
                "socket {} sends to {id:?}, whose turn it is not: {:?}",
                self.place.index, self.sent_turns
            );
            context.fail(Promise::Fairness, what);
        }
        id
    }

    fn planted_misroute(&mut self, id: PeerId, context: &mut Context) -> PeerId {
        let other = self.peers().find(|pipe| pipe.id != id && !pipe.full);
        match other.map(|pipe| pipe.id) {
            Some(other) if context.strikes(Plant::Misroute) => other,
            _ => id,
        }
    }

    fn planted_envelope(&mut self, id: PeerId, context: &mut Context) -> Message {
        let other = self
            .peers()
            .flat_map(|pipe| &pipe.inbound)
            .map(|inbound| inbound.envelope.clone())
            .next();
        let ours = self.pipe(id).map(|pipe| pipe.envelope.clone());
        match other {
            Some(other) if context.strikes(Plant::WrongEnvelope) => other,
            _ => ours.unwrap_or_default(),
        }
    }
}

/// Bugs that strike a queue.
fn plant_in_queue(queue: &mut VecDeque<Message>, context: &mut Context) {
    let last = queue.len() - 1;
    if context.strikes(Plant::Duplicate) {
        queue.push_back(queue[last].clone());
    }
    if last > 0 && context.strikes(Plant::Swap) {
        queue.swap(last, last - 1);
    }
    if last > 0 && context.strikes(Plant::Repeat) {
        queue[last] = queue[last - 1].clone();
    }
}
