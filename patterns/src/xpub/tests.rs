use super::*;
use crate::storage::Array;
use crate::subscriptions::SubscriptionStorage;
use std::vec;
use std::vec::Vec;

type Machine =
    XPub<Array<Peer<Subscriber>, 4>, Array<Node, 64>, Array<Entry, 16>, Array<Bucket, 32>>;

fn machine(options: XPubOptions, limits: SubscriptionLimits) -> (Machine, [PeerId; 2]) {
    let storage = SubscriptionStorage {
        nodes: Array::new(),
        entries: Array::new(),
        children: Array::new(),
        lookup: Array::new(),
    };
    let mut xpub = XPub::new(Array::new(), storage, options, limits, Seed::new(1, 2));
    let peers = [(); 2].map(|()| {
        let id = xpub.peer_attached(b"").unwrap();
        xpub.peer_has_room(id);
        id
    });
    (xpub, peers)
}

fn plain() -> (Machine, [PeerId; 2]) {
    machine(XPubOptions::default(), SubscriptionLimits::default())
}

fn subscribe(xpub: &mut Machine, id: PeerId, topic: &[u8]) -> bool {
    xpub.subscription(id, Subscription::Subscribe, topic) == Ok(Upstream::Notify)
}

fn cancel(xpub: &mut Machine, id: PeerId, topic: &[u8]) -> bool {
    xpub.subscription(id, Subscription::Cancel, topic) == Ok(Upstream::Notify)
}

fn matches(xpub: &mut Machine, topic: &[u8]) -> Vec<Match> {
    xpub.publish(topic);
    let mut found: Vec<_> = core::iter::from_fn(|| xpub.poll_match()).collect();
    found.sort_by_key(|found| match found {
        Match::Peer(id) | Match::Full(id) => id.index(),
    });
    found
}

fn unsubscribed(xpub: &mut Machine) -> Vec<Vec<u8>> {
    let (mut out, mut topics) = ([0; 64], vec![]);
    while let Some(step) = xpub.poll_unsubscribed(&mut out) {
        if let TopicStep::Topic { len } = step {
            topics.push(out[..len].to_vec());
        }
    }
    topics
}

// C70, C83
#[test]
fn both_forms_of_subscriptions_are_told_from_upstream_data() {
    let (mut xpub, [a, _]) = plain();
    let subscribe = Accept::Subscription(Subscription::Subscribe);
    let cancel = Accept::Subscription(Subscription::Cancel);
    assert_eq!(xpub.accept(a, b"\x01news", false), subscribe);
    assert_eq!(xpub.accept(a, b"\x01", false), subscribe);
    assert_eq!(xpub.accept(a, b"\0", false), cancel);
    assert_eq!(xpub.accept(a, b"", false), Accept::Deliver);
    assert_eq!(xpub.accept(a, b"\x02news", false), Accept::Deliver);
    assert_eq!(xpub.accept(a, b"\x01of two", true), Accept::Deliver);
    assert_eq!(xpub.accept(a, b"\x01the second", false), Accept::Deliver);
    assert_eq!(xpub.accept(a, b"\x01", false), subscribe, "a new message");
    assert_eq!(xpub.accept(a, b"half", true), Accept::Deliver);
    xpub.link_lost(a);
    assert_eq!(
        xpub.accept(a, b"\x01", false),
        subscribe,
        "the half one is forgotten"
    );
}

// C71, H33
#[test]
fn a_topic_matches_by_prefix_and_overlaps_deliver_once() {
    let (mut xpub, [a, b]) = plain();
    for topic in [&b""[..], b"a", b"ab\0", b"ab\0c"] {
        subscribe(&mut xpub, a, topic);
    }
    subscribe(&mut xpub, b, b"ab\0cd");
    assert_eq!(
        matches(&mut xpub, b"ab\0cde"),
        [Match::Peer(a), Match::Peer(b)]
    );
    assert_eq!(matches(&mut xpub, b"ab\0c"), [Match::Peer(a)]);
    assert_eq!(matches(&mut xpub, b""), [Match::Peer(a)]);
    cancel(&mut xpub, a, b"");
    assert_eq!(matches(&mut xpub, b"b"), []);
}

