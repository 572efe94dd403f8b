//! How what a peer sends is read: decoded when it is asked for, or ahead into
//! its pipe, always for no longer than the peer's share of a turn.

use std::time::Duration;

use ferromq_patterns::{PeerId, Subscription};

use super::core::Core;
use super::share::{self, Share};
use super::state::State;
use crate::io::Command;
use crate::link::{Decoded, LinkError};
use crate::pipe::Pipe;
use crate::statistics::DropCause;
use crate::{Frame, Message};

/// With more peers than this, idle links give their buffers back: with fewer,
/// keeping them saves a turn through the pool on every round trip.
pub(super) const KEEP_BUFFERS: usize = 16;

/// What one step of reading a pipe gave.
pub(super) enum Step {
    Message(Message),
    /// Something else came, at this cost of the peer's share; go on.
    Again(u32),
    /// Nothing more for now.
    Empty,
}

impl State {
    /// Decodes or reads once from one peer.
    #[inline]
    pub(super) fn step(&mut self, core: &Core, id: PeerId) -> Step {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return Step::Empty;
        };
        let Some(link) = &mut pipe.link else {
            if pipe.ending && pipe.inbound.is_empty() {
                self.detach(core, id);
            }
            return Step::Empty;
        };
        let decoded = link.decode(id, &mut self.machine, &self.pools);
        if link.has_refused() {
            link.take_refused(&mut self.finished);
        }
        let found = match decoded {
            Ok(Decoded::Message(mut message)) => {
                if self.linked > KEEP_BUFFERS {
                    link.rest_if_read(&mut self.pools);
                }
                if self.machine.keeps_envelopes() {
                    let envelope = link.take_envelope();
                    pipe.keep_envelope(envelope);
                }
                if let Some(identity) = &pipe.identity {
                    message.push_front(identity.clone());
                }
                return Step::Message(message);
            }
            Ok(Decoded::Starved) if link.drained => {
                if self.linked > KEEP_BUFFERS {
                    link.rest(&mut self.pools);
                }
                return Step::Empty;
            }
            Ok(Decoded::Starved) => {
                // Pieces are read while memory is offered, too.
                let cost = match link.is_within_body() || self.pools.offer.stands() {
                    true => share::PIECE,
                    false => share::BLOCK,
                };
                match link.fill(&self.pools) {
                    Ok(true) => return Step::Again(cost),
                    Ok(false) => {
                        if self.linked > KEEP_BUFFERS {
                            link.rest(&mut self.pools);
                        }
                        return Step::Empty;
                    }
                    Err(cause) => Err(cause),
                }
            }
            other => other,
        };
        self.control(core, id, found);
        Step::Again(share::ITEM)
    }

    #[cold]
    fn control(&mut self, core: &Core, id: PeerId, found: Result<Decoded, LinkError>) {
        match found {
            Ok(Decoded::Ping { ttl }) => self.answer_ping(core, id, ttl),
            Ok(Decoded::Subscription {
                subscription,
                topic,
            }) => {
                self.subscription(core, id, subscription, topic);
            }
            Ok(Decoded::GivenBack(frame)) => self.was_given_back(core, id, frame),
            Ok(Decoded::Refused(cause)) => self.drop_messages(Some(id), cause, 1),
            Ok(Decoded::Message(_) | Decoded::Starved) => {}
            Err(cause) => self.link_lost(core, id, &cause),
        }
    }

    fn answer_ping(&mut self, core: &Core, id: PeerId, ttl: Duration) {
        if !ttl.is_zero() {
            // The peer wants us to miss it: that needs a timer.
            core.io.send(Command::Heartbeat(core.id));
        }
        // One PONG at most is pending: while the link is blocked it stays so.
        if self
            .pipe(id)
            .and_then(|pipe| pipe.link.as_ref())
            .is_some_and(|link| !link.output.blocked)
        {
            self.flush(core, id);
        }
    }

    fn subscription(&mut self, core: &Core, id: PeerId, subscription: Subscription, topic: Frame) {
        let vain = self.machine.vain_cancellations();
        match self.machine.subscription(id, subscription, &topic) {
            Ok(true) => {
                let mut upstream = Vec::with_capacity(1 + topic.len());
                upstream.push(u8::from(subscription == Subscription::Subscribe));
                upstream.extend_from_slice(&topic);
                self.keep_in_order(id, Message::from(upstream));
            }
            Ok(false) if self.machine.vain_cancellations() != vain => {
                self.drop_messages(Some(id), DropCause::Refused, 1);
            }
            Ok(false) => {}
            Err(limit) => self.link_lost(core, id, &LinkError::Subscriptions(limit)),
        }
    }

    /// Reads what has come from a peer into its inbound queue, at most up to
    /// the receive high-water mark, and for no longer than its share of the turn:
    /// then it is one of the unread.
    ///
    /// For publishers, for peers whose transport broke, and while the
    /// application is away.
    pub(crate) fn pump(&mut self, core: &Core, id: PeerId) {
        let mut share = Share::new();
        if !self.pump_while(core, id, |cost| share.spend(cost)) && !self.unread.contains(&id) {
            self.unread.push(id);
            // Its event is taken, and a poller or a loop may be about to sleep.
            core.wake_epoll();
        }
    }

    /// The same of a peer whose connection is over: what it sent has an end.
    pub(super) fn pump_to_the_end(&mut self, core: &Core, id: PeerId) {
        self.pump_while(core, id, |_| true);
    }

    /// Goes on with the peers that were not read to their end. Whoever waits
    /// for the socket's events does so again and again.
    pub(crate) fn pump_unread(&mut self, core: &Core) {
        for id in std::mem::take(&mut self.unread) {
            self.pump(core, id);
        }
    }

    /// False: there may be more, and `may_go_on` said no.
    fn pump_while(
        &mut self,
        core: &Core,
        id: PeerId,
        mut may_go_on: impl FnMut(u32) -> bool,
    ) -> bool {
        if self.leaves_unread(id) {
            self.news = true;
            return true;
        }
        while !self.is_inbound_full(core, id) {
            let cost = match self.step(core, id) {
                Step::Message(message) => {
                    self.keep(core, id, message);
                    share::ITEM
                }
                Step::Again(cost) => cost,
                Step::Empty => return true,
            };
            if !may_go_on(cost) {
                return false;
            }
        }
        true
    }

    /// Whether what a peer sent stays with it until it is asked for. A peer in
    /// this process has a queue that is bounded already, and sends nothing that
    /// must be seen before, but to publishers, and to a REQ, which forgets what
    /// came unasked; unless it is about to go.
    fn leaves_unread(&mut self, id: PeerId) -> bool {
        let eager = self.machine.reads_eagerly() || self.machine.forgets_before_asking();
        let link = self.pipe(id).and_then(|pipe| pipe.link.as_deref());
        link.is_some_and(|link| link.output.hands_over && !link.hangup && !link.drained) && !eager
    }

    /// Whether no more may be decoded for this peer before the application
    /// takes some. True for a peer that is gone.
    pub(crate) fn is_inbound_full(&mut self, core: &Core, id: PeerId) -> bool {
        self.pipe(id)
            .is_none_or(|pipe| pipe.is_inbound_full(&core.settings))
    }

    fn keep(&mut self, core: &Core, id: PeerId, message: Message) {
        if !self.machine.receives() {
            self.finished.extend(message.into_frames());
            return self.drop_messages(Some(id), DropCause::Refused, 1);
        }
        let Some(pipe) = self.keep_in_order(id, message) else {
            return;
        };
        if core.settings.conflate() && pipe.inbound.len() > 1 {
            let older = pipe.take_inbound();
            self.finished
                .extend(older.into_iter().flat_map(Message::into_frames));
            self.drop_messages(Some(id), DropCause::Conflated, 1);
        }
    }

    /// Puts a message into its peer's pipe, to be received in turn; by an XPUB, in
    /// the order in which all of them came.
    fn keep_in_order(&mut self, id: PeerId, message: Message) -> Option<&mut Pipe> {
        self.pipe(id)?.keep_inbound(message);
        if self.machine.shows_subscriptions() {
            self.inbound.show(id);
        }
        self.machine.peer_readable(id);
        self.news = true;
        self.pipe(id)
    }
}
