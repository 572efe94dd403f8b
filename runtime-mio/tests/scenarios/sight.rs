//! What a program can see: events in their order, and counts that add up.

use std::time::Duration;

use ferromq_mio::{AnySocket, DropCause, EventKind, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

/// Event kinds without their causes.
fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Listening => "listening",
        EventKind::Accepted => "accepted",
        EventKind::Connected => "connected",
        EventKind::HandshakeSucceeded => "handshake succeeded",
        EventKind::HandshakeFailed { .. } => "handshake failed",
        EventKind::Disconnected { .. } => "disconnected",
        EventKind::ConnectRetried { .. } => "retried",
        EventKind::Refused { .. } => "refused",
        EventKind::Closed => "closed",
        _ => "other",
    }
}

over_tcp_and_ipc! {
    fn events_come_in_the_order_of_a_connections_life(endpoint) {
        let context = context();
        let pull = context.any_socket(SocketType::Pull, Options::new()).unwrap();
        let push = context.any_socket(SocketType::Push, Options::new()).unwrap();
        let (of_pull, of_push) = (pull.monitor(), push.monitor());
        let real = pull.bind(endpoint).unwrap().to_string();
        push.connect(&real).unwrap();
        await_peers(&pull, 1);
        await_peers(&push, 1);
        push.close();
        let pulls: Vec<_> = (0..4)
            .map(|_| of_pull.recv_timeout(PATIENCE).unwrap())
            .collect();
        let names: Vec<_> = pulls.iter().map(|event| name(&event.kind)).collect();
        assert_eq!(names, ["listening", "accepted", "handshake succeeded", "disconnected"]);
        assert!(pulls.iter().all(|event| event.endpoint == real));
        assert!(pulls[2].peer.is_some() && pulls[2].peer == pulls[3].peer);
        let names: Vec<_> = of_push.map(|event| name(&event.kind)).collect();
        assert_eq!(names[..2], ["connected", "handshake succeeded"]);
        assert_eq!(names.last(), Some(&"closed"));
        drop(pull);
    }

    fn statistics_count_messages_and_bytes_on_both_ends(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new().property("X-Name", "push")),
        );
        for _ in 0..10 {
            push.send(["12345", "67890"]).unwrap();
        }
        for _ in 0..10 {
            recv(&pull);
        }
        let (sent, received) = (push.statistics(), pull.statistics());
        assert_eq!((sent.traffic.messages_sent, sent.traffic.bytes_sent), (10, 100));
        assert_eq!((received.traffic.messages_received, received.traffic.bytes_received), (10, 100));
        assert_eq!(received.peers[0].traffic, received.traffic);
        assert_eq!((received.connected(), sent.connected()), (1, 1));
        assert_eq!(received.drops.total() + sent.drops.total(), 0);
        // What a peer did is still counted when it is gone.
        push.close();
        until("the peer is gone", || {
            let _ = pull.try_recv();
            pull.statistics().peers.is_empty().then_some(())
        });
        assert_eq!(pull.statistics().traffic.messages_received, 10);
    }

    // C32
    fn received_messages_tell_of_their_peer(endpoint) {
        let context = context();
        let (router, dealer) = linked(
            &context,
            endpoint,
            (SocketType::Router, Options::new().property("X-Role", "server")),
            (SocketType::Dealer, Options::new().identity("me").property("X-Role", b"client".to_vec())),
        );
        dealer.send("x").unwrap();
        let message = recv(&router);
        let peer = message.peer().unwrap();
        assert_eq!((peer.identity(), peer.socket_type()), (&b"me"[..], "DEALER"));
        assert_eq!(peer.property("x-role"), Some(&b"client"[..]));
        assert_eq!(peer.property("X-Other"), None);
        assert!(!peer.address().is_empty());
        assert_eq!(peer.user_id(), None);
        router.send(message).unwrap();
        let reply = recv(&dealer);
        assert_eq!(reply.peer().unwrap().property("X-Role"), Some(&b"server"[..]));
    }
}

