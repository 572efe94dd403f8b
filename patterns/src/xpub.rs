//! XPUB (29/PUBSUB): publishes by prefix, and shows who subscribes.

use crate::entry::{Entry, Kind};
use crate::hash::Seed;
use crate::limits::{LimitError, SubscriptionLimits};
use crate::pattern::{Accept, AttachError, Pattern, Reason, Subscription};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId};
use crate::sides::Sides;
use crate::storage::Storage;
use crate::subscriber::{Room, Subscriber};
use crate::subscriptions::{Change, Reach, Stale, SubscriptionStorage, Subscriptions};
use crate::table::Bucket;
use crate::topics::{Matching, STEPS, TopicStep, Upstream};
use crate::tree::Node;

/// An XPUB socket's machine.
///
/// ```
/// use ferromq_patterns::{
///     Array, Bucket, Entry, Match, Node, Pattern, Peer, Seed, Subscriber, Subscription,
///     SubscriptionLimits, SubscriptionStorage, Upstream, XPub, XPubOptions,
/// };
///
/// let storage = SubscriptionStorage {
///     nodes: Array::<Node, 32>::new(),
///     entries: Array::<Entry, 16>::new(),
///     children: Array::<Bucket, 32>::new(),
///     lookup: Array::<Bucket, 32>::new(),
/// };
/// let mut xpub = XPub::new(
///     Array::<Peer<Subscriber>, 4>::new(),
///     storage,
///     XPubOptions::default(),
///     SubscriptionLimits::default(),
///     Seed::new(1, 2), // from a random source
/// );
/// let peer = xpub.peer_attached(b"")?;
/// xpub.peer_has_room(peer);
/// // The application sees the topic's first subscription.
/// assert_eq!(xpub.subscription(peer, Subscription::Subscribe, b"news"), Ok(Upstream::Notify));
/// xpub.publish(b"news.sport");
/// assert_eq!(xpub.poll_match(), Some(Match::Peer(peer)));
/// assert_eq!(xpub.poll_match(), None);
/// # Ok::<(), ferromq_patterns::AttachError>(())
/// ```
#[derive(Debug)]
pub struct XPub<P, N, E, B> {
    index: Subscriptions<P, N, E, B>,
    options: XPubOptions,
    /// In manual mode: the peer whose subscription was read last.
    last: Option<PeerId>,
    /// With inverted matching: the next slot to look at.
    sweep: u32,
    vain_cancellations: u64,
}

/// What an XPUB shows and does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XPubOptions {
    /// ZMQ_XPUB_VERBOSE and ZMQ_XPUB_VERBOSER.
    pub verbosity: Verbosity,
    /// ZMQ_XPUB_MANUAL.
    pub control: Control,
    /// Which topics a subscription stands for.
    pub matching: Matching,
}

/// Which subscriptions an XPUB shows its application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// A topic's first subscription and last cancellation.
    #[default]
    Edges,
    /// All subscriptions, the last cancellation (VERBOSE).
    Subscriptions,
    /// All of both (VERBOSER).
    All,
}

/// Who makes subscriptions active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// The peer, by asking.
    #[default]
    Automatic,
    /// The application, for the peer whose subscription it read last (MANUAL).
    Manual,
}

/// A subscriber that a publication is for.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Send to this peer.
    Peer(PeerId),
    /// The peer has no room: drop for it and count, or, with NODROP, would block.
    Full(PeerId),
}

