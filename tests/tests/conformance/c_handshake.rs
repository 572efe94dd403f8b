//! Section C: the NULL handshake and its metadata.

use std::time::Duration;

use ferromq::{EventKind, Options, SocketType};
use ferromq_tests::{
    COMMAND, Greeting, Nobody, Ours, RawListener, RawPeer, Via, command_body, metadata,
};

fn soon() -> Options {
    Options::new().reconnect_interval(Duration::from_millis(10), Duration::from_millis(50))
}

/// Greets and sends these bytes as the data of READY.
fn ready_with(ours: &Ours, data: &[u8]) -> RawPeer {
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.send_command("READY", data);
    peer
}

/// The Identity in our READY, if it is there.
fn identity_of(ours: &Ours, socket_type: &str) -> Option<Vec<u8>> {
    let mut peer = RawPeer::connect(ours.endpoint());
    let properties = peer.handshake(Greeting::default(), socket_type, &[]);
    properties
        .into_iter()
        .find(|(name, _)| name == "Identity")
        .map(|(_, value)| value)
}

#[test]
fn c23_either_side_may_send_ready_first() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut first = RawPeer::connect(ours.endpoint());
    let ready = command_body("READY", &metadata(&[("Socket-Type", b"PUSH")]));
    let header = [COMMAND, u8::try_from(ready.len()).expect("it is short")];
    first.send(&[Greeting::default().bytes().as_slice(), &header, &ready].concat());
    let _ = first.read_greeting();
    first.read_ready();
    first.send_message(&["first"]);
    assert_eq!(ours.recv_parts(), [b"first"]);

    let mut second = RawPeer::connect(ours.endpoint());
    second.send(&Greeting::default().bytes());
    let _ = second.read_greeting();
    second.read_ready();
    second.send_ready("PUSH", &[]);
    second.send_message(&["second"]);
    assert_eq!(ours.recv_parts(), [b"second"]);
}

// C23: nothing forbids that traffic follows READY in the same segment.
#[test]
fn c23_traffic_right_behind_ready_is_not_lost() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::connect(ours.endpoint());
    let ready = command_body("READY", &metadata(&[("Socket-Type", b"PUSH")]));
    let header = [COMMAND, u8::try_from(ready.len()).expect("it is short")];
    let greeting = Greeting::default().bytes();
    peer.send(
        &[
            greeting.as_slice(),
            &header,
            &ready,
            b"\x00\x02hi\x00\x02ho",
        ]
        .concat(),
    );
    assert_eq!(ours.recv_parts(), [b"hi"]);
    assert_eq!(ours.recv_parts(), [b"ho"]);
}

// C24: libzmq drops a link that sends messages earlier.
#[test]
fn c24_no_message_before_the_peers_ready() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, soon(), listener.endpoint());
    ours.send("queued").expect("send");
    let mut peer = listener.accept();
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.read_ready();
    assert!(
        peer.is_silent_for(Duration::from_millis(200)),
        "something before our READY"
    );
    peer.send_ready("PULL", &[]);
    assert_eq!(peer.read_message(), [b"queued"]);
}

#[test]
fn c26_truncated_metadata_is_fatal() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let whole = metadata(&[("Socket-Type", b"PUSH"), ("X-More", b"value")]);
    // Cut between properties it is a whole, shorter list.
    let boundary = metadata(&[("Socket-Type", b"PUSH")]).len();
    for cut in (1..whole.len()).filter(|cut| *cut != boundary) {
        ready_with(&ours, &whole[..cut]).read_to_close();
        let cause = ours.await_handshake_failure();
        assert!(!cause.is_empty(), "cut at {cut}");
    }
}

#[test]
fn c27_property_names_are_compared_without_case() {
    let ours = Ours::on_tcp(SocketType::Router);
    let data = metadata(&[("sOCKET-tYPE", b"DEALER"), ("IDENTITY", b"me")]);
    let mut peer = ready_with(&ours, &data);
    peer.read_ready();
    peer.send_message(&["hello"]);
    assert_eq!(ours.recv_parts(), [&b"me"[..], b"hello"]);

    ready_with(&ours, &metadata(&[("SOCKET-TYPE", b"PUB")])).read_to_close();
    let _ = ours.await_handshake_failure();
}

#[test]
fn c28_a_peer_without_socket_type_is_accepted() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = ready_with(&ours, b"");
    peer.read_ready();
    peer.send_message(&["anonymous"]);
    assert_eq!(ours.recv_parts(), [b"anonymous"]);
}

