//! What the applications do, one step at a time.

use ferromq_patterns::{Resend, Subscription};
use ferromq_wire::SocketType;

use crate::context::Context;
use crate::failure::Promise;
use crate::message::{Message, Number, write_body};
use crate::model::{ANYBODY, Copies, Record};
use crate::scenario::Role;
use crate::socket::{Socket, Unsent};
use crate::topics::{PUBLISHED, TOPICS};

/// A node's application.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) role: Role,
    /// A message that could not be sent yet.
    held: Option<(Message, Number)>,
    /// REQ: the request that is out, and since when.
    pub(crate) asked: Option<(Number, u64)>,
    /// REP: the request that is to be answered.
    answering: Option<Number>,
    /// What was sent last.
    pub(crate) last: Option<Number>,
    /// How long a REQ waits for its reply, in microseconds.
    patience: u64,
}

/// What an application may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It makes messages.
    Busy,
    /// It only takes what comes, and answers.
    Quiet,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Go on.
    GoOn,
    /// A strict REQ lost its patience: its socket is of no use any more.
    Restart,
}

impl App {
    pub(crate) fn new(role: Role, context: &mut Context) -> Self {
        Self {
            role,
            held: None,
            asked: None,
            answering: None,
            last: None,
            patience: context.random.between(20_000, 200_000),
        }
    }

    /// Its process starts: it remembers nothing.
    pub(crate) fn start(&mut self, sockets: &mut [Socket], context: &mut Context) {
        (self.held, self.asked, self.answering) = (None, None, None);
        if self.role == Role::Subscribe {
            for _ in 0..context.random.between(1, 3) {
                self.change_topics(&mut sockets[0], context);
            }
        }
    }

    /// Does its next thing.
    pub(crate) fn step(
        &mut self,
        sockets: &mut [Socket],
        mood: Mood,
        context: &mut Context,
    ) -> After {
        if self.role == Role::Forward {
            if let [front, back] = sockets {
                forward(front, back, context);
            }
            return After::GoOn;
        }
        let busy = mood == Mood::Busy;
        let socket = &mut sockets[0];
        match self.role {
            Role::Request => return self.request(socket, mood, context),
            Role::Reply => self.reply(socket, context),
            Role::Serve => self.serve(socket, context),
            Role::Subscribe if busy && context.random.one_in(6) => {
                self.change_topics(socket, context);
            }
            Role::Publish | Role::Produce | Role::Talk | Role::Query if busy => {
                self.produce(socket, context);
            }
            _ => {}
        }
        if !matches!(
            self.role,
            Role::Produce | Role::Publish | Role::Reply | Role::Serve
        ) {
            self.consume(socket, context);
        }
        After::GoOn
    }

    /// Sends a message that was held back, or a new one.
    pub(crate) fn produce(&mut self, socket: &mut Socket, context: &mut Context) {
        for _ in 0..context.random.between(1, 3) {
            let (message, number) = match self.held.take() {
                Some(held) => held,
                None => self.make(socket, ANYBODY, None, context),
            };
            match socket.send(message.clone(), number, context) {
                Ok(()) => self.last = Some(number),
                Err(_) => {
                    self.held = Some((message, number));
                    return;
                }
            }
        }
    }

    /// Whether it owes somebody an answer.
    pub(crate) fn owes(&self) -> bool {
        self.answering.is_some()
    }

    /// Sends once more, when nothing is in the way; whether it could.
    pub(crate) fn probe(&mut self, socket: &mut Socket, context: &mut Context) -> bool {
        let (message, number) = match self.held.take() {
            Some(held) => held,
            None => self.make(socket, ANYBODY, None, context),
        };
        self.last = Some(number);
        socket.send(message, number, context).is_ok()
    }

    /// A message of the kind that its socket sends.
    fn make(
        &self,
        socket: &Socket,
        to: u64,
        answers: Option<Number>,
        context: &mut Context,
    ) -> (Message, Number) {
        use SocketType as T;
        let parts = match socket.place.kind {
            T::Scatter | T::Channel | T::Client | T::Server | T::Radio => 1,
            _ if context.random.one_in(2) => 1,
            _ => context.random.between(2, 3) as u8,
        };
        let publishes = self.role == Role::Publish;
        let mut record = Record::new(socket.name(), to);
        record.answers = answers;
        let mut message = Message::default();
        if publishes {
            record.copies = Copies::Many;
            let topic = context.random.index(PUBLISHED.len());
            record.topic = Some(topic);
            message.push(PUBLISHED[topic]);
        }
        let number = context.model.made(record);
        write_body(&mut message, number, parts);
        (message, number)
    }

    fn consume(&mut self, socket: &mut Socket, context: &mut Context) {
        for _ in 0..context.random.between(1, 4) {
            if socket.receive(context).is_none() {
                return;
            }
        }
    }

    fn change_topics(&mut self, socket: &mut Socket, context: &mut Context) {
        let place = context.random.index(TOPICS.len());
        let topic = TOPICS[place];
        let cancels = socket.wants.of(place) > 0 && !context.random.one_in(3);
        let what = match cancels {
            true => Subscription::Cancel,
            false => Subscription::Subscribe,
        };
        socket.change_topic(what, topic, context);
    }

