use super::*;
use crate::storage::Array;

type Machine = Pub<Array<Peer<Subscriber>, 2>, Array<Node, 16>, Array<Entry, 8>, Array<Bucket, 16>>;

fn machine() -> Machine {
    matching(Matching::Prefix)
}

fn matching(matching: Matching) -> Machine {
    let storage = SubscriptionStorage {
        nodes: Array::new(),
        entries: Array::new(),
        children: Array::new(),
        lookup: Array::new(),
    };
    let limits = SubscriptionLimits::default();
    Pub::new(Array::new(), storage, matching, limits, Seed::new(1, 2))
}

// C83
#[test]
fn upstream_data_is_refused_and_subscriptions_are_not() {
    let mut publisher = machine();
    let a = publisher.peer_attached(b"").unwrap();
    let refused = Accept::Refuse(Reason::UpstreamData);
    assert_eq!(publisher.accept(a, b"data", true), refused);
    // The rest of that message is skipped, so this is the next one.
    let subscribe = Accept::Subscription(Subscription::Subscribe);
    assert_eq!(publisher.accept(a, b"\x01t", false), subscribe);
    publisher.peer_readable(a);
    assert_eq!(publisher.next(), None, "there is nothing to read");
}

// C78
#[test]
fn a_publication_names_subscribers_with_and_without_room() {
    let mut publisher = machine();
    let a = publisher.peer_attached(b"").unwrap();
    publisher
        .subscription(a, Subscription::Subscribe, b"t")
        .unwrap();
    publisher.publish(b"topic");
    assert_eq!(publisher.poll_match(), Some(Match::Full(a)));
    publisher.peer_has_room(a);
    publisher.publish(b"topic");
    assert_eq!(publisher.poll_match(), Some(Match::Peer(a)));
    assert_eq!(publisher.poll_match(), None);
    publisher.set_matching(Matching::Inverted);
    publisher.publish(b"topic");
    assert_eq!(publisher.poll_match(), None);
}

#[test]
fn what_a_peer_leaves_is_removed_without_a_word() {
    let mut publisher = machine();
    let a = publisher.peer_attached(b"").unwrap();
    for topic in [&b"a"[..], b"ab", b"abc"] {
        publisher
            .subscription(a, Subscription::Subscribe, topic)
            .unwrap();
    }
    publisher.peer_detached(a);
    while let Some(step) = publisher.poll_unsubscribed() {
        assert_eq!(step, TopicStep::Working);
    }
    assert_eq!((publisher.subscriptions(), publisher.peers()), (0, 0));
}

// C80
#[test]
fn what_a_lost_connection_leaves_is_removed_and_its_peer_stays() {
    let mut publisher = machine();
    let a = publisher.peer_attached(b"").unwrap();
    for topic in [&b"a"[..], b"ab"] {
        publisher
            .subscription(a, Subscription::Subscribe, topic)
            .unwrap();
    }
    publisher.link_lost(a);
    publisher.publish(b"abc");
    assert_eq!(publisher.poll_match(), None);
    let steps = core::iter::from_fn(|| publisher.poll_unsubscribed());
    assert!(steps.take(9).count() < 9, "it ends");
    assert_eq!(publisher.poll_unsubscribed(), None, "and stays so");
    assert_eq!((publisher.subscriptions(), publisher.peers()), (0, 1));
}

#[test]
fn who_is_full_is_known() {
    let mut publisher = machine();
    let a = publisher.peer_attached(b"").unwrap();
    assert!(publisher.any_is_full(), "there is no room before the link");
    publisher.peer_has_room(a);
    assert!(!publisher.any_is_full());
    publisher.peer_full(a);
    assert!(publisher.any_is_full());
    publisher.peer_detached(a);
    assert!(!publisher.any_is_full());
}

// 48/RADIO-DISH
#[test]
fn a_radio_sends_to_the_members_of_the_very_group() {
    let mut radio = matching(Matching::Exact);
    let (a, b) = (
        radio.peer_attached(b"").unwrap(),
        radio.peer_attached(b"").unwrap(),
    );
    let members = |radio: &mut Machine, group: &[u8]| {
        radio.publish(group);
        [radio.poll_match(), radio.poll_match(), radio.poll_match()]
    };
    for (id, group) in [
        (a, &b"ab"[..]),
        (a, b""),
        (b, b"abc"),
        (b, b"ab"),
        (b, b"ab"),
    ] {
        radio
            .subscription(id, Subscription::Subscribe, group)
            .unwrap();
    }
    let full = |id| Some(Match::Full(id));
    assert_eq!(members(&mut radio, b"abc"), [full(b), None, None]);
    assert_eq!(members(&mut radio, b""), [full(a), None, None]);
    assert_eq!(members(&mut radio, b"a"), [None; 3]);
    assert_eq!(members(&mut radio, b"ab"), [full(b), full(a), None]);
    // Joined twice on one connection, so it is left twice.
    for left in [full(a), None] {
        radio.subscription(b, Subscription::Cancel, b"ab").unwrap();
        assert_eq!(members(&mut radio, b"ab")[1], left);
    }
    let long = [b'g'; 256];
    let refused = radio.subscription(a, Subscription::Subscribe, &long);
    let limit = LimitError::TopicLen {
        len: 256,
        limit: 255,
    };
    assert_eq!(refused, Err(limit));
}

#[test]
fn a_radio_knows_no_membership_in_a_message() {
    let mut radio = matching(Matching::Exact);
    let a = radio.peer_attached(b"").unwrap();
    let refused = Accept::Refuse(Reason::UpstreamData);
    assert_eq!(radio.accept(a, b"\x01t", false), refused);
    assert_eq!(radio.accept(a, b"data", true), refused);
    assert_eq!(radio.accept(a, b"\x00t", false), refused);
}

#[test]
fn subscriptions_vain_cancellations_and_memory_are_counted() {
    let mut publisher = machine();
    let a = publisher.peer_attached(b"").unwrap();
    let mut change = |subscription, topic: &[u8]| {
        publisher.subscription(a, subscription, topic).unwrap();
        (publisher.subscriptions(), publisher.vain_cancellations())
    };
    assert_eq!(change(Subscription::Subscribe, b"a"), (1, 0));
    assert_eq!(change(Subscription::Subscribe, b"b"), (2, 0));
    assert_eq!(change(Subscription::Cancel, b"a"), (1, 0));
    assert_eq!(change(Subscription::Cancel, b"a"), (1, 1));
    assert_eq!(change(Subscription::Cancel, b"c"), (1, 2));
    // The root and two topics; two subscriptions; a bucket for each of these.
    let expected = 3 * size_of::<Node>() + 2 * size_of::<Entry>() + 4 * size_of::<Bucket>();
    assert_eq!(publisher.footprint(), expected);
}
