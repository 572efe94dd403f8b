//! XPUB and PUB against a list of who subscribes to what, over every storage
//! and with storages that fail.

use std::collections::{BTreeMap, BTreeSet};

use ferromq_patterns::{
    Array, Bucket, Control, Entry, LimitError, Match, Matching, Node, Pattern, Peer, PeerId, Seed,
    Storage, Subscriber, Subscription, SubscriptionLimits, SubscriptionStorage, TopicStep,
    Upstream, Verbosity, XPub, XPubOptions,
};
use proptest::prelude::*;

use crate::support::{Chunks, Flaky, Ids, Script};
use crate::topics::topic;

const LIMITS: SubscriptionLimits = SubscriptionLimits {
    per_peer: 8,
    topic_bytes: 160,
    topic_len: 150,
    total: 20,
};

#[derive(Clone, Debug)]
enum Event {
    Attached,
    Detached(u8),
    LinkLost(u8),
    HasRoom(u8),
    Full(u8),
    Subscription(u8, Subscription, Vec<u8>),
    /// Manual mode: the application reads this peer's last subscription and decides.
    Apply(u8, Subscription, Vec<u8>),
    /// A publication; after so many matches the event in the middle happens.
    Publish(Vec<u8>, u8, Option<Box<Event>>),
    Poll(u8),
    PollAll,
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        2 => Just(Subscription::Subscribe),
        1 => Just(Subscription::Cancel),
    ];
    let change = prop_oneof![
        3 => Just(Event::Attached),
        1 => any::<u8>().prop_map(Event::Detached),
        1 => any::<u8>().prop_map(Event::LinkLost),
        3 => any::<u8>().prop_map(Event::HasRoom),
        1 => any::<u8>().prop_map(Event::Full),
        12 => (any::<u8>(), kind.clone(), topic()).prop_map(|(i, k, t)| Event::Subscription(i, k, t)),
        4 => (any::<u8>(), kind, topic()).prop_map(|(i, k, t)| Event::Apply(i, k, t)),
        1 => any::<u8>().prop_map(Event::Poll),
        1 => Just(Event::PollAll),
    ]
    .boxed();
    let middle = prop::option::of(change.clone().prop_map(Box::new));
    prop_oneof![
        3 => change,
        1 => (topic(), 0..4u8, middle).prop_map(|(t, n, e)| Event::Publish(t, n, e)),
    ]
}

/// Topics and how often each is subscribed to.
type Counts = BTreeMap<Vec<u8>, u32>;

#[derive(Default)]
struct Model {
    options: XPubOptions,
    peers: BTreeMap<PeerId, ModelPeer>,
    /// What lost connections had asked for and what is not removed yet, at most.
    stale: Counts,
    /// Subscriptions, stale ones or not, that count towards the machine's limit, at most.
    shown: Counts,
}

#[derive(Default)]
struct ModelPeer {
    room: bool,
    /// What it asked for, and what messages go by.
    asked: Counts,
    active: Counts,
}

impl ModelPeer {
    fn wants(&self, topic: &[u8], matching: Matching) -> bool {
        let prefixed = || self.active.keys().any(|prefix| topic.starts_with(prefix));
        match matching {
            Matching::Prefix => prefixed(),
            Matching::Inverted => !prefixed(),
            Matching::Exact => self.active.contains_key(topic),
        }
    }
}

impl Model {
    fn manual(&self) -> bool {
        self.options.control == Control::Manual
    }

