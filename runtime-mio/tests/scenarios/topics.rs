//! PUB, SUB, XPUB and XSUB in their special modes.

use ferromq_mio::{AnySocket, Context, EventKind, Options, SocketType};

use crate::common::raw::{Incoming, RawPeer};
use crate::common::*;

fn xpub(context: &Context, options: Options) -> (AnySocket, String) {
    bound(context, SocketType::XPub, options, "tcp://127.0.0.1:*")
}

fn subscribe(peer: &mut RawPeer, topic: &str) {
    peer.send_command("SUBSCRIBE", topic.as_bytes());
}

fn cancel(peer: &mut RawPeer, topic: &str) {
    peer.send_command("CANCEL", topic.as_bytes());
}

/// What the application of an XPUB sees of this dialogue of two peers.
fn upstream(options: Options, end: &str) -> Vec<Vec<u8>> {
    let context = context();
    let (publisher, real) = xpub(&context, options);
    let mut peers = [(); 2].map(|()| RawPeer::connect(&real, "SUB", &[]));
    let mut seen = Vec::new();
    let settle = |peer: &mut RawPeer| {
        peer.ping(0, b"");
        peer.next_command("PONG");
    };
    for peer in &mut peers {
        subscribe(peer, "a");
        subscribe(peer, "a");
        settle(peer);
    }
    for peer in &mut peers {
        cancel(peer, "a");
        cancel(peer, "a");
        // G74: one too many.
        cancel(peer, "a");
        settle(peer);
    }
    subscribe(&mut peers[1], end);
    while seen
        .last()
        .is_none_or(|last: &Vec<u8>| last[1..] != *end.as_bytes())
    {
        seen.push(recv_parts(&publisher).remove(0));
    }
    seen
}

// G73
#[test]
fn xpub_shows_edges_or_more() {
    let _watchdog = Watchdog::start();
    let edges = upstream(Options::new(), "end");
    assert_eq!(edges, [&b"\x01a"[..], b"\x00a", b"\x01end"]);
    let verbose = upstream(Options::new().xpub_verbose(true), "end");
    let subscriptions = verbose
        .iter()
        .filter(|shown| shown[..] == b"\x01a"[..])
        .count();
    let cancellations = verbose
        .iter()
        .filter(|shown| shown[..] == b"\x00a"[..])
        .count();
    assert_eq!((subscriptions, cancellations), (4, 1), "{verbose:?}");
    let verboser = upstream(Options::new().xpub_verboser(true), "end");
    let cancellations = verboser
        .iter()
        .filter(|shown| shown[..] == b"\x00a"[..])
        .count();
    assert!(cancellations >= 4, "{verboser:?}");
}

// G75
#[test]
fn a_lost_subscriber_is_unsubscribed_from_everything() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new());
    let mut stays = RawPeer::connect(&real, "SUB", &[]);
    subscribe(&mut stays, "5");
    assert_eq!(recv_parts(&publisher), [b"\x015"]);
    let mut goes = RawPeer::connect(&real, "SUB", &[]);
    let topics: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    for topic in &topics {
        subscribe(&mut goes, topic);
    }
    for _ in 0..299 {
        assert_eq!(recv_parts(&publisher)[0][0], 1);
    }
    drop(goes);
    let mut gone: Vec<String> = (0..299)
        .map(|_| {
            let shown = recv_parts(&publisher).remove(0);
            assert_eq!(shown[0], 0);
            String::from_utf8(shown[1..].to_vec()).unwrap()
        })
        .collect();
    gone.sort_by_key(|topic| topic.parse::<u32>().unwrap());
    assert!(gone.iter().eq(topics.iter().filter(|topic| *topic != "5")));
    publisher.send("5").unwrap();
    assert_eq!(stays.next_message().unwrap(), [b"5"]);
}

// G76
#[test]
fn manual_subscriptions_wait_for_the_application() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new().xpub_manual(true));
    let mut one = RawPeer::connect(&real, "SUB", &[]);
    subscribe(&mut one, "A");
    assert_eq!(recv_parts(&publisher), [b"\x01A"]);
    publisher.send("A ignored").unwrap();
    publisher.subscribe("XA").unwrap();
    publisher.send("XA taken").unwrap();
    assert_eq!(one.next_message().unwrap(), [b"XA taken"]);
    let mut two = RawPeer::connect(&real, "SUB", &[]);
    subscribe(&mut two, "B");
    assert_eq!(recv_parts(&publisher), [b"\x01B"]);
    publisher.subscribe("XB").unwrap();
    publisher.send("XB").unwrap();
    assert_eq!(two.next_message().unwrap(), [b"XB"]);
    cancel(&mut one, "A");
    assert_eq!(recv_parts(&publisher), [b"\x00A"]);
    publisher.unsubscribe("XA").unwrap();
    publisher.send("XA").unwrap();
    publisher.send("XB").unwrap();
    assert_eq!(two.next_message().unwrap(), [b"XB"]);
    one.ping(0, b"");
    assert!(matches!(one.next(), Incoming::Command { name, .. } if name == "PONG"));
}