// C72, C74, H31
#[test]
fn subscriptions_count_per_connection_and_never_below_zero() {
    let (mut xpub, [a, b]) = plain();
    assert!(!cancel(&mut xpub, a, b"t"));
    assert!(subscribe(&mut xpub, a, b"t"));
    assert!(!subscribe(&mut xpub, a, b"t"));
    assert!(!cancel(&mut xpub, b, b"t"), "another connection's");
    assert!(!cancel(&mut xpub, a, b"t"));
    assert_eq!(matches(&mut xpub, b"t"), [Match::Peer(a)]);
    assert!(cancel(&mut xpub, a, b"t"));
    assert!(!cancel(&mut xpub, a, b"t"));
    assert_eq!(
        (matches(&mut xpub, b"t"), xpub.subscriptions()),
        (vec![], 0)
    );
}

// C73
#[test]
fn verbosity_decides_which_duplicates_are_shown() {
    let shown = |verbosity| {
        let options = XPubOptions {
            verbosity,
            ..XPubOptions::default()
        };
        let (mut xpub, [a, b]) = machine(options, SubscriptionLimits::default());
        [
            subscribe(&mut xpub, a, b"t"),
            subscribe(&mut xpub, a, b"t"),
            subscribe(&mut xpub, b, b"t"),
            cancel(&mut xpub, a, b"t"),
            cancel(&mut xpub, a, b"t"),
            cancel(&mut xpub, b, b"t"),
            cancel(&mut xpub, b, b"t"),
        ]
    };
    assert_eq!(
        shown(Verbosity::Edges),
        [true, false, false, false, false, true, false]
    );
    assert_eq!(
        shown(Verbosity::Subscriptions),
        [true, true, true, false, false, true, false]
    );
    assert_eq!(
        shown(Verbosity::All),
        [true, true, true, true, true, true, false]
    );
}

// C75
#[test]
fn a_lost_connection_unsubscribes_what_nobody_else_wants() {
    let (mut xpub, [a, b]) = plain();
    for topic in [&b"one"[..], b"both", b"again"] {
        subscribe(&mut xpub, a, topic);
        subscribe(&mut xpub, a, topic);
    }
    subscribe(&mut xpub, b, b"both");
    xpub.link_lost(a);
    assert_eq!(
        matches(&mut xpub, b"one"),
        [],
        "at once, whenever it is removed"
    );
    assert!(
        !subscribe(&mut xpub, a, b"again"),
        "the next connection: to the user nothing ended"
    );
    assert_eq!(matches(&mut xpub, b"again"), [Match::Peer(a)]);
    assert_eq!(unsubscribed(&mut xpub), [b"one"]);
    assert_eq!(matches(&mut xpub, b"again"), [Match::Peer(a)]);
    xpub.peer_detached(b);
    assert_eq!(unsubscribed(&mut xpub), [b"both"]);
    assert_eq!(xpub.poll_unsubscribed(&mut []), None);
}

#[test]
fn a_topic_waits_for_a_buffer_that_holds_it() {
    let (mut xpub, [a, _]) = plain();
    subscribe(&mut xpub, a, b"topic");
    xpub.peer_detached(a);
    for _ in 0..3 {
        let step = xpub.poll_unsubscribed(&mut [0; 4]);
        assert_eq!(step, Some(TopicStep::OutTooSmall { len: 5 }));
    }
    let mut out = [0; 5];
    assert_eq!(
        xpub.poll_unsubscribed(&mut out),
        Some(TopicStep::Topic { len: 5 })
    );
    assert_eq!(&out, b"topic");
}

#[test]
fn a_slot_waits_for_its_subscriptions_to_be_removed() {
    let (mut xpub, [a, b]) = plain();
    subscribe(&mut xpub, a, b"old");
    xpub.peer_detached(a);
    let ids = [(); 2].map(|()| xpub.peer_attached(b"").unwrap());
    assert_eq!(
        xpub.peer_attached(b""),
        Err(AttachError::Full),
        "one of four is to be cleared"
    );
    assert_eq!(unsubscribed(&mut xpub), [b"old"]);
    let late = xpub.peer_attached(b"").unwrap();
    assert_eq!(late.index(), a.index());
    assert!(!ids.contains(&late) && late != b);
    assert_eq!(matches(&mut xpub, b"old"), []);
}