    /// C71, C82, 48/RADIO-DISH: who a publication is for.
    fn audience(&self, topic: &[u8]) -> BTreeSet<PeerId> {
        let wanted = |peer: &ModelPeer| peer.wants(topic, self.options.matching);
        self.peers
            .iter()
            .filter(|(_, peer)| wanted(peer))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether a connection is subscribed to a topic.
    fn live(&self, topic: &[u8]) -> bool {
        self.peers
            .values()
            .any(|peer| peer.asked.contains_key(topic))
    }

    fn lose(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.active.clear();
        for (topic, count) in std::mem::take(&mut peer.asked) {
            *self.stale.entry(topic).or_default() += count;
        }
    }

    /// What must be shown for a peer's subscription. `None`: it depends on
    /// whether an old connection's has been removed already.
    fn shows(&self, id: PeerId, kind: Subscription, topic: &[u8]) -> Option<bool> {
        let Some(peer) = self.peers.get(&id) else {
            return Some(false);
        };
        let mine = peer.asked.get(topic).copied().unwrap_or(0);
        let verbosity = self.options.verbosity;
        let others = self
            .peers
            .iter()
            .any(|(other, p)| *other != id && p.asked.contains_key(topic));
        match kind {
            Subscription::Cancel if mine == 0 => Some(false),
            _ if self.manual() || verbosity == Verbosity::All => Some(true),
            Subscription::Subscribe if verbosity == Verbosity::Subscriptions => Some(true),
            _ if others || mine > 1 => Some(false),
            Subscription::Subscribe if mine == 1 => Some(false),
            _ if self.stale.contains_key(topic) => None,
            _ => Some(true),
        }
    }
}

fn add(counts: &mut Counts, topic: &[u8]) {
    *counts.entry(topic.to_vec()).or_default() += 1;
}

fn take(counts: &mut Counts, topic: &[u8]) -> bool {
    let Some(count) = counts.get_mut(topic) else {
        return false;
    };
    *count -= 1;
    if *count == 0 {
        counts.remove(topic);
    }
    true
}

struct Bench<P, N, E, B> {
    xpub: XPub<P, N, E, B>,
    model: Model,
    ids: Ids,
    /// Whether storages fail at any time.
    flaky: bool,
}

impl<P, N, E, B> Bench<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Attached => match self.xpub.peer_attached(b"") {
                Ok(id) => {
                    self.ids.add(id);
                    self.model.peers.insert(id, ModelPeer::default());
                }
                Err(_) => assert!(self.flaky || self.xpub.peer_slots() >= 4),
            },
            Event::Detached(i) => {
                self.xpub.peer_detached(self.ids.pick(*i));
                self.model.lose(self.ids.pick(*i));
                self.model.peers.remove(&self.ids.pick(*i));
            }
            Event::LinkLost(i) => {
                self.xpub.link_lost(self.ids.pick(*i));
                self.model.lose(self.ids.pick(*i));
            }
            Event::HasRoom(i) => {
                self.xpub.peer_has_room(self.ids.pick(*i));
                self.set_room(*i, true);
            }
            Event::Full(i) => {
                self.xpub.peer_full(self.ids.pick(*i));
                self.set_room(*i, false);
            }
            Event::Subscription(i, kind, topic) => {
                self.subscription(self.ids.pick(*i), *kind, topic)
            }
            Event::Apply(i, kind, topic) => self.decide(self.ids.pick(*i), *kind, topic),
            Event::Publish(topic, after, event) => self.publish(topic, *after, event.as_deref()),
            Event::Poll(room) => {
                let _ = self.poll(usize::from(*room));
            }
            Event::PollAll => self.poll_all(),
        }
        assert_eq!(self.xpub.peers(), self.model.peers.len());
        let any_is_full = self.model.peers.values().any(|peer| !peer.room);
        assert_eq!(self.xpub.any_is_full(), any_is_full);
    }

    fn set_room(&mut self, i: u8, room: bool) {
        if let Some(peer) = self.model.peers.get_mut(&self.ids.pick(i)) {
            peer.room = room;
        }
    }

    fn subscription(&mut self, id: PeerId, kind: Subscription, topic: &[u8]) {
        let expected = self.model.shows(id, kind, topic);
        let answer = self.xpub.subscription(id, kind, topic);
        let Ok(upstream) = answer else {
            return self.refused(id, topic, answer.unwrap_err());
        };
        let shown = upstream == Upstream::Notify;
        assert_eq!(shown, expected.unwrap_or(shown), "{kind:?} {topic:?}");
        self.show(kind, topic, shown);
        let manual = self.model.manual();
        let Some(peer) = self.model.peers.get_mut(&id) else {
            return;
        };
        match kind {
            Subscription::Subscribe => add(&mut peer.asked, topic),
            Subscription::Cancel => assert!(take(&mut peer.asked, topic) || !shown),
        }
        if !manual {
            peer.active = peer.asked.clone();
        }
    }

    /// C73, C75: what the application has been shown is always in balance.
    fn show(&mut self, kind: Subscription, topic: &[u8], shown: bool) {
        let edges = self.model.options.verbosity != Verbosity::All && !self.model.manual();
        match kind {
            Subscription::Subscribe if shown && edges => {
                self.model.shown.insert(topic.to_vec(), 1);
            }
            Subscription::Subscribe if shown => add(&mut self.model.shown, topic),
            Subscription::Cancel if shown => {
                assert!(
                    take(&mut self.model.shown, topic),
                    "{topic:?} was never shown"
                );
            }
            _ => {}
        }
    }

    // C76
    fn decide(&mut self, id: PeerId, kind: Subscription, topic: &[u8]) {
        if !self.model.manual() {
            return;
        }
        self.xpub.set_last(id);
        let answer = self.xpub.apply(kind, topic);
        if let Err(error) = answer {
            return self.refused(id, topic, error);
        }
        let Some(peer) = self.model.peers.get_mut(&id) else {
            return;
        };
        match kind {
            Subscription::Subscribe => add(&mut peer.active, topic),
            Subscription::Cancel => {
                take(&mut peer.active, topic);
            }
        }
    }

    /// H30, H32: refused for a reason.
    fn refused(&self, id: PeerId, topic: &[u8], error: LimitError) {
        let peer = &self.model.peers[&id];
        let mut kept: Vec<_> = peer.asked.keys().collect();
        if self.model.manual() {
            kept.extend(peer.active.keys());
        }
        let bytes: usize = kept.iter().map(|topic| topic.len()).sum::<usize>() + topic.len();
        match error {
            LimitError::TopicLen { len, limit } => {
                assert_eq!((len, limit), (topic.len(), 150));
                assert!(len > limit);
            }
            LimitError::PeerSubscriptions { limit } => assert_eq!((kept.len(), limit), (8, 8)),
            LimitError::PeerTopicBytes { bytes: with, .. } => {
                assert_eq!(with, bytes as u64);
                assert!(bytes > 160);
            }
            LimitError::Subscriptions { .. } => assert_eq!(self.xpub.subscriptions(), 20),
            LimitError::Full => assert!(self.flaky),
            other => panic!("{other}"),
        }
    }

    fn publish(&mut self, topic: &[u8], after: u8, event: Option<&Event>) {
        let before = self.model.audience(topic);
        self.xpub.publish(topic);
        let mut named = BTreeSet::new();
        for _ in 0..after {
            self.name(&mut named);
        }
        if let Some(event) = event {
            self.apply(event);
        }
        while self.name(&mut named) {}
        let now = self.model.audience(topic);
        if event.is_none() {
            assert_eq!(named, before, "{topic:?}");
        } else {
            let both: BTreeSet<_> = before.intersection(&now).copied().collect();
            assert!(
                named.is_superset(&both),
                "{both:?} match all the time, {named:?} were named"
            );
            assert!(
                named
                    .iter()
                    .all(|id| before.contains(id) || now.contains(id))
            );
        }
    }

    fn name(&mut self, named: &mut BTreeSet<PeerId>) -> bool {
        let Some(found) = self.xpub.poll_match() else {
            return false;
        };
        let (id, room) = match found {
            Match::Peer(id) => (id, true),
            Match::Full(id) => (id, false),
        };
        assert_eq!(self.model.peers[&id].room, room);
        assert!(named.insert(id), "{id:?} was named twice");
        true
    }

    fn poll(&mut self, room: usize) -> Option<TopicStep> {
        let mut out = vec![0; room];
        let step = self.xpub.poll_unsubscribed(&mut out)?;
        match step {
            TopicStep::Topic { len } => {
                assert!(
                    take(&mut self.model.stale, &out[..len]),
                    "nobody lost {out:?}"
                );
                self.show(Subscription::Cancel, &out[..len], true);
            }
            TopicStep::OutTooSmall { len } => {
                assert!(len > room);
                let again = self.xpub.poll_unsubscribed(&mut out);
                assert_eq!(again, Some(step), "nothing was lost");
            }
            TopicStep::Working => {}
        }
        Some(step)
    }

    fn poll_all(&mut self) {
        while self.poll(600).is_some() {}
        self.model.stale.clear();
        let live: BTreeSet<_> = self
            .model
            .shown
            .keys()
            .filter(|topic| self.model.live(topic))
            .cloned()
            .collect();
        let shown: BTreeSet<_> = self.model.shown.keys().cloned().collect();
        assert_eq!(shown, live, "what is shown is what is subscribed to");
        let asked = |topic: &Vec<u8>| -> u32 {
            self.model
                .peers
                .values()
                .filter_map(|peer| peer.asked.get(topic))
                .sum()
        };
        let all = self.model.options.verbosity == Verbosity::All || self.model.manual();
        for (topic, count) in self.model.shown.iter().filter(|_| all) {
            assert_eq!(*count, asked(topic), "each is shown: {topic:?}");
        }
        let kept = |peer: &ModelPeer| match self.model.manual() {
            true => peer.asked.len() + peer.active.len(),
            false => peer.asked.len(),
        };
        let kept: usize = self.model.peers.values().map(kept).sum();
        assert_eq!(self.xpub.subscriptions() as usize, kept);
    }
}

