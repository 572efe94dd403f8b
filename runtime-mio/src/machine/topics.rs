//! The part of the machines that deals with topics.

use ferromq_patterns::{
    Bucket, Control, Entry, LimitError, Match, Matching, Node, Peer, PeerId, Pub, Publisher,
    ResendCursor, Sub, SubscribeError, Subscriber, Subscription, SubscriptionLimits,
    SubscriptionStorage, TopicStep, TopicStorage, Upstream, Verbosity, XPub, XPubOptions, XSub,
};

use super::{Machine, PEERS, seed, unsupported};
use crate::storage::Chunks;
use crate::{Error, Options};

/// Nodes of one tree: the limits count topics and bytes, and strike before.
const NODES: usize = 1 << 28;

pub(super) type PubMachine =
    Pub<Chunks<Peer<Subscriber>>, Chunks<Node>, Chunks<Entry>, Chunks<Bucket>>;
pub(super) type XPubMachine =
    XPub<Chunks<Peer<Subscriber>>, Chunks<Node>, Chunks<Entry>, Chunks<Bucket>>;
pub(super) type SubMachine = Sub<Chunks<Peer<Publisher>>, Chunks<Node>, Chunks<Bucket>>;
pub(super) type XSubMachine = XSub<Chunks<Peer<Publisher>>, Chunks<Node>, Chunks<Bucket>>;

pub(super) fn publisher(matching: Matching, options: &Options) -> PubMachine {
    let limits = limits(options);
    Pub::new(
        Chunks::with_limit(PEERS),
        subscriptions(),
        matching,
        limits,
        seed(),
    )
}

pub(super) fn shown_publisher(options: &Options) -> XPubMachine {
    let shown = XPubOptions {
        verbosity: match (options.xpub_verboser, options.xpub_verbose) {
            (true, _) => Verbosity::All,
            (false, true) => Verbosity::Subscriptions,
            (false, false) => Verbosity::Edges,
        },
        control: if options.xpub_manual {
            Control::Manual
        } else {
            Control::Automatic
        },
        matching: matching(options),
    };
    let limits = limits(options);
    XPub::new(
        Chunks::with_limit(PEERS),
        subscriptions(),
        shown,
        limits,
        seed(),
    )
}

pub(super) fn subscriber(matching: Matching) -> SubMachine {
    Sub::new(Chunks::with_limit(PEERS), topics(), matching, seed())
}

pub(super) fn shown_subscriber() -> XSubMachine {
    XSub::new(Chunks::with_limit(PEERS), topics(), seed())
}

fn limits(options: &Options) -> SubscriptionLimits {
    SubscriptionLimits {
        per_peer: options.max_subscriptions,
        topic_bytes: options.max_subscription_bytes,
        total: options.max_total_subscriptions,
        ..SubscriptionLimits::default()
    }
}

fn subscriptions() -> SubscriptionStorage<Chunks<Node>, Chunks<Entry>, Chunks<Bucket>> {
    SubscriptionStorage {
        nodes: Chunks::with_limit(NODES),
        entries: Chunks::with_limit(NODES),
        children: Chunks::with_limit(NODES),
        lookup: Chunks::with_limit(NODES),
    }
}

fn topics() -> TopicStorage<Chunks<Node>, Chunks<Bucket>> {
    TopicStorage {
        nodes: Chunks::with_limit(NODES),
        children: Chunks::with_limit(NODES),
    }
}

pub(super) fn matching(options: &Options) -> Matching {
    if options.invert_matching {
        Matching::Inverted
    } else {
        Matching::Prefix
    }
}

impl Machine {
    /// Whether it sends to subscribers.
    pub(crate) fn publishes(&self) -> bool {
        matches!(self, Self::Pub(_) | Self::XPub(_) | Self::Radio(_))
    }

    /// Whether its peers join groups instead of subscribing to topics.
    pub(crate) fn has_groups(&self) -> bool {
        matches!(self, Self::Radio(_))
    }