// C76
#[test]
fn in_manual_mode_the_application_decides_for_the_peer_read_last() {
    let options = XPubOptions {
        control: Control::Manual,
        ..XPubOptions::default()
    };
    let (mut xpub, [a, b]) = machine(options, SubscriptionLimits::default());
    assert_eq!(xpub.apply(Subscription::Subscribe, b"nobody"), Ok(()));
    assert!(subscribe(&mut xpub, a, b"A"));
    assert!(subscribe(&mut xpub, b, b"A"), "every one is shown");
    assert_eq!(matches(&mut xpub, b"A"), []);
    xpub.set_last(a);
    assert_eq!(xpub.apply(Subscription::Subscribe, b"XA"), Ok(()));
    assert_eq!(matches(&mut xpub, b"XA"), [Match::Peer(a)]);
    assert!(cancel(&mut xpub, a, b"A"));
    assert_eq!(
        matches(&mut xpub, b"XA"),
        [Match::Peer(a)],
        "until the application says so"
    );
    assert_eq!(xpub.apply(Subscription::Cancel, b"XA"), Ok(()));
    assert_eq!(matches(&mut xpub, b"XA"), []);
    xpub.set_last(b);
    assert_eq!(xpub.apply(Subscription::Subscribe, b"XB"), Ok(()));
    xpub.peer_detached(b);
    assert_eq!(xpub.apply(Subscription::Subscribe, b"late"), Ok(()));
    assert_eq!(
        unsubscribed(&mut xpub),
        [b"A"],
        "what it asked for, not what it got"
    );
    assert_eq!(xpub.subscriptions(), 0);
}

// C78
#[test]
fn a_full_subscriber_is_named_as_full() {
    let (mut xpub, [a, b]) = plain();
    subscribe(&mut xpub, a, b"");
    subscribe(&mut xpub, b, b"");
    xpub.peer_full(a);
    assert_eq!(matches(&mut xpub, b"x"), [Match::Full(a), Match::Peer(b)]);
    xpub.peer_has_room(a);
    assert_eq!(matches(&mut xpub, b"x"), [Match::Peer(a), Match::Peer(b)]);
}

// C82
#[test]
fn inverted_matching_excludes_the_subscribers() {
    let options = XPubOptions {
        matching: Matching::Inverted,
        ..XPubOptions::default()
    };
    let (mut xpub, [a, b]) = machine(options, SubscriptionLimits::default());
    subscribe(&mut xpub, a, b"x");
    assert_eq!(matches(&mut xpub, b"xy"), [Match::Peer(b)]);
    assert_eq!(matches(&mut xpub, b"y"), [Match::Peer(a), Match::Peer(b)]);
}

// H30, H32
#[test]
fn limits_hold_and_name_their_numbers() {
    let limits = SubscriptionLimits {
        per_peer: 2,
        topic_bytes: 10,
        topic_len: 6,
        total: 3,
    };
    let (mut xpub, [a, b]) = machine(XPubOptions::default(), limits);
    let mut ask = |id, topic: &[u8]| xpub.subscription(id, Subscription::Subscribe, topic);
    assert_eq!(
        ask(a, b"1234567"),
        Err(LimitError::TopicLen { len: 7, limit: 6 })
    );
    assert_eq!(ask(a, b"123456"), Ok(Upstream::Notify));
    assert_eq!(
        ask(a, b"abcde"),
        Err(LimitError::PeerTopicBytes {
            bytes: 11,
            limit: 10
        })
    );
    assert_eq!(ask(a, b"abcd"), Ok(Upstream::Notify));
    assert_eq!(ask(a, b""), Err(LimitError::PeerSubscriptions { limit: 2 }));
    assert_eq!(
        ask(a, b"abcd"),
        Ok(Upstream::Silent),
        "once more is no other one"
    );
    assert_eq!(ask(b, b"b"), Ok(Upstream::Notify));
    assert_eq!(ask(b, b"c"), Err(LimitError::Subscriptions { limit: 3 }));
    // A lost connection's still count for the machine, not for the next connection.
    xpub.link_lost(a);
    let answer = xpub.subscription(a, Subscription::Subscribe, b"n");
    assert_eq!(answer, Err(LimitError::Subscriptions { limit: 3 }));
    unsubscribed(&mut xpub);
    assert!(subscribe(&mut xpub, a, b"n"));
}