    /// REQ: asks, takes the reply, loses patience; and tries what is not its turn.
    fn request(&mut self, socket: &mut Socket, mood: Mood, context: &mut Context) -> After {
        if let Some(received) = socket.receive(context) {
            let asked = self.asked.take();
            let answers = received
                .number
                .map(|number| context.model.record(number).answers);
            if answers != Some(asked.map(|(number, _)| number)) || asked.is_none() {
                let what = format!("a reply to {answers:?} comes, when {asked:?} was asked");
                context.fail(Promise::Reply, what);
            }
        }
        let relaxed = socket.extras.resend == Resend::Relaxed;
        let now = context.now;
        let tired = self
            .asked
            .is_some_and(|(_, since)| now > since + self.patience);
        if mood == Mood::Quiet {
            return After::GoOn;
        }
        if tired && !relaxed {
            return After::Restart;
        }
        // Sending out of turn is tried now and then: it must be refused.
        if self.asked.is_none() || tired || (!relaxed && context.random.one_in(4)) {
            self.ask(socket, context);
        }
        After::GoOn
    }

    /// REQ: sends a request; whether it did.
    pub(crate) fn ask(&mut self, socket: &mut Socket, context: &mut Context) -> bool {
        let (message, number) = self.make(socket, ANYBODY, None, context);
        let orphaned = socket.routed.is_none_or(|id| socket.pipe(id).is_none());
        let sent = socket.send(message, number, context);
        let relaxed = socket.extras.resend == Resend::Relaxed;
        let allowed = self.asked.is_none() || relaxed || orphaned;
        match sent {
            Ok(()) if !allowed => {
                let what = format!("request {number} is sent, and {:?} is out", self.asked);
                context.fail(Promise::Alternation, what);
            }
            // A request whose peer is gone for good is over, by the machine's word.
            Ok(()) => self.asked = Some((number, context.now)),
            Err(Unsent::OutOfTurn) if allowed => {
                let what = "a request is refused, and no reply can come".to_owned();
                context.fail(Promise::Alternation, what);
            }
            Err(_) => {}
        }
        sent.is_ok()
    }

    /// REP: takes a request, or answers the one that it has; and tries what is
    /// not its turn.
    fn reply(&mut self, socket: &mut Socket, context: &mut Context) {
        for _ in 0..context.random.between(1, 3) {
            let in_turn = !context.random.one_in(8);
            match self.answering {
                Some(request) if in_turn => {
                    self.answering = None;
                    let to = context.model.record(request).origin;
                    self.answer(to, request, &[], socket, context);
                }
                Some(request) => {
                    if socket.receive(context).is_some() {
                        let what = format!("a request comes before {request} is answered");
                        context.fail(Promise::Alternation, what);
                    }
                }
                None if in_turn => {
                    let received = socket.receive(context);
                    self.answering = received.and_then(|received| received.number);
                }
                None => {
                    let (message, number) = self.make(socket, ANYBODY, None, context);
                    if socket.send(message, number, context) != Err(Unsent::OutOfTurn) {
                        let what = format!("reply {number} is sent, and nobody asked");
                        context.fail(Promise::Alternation, what);
                    }
                }
            }
        }
    }

    /// ROUTER, SERVER: answers whoever sent something, by the name that came with it.
    fn serve(&mut self, socket: &mut Socket, context: &mut Context) {
        for _ in 0..context.random.between(1, 4) {
            let Some(received) = socket.receive(context) else {
                return;
            };
            if let Some(number) = received.number {
                let to = context.model.record(number).origin;
                let name = received.message.frame(0).to_vec();
                self.answer(to, number, &[&name], socket, context);
            }
        }
    }

    fn answer(
        &self,
        to: u64,
        request: Number,
        envelope: &[&[u8]],
        socket: &mut Socket,
        context: &mut Context,
    ) {
        let (body, number) = self.make(socket, to, Some(request), context);
        let mut message = Message::of(envelope);
        message.append(&body);
        if socket.send(message, number, context).is_err() {
            let what = format!("answer {number} is refused, which nothing forbids");
            context.fail(Promise::Alternation, what);
        }
    }
}

/// A proxy: takes nothing that it cannot put.
fn forward(front: &mut Socket, back: &mut Socket, context: &mut Context) {
    for _ in 0..context.random.between(1, 6) {
        let there = pass(front, back, context);
        let back_again = match front.place.kind {
            SocketType::XSub => pass_upstream(back, front, context),
            SocketType::Pull => false,
            _ => pass(back, front, context),
        };
        if !there && !back_again {
            return;
        }
    }
}

fn pass(from: &mut Socket, to: &mut Socket, context: &mut Context) -> bool {
    // Publishers and routers drop and count, the others must have room.
    let waits = matches!(to.place.kind, SocketType::Push | SocketType::Dealer);
    if waits && to.peers().all(|pipe| pipe.full) {
        return false;
    }
    let Some(received) = from.receive(context) else {
        return false;
    };
    if let Some(number) = received.number
        && to.send(received.message, number, context).is_err()
    {
        let what = format!("a proxy cannot pass {number} on, and there was room");
        context.fail(Promise::Fairness, what);
    }
    true
}

/// What an XPUB shows goes to the XSUB.
fn pass_upstream(xpub: &mut Socket, xsub: &mut Socket, context: &mut Context) -> bool {
    let Some(received) = xpub.receive(context) else {
        return false;
    };
    match received.message.frame(0) {
        [1, topic @ ..] => xsub.change_topic(Subscription::Subscribe, topic, context),
        [0, topic @ ..] => xsub.change_topic(Subscription::Cancel, topic, context),
        _ => {}
    }
    true
}