impl<P, N, E, B> XPub<P, N, E, B>
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
        options: XPubOptions,
        limits: SubscriptionLimits,
        seed: Seed,
    ) -> Self {
        Self {
            index: Subscriptions::new(peers, storage, limits, seed),
            options,
            last: None,
            sweep: 0,
            vain_cancellations: 0,
        }
    }

    pub(crate) fn matching(&self) -> Matching {
        self.options.matching
    }

    /// The options, to change them. What was subscribed stays as it is.
    pub fn options_mut(&mut self) -> &mut XPubOptions {
        &mut self.options
    }

    /// A peer subscribes or cancels, by a command or by a ZMTP 3.0 frame
    /// ([`Accept::Subscription`]). Subscriptions are counted per connection
    /// (37/ZMTP); to cancel what is not subscribed to changes nothing.
    ///
    /// O(length of the topic), expected. With [`Upstream::Notify`] the
    /// application is to read 01 or 00 and the topic, as from this peer; in the
    /// order of these answers, whichever peers they are about, and before what
    /// [`poll_unsubscribed`](Self::poll_unsubscribed) shows later. Out of that
    /// order a topic's last cancellation may come before its first subscription,
    /// and a proxy stays subscribed for ever.
    ///
    /// # Errors
    ///
    /// A limit, or a full storage: nothing has changed. Close the peer's link.
    pub fn subscription(
        &mut self,
        id: PeerId,
        subscription: Subscription,
        topic: &[u8],
    ) -> Result<Upstream, LimitError> {
        let kind = match self.options.control {
            Control::Automatic => Kind::Active,
            Control::Manual => Kind::Requested,
        };
        let change = self.change(id, subscription, topic, kind)?;
        if (subscription, change) == (Subscription::Cancel, Change::Nothing) {
            self.vain_cancellations = self.vain_cancellations.wrapping_add(1);
        }
        let verbose = match subscription {
            Subscription::Subscribe => self.options.verbosity != Verbosity::Edges,
            Subscription::Cancel => self.options.verbosity == Verbosity::All,
        };
        let shown = match change {
            Change::Nothing => false,
            Change::Count => verbose || kind == Kind::Requested,
            Change::Topic => true,
        };
        Ok(if shown {
            Upstream::Notify
        } else {
            Upstream::Silent
        })
    }

    /// Cancellations by peers of what they were not subscribed to.
    pub fn vain_cancellations(&self) -> u64 {
        self.vain_cancellations
    }

    /// Manual mode: the application has just read a subscription of this peer.
    pub fn set_last(&mut self, id: PeerId) {
        self.last = Some(id);
    }

    /// Manual mode: the application subscribes or cancels for the peer whose
    /// subscription it read last; nothing happens if that peer is gone.
    ///
    /// # Errors
    ///
    /// As [`subscription`](Self::subscription).
    pub fn apply(&mut self, subscription: Subscription, topic: &[u8]) -> Result<(), LimitError> {
        let Some(last) = self.last else { return Ok(()) };
        self.change(last, subscription, topic, Kind::Active)?;
        Ok(())
    }

    /// Starts a match of a message's first frame with the subscriptions; one
    /// that was under way ends. O(length of the topic), expected.
    #[inline]
    pub fn publish(&mut self, topic: &[u8]) {
        let reach = match self.options.matching {
            Matching::Prefix | Matching::Inverted => Reach::Prefixes,
            Matching::Exact => Reach::Topic,
        };
        self.index.publish(topic, reach);
        self.sweep = 0;
    }

    /// The next subscriber of what was published, each once.
    ///
    /// O(1), plus a step for each further subscription of a peer that was named
    /// already. Subscriptions may come and go between two calls. With inverted
    /// matching the first call visits all matching ones, and then each call
    /// walks on over the peers.
    ///
    /// For NODROP walk twice: first for a [`Match::Full`], then to send. Where
    /// [`any_is_full`](Self::any_is_full) says no, the first walk is in vain.
    #[inline]
    pub fn poll_match(&mut self) -> Option<Match> {
        let (id, room) = match self.options.matching {
            Matching::Prefix => self.index.poll_match(Reach::Prefixes)?,
            Matching::Exact => self.index.poll_match(Reach::Topic)?,
            Matching::Inverted => self.poll_others()?,
        };
        Some(match room {
            Room::Some => Match::Peer(id),
            Room::None => Match::Full(id),
        })
    }

    /// Whether some peer has no room, whatever it is subscribed to. O(1).
    #[inline]
    pub fn any_is_full(&self) -> bool {
        self.index.any_is_full()
    }

    /// Removes what lost connections and detached peers were subscribed to, and
    /// writes into `out` a topic whose cancellation the application is to see,
    /// as if the peer had sent it.
    ///
    /// At most 64 steps a call; `None` when nothing is left to remove. Until
    /// then the slots of detached peers are not used again. Works on lost
    /// connections in turn, oldest subscription first.
    pub fn poll_unsubscribed(&mut self, out: &mut [u8]) -> Option<TopicStep> {
        for step in 0..STEPS {
            match self.index.next_stale() {
                None if step == 0 => return None,
                None => break,
                Some(Stale::PeerDone) => {}
                Some(Stale::Entry(entry)) => {
                    if let Some(step) = self.remove_stale(entry, out) {
                        return Some(step);
                    }
                }
            }
        }
        Some(TopicStep::Working)
    }

    /// As `poll_unsubscribed`, showing nothing: PUB's way.
    pub(crate) fn poll_removed(&mut self) -> Option<TopicStep> {
        for step in 0..STEPS {
            match self.index.next_stale() {
                None if step == 0 => return None,
                None => break,
                Some(Stale::PeerDone) => {}
                Some(Stale::Entry(entry)) => {
                    self.index.remove(entry);
                }
            }
        }
        Some(TopicStep::Working)
    }

    /// The message that the peer is in the middle of was refused.
    pub(crate) fn forget_message(&mut self, id: PeerId) {
        if let Some(peer) = self.index.peers.get_mut(id) {
            peer.in_message = false;
        }
    }

    /// Subscriptions held, those of lost connections included.
    pub fn subscriptions(&self) -> u32 {
        self.index.total()
    }

    /// Bytes of storage behind the subscriptions.
    pub fn footprint(&self) -> usize {
        self.index.footprint()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.index.peers.len()
    }

    fn change(
        &mut self,
        id: PeerId,
        subscription: Subscription,
        topic: &[u8],
        kind: Kind,
    ) -> Result<Change, LimitError> {
        match subscription {
            Subscription::Subscribe => self.index.subscribe(id, topic, kind),
            Subscription::Cancel => Ok(self.index.cancel(id, topic, kind)),
        }
    }

    /// Removes one entry, or one of its count if each is to be shown.
    fn remove_stale(&mut self, index: u32, out: &mut [u8]) -> Option<TopicStep> {
        let entry = self.index.entry(index)?;
        // Shown as often as its subscriptions were, so that a proxy's counts end at zero.
        let each = self.options.verbosity == Verbosity::All || entry.kind() == Kind::Requested;
        let shown = match (entry.kind(), self.options.control) {
            (Kind::Requested, _) => true,
            (Kind::Active, Control::Manual) => false,
            (Kind::Active, Control::Automatic) => each || self.index.is_alone(entry),
        };
        let topic = if shown {
            Some(self.read_topic(entry.node, out))
        } else {
            None
        };
        if let Some(TopicStep::OutTooSmall { .. }) = topic {
            return topic;
        }
        let left = match self.index.entry_mut(index) {
            Some(entry) if each && shown => entry.decrement(),
            _ => 0,
        };
        if left == 0 {
            self.index.remove(index);
        }
        topic
    }

    fn read_topic(&self, node: u32, out: &mut [u8]) -> TopicStep {
        let len = self.index.tree().topic_len(node);
        if len > out.len() {
            return TopicStep::OutTooSmall { len };
        }
        self.index.tree().read_topic(node, out);
        TopicStep::Topic { len }
    }

    /// The next peer that no subscription matched.
    fn poll_others(&mut self) -> Option<(PeerId, Room)> {
        while self.index.poll_match(Reach::Prefixes).is_some() {}
        while self.sweep < self.index.peers.slots() {
            let slot = self.sweep;
            self.sweep += 1;
            if !self.index.was_named(slot)
                && let Some((id, peer)) = self.index.peers.attached_at_mut(slot)
            {
                return Some((id, peer.room));
            }
        }
        None
    }
}