#[test]
fn c28_peers_without_socket_type_are_counted() {
    for via in [Via::Tcp, Via::Ipc] {
        let ours = Ours::bound(SocketType::Pull, Options::new(), via);
        let typed = RawPeer::established(ours.endpoint(), "PUSH");
        ours.await_peer();
        assert_eq!(ours.statistics().untyped_peers, 0);
        for count in 1..=3 {
            let mut peer = ready_with(&ours, &metadata(&[("X-Type", b"PUSH")]));
            peer.read_ready();
            ours.await_peer();
            assert_eq!(ours.statistics().untyped_peers, count);
        }
        // One that was refused is none that was let in.
        ready_with(&ours, b"\0").read_to_close();
        let _ = ours.await_handshake_failure();
        assert_eq!(ours.statistics().untyped_peers, 3, "of all that ever came");
        drop(typed);
    }
}

#[test]
fn c28_an_incompatible_socket_type_gets_an_error_and_is_closed() {
    let pairs = [
        (SocketType::Pull, "PULL"),
        (SocketType::Push, "SUB"),
        (SocketType::Pair, "PUSH"),
        (SocketType::Req, "REQ"),
        (SocketType::Rep, "REP"),
        (SocketType::Pub, "PUB"),
        (SocketType::Sub, "PUSH"),
        (SocketType::Dealer, "PAIR"),
        (SocketType::Router, "PULL"),
        (SocketType::Pull, "NONSENSE"),
    ];
    for (socket_type, theirs) in pairs {
        let ours = Ours::on_tcp(socket_type);
        let mut peer = ready_with(&ours, &metadata(&[("Socket-Type", theirs.as_bytes())]));
        let mut command = peer.read_command();
        if command.0 == "READY" {
            command = peer.read_command();
        }
        assert_eq!(command.0, "ERROR", "{socket_type:?} with {theirs}");
        let (len, reason) = command.1.split_first().expect("a reason");
        assert_eq!(usize::from(*len), reason.len());
        peer.read_to_close();
        let _ = ours.await_handshake_failure();
    }
}

// C28, 37: every pair that may talk.
#[test]
fn c28_compatible_socket_types_are_accepted() {
    let pairs = [
        (SocketType::Pair, &["PAIR"][..]),
        (SocketType::Pub, &["SUB", "XSUB"]),
        (SocketType::Sub, &["PUB", "XPUB"]),
        (SocketType::XPub, &["SUB", "XSUB"]),
        (SocketType::XSub, &["PUB", "XPUB"]),
        (SocketType::Req, &["REP", "ROUTER"]),
        (SocketType::Rep, &["REQ", "DEALER"]),
        (SocketType::Dealer, &["REP", "DEALER", "ROUTER"]),
        (SocketType::Router, &["REQ", "DEALER", "ROUTER"]),
        (SocketType::Push, &["PULL"]),
        (SocketType::Pull, &["PUSH"]),
    ];
    for (socket_type, all) in pairs {
        for theirs in all {
            let ours = Ours::on_tcp(socket_type);
            let mut peer = RawPeer::established(ours.endpoint(), theirs);
            ours.await_peer();
            peer.settle();
        }
    }
}

#[test]
fn c29_req_dealer_and_router_send_identity_even_when_empty() {
    for (socket_type, theirs) in [
        (SocketType::Req, "REP"),
        (SocketType::Dealer, "ROUTER"),
        (SocketType::Router, "DEALER"),
    ] {
        let ours = Ours::on_tcp(socket_type);
        assert_eq!(
            identity_of(&ours, theirs),
            Some(Vec::new()),
            "{socket_type:?}"
        );
        let named = Ours::bound(socket_type, Options::new().identity("me"), Via::Tcp);
        assert_eq!(
            identity_of(&named, theirs),
            Some(b"me".to_vec()),
            "{socket_type:?}"
        );
    }
}

#[test]
fn c29_other_types_send_no_identity() {
    for (socket_type, theirs) in [
        (SocketType::Push, "PULL"),
        (SocketType::Pull, "PUSH"),
        (SocketType::Pub, "SUB"),
        (SocketType::Sub, "PUB"),
        (SocketType::Pair, "PAIR"),
        (SocketType::Rep, "REQ"),
    ] {
        let ours = Ours::on_tcp(socket_type);
        assert_eq!(identity_of(&ours, theirs), None, "{socket_type:?}");
    }
}

