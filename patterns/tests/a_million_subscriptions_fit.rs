//! A million subscriptions to random 20-byte topics: what they weigh, and that
//! no single call takes long, by one peer and by a thousand.

use std::cell::Cell;

use ferromq_patterns::{
    Bucket, Entry, Full, Match, Matching, Node, Pattern, Peer, PeerId, Pub, Seed, Storage,
    Subscriber, Subscription, SubscriptionLimits, SubscriptionStorage,
};

mod support;
use support::Chunks;

/// A storage that counts how often anything is looked at.
#[derive(Default)]
struct Counted<T: Default>(Chunks<T>);

thread_local! {
    static LOOKS: Cell<u64> = const { Cell::new(0) };
}

fn looks(f: impl FnOnce()) -> u64 {
    LOOKS.set(0);
    f();
    LOOKS.get()
}

impl<T: Default> Storage<T> for Counted<T> {
    fn get(&self, i: usize) -> Option<&T> {
        LOOKS.set(LOOKS.get() + 1);
        self.0.get(i)
    }

    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        LOOKS.set(LOOKS.get() + 1);
        self.0.get_mut(i)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        self.0.grow(len)
    }

    fn shrink(&mut self, len: usize) {
        self.0.shrink(len);
    }
}

type Publisher = Pub<Counted<Peer<Subscriber>>, Counted<Node>, Counted<Entry>, Counted<Bucket>>;

/// Bytes of a topic in the two large tests.
const TOPIC_LEN: usize = 20;

/// The topics: SplitMix64 from a counter.
fn topic(i: u64) -> [u8; TOPIC_LEN] {
    topic_of(i)
}

fn topic_of<const LEN: usize>(i: u64) -> [u8; LEN] {
    let mut topic = [0; LEN];
    for (j, piece) in topic.chunks_mut(8).enumerate() {
        let mut word = (i * 32 + j as u64)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        piece.copy_from_slice(&(word ^ word >> 31).to_le_bytes()[..piece.len()]);
    }
    topic
}

fn publisher() -> Publisher {
    Pub::new(
        Counted::default(),
        SubscriptionStorage::default(),
        Matching::Prefix,
        SubscriptionLimits::default(),
        Seed::new(0xfeed, 0xbeef),
    )
}

fn check(peers: u64, each: u64) {
    let mut publisher = publisher();
    let ids: Vec<PeerId> = (0..peers)
        .map(|_| publisher.peer_attached(b"").unwrap())
        .collect();
    let most = (0..peers * each)
        .map(|i| {
            let id = ids[(i / each) as usize];
            looks(|| {
                publisher
                    .subscription(id, Subscription::Subscribe, &topic(i))
                    .unwrap()
            })
        })
        .max();
    assert!(
        most.unwrap() < 400,
        "a subscription took {most:?} looks at storage"
    );

    // H30
    let total = peers * each;
    let bytes = publisher.footprint() as u64
        + (publisher.peer_slots() * size_of::<Peer<Subscriber>>()) as u64;
    let allowed = (96 + TOPIC_LEN as u64) * total;
    assert!(
        bytes <= allowed,
        "{bytes} bytes, {} a subscription",
        bytes as f64 / total as f64
    );

    for i in (0..total).step_by(97) {
        let taken = looks(|| {
            publisher.publish(&topic(i));
            let subscriber = ids[(i / each) as usize];
            assert_eq!(publisher.poll_match(), Some(Match::Full(subscriber)));
            assert_eq!(publisher.poll_match(), None);
        });
        assert!(taken < 100, "a match took {taken} looks at storage");
    }

    // H34: nothing is served late because a peer with a million subscriptions left.
    for id in ids {
        assert!(looks(|| publisher.peer_detached(id)) < 50);
    }
    let mut polls = 0;
    loop {
        let mut done = false;
        let taken = looks(|| done = publisher.poll_unsubscribed().is_none());
        assert!(taken < 64 * 150, "a poll took {taken} looks at storage");
        if done {
            break;
        }
        polls += 1;
    }
    assert!(polls >= total / 64, "at most 64 steps a poll");
    assert_eq!(publisher.subscriptions(), 0);
}

#[test]
fn a_million_by_one_peer() {
    check(1, 1_000_000);
}

#[test]
fn a_thousand_by_each_of_a_thousand_peers() {
    check(1000, 1000);
}

// H30
#[test]
fn topics_of_other_lengths_fit_too() {
    assert!(bytes_beyond_topic::<6>() <= 96.0);
    assert!(bytes_beyond_topic::<12>() <= 96.0);
    assert!(bytes_beyond_topic::<32>() <= 96.0);
    // Rounding up to slots of 27 bytes may go beyond, and their links add a fifth.
    assert!(bytes_beyond_topic::<40>() <= 108.0);
    assert!(bytes_beyond_topic::<64>() <= 96.0);
    assert!(bytes_beyond_topic::<100>() <= 96.0 + 100.0 / 5.0);
    assert!(bytes_beyond_topic::<250>() <= 96.0 + 250.0 / 5.0);
}

fn bytes_beyond_topic<const LEN: usize>() -> f64 {
    let mut publisher = publisher();
    let id = publisher.peer_attached(b"").unwrap();
    let total = 50_000;
    for i in 0..total {
        let topic = topic_of::<LEN>(i);
        publisher
            .subscription(id, Subscription::Subscribe, &topic)
            .unwrap();
    }
    publisher.footprint() as f64 / total as f64 - LEN as f64
}
