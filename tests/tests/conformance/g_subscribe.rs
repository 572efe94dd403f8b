//! Section G, the subscriber's side: SUB and XSUB (29/PUBSUB, 37/ZMTP).

use std::time::Duration;

use ferromq::{Options, SocketType};
use ferromq_tests::{LONG, Ours, RawListener, RawPeer, Via};

fn sub() -> Ours {
    Ours::on_tcp(SocketType::Sub)
}

fn publisher_to(ours: &Ours) -> RawPeer {
    RawPeer::established(ours.endpoint(), "PUB")
}

/// Reads one SUBSCRIBE or CANCEL: the command's name and the topic.
fn wish(peer: &mut RawPeer) -> (String, Vec<u8>) {
    peer.read_command()
}

fn subscribe(topic: &[u8]) -> (String, Vec<u8>) {
    ("SUBSCRIBE".into(), topic.to_vec())
}

fn cancel(topic: &[u8]) -> (String, Vec<u8>) {
    ("CANCEL".into(), topic.to_vec())
}

#[test]
fn g70_to_a_3_1_peer_subscriptions_are_commands() {
    let ours = sub();
    ours.subscribe("A").expect("subscribe");
    let mut peer = publisher_to(&ours);
    assert_eq!(wish(&mut peer), subscribe(b"A"));
    ours.subscribe("").expect("subscribe");
    assert_eq!(wish(&mut peer), subscribe(b""));
    ours.unsubscribe("A").expect("unsubscribe");
    assert_eq!(wish(&mut peer), cancel(b"A"));
}

#[test]
fn g70_to_a_3_0_peer_subscriptions_are_messages() {
    let ours = sub();
    ours.subscribe("A").expect("subscribe");
    let mut peer = RawPeer::established_3_0(ours.endpoint(), "PUB");
    assert_eq!(peer.read_message(), [b"\x01A"]);
    ours.unsubscribe("A").expect("unsubscribe");
    assert_eq!(peer.read_message(), [b"\x00A"]);
}

#[test]
fn g71_only_messages_that_match_on_their_first_frame_are_delivered() {
    let ours = sub();
    ours.subscribe(b"\xFFA").expect("subscribe");
    let mut peer = publisher_to(&ours);
    assert_eq!(wish(&mut peer), subscribe(b"\xFFA"));
    peer.send_message(&[&b"other"[..], b"\xFFA"]);
    peer.send_message(&[&b"\xFF"[..]]);
    peer.send_message(&[&b""[..], b"\xFFA"]);
    peer.send_message(&[&b"\xFFAB"[..], b"rest"]);
    assert_eq!(ours.recv_parts(), [&b"\xFFAB"[..], b"rest"]);
}

#[test]
fn g71_the_empty_prefix_matches_everything() {
    let ours = sub();
    ours.subscribe("").expect("subscribe");
    let mut peer = publisher_to(&ours);
    for first in [&b""[..], b"x", b"\0"] {
        peer.send_message(&[first, b"rest"]);
        assert_eq!(ours.recv_parts(), [first, b"rest"]);
    }
}

// G72: one on the wire, whatever the application counts.
#[test]
fn g72_a_topic_subscribed_twice_is_cancelled_at_the_second_unsubscribe() {
    let ours = sub();
    let mut peer = publisher_to(&ours);
    ours.await_peer();
    ours.subscribe("A").expect("subscribe");
    ours.subscribe("A").expect("subscribe");
    ours.unsubscribe("A").expect("unsubscribe");
    ours.subscribe("B").expect("subscribe");
    assert_eq!(wish(&mut peer), subscribe(b"A"));
    assert_eq!(
        wish(&mut peer),
        subscribe(b"B"),
        "nothing about A in between"
    );
    peer.send_message(&["A", "still wanted"]);
    assert_eq!(ours.recv_parts(), [&b"A"[..], b"still wanted"]);
    ours.unsubscribe("A").expect("unsubscribe");
    assert_eq!(wish(&mut peer), cancel(b"A"));
    peer.send_message(&["A", "unwanted"]);
    peer.send_message(&["B", "wanted"]);
    assert_eq!(ours.recv_parts(), [&b"B"[..], b"wanted"]);
}

