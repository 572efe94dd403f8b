use super::*;
use crate::storage::Array;

type Machine = Pub<Array<Peer<Subscriber>, 2>, Array<Node, 16>, Array<Entry, 8>, Array<Bucket, 16>>;

fn machine() -> Machine {
    let storage = SubscriptionStorage {
        nodes: Array::new(),
        entries: Array::new(),
        children: Array::new(),
        lookup: Array::new(),
    };
    let limits = SubscriptionLimits::default();
    Pub::new(
        Array::new(),
        storage,
        Matching::Prefix,
        limits,
        Seed::new(1, 2),
    )
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
