//! What routing costs: `cargo run --release -p ferromq-patterns --example route_speed`.

use std::hint::black_box;
use std::time::Instant;

use ferromq_patterns::{
    Array, Bucket, Entry, Match, Matching, Node, Pattern, Peer, PeerId, Pub, Pull, Push, Route,
    Router, Seed, Storage, Subscriber, Subscription, SubscriptionLimits, SubscriptionStorage,
};

#[path = "../tests/support/chunks.rs"]
mod chunks;
use chunks::Chunks;

type Publisher = Pub<Chunks<Peer<Subscriber>>, Chunks<Node>, Chunks<Entry>, Chunks<Bucket>>;

const SEED: Seed = Seed::new(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);

fn main() {
    route("array of 8", Array::<Peer, 8>::new(), &[1, 8]);
    route("chunks", Chunks::default(), &[1, 8, 1000]);
    take();
    router();
    for subscribers in [1, 8, 1000] {
        publish(subscribers);
    }
    for members in [1, 8, 1000] {
        radio(100_000, members);
    }
    for (peers, each) in [(1, 1_000_000), (1000, 1000)] {
        subscriptions(peers, each);
    }
}

fn route<S: Storage<Peer>>(name: &str, storage: S, counts: &[usize]) {
    let mut push = Push::new(storage);
    for &count in counts {
        while push.peers() < count {
            let id = push.peer_attached(b"").expect("room for the peers");
            push.peer_has_room(id);
        }
        let ns = time(100_000_000, |_| {
            black_box(push.route());
        });
        println!("Push::route, {count} peers, {name}: {ns:.2} ns");
    }
}

fn take() {
    let mut pull = Pull::new(Chunks::default());
    for count in [1, 8, 1000] {
        while pull.peers() < count {
            let id = pull.peer_attached(b"").expect("room for the peers");
            pull.peer_readable(id);
        }
        let ns = time(100_000_000, |_| {
            if let Some(id) = black_box(pull.next()) {
                pull.delivered(id);
            }
        });
        println!("Pull::next and delivered, {count} peers: {ns:.2} ns");
    }
}

fn router() {
    let mut router = Router::new(
        Chunks::default(),
        Chunks::default(),
        Chunks::<Bucket>::default(),
        SEED,
    );
    let mut names = Vec::new();
    for i in 0..1000 {
        let name = if i % 2 == 0 {
            format!("worker-{i}")
        } else {
            String::new()
        };
        let id = router
            .peer_attached(name.as_bytes())
            .expect("room for the peers");
        router.peer_has_room(id);
        let mut out = [0; 255];
        names.push(
            router
                .identity(id, &mut out)
                .expect("an attached peer")
                .to_vec(),
        );
    }
    for (kind, start) in [("chosen", 0), ("generated", 1)] {
        let ns = time(20_000_000, |i| {
            let name = &names[(start + 2 * i as usize) % 1000];
            assert!(!matches!(black_box(router.route(name)), Route::Unknown));
        });
        println!("Router::route, 1000 peers, {kind} identity: {ns:.2} ns");
    }
}

fn publish(subscribers: usize) {
    let mut publisher = publisher(Matching::Prefix);
    for _ in 0..subscribers {
        let id = attach(&mut publisher);
        subscribe(&mut publisher, id, b"news");
    }
    let rounds = 20_000_000 / subscribers as u64;
    let ns = time(rounds, |_| {
        assert_eq!(matches(&mut publisher, b"news.sport"), subscribers)
    });
    let each = ns / subscribers as f64;
    println!("Pub, {subscribers} matching: {ns:.2} ns a message, {each:.2} ns a subscriber");
}

