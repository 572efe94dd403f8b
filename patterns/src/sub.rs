//! SUB (29/PUBSUB): an XSUB that lets through only what it subscribed to.
//! DISH (48/RADIO-DISH): a SUB whose topics are groups.

use crate::group::check_group;
use crate::hash::Seed;
use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId};
use crate::sides::ReceiveOnly;
use crate::storage::Storage;
use crate::table::Bucket;
use crate::topics::{Matching, TopicStep, Upstream};
use crate::tree::Node;
use crate::xsub::{NotSubscribed, Publisher, ResendCursor, SubscribeError, TopicStorage, XSub};

/// A SUB socket's machine.
///
/// Publishers filter already, but one that was late to hear a cancellation, or
/// that does not filter at all, sends more: the first frame decides, against the
/// same tree of topics that goes upstream.
///
/// With [`Matching::Exact`] it is a DISH's: to subscribe is to join a group, which
/// it does once, and a message is a frame with the group and one more.
#[derive(Debug)]
pub struct Sub<P, N, B> {
    inner: XSub<P, N, B>,
    matching: Matching,
}

impl<P, N, B> Sub<P, N, B>
where
    P: Storage<Peer<Publisher>>,
    N: Storage<Node>,
    B: Storage<Bucket>,
{
    /// A machine without peers and topics.
    pub fn new(peers: P, topics: TopicStorage<N, B>, matching: Matching, seed: Seed) -> Self {
        Self {
            inner: XSub::new(peers, topics, seed),
            matching,
        }
    }

    /// Changes which topics a subscription stands for, from the next message on.
    pub fn set_matching(&mut self, matching: Matching) {
        self.matching = matching;
    }

    /// As [`XSub::subscribe`].
    ///
    /// # Errors
    ///
    /// The topic is too long, or storage is full; for a DISH, the group is joined
    /// already, or no group can be called that. Nothing has changed.
    pub fn subscribe(&mut self, topic: &[u8]) -> Result<Upstream, SubscribeError> {
        if self.matching == Matching::Exact {
            check_group(topic)?;
            if self.inner.holds(topic) {
                return Err(SubscribeError::Joined);
            }
        }
        self.inner.subscribe(topic)
    }

    /// As [`XSub::unsubscribe`].
    ///
    /// # Errors
    ///
    /// [`NotSubscribed`], and nothing has changed.
    pub fn unsubscribe(&mut self, topic: &[u8]) -> Result<Upstream, NotSubscribed> {
        self.inner.unsubscribe(topic)
    }

    /// As [`XSub::comes_to`].
    pub fn comes_to(&self, cursor: &ResendCursor) -> bool {
        self.inner.comes_to(cursor)
    }

    /// As [`XSub::poll_subscription`].
    pub fn poll_subscription(
        &self,
        cursor: &mut ResendCursor,
        out: &mut [u8],
    ) -> Option<TopicStep> {
        self.inner.poll_subscription(cursor, out)
    }

    /// Different topics subscribed to.
    pub fn subscriptions(&self) -> u32 {
        self.inner.subscriptions()
    }

    /// Bytes of storage behind the topics.
    pub fn footprint(&self) -> usize {
        self.inner.footprint()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.inner.peers()
    }

    /// A message is a joined group, then one frame.
    /// Whether a message of this one frame is delivered: what
    /// [`accept`](Pattern::accept) answers, between messages, of a frame that is
    /// one. Nothing changes. `false` also where only `accept` can tell.
    #[inline]
    pub fn takes_single(&self, body: &[u8]) -> bool {
        matches!(self.matching, Matching::Prefix) && self.inner.is_subscribed(body)
    }

    fn refuses_as_dish<F: Payload + ?Sized>(
        &self,
        frame: &F,
        first: bool,
        more: bool,
    ) -> Option<Reason> {
        if first != more {
            return Some(Reason::WrongParts);
        }
        let group = frame.head();
        let member = !first || group.len() == frame.len() && self.inner.holds(group);
        (!member).then_some(Reason::NotSubscribed)
    }
}

impl<P, N, B> Pattern for Sub<P, N, B>
where
    P: Storage<Peer<Publisher>>,
    N: Storage<Node>,
    B: Storage<Bucket>,
{
    type Sides = ReceiveOnly<P, Publisher>;

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

    /// O(length of the topic subscribed to); O(1) with the empty topic. Of the
    /// length of the group for a DISH.
    #[inline]
    fn accept<F: Payload + ?Sized>(&mut self, id: PeerId, frame: &F, more: bool) -> Accept {
        let Some(first) = self.inner.starts_message(id, more) else {
            return Accept::Refuse(Reason::UnknownPeer);
        };
        let refusal = match (self.matching, first) {
            (Matching::Exact, _) => self.refuses_as_dish(frame, first, more),
            (_, false) => None,
            (Matching::Prefix, true) => {
                (!self.inner.is_subscribed(frame.head())).then_some(Reason::NotSubscribed)
            }
            (Matching::Inverted, true) => self
                .inner
                .is_subscribed(frame.head())
                .then_some(Reason::NotSubscribed),
        };
        let Some(reason) = refusal else {
            return Accept::Deliver;
        };
        // The rest of the message is skipped: the next frame starts another.
        let _ = self.inner.starts_message(id, false);
        Accept::Refuse(reason)
    }
}

#[cfg(test)]
mod tests;