#[test]
fn c31_a_lost_connection_is_made_again() {
    for via in [Via::Tcp, Via::Ipc] {
        let listener = RawListener::bind(via);
        let ours = Ours::connected(SocketType::Push, soon(), listener.endpoint());
        for round in ["first", "second", "third"] {
            let mut peer = listener.accept_established("PULL");
            ours.await_peer();
            ours.send(round).expect("send");
            assert_eq!(peer.read_message(), [round.as_bytes()]);
            drop(peer);
            let _ = ours.await_disconnect();
        }
    }
}

// C31: in the handshake and after it.
#[test]
fn c31_a_connection_that_is_reset_is_made_again() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, soon(), listener.endpoint());
    for round in ["first", "second", "third"] {
        let mut peer = listener.accept();
        let _ = peer.read_greeting();
        peer.reset();
        let _ = ours.await_handshake_failure();
        let mut peer = listener.accept_established("PULL");
        ours.await_peer();
        ours.send(round).expect("send");
        assert_eq!(peer.read_message(), [round.as_bytes()]);
        peer.reset();
        let _ = ours.await_disconnect();
    }
    assert_eq!(ours.statistics().violations, 0, "nobody broke the protocol");
}

#[test]
fn c31_refused_connections_are_retried_with_backoff_and_jitter() {
    let nobody = Nobody::listens();
    let (min, max) = (Duration::from_millis(4), Duration::from_millis(64));
    let ours = Ours::connected(
        SocketType::Push,
        Options::new().reconnect_interval(min, max),
        nobody.endpoint(),
    );
    let mut delays = Vec::new();
    for _ in 0..12 {
        let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
        match ours.await_event("a retry", retried).kind {
            EventKind::ConnectRetried { delay, .. } => delays.push(delay),
            other => unreachable!("{other:?}"),
        }
    }
    for (attempt, delay) in delays.iter().enumerate() {
        let full = (min * (1 << attempt.min(8))).min(max);
        assert!(
            *delay <= full && *delay >= full / 2,
            "attempt {attempt}: {delay:?} of {full:?}"
        );
    }
    let tail = &delays[5..];
    assert!(
        tail.iter().any(|delay| *delay != tail[0]),
        "no jitter: {delays:?}"
    );
}

// C32 (zmq_msg_gets).
#[test]
fn c32_the_peers_properties_are_on_every_message() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::connect(ours.endpoint());
    let more = [("Identity", &b"me"[..]), ("X-Colour", b"green")];
    peer.handshake(Greeting::default(), "PUSH", &more);
    peer.send_message(&["a"]);
    peer.send_message(&["b", "c"]);
    for _ in 0..2 {
        let message = ours.recv().expect("a message");
        let from = message.peer().expect("it came from a peer");
        assert_eq!((from.socket_type(), from.identity()), ("PUSH", &b"me"[..]));
        assert_eq!(from.property("x-colour"), Some(&b"green"[..]));
        assert!(from.address().contains("127.0.0.1"), "{}", from.address());
        assert_eq!(from.user_id(), None);
    }
}

// C32: who proved to be somebody is known by that name.
#[test]
fn c32_the_user_id_is_on_every_message() {
    let options = Options::new().plain_server([("ann", "secret")]);
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::of("PLAIN").bytes());
    let _ = peer.read_greeting();
    peer.send_command("HELLO", b"\x03ann\x06secret");
    assert_eq!(peer.read_command().0, "WELCOME");
    peer.send_command("INITIATE", &metadata(&[("Socket-Type", b"PUSH")]));
    peer.read_ready();
    peer.send_message(&["a"]);
    peer.send_message(&["b", "c"]);
    for _ in 0..2 {
        let message = ours.recv().expect("a message");
        assert_eq!(message.peer().expect("a peer").user_id(), Some("ann"));
    }
}

#[test]
fn c32_our_own_properties_reach_the_peer() {
    let options = Options::new().property("X-Colour", "green");
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let mut peer = RawPeer::connect(ours.endpoint());
    let properties = peer.handshake(Greeting::default(), "PUSH", &[]);
    assert!(
        properties.contains(&("X-Colour".into(), b"green".to_vec())),
        "{properties:?}"
    );
}

// C30 (37): no retry with the same credentials.
#[test]
fn c30_an_error_in_the_handshake_is_final() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, soon(), listener.endpoint());
    let mut peer = listener.accept();
    peer.send(&Greeting::default().bytes());
    peer.send_command("ERROR", b"\x07go away");
    peer.read_to_close();
    let cause = ours.await_handshake_failure();
    assert!(cause.contains("go away"), "{cause}");
    assert!(
        listener.is_silent_for(Duration::from_millis(500)),
        "it tried again"
    );
}
