//! Section F: DEALER and ROUTER (28/REQREP).

use ferromq::{DropCause, Error, Options, SocketType};
use ferromq_tests::{Ours, RawListener, RawPeer, Via, until};

fn router(options: Options) -> Ours {
    Ours::bound(SocketType::Router, options, Via::Tcp)
}

/// Tells a ROUTER of ours who we are: what it knows us by.
fn introduced(ours: &Ours, peer: &mut RawPeer) -> Vec<u8> {
    peer.send_message(&["hello"]);
    let message = ours.recv_parts();
    assert_eq!(message[1..], [b"hello"]);
    message[0].clone()
}

#[test]
fn f61_a_dealer_without_peer_would_block() {
    let ours = Ours::on_tcp(SocketType::Dealer);
    let refused = ours.try_send("kept").expect_err("nobody is there");
    assert!(matches!(refused.error, Error::WouldBlock));
    let mut peer = RawPeer::established(ours.endpoint(), "ROUTER");
    ours.send(refused.message).expect("send");
    assert_eq!(peer.read_message(), [b"kept"]);
}

#[test]
fn f61_a_dealer_alternates_between_peers() {
    let ours = Ours::on_tcp(SocketType::Dealer);
    let mut peers = [(); 2].map(|()| RawPeer::established(ours.endpoint(), "ROUTER"));
    peers.iter_mut().for_each(|peer| drop(peer.settle()));
    until("both are there", || {
        (ours.statistics().connected() == 2).then_some(())
    });
    for number in 0..6 {
        ours.send([number.to_string(), "x".into()]).expect("send");
    }
    let mut of_first = Vec::new();
    for _ in 0..3 {
        of_first.push(peers[0].read_message()[0].clone());
        let _ = peers[1].read_message();
    }
    assert!(
        of_first == [b"0", b"2", b"4"] || of_first == [b"1", b"3", b"5"],
        "{of_first:?}"
    );
}

// F61: a full peer is skipped; what it has not read does not stop the others.
#[test]
fn f61_a_dealer_skips_a_full_peer() {
    let options = Options::new().send_high_water_mark(4);
    let ours = Ours::bound(SocketType::Dealer, options, Via::Tcp);
    let mut lazy = RawPeer::established(ours.endpoint(), "ROUTER");
    lazy.settle();
    let body = vec![0_u8; 1 << 20];
    until("the lazy peer is full", || {
        ours.try_send(body.as_slice()).err()
    });
    let mut quick = RawPeer::established(ours.endpoint(), "ROUTER");
    quick.settle();
    // The lazy one may still take a few into its kernel's buffers.
    let mut got = 0;
    for number in 0..40_u8 {
        ours.send([number].as_slice()).expect("send");
    }
    while got < 20 {
        let message = quick.read_message();
        assert_eq!(message[0].len(), 1);
        got += 1;
    }
    drop(lazy);
}

#[test]
fn f62_anonymous_peers_get_ids_of_5_bytes() {
    let ours = router(Options::new());
    let mut first = RawPeer::established(ours.endpoint(), "DEALER");
    let mut second = RawPeer::established(ours.endpoint(), "REQ");
    let ids = [
        introduced(&ours, &mut first),
        introduced(&ours, &mut second),
    ];
    for id in &ids {
        assert_eq!((id.len(), id[0]), (5, 0), "{id:02x?}");
    }
    assert_ne!(ids[0], ids[1]);
    ours.send([&ids[1][..], b"to the second"]).expect("send");
    ours.send([&ids[0][..], b"", b"to the first"])
        .expect("send");
    assert_eq!(second.read_message(), [b"to the second"]);
    assert_eq!(first.read_message(), [&b""[..], b"to the first"]);
}

#[test]
fn f62_named_peers_are_known_by_their_names() {
    let ours = router(Options::new());
    for name in [&b"x"[..], b"\xFF\x00\xFE binary", &[b'n'; 255]] {
        let mut peer = RawPeer::identified(ours.endpoint(), "DEALER", name);
        assert_eq!(introduced(&ours, &mut peer), name);
        ours.send([name, b"reply"]).expect("send");
        assert_eq!(peer.read_message(), [b"reply"]);
    }
}

#[test]
fn f63_messages_to_unknown_ids_are_dropped_and_counted() {
    let ours = router(Options::new());
    let mut peer = RawPeer::identified(ours.endpoint(), "DEALER", b"known");
    introduced(&ours, &mut peer);
    ours.send(["unknown", "lost"])
        .expect("it is dropped, not refused");
    ours.send(["known", "kept"]).expect("send");
    assert_eq!(peer.read_message(), [b"kept"]);
    assert_eq!(ours.statistics().drops.of(DropCause::Unroutable), 1);
}

#[test]
fn f63_with_mandatory_an_unknown_id_is_an_error() {
    let ours = router(Options::new().router_mandatory(true));
    assert!(
        !ours.readiness().expect("readiness").writable,
        "nobody has room"
    );
    let refused = ours
        .send(["unknown", "kept"])
        .expect_err("nobody has this id");
    assert!(
        matches!(&refused.error, Error::HostUnreachable { identity } if identity == b"unknown")
    );
    assert_eq!(refused.message.len(), 2, "the message comes back whole");
    let mut peer = RawPeer::identified(ours.endpoint(), "DEALER", b"known");
    introduced(&ours, &mut peer);
    assert!(ours.readiness().expect("readiness").writable);
    ours.send(["known", "kept"]).expect("send");
    assert_eq!(peer.read_message(), [b"kept"]);
}