// H34
#[test]
fn churn_leaves_nothing_behind() {
    let limits = SubscriptionLimits {
        per_peer: 1,
        topic_bytes: 40,
        topic_len: 40,
        total: 1,
    };
    let (mut xpub, [a, _]) = machine(XPubOptions::default(), limits);
    for i in 0..1000u16 {
        let topic = [i.to_be_bytes()[1]; 40];
        assert!(subscribe(&mut xpub, a, &topic[usize::from(i % 40)..]));
        assert!(cancel(&mut xpub, a, &topic[usize::from(i % 40)..]));
    }
}

#[test]
fn connections_lost_faster_than_removed_are_limited() {
    let (mut xpub, [a, _]) = machine(XPubOptions::default(), SubscriptionLimits::default());
    let mut refused = None;
    for _ in 0..300 {
        let answer = xpub.subscription(a, Subscription::Subscribe, b"t");
        refused = refused.or(answer.err());
        if xpub.subscriptions() == 16 {
            // Room for the next, but some old ones always stay.
            let _ = xpub.poll_one();
        }
        xpub.link_lost(a);
    }
    assert_eq!(refused, Some(LimitError::Unremoved { connections: 255 }));
    unsubscribed(&mut xpub);
    assert!(subscribe(&mut xpub, a, b"t"));
}

impl Machine {
    /// Removes one stale entry only.
    fn poll_one(&mut self) -> Option<TopicStep> {
        match self.index.next_stale()? {
            Stale::Entry(entry) => self.remove_stale(entry, &mut [0; 64]),
            Stale::PeerDone => None,
        }
    }
}

#[test]
fn stale_ids_are_no_ops() {
    let (mut xpub, [a, b]) = plain();
    subscribe(&mut xpub, b, b"t");
    xpub.peer_detached(a);
    assert!(!subscribe(&mut xpub, a, b"t"));
    assert!(!cancel(&mut xpub, a, b"t"));
    xpub.peer_has_room(a);
    xpub.peer_readable(a);
    xpub.link_lost(a);
    xpub.peer_detached(a);
    assert_eq!(
        xpub.accept(a, b"\x01", false),
        Accept::Refuse(Reason::UnknownPeer)
    );
    assert_eq!(
        (xpub.next(), xpub.peers(), xpub.subscriptions()),
        (None, 1, 1)
    );
}

#[test]
fn vain_cancellations_and_memory_are_counted() {
    let (mut xpub, [a, b]) = plain();
    assert!(subscribe(&mut xpub, a, b"t"));
    assert_eq!(xpub.vain_cancellations(), 0);
    assert!(!cancel(&mut xpub, b, b"t"), "that was the other one's");
    assert_eq!(xpub.vain_cancellations(), 1);
    assert!(cancel(&mut xpub, a, b"t"));
    assert_eq!(xpub.vain_cancellations(), 1);
    // The root and a topic; a subscription; a bucket for either.
    let expected = 2 * size_of::<Node>() + size_of::<Entry>() + 2 * size_of::<Bucket>();
    assert_eq!(xpub.footprint(), expected);
}

// C83
#[test]
fn upstream_messages_are_read_in_turn() {
    let (mut xpub, [a, b]) = plain();
    assert_eq!((xpub.peer_at(0), xpub.peer_at(1)), (Some(a), Some(b)));
    assert_eq!((xpub.peer_at(2), xpub.next()), (None, None));
    xpub.peer_readable(a);
    xpub.peer_readable(b);
    for turn in [a, b, a, b] {
        assert_eq!(xpub.next(), Some(turn));
        assert_eq!(xpub.next(), Some(turn), "until it is delivered");
        xpub.delivered(turn);
    }
    xpub.peer_drained(a);
    for _ in 0..2 {
        assert_eq!(xpub.next(), Some(b));
        xpub.delivered(b);
    }
    xpub.peer_drained(b);
    assert_eq!(xpub.next(), None);
}