fn dropped(socket: &AnySocket, cause: DropCause) -> u64 {
    socket.statistics().drops.of(cause)
}

#[test]
fn routers_count_what_nobody_gets() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new()
        .send_high_water_mark(1)
        .linger(Some(Duration::ZERO));
    let (router, real) = bound(&context, SocketType::Router, options, "tcp://127.0.0.1:*");
    router.send(["nobody", "x"]).unwrap();
    assert_eq!(dropped(&router, DropCause::Unroutable), 1);
    let _peer = RawPeer::connect(&real, "DEALER", &[("Identity", b"deaf")]);
    await_peers(&router, 1);
    let body = vec![0; 1 << 20];
    until("the peer is full", || {
        router.send(vec![&b"deaf"[..], &body]).unwrap();
        (dropped(&router, DropCause::PeerFull) > 0).then_some(())
    });
}

// F60
#[test]
fn a_requester_that_is_gone_does_not_hold_up_the_others() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (rep, real) = bound(
        &context,
        SocketType::Rep,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "REQ", &[]);
    peer.send(&[b"", b"question"]);
    recv(&rep);
    drop(peer);
    rep.send("answer").unwrap();
    let req = connected(&context, SocketType::Req, Options::new(), &real);
    req.send("next").unwrap();
    assert_eq!(recv_parts(&rep), [b"next"]);
}

// H88
#[test]
fn the_queue_of_an_accepted_peer_goes_with_it_and_is_counted() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().send_high_water_mark(20);
    let (push, real) = bound(&context, SocketType::Push, options, "tcp://127.0.0.1:*");
    let peer = RawPeer::connect(&real, "PULL", &[]);
    await_peers(&push, 1);
    let mut sent = 0;
    while push.try_send(vec![1; 200_000]).is_ok() {
        sent += 1;
    }
    assert!(sent >= 20);
    drop(peer);
    until("the loss is noticed", || {
        let _ = push.readiness();
        push.statistics().peers.is_empty().then_some(())
    });
    let drops = push.statistics().drops;
    // At most one was cut in the middle; those behind it were never begun.
    assert!(drops.of(DropCause::LinkLost) <= 1);
    assert!(
        (10..=21).contains(&(drops.of(DropCause::PeerGone) + drops.of(DropCause::LinkLost))),
        "{drops:?}"
    );
}

#[test]
fn traffic_in_the_wrong_direction_is_dropped_and_counted() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (push, real) = bound(
        &context,
        SocketType::Push,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PULL", &[]);
    peer.send(&[b"a", b"b"]);
    peer.send(&[b"c"]);
    peer.ping(0, b"");
    peer.next_command("PONG");
    assert_eq!(dropped(&push, DropCause::Refused), 2);
}

#[test]
fn messages_that_no_subscription_matches_are_counted_at_the_subscriber() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (subscriber, real) = bound(
        &context,
        SocketType::Sub,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    subscriber.subscribe("a").unwrap();
    let mut peer = RawPeer::connect(&real, "PUB", &[]);
    peer.send(&[b"b", b"unwanted"]);
    peer.send(&[b"a", b"wanted"]);
    assert_eq!(recv_parts(&subscriber), [b"a".to_vec(), b"wanted".to_vec()]);
    assert_eq!(dropped(&subscriber, DropCause::Unsubscribed), 1);
}

// HOSTILE 19
#[test]
fn unknown_commands_are_ignored_and_counted_up_to_a_limit() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    for _ in 0..16 {
        peer.send_command("FUTURE", b"x");
    }
    peer.send(&[b"still here"]);
    assert_eq!(recv_parts(&pull), [b"still here"]);
    assert_eq!(pull.statistics().peers[0].ignored_commands, 16);
    peer.send_command("FUTURE", b"x");
    peer.await_end();
}
