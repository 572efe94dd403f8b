//! XPUB, PUB and RADIO: what peers subscribe to in whichever form, and whom a
//! publication reaches, against each peer's own map of topics.

use super::input::Input;
use super::support::{Chunks, Ids};
use ferromq_patterns::{
    Accept, Array, Bucket, Entry, LimitError, Match, Matching, Node, Pattern, Peer, PeerId, Reason,
    Seed, Subscriber, Subscription, SubscriptionLimits, SubscriptionStorage, TopicStep, Upstream,
    XPub, XPubOptions,
};
use std::collections::{BTreeMap, BTreeSet};

type Peers = Array<Peer<Subscriber>, 4>;
type Machine = XPub<Peers, Chunks<Node>, Chunks<Entry>, Chunks<Bucket>>;

const LIMITS: SubscriptionLimits = SubscriptionLimits {
    per_peer: 8,
    topic_bytes: 160,
    topic_len: 150,
    total: 20,
};

/// Target `publish`. Settings: which topics a subscription stands for.
pub(crate) fn fuzz_publish(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(matching) = input.byte() else { return };
    let matching = match matching % 3 {
        0 => Matching::Prefix,
        1 => Matching::Inverted,
        _ => Matching::Exact,
    };
    let storage = SubscriptionStorage {
        nodes: Chunks::default(),
        entries: Chunks::default(),
        children: Chunks::default(),
        lookup: Chunks::default(),
    };
    let options = XPubOptions {
        matching,
        ..XPubOptions::default()
    };
    let bench = Bench {
        xpub: XPub::new(Peers::new(), storage, options, LIMITS, Seed::new(5, 6)),
        ids: Ids::default(),
        matching,
        peers: BTreeMap::new(),
        shown: BTreeSet::new(),
        lost: false,
    };
    assert_eq!(bench.run(input), None, "the data ends the run");
}

#[derive(Default)]
struct Peered {
    topics: BTreeMap<Vec<u8>, u32>,
    room: bool,
    in_message: bool,
}

struct Bench {
    xpub: Machine,
    ids: Ids,
    matching: Matching,
    peers: BTreeMap<PeerId, Peered>,
    /// What the application was told that somebody is subscribed to.
    shown: BTreeSet<Vec<u8>>,
    /// Whether the topics of lost connections may be there still.
    lost: bool,
}

