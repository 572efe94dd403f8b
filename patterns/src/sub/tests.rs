use super::*;
use crate::storage::Array;

type Machine = Sub<Array<Peer<Publisher>, 2>, Array<Node, 64>, Array<Bucket, 64>>;

fn machine(matching: Matching) -> (Machine, PeerId) {
    let topics = TopicStorage {
        nodes: Array::new(),
        children: Array::new(),
    };
    let mut sub = Sub::new(Array::new(), topics, matching, Seed::new(1, 2));
    let id = sub.peer_attached(b"").unwrap();
    (sub, id)
}

const REFUSED: Accept = Accept::Refuse(Reason::NotSubscribed);

// C71
#[test]
fn the_first_frame_decides() {
    let (mut sub, a) = machine(Matching::Prefix);
    assert_eq!(sub.accept(a, b"", false), REFUSED);
    assert!(sub.subscribe(b"ab\0").is_ok());
    assert_eq!(sub.accept(a, b"ab\0c", true), Accept::Deliver);
    assert_eq!(sub.accept(a, b"zz", true), Accept::Deliver);
    assert_eq!(sub.accept(a, b"zz", false), Accept::Deliver);
    assert_eq!(sub.accept(a, b"ab", true), REFUSED);
    assert_eq!(
        sub.accept(a, b"ab\0", false),
        Accept::Deliver,
        "the next message"
    );
    assert!(sub.subscribe(b"").is_ok());
    assert_eq!(sub.accept(a, b"", false), Accept::Deliver);
}

#[test]
fn a_message_of_one_frame_is_taken_as_it_would_be_accepted() {
    for matching in [Matching::Prefix, Matching::Inverted, Matching::Exact] {
        let (mut sub, a) = machine(matching);
        assert!(sub.subscribe(b"ab").is_ok());
        for body in [&b""[..], b"a", b"ab", b"abc", b"b"] {
            if sub.takes_single(body) {
                assert_eq!(sub.accept(a, body, false), Accept::Deliver, "{matching:?}");
            }
        }
        let prefix = matches!(matching, Matching::Prefix);
        assert_eq!(sub.takes_single(b"abc"), prefix);
        assert!(!sub.takes_single(b"b"));
    }
}

#[test]
fn a_lost_link_forgets_the_half_message() {
    let (mut sub, a) = machine(Matching::Prefix);
    assert!(sub.subscribe(b"a").is_ok());
    assert_eq!(sub.accept(a, b"a", true), Accept::Deliver);
    sub.link_lost(a);
    assert_eq!(sub.accept(a, b"b", false), REFUSED);
}

// C82
#[test]
fn inverted_matching_delivers_the_others() {
    let (mut sub, a) = machine(Matching::Inverted);
    assert!(sub.subscribe(b"a").is_ok());
    assert_eq!(sub.accept(a, b"ab", false), REFUSED);
    assert_eq!(sub.accept(a, b"b", false), Accept::Deliver);
    sub.set_matching(Matching::Prefix);
    assert_eq!(sub.accept(a, b"ab", false), Accept::Deliver);
}

#[test]
fn only_the_head_of_a_payload_is_looked_at() {
    struct Remote;
    impl Payload for Remote {
        fn len(&self) -> usize {
            1 << 30
        }
        fn head(&self) -> &[u8] {
            b"head"
        }
    }
    let (mut sub, a) = machine(Matching::Prefix);
    assert!(sub.subscribe(b"hea").is_ok());
    assert_eq!(sub.accept(a, &Remote, false), Accept::Deliver);
}

// 48/RADIO-DISH
#[test]
fn a_dish_joins_once_and_takes_a_group_and_one_frame() {
    let (mut dish, a) = machine(Matching::Exact);
    assert_eq!(dish.subscribe(b"group"), Ok(Upstream::Notify));
    assert_eq!(dish.subscribe(b"group"), Err(SubscribeError::Joined));
    let zero = SubscribeError::Group(crate::GroupError::ZeroByte { at: 0 });
    assert_eq!(dish.subscribe(b"\0"), Err(zero));
    for other in [&b"grou"[..], b"groups", b""] {
        assert_eq!(dish.accept(a, other, true), REFUSED);
    }
    let shapeless = Accept::Refuse(Reason::WrongParts);
    assert_eq!(dish.accept(a, b"group", false), shapeless);
    assert_eq!(dish.accept(a, b"group", true), Accept::Deliver);
    assert_eq!(dish.accept(a, b"one", true), shapeless);
    assert_eq!(dish.accept(a, b"group", true), Accept::Deliver);
    assert_eq!(dish.accept(a, b"body", false), Accept::Deliver);
    assert_eq!(dish.unsubscribe(b"group"), Ok(Upstream::Notify));
    assert_eq!(dish.unsubscribe(b"group"), Err(NotSubscribed));
    assert_eq!(dish.accept(a, b"group", true), REFUSED);
}

#[test]
fn peers_and_memory_are_counted() {
    let (mut sub, a) = machine(Matching::Prefix);
    assert_eq!((sub.peers(), sub.footprint()), (1, 0));
    let b = sub.peer_attached(b"").unwrap();
    assert!(sub.subscribe(b"t").is_ok());
    // The root and a topic; a bucket.
    let expected = 2 * size_of::<Node>() + size_of::<Bucket>();
    assert_eq!((sub.peers(), sub.footprint()), (2, expected));
    sub.peer_detached(a);
    sub.peer_detached(b);
    assert_eq!(sub.peers(), 0);
}