fn check<P, N, E, B>(
    storage: (P, SubscriptionStorage<N, E, B>),
    options: XPubOptions,
    flaky: bool,
    events: &[Event],
) where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    let xpub = XPub::new(storage.0, storage.1, options, LIMITS, Seed::new(5, 6));
    let model = Model {
        options,
        ..Model::default()
    };
    let mut bench = Bench {
        xpub,
        model,
        ids: Ids::default(),
        flaky,
    };
    for event in events {
        bench.apply(event);
    }
    bench.poll_all();
    // Everything is given back: whatever was stored can be stored again.
    for id in bench.model.peers.keys().copied().collect::<Vec<_>>() {
        bench.xpub.peer_detached(id);
        bench.model.lose(id);
        bench.model.peers.remove(&id);
    }
    bench.poll_all();
    assert_eq!(
        (bench.xpub.subscriptions(), bench.model.shown.len()),
        (0, 0)
    );
}

fn options() -> impl Strategy<Value = XPubOptions> {
    let verbosity = prop_oneof![
        Just(Verbosity::Edges),
        Just(Verbosity::Subscriptions),
        Just(Verbosity::All),
    ];
    let control = prop_oneof![3 => Just(Control::Automatic), 1 => Just(Control::Manual)];
    let matching = prop_oneof![
        3 => Just(Matching::Prefix),
        1 => Just(Matching::Inverted),
        2 => Just(Matching::Exact),
    ];
    (verbosity, control, matching).prop_map(|(verbosity, control, matching)| XPubOptions {
        verbosity,
        control,
        matching,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    // C71 to C76, C78, C82; H30, H31
    #[test]
    fn xpub_names_each_subscriber_once_and_shows_what_changes(
        options in options(),
        events in prop::collection::vec(event(), 0..200),
        bits in any::<u64>(),
    ) {
        // Room for all that the limits allow, and too few buckets.
        let arrays = SubscriptionStorage {
            nodes: Array::<Node, 200>::new(),
            entries: Array::<Entry, 20>::new(),
            children: Array::<Bucket, 7>::new(),
            lookup: Array::<Bucket, 7>::new(),
        };
        check((Array::<Peer<Subscriber>, 4>::new(), arrays), options, false, &events);
        let vectors = SubscriptionStorage {
            nodes: heapless::Vec::<Node, 200>::new(),
            entries: heapless::Vec::<Entry, 20>::new(),
            children: heapless::Vec::<Bucket, 64>::new(),
            lookup: heapless::Vec::<Bucket, 64>::new(),
        };
        check((heapless::Vec::<Peer<Subscriber>, 4>::new(), vectors), options, false, &events);
        let chunks = SubscriptionStorage::<_, _, Chunks<Bucket>> {
            nodes: Chunks::with_limit(200),
            entries: Chunks::with_limit(20),
            children: Chunks::default(),
            lookup: Chunks::default(),
        };
        check((Chunks::with_limit(4), chunks), options, false, &events);
        // Too little room for most things, at its end and before it.
        let small = SubscriptionStorage::<_, _, Chunks<Bucket>> {
            nodes: Chunks::with_limit(bits as usize % 30),
            entries: Chunks::with_limit(1 + bits as usize / 64 % 16),
            children: Chunks::default(),
            lookup: Chunks::default(),
        };
        check((Chunks::with_limit(4), small), options, true, &events);
        let script = Script::new(bits);
        let flaky = SubscriptionStorage {
            nodes: Flaky::new(&script),
            entries: Flaky::new(&script),
            children: Flaky::<Bucket>::new(&script),
            lookup: Flaky::<Bucket>::new(&script),
        };
        check((Flaky::new(&script), flaky), options, true, &events);
    }
}