    /// A peer subscribes or cancels. True: the application is to see it.
    pub(crate) fn subscription(
        &mut self,
        id: PeerId,
        subscription: Subscription,
        topic: &[u8],
    ) -> Result<bool, LimitError> {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine
                .subscription(id, subscription, topic)
                .map(|()| false),
            Self::XPub(machine) => {
                let upstream = machine.subscription(id, subscription, topic)?;
                Ok(upstream == Upstream::Notify)
            }
            _ => Ok(false),
        }
    }

    /// Cancellations of what was not subscribed to: they were ignored.
    pub(crate) fn vain_cancellations(&self) -> u64 {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine.vain_cancellations(),
            Self::XPub(machine) => machine.vain_cancellations(),
            _ => 0,
        }
    }

    /// Subscriptions that peers hold, or held and are not forgotten yet.
    #[cfg(test)]
    pub(crate) fn subscriptions(&self) -> u32 {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine.subscriptions(),
            Self::XPub(machine) => machine.subscriptions(),
            _ => 0,
        }
    }

    /// Starts a match; [`poll_match`](Self::poll_match) gives the subscribers.
    #[inline]
    pub(crate) fn publish(&mut self, topic: &[u8]) {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine.publish(topic),
            Self::XPub(machine) => machine.publish(topic),
            _ => {}
        }
    }

    /// The next subscriber of what was published.
    #[inline]
    pub(crate) fn poll_match(&mut self) -> Option<Match> {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine.poll_match(),
            Self::XPub(machine) => machine.poll_match(),
            _ => None,
        }
    }

    /// Whether some subscriber has no room, whatever it is subscribed to.
    #[inline]
    pub(crate) fn any_subscriber_is_full(&self) -> bool {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine.any_is_full(),
            Self::XPub(machine) => machine.any_is_full(),
            _ => false,
        }
    }

    /// Removes some of what peers that went were subscribed to. `Some` with
    /// a topic: its cancellation is to be shown. `None`: nothing is left.
    pub(crate) fn poll_unsubscribed(&mut self, topic: &mut Vec<u8>) -> Option<TopicStep> {
        match self {
            Self::Pub(machine) | Self::Radio(machine) => machine.poll_unsubscribed(),
            Self::XPub(machine) => match machine.poll_unsubscribed(topic)? {
                TopicStep::OutTooSmall { len } => {
                    topic.resize(len, 0);
                    machine.poll_unsubscribed(topic)
                }
                step => Some(step),
            },
            _ => None,
        }
    }

    /// The application subscribes. True: peers are to be told.
    ///
    /// On an XPUB in manual mode it decides on a subscription it was shown.
    pub(crate) fn subscribe(&mut self, topic: &[u8]) -> Result<bool, Error> {
        let upstream = match self {
            Self::Sub(machine) => machine.subscribe(topic),
            Self::XSub(machine) => machine.subscribe(topic),
            Self::XPub(machine) => {
                return match machine.apply(Subscription::Subscribe, topic) {
                    Ok(()) => Ok(false),
                    Err(cause) => Err(Error::Subscription {
                        cause: cause.to_string(),
                    }),
                };
            }
            _ => return Err(unsupported("subscribe", self.socket_type())),
        };
        match upstream {
            Ok(upstream) => Ok(upstream == Upstream::Notify),
            Err(cause) => Err(Error::Subscription {
                cause: cause.to_string(),
            }),
        }
    }

    /// The application joins a group. Then peers are to be told.
    pub(crate) fn join(&mut self, group: &[u8]) -> Result<(), Error> {
        let Self::Dish(machine) = self else {
            return Err(unsupported("join a group", self.socket_type()));
        };
        match machine.subscribe(group) {
            Ok(_) => Ok(()),
            Err(SubscribeError::Group(cause)) => Err(cause.into()),
            Err(SubscribeError::Joined) => Err(Error::AlreadyJoined),
            Err(cause) => Err(Error::Subscription {
                cause: cause.to_string(),
            }),
        }
    }

    /// The application leaves a group. Then peers are to be told.
    pub(crate) fn leave(&mut self, group: &[u8]) -> Result<(), Error> {
        let Self::Dish(machine) = self else {
            return Err(unsupported("leave a group", self.socket_type()));
        };
        match machine.unsubscribe(group) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::NotJoined),
        }
    }

    /// The application unsubscribes. True: peers are to be told.
    pub(crate) fn unsubscribe(&mut self, topic: &[u8]) -> Result<bool, Error> {
        let upstream = match self {
            Self::Sub(machine) => machine.unsubscribe(topic),
            Self::XSub(machine) => machine.unsubscribe(topic),
            Self::XPub(machine) => {
                // Cancelling cannot meet a limit.
                let _ = machine.apply(Subscription::Cancel, topic);
                return Ok(false);
            }
            _ => return Err(unsupported("unsubscribe", self.socket_type())),
        };
        // Without a subscription there is nothing to take back.
        Ok(upstream == Ok(Upstream::Notify))
    }

    /// The next topic for a connection that is new. `None`: it has them all.
    pub(crate) fn poll_subscription(
        &self,
        cursor: &mut ResendCursor,
        topic: &mut Vec<u8>,
    ) -> Option<TopicStep> {
        let mut poll = |topic: &mut Vec<u8>| match self {
            Self::Sub(machine) | Self::Dish(machine) => machine.poll_subscription(cursor, topic),
            Self::XSub(machine) => machine.poll_subscription(cursor, topic),
            _ => None,
        };
        match poll(topic)? {
            TopicStep::OutTooSmall { len } => {
                topic.resize(len, 0);
                poll(topic)
            }
            step => Some(step),
        }
    }

    /// Whether the cursor will bring the topic that was changed last.
    pub(crate) fn comes_to(&self, cursor: &ResendCursor) -> bool {
        match self {
            Self::Sub(machine) | Self::Dish(machine) => machine.comes_to(cursor),
            Self::XSub(machine) => machine.comes_to(cursor),
            _ => false,
        }
    }

    /// Whether its subscriptions are sent to every peer.
    pub(crate) fn subscribes(&self) -> bool {
        matches!(self, Self::Sub(_) | Self::XSub(_) | Self::Dish(_))
    }
}