#[test]
fn f63_with_mandatory_a_full_peer_would_block() {
    let options = Options::new()
        .router_mandatory(true)
        .send_high_water_mark(4);
    let ours = router(options);
    let mut peer = RawPeer::identified(ours.endpoint(), "DEALER", b"lazy");
    introduced(&ours, &mut peer);
    let body = vec![0_u8; 1 << 20];
    let refused = until("it is full", || ours.try_send([&b"lazy"[..], &body]).err());
    assert!(matches!(refused.error, Error::WouldBlock), "{refused:?}");
    assert!(
        !ours.readiness().expect("readiness").writable,
        "nobody has room"
    );
}

#[test]
fn f63_without_mandatory_a_full_peer_loses_the_message() {
    let ours = router(Options::new().send_high_water_mark(4));
    let mut lazy = RawPeer::identified(ours.endpoint(), "DEALER", b"lazy");
    introduced(&ours, &mut lazy);
    let body = vec![0_u8; 1 << 20];
    until("messages are dropped", || {
        ours.try_send([&b"lazy"[..], &body])
            .expect("it is dropped, not refused");
        (ours.statistics().drops.total() > 0).then_some(())
    });
    let mut other = RawPeer::identified(ours.endpoint(), "DEALER", b"other");
    introduced(&ours, &mut other);
    ours.send(["other", "served"]).expect("send");
    assert_eq!(other.read_message(), [b"served"]);
}

// F64: libzmq leaves the second one open but deaf.
#[test]
fn f64_the_second_peer_with_an_identity_is_closed() {
    let ours = router(Options::new());
    let mut first = RawPeer::identified(ours.endpoint(), "DEALER", b"name");
    introduced(&ours, &mut first);
    let mut second = RawPeer::connect(ours.endpoint());
    second.send(&ferromq_tests::Greeting::default().bytes());
    let _ = second.read_greeting();
    second.send_ready("DEALER", &[("Identity", b"name")]);
    second.read_to_close();
    let event = ours.await_event("an event", |kind| {
        let text = format!("{kind:?}").to_lowercase();
        text.contains("identity")
    });
    assert!(!event.endpoint.is_empty());
    ours.send(["name", "still the first"]).expect("send");
    assert_eq!(first.read_message(), [b"still the first"]);
}

#[test]
fn f65_with_handover_the_second_peer_takes_the_identity() {
    let ours = router(Options::new().router_handover(true));
    let descriptors = || std::fs::read_dir("/proc/self/fd").expect("procfs").count();
    let mut holder = RawPeer::identified(ours.endpoint(), "DEALER", b"name");
    introduced(&ours, &mut holder);
    let before = descriptors();
    for round in 0..64_u8 {
        let mut next = RawPeer::identified(ours.endpoint(), "DEALER", b"name");
        introduced(&ours, &mut next);
        holder.read_to_close();
        ours.send([&b"name"[..], &[round]]).expect("send");
        assert_eq!(next.read_message(), [[round]]);
        holder = next;
    }
    // Other tests of this process open some at the same time, not 64 for long.
    until("no descriptor has leaked", || {
        (descriptors() < before + 32).then_some(())
    });
}

#[test]
fn f66_identities_that_cannot_be_are_refused() {
    let ours = router(Options::new());
    for identity in [&[b'n'; 256][..], b"\0reserved", b"\0"] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(&ferromq_tests::Greeting::default().bytes());
        let _ = peer.read_greeting();
        peer.send_ready("DEALER", &[("Identity", identity)]);
        peer.read_to_close();
        let _ = ours.await_handshake_failure();
    }
}

#[test]
fn f67_a_probe_is_an_empty_message_on_each_connection() {
    let ours = Ours::bound(
        SocketType::Dealer,
        Options::new().probe_router(true),
        Via::Tcp,
    );
    for _ in 0..2 {
        let mut peer = RawPeer::established(ours.endpoint(), "ROUTER");
        assert_eq!(peer.read_message(), [b""]);
    }
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new().probe_router(true);
    let connecting = Ours::connected(SocketType::Router, options, listener.endpoint());
    let mut peer = listener.accept_established("ROUTER");
    assert_eq!(peer.read_message(), [b""]);
    drop(connecting);
}

// F68: before the connection stands.
#[test]
fn f68_a_connect_routing_id_is_usable_at_once() {
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new()
        .connect_routing_id("server")
        .router_mandatory(true);
    let ours = Ours::connected(SocketType::Router, options, listener.endpoint());
    ours.send(["server", "early"]).expect("send");
    let mut peer = listener.accept_established("DEALER");
    assert_eq!(peer.read_message(), [b"early"]);
    peer.send_message(&["back"]);
    assert_eq!(ours.recv_parts(), [&b"server"[..], b"back"]);
}

#[test]
fn f68_a_duplicate_connect_routing_id_is_an_error() {
    let listeners = [RawListener::bind(Via::Tcp), RawListener::bind(Via::Tcp)];
    let options = Options::new().connect_routing_id("server");
    let ours = Ours::connected(SocketType::Router, options, listeners[0].endpoint());
    assert!(ours.connect(listeners[1].endpoint()).is_err());
}

#[test]
fn f69_an_identity_with_nothing_behind_it_is_not_sent() {
    let ours = router(Options::new());
    let mut peer = RawPeer::identified(ours.endpoint(), "DEALER", b"name");
    introduced(&ours, &mut peer);
    // Refused or dropped: both are nothing on the wire.
    let _ = ours.send("name");
    ours.send(["name", "something"]).expect("send");
    assert_eq!(peer.read_message(), [b"something"]);
}
