//! Sending to many: publishers to subscribers, XSUB to publishers.

use ferromq_patterns::{Match, Subscription};

use super::core::Core;
use super::send::After;
use super::state::State;
use crate::clock::Ticks;
use crate::link::{BY_HANDLE, Parts, shareable};
use crate::statistics::DropCause;
use crate::{Error, Message};

/// Subscribers that are served by one reading of the clock.
const SAME_TIME: u32 = 16;

impl State {
    /// PUB, XPUB: to everybody whose subscription matches.
    pub(super) fn publish<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        message: &M,
        now: Ticks,
    ) -> Result<After, Error> {
        if self.by_reference > 0 {
            self.make_room(core);
            if let Some(shared) = self.shareable(message) {
                return self.publish_shared(core, &shared, now);
            }
        }
        self.publish_to_all(core, message, now)
    }

    /// Takes back what full subscribers are done with: else one that keeps pace would
    /// lose messages for what it gave back and nobody has read.
    #[cold]
    fn make_room(&mut self, core: &Core) {
        if self.machine.any_subscriber_is_full() {
            self.look_for_returns(core, |pipe| pipe.full);
        }
    }

    /// A long message, copied once for all subscribers that read it in place.
    #[cold]
    fn shareable<M: Parts + ?Sized>(&self, message: &M) -> Option<Message> {
        if message.len() < BY_HANDLE {
            return None;
        }
        let mut links = self
            .pipes
            .iter()
            .flatten()
            .filter_map(|pipe| pipe.link.as_ref());
        let link = links.find(|link| link.references.is_some())?;
        shareable(link, message)
    }

    #[inline(never)]
    fn publish_shared(
        &mut self,
        core: &Core,
        shared: &Message,
        now: Ticks,
    ) -> Result<After, Error> {
        self.publish_to_all(core, shared, now)
    }

    #[inline(always)]
    fn publish_to_all<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        message: &M,
        mut now: Ticks,
    ) -> Result<After, Error> {
        let topic = message.bytes(0);
        if core.settings.pub_no_drop() && self.any_match_full(topic) {
            return Err(Error::WouldBlock);
        }
        let mut deferred = false;
        let mut matched = 0;
        self.machine.publish(topic);
        while let Some(subscriber) = self.machine.poll_match() {
            matched += 1;
            if matched % SAME_TIME == 0 {
                now = Ticks::now();
            }
            match subscriber {
                Match::Full(id) if !core.settings.conflate() => {
                    self.drop_messages(Some(id), DropCause::SubscriberFull, 1);
                }
                Match::Peer(id) | Match::Full(id) => {
                    deferred |= self.push_whole(core, id, message, now);
                }
            }
        }
        if matched == 0 {
            self.drop_messages(None, DropCause::NoPeer, 1);
        }
        self.pace.ended(Ticks::now());
        Ok(After::of(deferred))
    }

    pub(super) fn any_match_full(&mut self, topic: &[u8]) -> bool {
        if !self.machine.any_subscriber_is_full() {
            return false;
        }
        self.machine.publish(topic);
        std::iter::from_fn(|| self.machine.poll_match()).any(|m| matches!(m, Match::Full(_)))
    }

    /// XSUB: a message of one frame that starts with 01 or 00 subscribes or
    /// cancels; anything else goes to every publisher with room.
    pub(super) fn send_upstream<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        message: &M,
        now: Ticks,
    ) -> Result<After, Error> {
        let subscription = match (message.bytes(0), message.count()) {
            ([1, topic @ ..], 1) => Some((Subscription::Subscribe, topic)),
            ([0, topic @ ..], 1) => Some((Subscription::Cancel, topic)),
            _ => None,
        };
        if let Some((what, topic)) = subscription {
            let spread = match what {
                Subscription::Subscribe => self.machine.subscribe(topic)?,
                Subscription::Cancel => self.machine.unsubscribe(topic)?,
            };
            if spread {
                self.spread_subscription(core, what, topic);
            }
            return Ok(After::Settled);
        }
        let mut deferred = false;
        for id in self.ids() {
            match self.pipe(id).is_some_and(|pipe| pipe.full) {
                true => self.drop_messages(Some(id), DropCause::PeerFull, 1),
                false => deferred |= self.push_whole(core, id, message, now),
            }
        }
        Ok(After::of(deferred))
    }
}