#[test]
fn g74_unsubscribing_an_unknown_topic_sends_nothing() {
    let ours = sub();
    let mut peer = publisher_to(&ours);
    ours.await_peer();
    // Refused or ignored: both are nothing on the wire.
    let _ = ours.unsubscribe("never");
    ours.subscribe("A").expect("subscribe");
    assert_eq!(wish(&mut peer), subscribe(b"A"));
}

#[test]
fn g79_a_reconnected_publisher_gets_every_subscription_again() {
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new()
        .send_high_water_mark(2)
        .reconnect_interval(Duration::from_millis(10), Duration::from_millis(50));
    let ours = Ours::connected(SocketType::Sub, options, listener.endpoint());
    let mut topics: Vec<Vec<u8>> = (0..50).map(|n| format!("topic {n}").into_bytes()).collect();
    topics.push(vec![b'l'; 5000]);
    topics.push(Vec::new());
    topics.sort();
    for topic in &topics {
        ours.subscribe(topic).expect("subscribe");
    }
    ours.subscribe("given up").expect("subscribe");
    ours.unsubscribe("given up").expect("unsubscribe");
    for round in 0..3 {
        let mut peer = listener.accept_established("PUB");
        let mut seen: Vec<Vec<u8>> = Vec::new();
        while seen.len() < topics.len() {
            let (name, topic) = wish(&mut peer);
            assert_eq!(name, "SUBSCRIBE", "round {round}");
            seen.push(topic);
        }
        seen.sort();
        assert_eq!(seen, topics, "round {round}");
        peer.send_message(&["topic 7", "rest"]);
        assert_eq!(ours.recv_parts(), [&b"topic 7"[..], b"rest"]);
    }
}

// G80: the application does not call in after subscribing.
#[test]
fn g80_a_bound_sub_tells_new_publishers_by_itself() {
    let ours = sub();
    ours.subscribe("A").expect("subscribe");
    for _ in 0..3 {
        assert_eq!(wish(&mut publisher_to(&ours)), subscribe(b"A"));
    }
}

#[test]
fn g81_a_long_topic_makes_a_long_command() {
    for len in [245, 246, 255, 256, 65_000] {
        let ours = sub();
        let topic = vec![b't'; len];
        ours.subscribe(&topic).expect("subscribe");
        let mut peer = publisher_to(&ours);
        let frame = peer.read_frame();
        // 10 bytes of the body are the name with its length.
        assert_eq!(frame.flags & LONG != 0, len + 10 > 255, "{len}");
        assert_eq!(frame.command(), subscribe(&topic));
    }
}

#[test]
fn g82_inverted_matching_delivers_what_does_not_match() {
    let options = Options::new().invert_matching(true);
    let ours = Ours::bound(SocketType::Sub, options, Via::Tcp);
    ours.subscribe("A").expect("subscribe");
    let mut peer = publisher_to(&ours);
    assert_eq!(wish(&mut peer), subscribe(b"A"));
    peer.send_message(&["A", "matches"]);
    peer.send_message(&["B", "does not"]);
    assert_eq!(ours.recv_parts(), [&b"B"[..], b"does not"]);
}

#[test]
fn g70_an_xsub_subscribes_by_sending() {
    let ours = Ours::on_tcp(SocketType::XSub);
    let mut peer = publisher_to(&ours);
    ours.await_peer();
    ours.send(b"\x01A").expect("send");
    assert_eq!(wish(&mut peer), subscribe(b"A"));
    ours.send(b"\x00A").expect("send");
    assert_eq!(wish(&mut peer), cancel(b"A"));
    ours.send("upstream data").expect("send");
    assert_eq!(peer.read_message(), [b"upstream data"]);
}
