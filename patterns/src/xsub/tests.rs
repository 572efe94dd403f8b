use super::*;
use crate::pattern::{Accept, Reason};
use crate::storage::Array;
use std::collections::BTreeSet;
use std::vec::Vec;

type Machine = XSub<Array<Peer<Publisher>, 2>, Array<Node, 300>, Array<Bucket, 64>>;

fn machine() -> Machine {
    let topics = TopicStorage {
        nodes: Array::new(),
        children: Array::new(),
    };
    XSub::new(Array::new(), topics, Seed::new(1, 2))
}

fn resent(xsub: &Machine) -> Vec<Vec<u8>> {
    let (mut cursor, mut out, mut topics) = (ResendCursor::new(), [0; 300], Vec::new());
    while let Some(step) = xsub.poll_subscription(&mut cursor, &mut out) {
        if let TopicStep::Topic { len } = step {
            topics.push(out[..len].to_vec());
        }
    }
    assert!(!xsub.comes_to(&cursor), "an ended cursor comes to nothing");
    topics
}

// C72
#[test]
fn a_topic_goes_upstream_first_and_is_cancelled_last() {
    let mut xsub = machine();
    assert_eq!(xsub.subscribe(b"A"), Ok(Upstream::Notify));
    assert_eq!(xsub.subscribe(b"A"), Ok(Upstream::Silent));
    assert_eq!(xsub.subscribe(b"AB"), Ok(Upstream::Notify));
    assert_eq!(xsub.unsubscribe(b"A"), Ok(Upstream::Silent));
    assert_eq!(xsub.unsubscribe(b"A"), Ok(Upstream::Notify));
    assert_eq!(xsub.unsubscribe(b"A"), Err(NotSubscribed));
    assert_eq!(
        xsub.unsubscribe(b""),
        Err(NotSubscribed),
        "only a joint of the tree"
    );
    assert_eq!(xsub.subscriptions(), 1);
}

#[test]
fn churn_leaves_nothing_behind() {
    let mut xsub = machine();
    for i in 0..1000u32 {
        let topic = i.to_be_bytes().repeat(1 + i as usize % 9);
        assert_eq!(xsub.subscribe(&topic), Ok(Upstream::Notify));
        assert_eq!(xsub.unsubscribe(&topic), Ok(Upstream::Notify));
    }
}

// C79
#[test]
fn a_new_connection_is_sent_every_topic_once() {
    let mut xsub = machine();
    assert_eq!(resent(&xsub), Vec::<Vec<u8>>::new());
    let topics: BTreeSet<Vec<u8>> = (0..60u8)
        .map(|i| std::vec![i % 7; usize::from(i)])
        .collect();
    for topic in &topics {
        assert!(xsub.subscribe(topic).is_ok());
        assert!(xsub.subscribe(topic).is_ok());
    }
    let sent = resent(&xsub);
    assert_eq!(sent.len(), topics.len());
    assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), topics);
}

#[test]
fn a_resent_topic_waits_for_a_buffer_that_holds_it() {
    let mut xsub = machine();
    assert!(xsub.subscribe(b"topic").is_ok());
    let mut cursor = ResendCursor::new();
    let small = core::iter::from_fn(|| xsub.poll_subscription(&mut cursor, &mut [0; 4]));
    let step = small.take(3).last();
    assert_eq!(step, Some(TopicStep::OutTooSmall { len: 5 }));
    let mut out = [0; 5];
    assert_eq!(
        xsub.poll_subscription(&mut cursor, &mut out),
        Some(TopicStep::Topic { len: 5 })
    );
    assert_eq!(&out, b"topic");
}

#[test]
fn overlong_topics_are_refused() {
    let mut xsub = machine();
    let long = std::vec![0; MAX_TOPIC_LEN + 1];
    assert_eq!(
        xsub.subscribe(&long),
        Err(SubscribeError::TopicLen { len: 65_536 })
    );
    assert_eq!(xsub.unsubscribe(&long), Err(NotSubscribed));
    assert_eq!(
        xsub.subscribe(&long[1..]),
        Err(SubscribeError::Full),
        "of 300 nodes"
    );
    assert_eq!(xsub.subscriptions(), 0);
}

#[test]
fn whatever_comes_is_delivered_fairly() {
    let mut xsub = machine();
    let [a, b] = [(); 2].map(|()| xsub.peer_attached(b"").unwrap());
    assert_eq!(xsub.accept(a, b"unasked", false), Accept::Deliver);
    xsub.peer_readable(a);
    xsub.peer_readable(b);
    assert_eq!(xsub.next(), Some(a));
    xsub.delivered(a);
    assert_eq!(xsub.next(), Some(b));
    xsub.peer_detached(b);
    assert_eq!(xsub.next(), Some(a));
    assert_eq!(
        xsub.accept(b, b"", false),
        Accept::Refuse(Reason::UnknownPeer)
    );
}

#[test]
fn peers_and_memory_are_counted() {
    let mut xsub = machine();
    assert_eq!((xsub.peers(), xsub.footprint()), (0, 0));
    let peers = [(); 2].map(|()| xsub.peer_attached(b"").unwrap());
    assert!(xsub.subscribe(b"t").is_ok());
    // The root and a topic; a bucket.
    let expected = 2 * size_of::<Node>() + size_of::<Bucket>();
    assert_eq!((xsub.peers(), xsub.footprint()), (2, expected));
    xsub.peer_detached(peers[0]);
    assert_eq!(xsub.peers(), 1);
}
