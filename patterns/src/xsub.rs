//! XSUB (29/PUBSUB): subscribes upstream, counting its own subscriptions.

use core::fmt;

use crate::group::GroupError;
use crate::hash::Seed;
use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::{Frames, ReceiveOnly};
use crate::slab::NIL;
use crate::storage::{Full, Storage};
use crate::table::Bucket;
use crate::topics::{STEPS, TopicStep, Upstream};
use crate::tree::{MAX_TOPIC_LEN, Node, Tree};

/// Storage for a set of topics: [`Node`]s, and as many [`Bucket`]s.
#[derive(Clone, Debug, Default)]
pub struct TopicStorage<N, B> {
    /// The radix tree.
    pub nodes: N,
    /// From a node and a byte to the child.
    pub children: B,
}

/// An XSUB socket's machine. It delivers whatever publishers send.
///
/// A topic that the application subscribes to twice goes upstream once, and is
/// cancelled upstream when it was cancelled as often. Each new connection is
/// sent every topic once, by a [`ResendCursor`].
///
/// ```
/// use ferromq_patterns::{
///     Array, Bucket, Node, Pattern, Peer, Publisher, ResendCursor, Seed, TopicStep, TopicStorage,
///     Upstream, XSub,
/// };
///
/// let topics = TopicStorage {
///     nodes: Array::<Node, 32>::new(),
///     children: Array::<Bucket, 32>::new(),
/// };
/// let mut xsub = XSub::new(Array::<Peer<Publisher>, 4>::new(), topics, Seed::new(1, 2));
/// assert_eq!(xsub.subscribe(b"news"), Ok(Upstream::Notify));
/// assert_eq!(xsub.subscribe(b"news"), Ok(Upstream::Silent));
///
/// // A connection is made: it is sent every topic.
/// let _peer = xsub.peer_attached(b"")?;
/// let (mut cursor, mut topic) = (ResendCursor::new(), [0; 64]);
/// while let Some(step) = xsub.poll_subscription(&mut cursor, &mut topic) {
///     if let TopicStep::Topic { len } = step {
///         assert_eq!(&topic[..len], b"news");
///     }
/// }
/// # Ok::<(), ferromq_patterns::AttachError>(())
/// ```
#[derive(Debug)]
pub struct XSub<P, N, B> {
    sides: ReceiveOnly<P, Publisher>,
    /// At each topic, how often it is subscribed to less one.
    topics: Tree<N, B>,
    subscribed: u32,
    /// Node of the topic that last came or went.
    changed: u32,
}

/// What a subscriber knows of a peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Publisher {
    in_message: bool,
}

/// How far the topics have been sent to a new connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResendCursor {
    /// The next node to look at. Topics never move to another.
    node: u32,
}

impl ResendCursor {
    /// At the first topic.
    #[must_use]
    pub const fn new() -> Self {
        Self { node: 0 }
    }
}