/// A group with few members among many peers that have joined its prefixes.
fn radio(peers: usize, members: usize) {
    let mut radio = publisher(Matching::Exact);
    for peer in 0..peers {
        let id = attach(&mut radio);
        subscribe(&mut radio, id, b"news");
        if peer < members {
            subscribe(&mut radio, id, b"news.sport");
        }
    }
    let rounds = 20_000_000 / members as u64;
    let ns = time(rounds, |_| {
        assert_eq!(matches(&mut radio, b"news.sport"), members)
    });
    let each = ns / members as f64;
    println!(
        "Radio, {members} members of {peers} peers: {ns:.2} ns a message, {each:.2} ns a member"
    );
}

fn subscriptions(peers: usize, each: usize) {
    let mut publisher = publisher(Matching::Prefix);
    let mut random = Random(88_172_645_463_325_252);
    let mut topics = Vec::with_capacity(peers * each);
    let start = Instant::now();
    for _ in 0..peers {
        let id = attach(&mut publisher);
        for _ in 0..each {
            let topic = random.topic();
            subscribe(&mut publisher, id, &topic);
            topics.push(topic);
        }
    }
    let total = topics.len() as f64;
    let subscribe_ns = start.elapsed().as_nanos() as f64 / total;
    // Publish in another order than subscribed.
    for i in (1..topics.len()).rev() {
        topics.swap(i, random.next() as usize % (i + 1));
    }
    let ns = time(topics.len() as u64, |i| {
        assert_eq!(matches(&mut publisher, &topics[i as usize]), 1);
    });
    let missed = time(topics.len() as u64, |_| {
        assert_eq!(matches(&mut publisher, &random.topic()), 0);
    });
    let bytes = publisher.footprint() as f64 / total;
    for id in (0..publisher.peer_slots())
        .filter_map(|i| publisher.peer_at(i))
        .collect::<Vec<_>>()
    {
        publisher.peer_detached(id);
    }
    let start = Instant::now();
    let mut polls = 0u64;
    while publisher.poll_unsubscribed().is_some() {
        polls += 1;
    }
    let removed = start.elapsed().as_nanos() as f64 / total;
    println!("{peers} peers with {each} subscriptions each, random topics of 20 bytes:");
    println!("  matching   {:.2} M/s ({ns:.0} ns)", 1e3 / ns);
    println!("  no match   {:.2} M/s ({missed:.0} ns)", 1e3 / missed);
    println!("  subscribe  {subscribe_ns:.0} ns, remove {removed:.0} ns in {polls} polls");
    println!("  memory     {bytes:.1} bytes a subscription, its topic's 20 included");
}

fn publisher(matching: Matching) -> Publisher {
    Pub::new(
        Chunks::default(),
        SubscriptionStorage::default(),
        matching,
        SubscriptionLimits::default(),
        SEED,
    )
}

fn attach(publisher: &mut Publisher) -> PeerId {
    let id = publisher.peer_attached(b"").expect("room for the peers");
    publisher.peer_has_room(id);
    id
}

fn subscribe(publisher: &mut Publisher, id: PeerId, topic: &[u8]) {
    publisher
        .subscription(id, Subscription::Subscribe, topic)
        .expect("within the limits");
}

fn matches(publisher: &mut Publisher, topic: &[u8]) -> usize {
    publisher.publish(topic);
    let mut count = 0;
    while let Some(Match::Peer(id)) = publisher.poll_match() {
        black_box(id);
        count += 1;
    }
    count
}

/// Nanoseconds a round: the median of a thousand slices, so that a descheduled
/// slice does not count.
fn time(rounds: u64, mut f: impl FnMut(u64)) -> f64 {
    let slice = rounds / 1000;
    let mut slices: Vec<_> = (0..1000)
        .map(|i| {
            let start = Instant::now();
            for round in i * slice..(i + 1) * slice {
                f(round);
            }
            start.elapsed().as_nanos() as f64 / slice as f64
        })
        .collect();
    slices.sort_by(f64::total_cmp);
    slices[500]
}

/// xorshift64: topics that share no structure.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn topic(&mut self) -> [u8; 20] {
        let mut topic = [0; 20];
        for piece in topic.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
        topic
    }
}
