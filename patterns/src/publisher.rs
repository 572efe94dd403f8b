//! PUB (29/PUBSUB): an XPUB whose application sees nothing of its subscribers.
//! RADIO (48/RADIO-DISH): a PUB whose topics are groups.

use crate::entry::Entry;
use crate::group::MAX_GROUP_LEN;
use crate::hash::Seed;
use crate::limits::{LimitError, SubscriptionLimits};
use crate::pattern::{Accept, AttachError, Pattern, Reason, Subscription};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId};
use crate::storage::Storage;
use crate::subscriber::Subscriber;
use crate::subscriptions::{SubscriptionStorage, Subscriptions};
use crate::table::Bucket;
use crate::topics::{Matching, TopicStep};
use crate::tree::Node;
use crate::xpub::{Match, XPub, XPubOptions};

/// A PUB socket's machine. Upstream data that is no subscription is refused and
/// nothing of it is kept.
///
/// With [`Matching::Exact`] it is a RADIO's: JOIN and LEAVE are its subscriptions,
/// a message goes to the members of its group and costs nobody else anything, and
/// all upstream data is refused, for memberships have no form as a message.
#[derive(Debug)]
pub struct Pub<P, N, E, B> {
    inner: XPub<P, N, E, B>,
}

impl<P, N, E, B> Pub<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    /// A machine without peers. `seed` keeps peers from choosing topics that
    /// collide.
    pub fn new(
        peers: P,
        storage: SubscriptionStorage<N, E, B>,
        matching: Matching,
        limits: SubscriptionLimits,
        seed: Seed,
    ) -> Self {
        let limits = match matching {
            Matching::Prefix | Matching::Inverted => limits,
            Matching::Exact => SubscriptionLimits {
                topic_len: limits.topic_len.min(MAX_GROUP_LEN),
                ..limits
            },
        };
        let options = XPubOptions {
            matching,
            ..XPubOptions::default()
        };
        Self {
            inner: XPub::new(peers, storage, options, limits, seed),
        }
    }

    /// Changes which topics a subscription stands for, from the next publication on.
    pub fn set_matching(&mut self, matching: Matching) {
        self.inner.options_mut().matching = matching;
    }

    /// As [`XPub::subscription`], with nobody to notify.
    ///
    /// # Errors
    ///
    /// A limit, or a full storage: nothing has changed. Close the peer's link.
    pub fn subscription(
        &mut self,
        id: PeerId,
        subscription: Subscription,
        topic: &[u8],
    ) -> Result<(), LimitError> {
        self.inner.subscription(id, subscription, topic).map(|_| ())
    }

    /// As [`XPub::publish`].
    #[inline]
    pub fn publish(&mut self, topic: &[u8]) {
        self.inner.publish(topic);
    }

    /// As [`XPub::poll_match`].
    #[inline]
    pub fn poll_match(&mut self) -> Option<Match> {
        self.inner.poll_match()
    }

    /// As [`XPub::any_is_full`].
    #[inline]
    pub fn any_is_full(&self) -> bool {
        self.inner.any_is_full()
    }

    /// Removes what lost connections and detached peers were subscribed to, at
    /// most 64 subscriptions a call, until it says `None`. Never names a topic.
    pub fn poll_unsubscribed(&mut self) -> Option<TopicStep> {
        self.inner.poll_removed()
    }

    /// As [`XPub::vain_cancellations`].
    pub fn vain_cancellations(&self) -> u64 {
        self.inner.vain_cancellations()
    }

    /// Subscriptions held, those of lost connections included.
    pub fn subscriptions(&self) -> u32 {
        self.inner.subscriptions()
    }

    /// Bytes of storage behind the subscriptions.
    pub fn footprint(&self) -> usize {
        self.inner.footprint()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.inner.peers()
    }
}

impl<P, N, E, B> Pattern for Pub<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    type Sides = Subscriptions<P, N, E, B>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        self.inner.sides()
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        self.inner.sides_mut()
    }

    fn peer_attached(&mut self, identity: &[u8]) -> Result<PeerId, AttachError> {
        self.inner.peer_attached(identity)
    }

    fn link_lost(&mut self, id: PeerId) {
        self.inner.link_lost(id);
    }

    /// Nothing: what a PUB reads it keeps to itself.
    #[inline]
    fn peer_readable(&mut self, _id: PeerId) {}

    fn accept<F: Payload + ?Sized>(&mut self, id: PeerId, frame: &F, more: bool) -> Accept {
        let accept = self.inner.accept(id, frame, more);
        let data = match accept {
            Accept::Deliver => true,
            Accept::Subscription(_) => self.inner.matching() == Matching::Exact,
            _ => false,
        };
        if data {
            self.inner.forget_message(id);
            return Accept::Refuse(Reason::UpstreamData);
        }
        accept
    }
}

#[cfg(test)]
mod tests;