impl<P, N, B> XSub<P, N, B>
where
    P: Storage<Peer<Publisher>>,
    N: Storage<Node>,
    B: Storage<Bucket>,
{
    /// A machine without peers and topics.
    pub fn new(peers: P, topics: TopicStorage<N, B>, seed: Seed) -> Self {
        Self {
            sides: ReceiveOnly::new(peers, Frames::Any),
            topics: Tree::new(topics.nodes, topics.children, seed),
            subscribed: 0,
            changed: NIL,
        }
    }

    /// Counts one more subscription to a topic. O(length of the topic).
    ///
    /// With [`Upstream::Notify`] it is the first: send it to every connection,
    /// except those whose cursor [comes to it](Self::comes_to).
    ///
    /// # Errors
    ///
    /// The topic is too long, or storage is full; nothing has changed.
    pub fn subscribe(&mut self, topic: &[u8]) -> Result<Upstream, SubscribeError> {
        if topic.len() > MAX_TOPIC_LEN {
            return Err(SubscribeError::TopicLen { len: topic.len() });
        }
        let node = self.topics.insert(topic)?;
        match self.topics.value(node) {
            NIL => {
                self.topics.set_value(node, 0);
                self.subscribed += 1;
                self.changed = node;
                Ok(Upstream::Notify)
            }
            more => {
                // NIL itself must not be reached: the count stays at its largest.
                self.topics.set_value(node, (more + 1).min(NIL - 1));
                Ok(Upstream::Silent)
            }
        }
    }

    /// Counts one subscription to a topic less. O(length of the topic).
    ///
    /// With [`Upstream::Notify`] it was the last: cancel it on every
    /// connection, except those whose cursor [would come to it](Self::comes_to).
    ///
    /// # Errors
    ///
    /// [`NotSubscribed`], and nothing has changed.
    pub fn unsubscribe(&mut self, topic: &[u8]) -> Result<Upstream, NotSubscribed> {
        let node = self.topics.find(topic).ok_or(NotSubscribed)?;
        match self.topics.value(node) {
            NIL => Err(NotSubscribed),
            0 => {
                self.topics.set_value(node, NIL);
                self.topics.prune(node);
                self.subscribed -= 1;
                self.changed = node;
                Ok(Upstream::Notify)
            }
            more => {
                self.topics.set_value(node, more - 1);
                Ok(Upstream::Silent)
            }
        }
    }

    /// Whether a cursor is still to pass the place of the topic that
    /// [`subscribe`](Self::subscribe) or [`unsubscribe`](Self::unsubscribe) last
    /// answered [`Upstream::Notify`] for. Then that connection needs no message
    /// of it: the cursor brings the topic, or no longer finds it.
    pub fn comes_to(&self, cursor: &ResendCursor) -> bool {
        cursor.node != NIL && cursor.node <= self.changed
    }

    /// Writes the next topic that a new connection is to be sent into `out`.
    ///
    /// Every topic that stays subscribed to is visited once, in no particular
    /// order. At most 64 steps a call; `None` at the end.
    pub fn poll_subscription(
        &self,
        cursor: &mut ResendCursor,
        out: &mut [u8],
    ) -> Option<TopicStep> {
        if cursor.node >= self.topics.used() {
            // The end is past every node to come, too.
            cursor.node = NIL;
            return None;
        }
        for _ in 0..STEPS {
            if self.topics.value(cursor.node) != NIL {
                let len = self.topics.topic_len(cursor.node);
                if len > out.len() {
                    return Some(TopicStep::OutTooSmall { len });
                }
                self.topics.read_topic(cursor.node, out);
                cursor.node += 1;
                return Some(TopicStep::Topic { len });
            }
            cursor.node = cursor.node.saturating_add(1);
        }
        Some(TopicStep::Working)
    }

    /// Different topics subscribed to.
    pub fn subscriptions(&self) -> u32 {
        self.subscribed
    }

    /// Bytes of storage behind the topics.
    pub fn footprint(&self) -> usize {
        self.topics.footprint()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }

    /// Whether a subscription is a prefix of `topic`.
    #[inline]
    pub(crate) fn is_subscribed(&self, topic: &[u8]) -> bool {
        self.topics.any_prefix(topic)
    }

    /// Whether this very topic is subscribed to.
    #[inline]
    pub(crate) fn holds(&self, topic: &[u8]) -> bool {
        self.topics
            .find(topic)
            .is_some_and(|node| self.topics.value(node) != NIL)
    }

    /// Whether a frame is a message's first; notes whether another follows.
    #[inline]
    pub(crate) fn starts_message(&mut self, id: PeerId, more: bool) -> Option<bool> {
        let peer = self.sides.peers.get_mut(id)?;
        Some(!core::mem::replace(&mut peer.in_message, more))
    }
}

impl<P, N, B> Pattern for XSub<P, N, B>
where
    P: Storage<Peer<Publisher>>,
    N: Storage<Node>,
    B: Storage<Bucket>,
{
    type Sides = ReceiveOnly<P, Publisher>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.sides
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.sides
    }

    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.sides.attach(Publisher::default())?)
    }

    /// A half-read message is forgotten. The next connection wants a new
    /// [`ResendCursor`].
    fn link_lost(&mut self, id: PeerId) {
        if let Some(peer) = self.sides.peers.get_mut(id) {
            peer.in_message = false;
        }
    }
}

/// A subscription could not be made; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The topic is longer than [`MAX_TOPIC_LEN`].
    TopicLen {
        /// Its length in bytes.
        len: usize,
    },
    /// A storage is full.
    Full,
    /// DISH: no group can be called that.
    Group(GroupError),
    /// DISH: the group is joined already.
    Joined,
}

impl From<Full> for SubscribeError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl From<GroupError> for SubscribeError {
    fn from(error: GroupError) -> Self {
        Self::Group(error)
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopicLen { len } => {
                write!(
                    f,
                    "topic of {len} bytes exceeds the limit of {MAX_TOPIC_LEN}"
                )
            }
            Self::Full => f.write_str("subscription storage is full"),
            Self::Group(error) => error.fmt(f),
            Self::Joined => f.write_str("the group is joined already"),
        }
    }
}

impl core::error::Error for SubscribeError {}

/// The topic to unsubscribe from was not subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSubscribed;

impl fmt::Display for NotSubscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the topic is not subscribed to")
    }
}

impl core::error::Error for NotSubscribed {}

#[cfg(test)]
mod tests;