// G77
#[test]
fn a_welcome_comes_first() {
    let _watchdog = Watchdog::start();
    let context = context();
    for socket_type in [SocketType::Pub, SocketType::XPub] {
        let options = Options::new().welcome_message("welcome");
        let (_publisher, real) = bound(&context, socket_type, options, "tcp://127.0.0.1:*");
        for _ in 0..2 {
            let mut peer = RawPeer::connect(&real, "SUB", &[]);
            assert_eq!(peer.next_message().unwrap(), [b"welcome"]);
        }
    }
}

// G70, G72
#[test]
fn sub_counts_its_subscriptions_and_tells_first_and_last() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (subscriber, real) = bound(
        &context,
        SocketType::Sub,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUB", &[]);
    await_peers(&subscriber, 1);
    for _ in 0..3 {
        subscriber.subscribe("A").unwrap();
    }
    assert_eq!(peer.next_command("SUBSCRIBE"), b"A");
    subscriber.unsubscribe("A").unwrap();
    subscriber.unsubscribe("A").unwrap();
    subscriber.unsubscribe("never").unwrap();
    peer.send(&[b"A1"]);
    assert_eq!(recv_parts(&subscriber), [b"A1"]);
    subscriber.unsubscribe("A").unwrap();
    assert_eq!(
        peer.next(),
        Incoming::Command {
            name: "CANCEL".into(),
            data: b"A".to_vec()
        }
    );
    // G81
    let long = vec![b't'; 1000];
    subscriber.subscribe(&long).unwrap();
    assert_eq!(peer.next_command("SUBSCRIBE"), long);
}

// G82
#[test]
fn inverted_matching_delivers_the_rest() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = || Options::new().invert_matching(true);
    let (publisher, real) = xpub(&context, options());
    let subscriber = connected(&context, SocketType::Sub, options(), &real);
    subscriber.subscribe("a").unwrap();
    assert_eq!(recv_parts(&publisher), [b"\x01a"]);
    publisher.send("a1").unwrap();
    publisher.send("b1").unwrap();
    assert_eq!(recv_parts(&subscriber), [b"b1"]);
}

// G83
#[test]
fn pub_discards_what_is_no_subscription() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = bound(
        &context,
        SocketType::Pub,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "SUB", &[]);
    for _ in 0..1000 {
        peer.send(&[b"junk", &[0; 1000]]);
    }
    // The old form of a subscription works from any version.
    peer.send(&[b"\x01t"]);
    peer.ping(0, b"");
    peer.next_command("PONG");
    publisher.send("topic").unwrap();
    assert_eq!(peer.next_message().unwrap(), [b"topic"]);
    assert_eq!(publisher.statistics().drops.total(), 1000);
}

// HOSTILE 34
#[test]
fn churn_of_one_subscriber_leaves_the_others_served() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = bound(
        &context,
        SocketType::Pub,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let subscriber = connected(&context, SocketType::Sub, Options::new(), &real);
    subscriber.subscribe("x").unwrap();
    until("the subscription works", || {
        publisher.send("x").unwrap();
        subscriber.try_recv().ok()
    });
    let mut churner = RawPeer::connect(&real, "SUB", &[]);
    let churn = std::thread::spawn(move || {
        for number in 0..20_000_u32 {
            let topic = (number / 2).to_string();
            match number % 2 {
                0 => subscribe(&mut churner, &topic),
                _ => cancel(&mut churner, &topic),
            }
        }
        churner
    });
    for number in 0..1000_u64 {
        publisher
            .send(vec![b"x".to_vec(), number.to_le_bytes().to_vec()])
            .unwrap();
        let parts = until("what is numbered comes", || {
            // Of one part are late ones of those before.
            Some(recv_parts(&subscriber)).filter(|parts| parts.len() > 1)
        });
        assert_eq!(parts[1], number.to_le_bytes());
    }
    drop(churn.join().unwrap());
}

#[test]
fn a_publishers_peers_come_and_go_without_a_trace() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = bound(
        &context,
        SocketType::Pub,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let monitor = publisher.monitor();
    for _ in 0..50 {
        let mut peer = RawPeer::connect(&real, "SUB", &[]);
        subscribe(&mut peer, "a");
        drop(peer);
        await_event(&monitor, "of the end", |event| {
            matches!(event.kind, EventKind::Disconnected { .. })
        });
    }
    publisher.send("a").unwrap();
    assert!(publisher.statistics().peers.is_empty());
}