impl<P, N, E, B> Pattern for XPub<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    type Sides = Subscriptions<P, N, E, B>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.index
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.index
    }

    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        self.index.attach()
    }

    /// O(1): what the peer was subscribed to matches no more, and is removed by
    /// [`poll_unsubscribed`](XPub::poll_unsubscribed).
    fn peer_detached(&mut self, id: PeerId) {
        self.index.peer_detached(id);
    }

    /// O(1), as [`peer_detached`](Self::peer_detached). The next connection may
    /// subscribe at once.
    fn link_lost(&mut self, id: PeerId) {
        self.index.link_lost(id);
    }

    /// A single frame that starts with 01 or 00 is a subscription, whatever the
    /// peer's version; everything else is upstream data for the application.
    fn accept<F: Payload + ?Sized>(&mut self, id: PeerId, frame: &F, more: bool) -> Accept {
        let Some(peer) = self.index.peers.get_mut(id) else {
            return Accept::Refuse(Reason::UnknownPeer);
        };
        let first = !core::mem::replace(&mut peer.in_message, more);
        match frame.head().first() {
            Some(1) if first && !more => Accept::Subscription(Subscription::Subscribe),
            Some(0) if first && !more => Accept::Subscription(Subscription::Cancel),
            _ => Accept::Deliver,
        }
    }
}

#[cfg(test)]
mod tests;
