//! Subscriptions, and who gets a publication.

use ferromq_patterns::{Match, PeerId, Subscription};

use super::Socket;
use crate::Plant;
use crate::context::Context;
use crate::drops::Cause;
use crate::failure::Promise;
use crate::message::{Message, Number};
use crate::pipe::{Inbound, Origin};
use crate::topics;
use crate::trace::{Lost, Step};

impl Socket {
    /// A peer subscribes or cancels.
    pub(super) fn subscribed(
        &mut self,
        id: PeerId,
        subscription: Subscription,
        topic: &[u8],
        context: &mut Context,
    ) {
        let Some(place) = topics::place(topic) else {
            let what = format!("somebody subscribes to {topic:?}");
            return context.fail(Promise::Subscriptions, what);
        };
        let subscribes = subscription == Subscription::Subscribe;
        context.note(Step::Subscription {
            socket: self.place.index,
            peer: id.to_bits(),
            subscribes,
            topic: place as u64,
        });
        if let Some(pipe) = self.pipe(id) {
            match subscription {
                Subscription::Subscribe => pipe.asked.add(place),
                Subscription::Cancel => pipe.asked.remove(place),
            }
        }
        match self.machine.subscription(id, subscription, topic) {
            Ok(true) => self.show(id, subscription, topic, context),
            Ok(false) => {}
            Err(_) => self.unlink(id, Lost::Protocol, context),
        }
    }

    /// XPUB: the application is to see it.
    fn show(&mut self, id: PeerId, what: Subscription, topic: &[u8], context: &mut Context) {
        let mut frame = vec![u8::from(what == Subscription::Subscribe)];
        frame.extend_from_slice(topic);
        let message = Message::of(&[&frame]);
        if !context.has(Plant::CancelFirst) {
            return self.upstream.push_back(message);
        }
        if let Some(pipe) = self.pipe(id) {
            pipe.inbound.push_back(Inbound {
                envelope: Message::default(),
                message,
                origin: Origin::Subscription,
            });
            self.mark_readable(id);
        }
    }

    /// To everybody who is subscribed, by the machine's word, checked against
    /// the naive counts.
    pub(super) fn publish(&mut self, message: &Message, number: Number, context: &mut Context) {
        let topic = message.frame(0);
        let reach = self.reach();
        let mut expected: heapless::Vec<PeerId, 64> = self
            .peers()
            .filter(|pipe| pipe.asked.matches(topic, reach))
            .map(|pipe| pipe.id)
            .collect();
        context.model.owed += expected.len() as u64;
        let everybody = context.strikes(Plant::SendToAll).then(|| self.ids());
        self.machine.publish(topic);
        while let Some(found) = self.machine.poll_match() {
            if context.strikes(Plant::SkipSubscriber) {
                continue;
            }
            let (Match::Peer(id) | Match::Full(id)) = found;
            self.check_match(&mut expected, id, number, context);
            match found {
                Match::Peer(id) => self.enqueue(id, message.clone(), number, context),
                Match::Full(_) => self.drop_messages(Cause::SubscriberFull, 1, context),
            }
        }
        for id in everybody.into_iter().flatten() {
            self.check_match(&mut expected, id, number, context);
        }
        if let Some(id) = expected.first() {
            let what = format!("publication {number} does not go to subscriber {id:?}");
            context.fail(Promise::Match, what);
        }
    }

    /// A subscriber was named: rightly, and for the first time?
    fn check_match(
        &self,
        expected: &mut heapless::Vec<PeerId, 64>,
        id: PeerId,
        number: Number,
        context: &mut Context,
    ) {
        match expected.iter().position(|other| *other == id) {
            Some(at) => {
                expected.swap_remove(at);
            }
            None => {
                let what = format!("publication {number} goes to {id:?}, who does not want it");
                context.fail(Promise::Match, what);
            }
        }
    }

    /// SUB, XSUB, DISH: the application subscribes or cancels; peers are told
    /// unless the resending of topics comes to it.
    pub(crate) fn change_topic(
        &mut self,
        subscription: Subscription,
        topic: &[u8],
        context: &mut Context,
    ) {
        let Some(place) = topics::place(topic) else {
            return;
        };
        let subscribes = subscription == Subscription::Subscribe;
        context.note(Step::Topic {
            socket: self.place.index,
            subscribes,
            topic: place as u64,
        });
        self.wanted.push(self.wants);
        match subscription {
            // A DISH joins a group once.
            Subscription::Subscribe if self.reach() == topics::Reach::Exact => {
                if self.wants.of(place) == 0 {
                    self.wants.add(place);
                }
            }
            Subscription::Subscribe => self.wants.add(place),
            Subscription::Cancel => self.wants.remove(place),
        }
        if !self.machine.change_topic(subscription, topic) {
            return;
        }
        if !subscribes && context.strikes(Plant::ForgetCancel) {
            return;
        }
        for id in self.ids() {
            self.tell(id, subscription, topic, context);
        }
    }

    fn tell(&mut self, id: PeerId, what: Subscription, topic: &[u8], context: &mut Context) {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        let resend = pipe.resend.as_ref();
        if resend.is_some_and(|cursor| self.machine.comes_to(cursor)) {
            return;
        }
        let link = pipe.link.as_deref_mut();
        if let Some((transmitter, output)) = link.and_then(|link| link.sending()) {
            output.append_subscription(transmitter, what, topic);
            self.flush(id, context);
        }
    }
}