impl Bench {
    fn run(mut self, mut input: Input<'_>) -> Option<()> {
        loop {
            let action = input.byte()?;
            let id = self.ids.pick(input.byte()?);
            match action % 9 {
                0 => match self.xpub.peer_attached(b"") {
                    Ok(id) => {
                        self.ids.add(id);
                        self.peers.insert(id, Peered::default());
                    }
                    Err(_) => assert!(self.peers.len() == 4 || self.lost),
                },
                1 => {
                    self.xpub.peer_detached(id);
                    self.lost |= self.peers.remove(&id).is_some();
                }
                2 => {
                    self.xpub.link_lost(id);
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.topics.clear();
                        (peer.in_message, self.lost) = (false, true);
                    }
                }
                3 => {
                    self.xpub.peer_has_room(id);
                    self.peers.entry(id).and_modify(|peer| peer.room = true);
                }
                4 => {
                    self.xpub.peer_full(id);
                    self.peers.entry(id).and_modify(|peer| peer.room = false);
                }
                5 => self.publish(&input.topic()?),
                6 => self.remove_lost(),
                7 => self.accept(id, &input.topic()?, input.byte()?),
                _ => {
                    let kind = kind(input.flag()?);
                    self.subscription(id, kind, &input.topic()?);
                }
            }
            assert_eq!(self.xpub.peers(), self.peers.len());
            assert!(self.xpub.subscriptions() <= LIMITS.total);
        }
    }

    /// A frame: 01 or 00 in front make a subscription of it, if it is a message.
    fn accept(&mut self, id: PeerId, topic: &[u8], form: u8) {
        let (more, head) = (form & 1 == 1, form >> 1 & 3);
        let frame = [&[head], topic].concat();
        let accept = self.xpub.accept(id, &frame[..], more);
        let Some(peer) = self.peers.get_mut(&id) else {
            return assert_eq!(accept, Accept::Refuse(Reason::UnknownPeer));
        };
        let alone = !std::mem::replace(&mut peer.in_message, more) && !more;
        if alone && head < 2 {
            let kind = kind(head == 1);
            assert_eq!(accept, Accept::Subscription(kind));
            self.subscription(id, kind, topic);
        } else {
            assert_eq!(accept, Accept::Deliver, "upstream data");
        }
    }

    fn subscription(&mut self, id: PeerId, kind: Subscription, topic: &[u8]) {
        let answer = self.xpub.subscription(id, kind, topic);
        let Some(peer) = self.peers.get_mut(&id) else {
            return assert!(answer.is_ok_and(|upstream| upstream == Upstream::Silent));
        };
        let upstream = match answer {
            Ok(upstream) => upstream,
            Err(error) => return self.refused(id, topic, error),
        };
        let edge = match kind {
            Subscription::Subscribe => {
                *peer.topics.entry(topic.to_vec()).or_default() += 1;
                !self.shown.contains(topic)
            }
            Subscription::Cancel => {
                let count = peer.topics.get_mut(topic);
                if let Some(count) = count {
                    *count -= 1;
                    if *count == 0 {
                        peer.topics.remove(topic);
                    }
                    !self.is_held(topic)
                } else {
                    false
                }
            }
        };
        let told = upstream == Upstream::Notify;
        // What a lost connection held may be there still, and then is no edge.
        assert!(told == edge || self.lost, "{kind:?} {topic:?}");
        match kind {
            Subscription::Subscribe if told => assert!(self.shown.insert(topic.to_vec())),
            Subscription::Cancel if told => assert!(self.shown.remove(topic)),
            _ => {}
        }
    }

    /// Refused for a reason.
    fn refused(&self, id: PeerId, topic: &[u8], error: LimitError) {
        let topics = &self.peers[&id].topics;
        let bytes = topics.keys().map(Vec::len).sum::<usize>() + topic.len();
        match error {
            LimitError::TopicLen { .. } => assert!(topic.len() > LIMITS.topic_len),
            LimitError::PeerSubscriptions { .. } => assert_eq!(topics.len(), 8),
            LimitError::PeerTopicBytes { .. } => assert!(bytes > 160),
            LimitError::Subscriptions { .. } => assert_eq!(self.xpub.subscriptions(), 20),
            LimitError::Unremoved { .. } => assert!(self.lost),
            LimitError::Duplicates { limit } => assert_eq!(topics[topic], limit),
            other => panic!("{other}"),
        }
    }

    fn is_held(&self, topic: &[u8]) -> bool {
        let mut peers = self.peers.values();
        peers.any(|peer| peer.topics.contains_key(topic))
    }

    fn wants(&self, peer: &Peered, topic: &[u8]) -> bool {
        let prefixed = peer.topics.keys().any(|prefix| topic.starts_with(prefix));
        match self.matching {
            Matching::Prefix => prefixed,
            Matching::Inverted => !prefixed,
            Matching::Exact => peer.topics.contains_key(topic),
        }
    }

    /// Everybody who wants it, nobody else, and nobody twice.
    fn publish(&mut self, topic: &[u8]) {
        self.xpub.publish(topic);
        let mut reached = BTreeSet::new();
        while let Some(found) = self.xpub.poll_match() {
            let (id, room) = match found {
                Match::Peer(id) => (id, true),
                Match::Full(id) => (id, false),
            };
            assert_eq!(self.peers[&id].room, room);
            assert!(reached.insert(id), "{id:?} twice");
        }
        let wanting = self.peers.iter().filter(|it| self.wants(it.1, topic));
        assert!(reached.iter().eq(wanting.map(|it| it.0)), "{topic:?}");
    }

    /// Then the application knows exactly what is subscribed to.
    fn remove_lost(&mut self) {
        let mut out = [0; 400];
        while let Some(step) = self.xpub.poll_unsubscribed(&mut out) {
            match step {
                TopicStep::Topic { len } => assert!(self.shown.remove(&out[..len])),
                TopicStep::OutTooSmall { len } => panic!("no topic has {len} bytes"),
                TopicStep::Working => {}
            }
        }
        self.lost = false;
        let held: BTreeSet<Vec<u8>> = self
            .peers
            .values()
            .flat_map(|peer| peer.topics.keys().cloned())
            .collect();
        assert_eq!(self.shown, held);
        let each = self.peers.values().map(|peer| peer.topics.len());
        assert_eq!(self.xpub.subscriptions() as usize, each.sum::<usize>());
    }
}

fn kind(subscribe: bool) -> Subscription {
    match subscribe {
        true => Subscription::Subscribe,
        false => Subscription::Cancel,
    }
}
