//! The pattern machines: to whom a message goes, and from whom it comes.

use std::hint::black_box;

use ferromq_patterns::{
    Bucket, Dealer, Entry, IdentitySlot, Match, Matching, Named, Node, Pattern, Peer, PeerId, Pub,
    Pull, Push, Route, Router, Seed, Subscriber, Subscription, SubscriptionLimits,
    SubscriptionStorage,
};

use super::Failure;
use crate::meter::section;
use crate::storage::Table;

/// Operations of a batch, but for those that one of costs enough.
const TURNS: u32 = 256;
/// Peers that take turns.
const FEW: usize = 8;
/// Peers that are named, or publish.
const MANY: usize = 1_000;
/// Subscriptions, all in all.
const SUBSCRIPTIONS: usize = 1_000_000;
/// Bytes of a topic.
const TOPIC: usize = 20;

type Publisher = Pub<Table<Peer<Subscriber>>, Table<Node>, Table<Entry>, Table<Bucket>>;

pub(super) fn run() -> Result<(), Failure> {
    run_with(SUBSCRIPTIONS)
}

fn run_with(subscriptions: usize) -> Result<(), Failure> {
    in_turn()?;
    by_identity()?;
    let publisher = publisher_to(1, subscriptions)?;
    publish("patterns: match one of 1 M subscriptions", publisher);
    let publisher = publisher_to(MANY, subscriptions)?;
    publish("patterns: match one of 1,000 x 1,000", publisher);
    to_everybody()
}

/// PUSH, DEALER and PULL.
fn in_turn() -> Result<(), Failure> {
    let mut push = Push::new(Table::<Peer>::new());
    let mut dealer = Dealer::new(Table::<Peer>::new());
    let mut pull = Pull::new(Table::<Peer>::new());
    for _ in 0..FEW {
        with_room(&mut push, b"")?;
        with_room(&mut dealer, b"")?;
        let peer = pull.peer_attached(b"")?;
        pull.peer_readable(peer);
    }
    section("patterns: PUSH routes to one of 8", TURNS, |meter| {
        meter.count(|| (0..TURNS).all(|_| black_box(&mut push).route().is_some()));
    });
    section("patterns: DEALER routes to one of 8", TURNS, |meter| {
        meter.count(|| (0..TURNS).all(|_| black_box(&mut dealer).route().is_some()));
    });
    section("patterns: PULL hears one of 8", TURNS, |meter| {
        meter.count(|| {
            for _ in 0..TURNS {
                let pull = black_box(&mut pull);
                let peer = pull.next().expect("all of them wait to be heard");
                pull.delivered(peer);
            }
        });
    });
    Ok(())
}

/// ROUTER.
fn by_identity() -> Result<(), Failure> {
    let mut router = Router::new(
        Table::<Peer<Named>>::new(),
        Table::<IdentitySlot>::new(),
        Table::<Bucket>::new(),
        seed(),
    );
    let identity = |index: usize| format!("worker-{index:04}").into_bytes();
    for index in 0..MANY {
        with_room(&mut router, &identity(index))?;
    }
    // A prime, so that they do not come in the order in which they came.
    let named: Vec<_> = (0..TURNS as usize)
        .map(|i| identity(i * 397 % MANY))
        .collect();
    section("patterns: ROUTER finds one of 1,000", TURNS, |meter| {
        meter.count(|| {
            for identity in &named {
                let route = router.route(black_box(identity));
                assert!(matches!(route, Route::Peer(_)));
            }
        });
    });
    Ok(())
}

/// PUB with topics that one peer each subscribed to.
fn publish(name: &str, mut publisher: Publisher) {
    let subscriptions = publisher.subscriptions() as usize;
    let topics: Vec<_> = (0..TURNS as usize)
        .map(|index| topic(index * 618_033 % subscriptions))
        .collect();
    section(name, TURNS, |meter| {
        meter.count(|| {
            for topic in &topics {
                assert_eq!(matches(&mut publisher, black_box(topic)), 1);
            }
        });
    });
}

/// PUB whose peers all subscribed to the same; counted for each of them.
fn to_everybody() -> Result<(), Failure> {
    let mut publisher = empty_publisher();
    for _ in 0..MANY {
        let peer = with_room(&mut publisher, b"")?;
        publisher.subscription(peer, Subscription::Subscribe, b"news")?;
    }
    let name = "patterns: PUB names one of 1,000 that match";
    section(name, MANY as u32, |meter| {
        meter.count(|| assert_eq!(matches(&mut publisher, b"news.sport"), MANY));
    });
    Ok(())
}

#[inline(always)]
fn matches(publisher: &mut Publisher, topic: &[u8]) -> usize {
    publisher.publish(topic);
    let mut peers = 0;
    while let Some(found) = publisher.poll_match() {
        assert!(matches!(found, Match::Peer(_)));
        peers += 1;
    }
    peers
}

/// A PUB with so many subscriptions, of so many peers in turn.
fn publisher_to(peers: usize, subscriptions: usize) -> Result<Publisher, Failure> {
    let mut publisher = empty_publisher();
    let peers = (0..peers)
        .map(|_| with_room(&mut publisher, b""))
        .collect::<Result<Vec<_>, _>>()?;
    for index in 0..subscriptions {
        let peer = peers[index % peers.len()];
        publisher.subscription(peer, Subscription::Subscribe, &topic(index))?;
    }
    Ok(publisher)
}

fn empty_publisher() -> Publisher {
    let storage = SubscriptionStorage {
        nodes: Table::new(),
        entries: Table::new(),
        children: Table::new(),
        lookup: Table::new(),
    };
    let limits = SubscriptionLimits::default();
    Pub::new(Table::new(), storage, Matching::Prefix, limits, seed())
}

/// Attaches a peer that takes messages.
fn with_room(machine: &mut impl Pattern, identity: &[u8]) -> Result<PeerId, Failure> {
    let peer = machine.peer_attached(identity)?;
    machine.peer_has_room(peer);
    Ok(peer)
}

/// Not random: every run is to take the same way through the tables.
fn seed() -> Seed {
    Seed::new(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)
}

/// The `index`th of many topics that look random, by SplitMix64.
fn topic(index: usize) -> [u8; TOPIC] {
    let mut topic = [0; TOPIC];
    let mut state = index as u64;
    for piece in topic.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        piece.copy_from_slice(&mixed.to_le_bytes()[..piece.len()]);
    }
    topic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_run_outside_valgrind_too() {
        run_with(10_000).expect("runs");
    }
}
