//! Section A: greeting and version.

use std::time::{Duration, Instant};

use ferromq::{Options, SocketType};
use ferromq_tests::{Greeting, Ours, RawListener, RawPeer, Via, metadata};

/// Sends one message to a PULL of ours and sees it arrive.
fn works_as_push(peer: &mut RawPeer, ours: &Ours) {
    peer.send_message(&["works"]);
    assert_eq!(ours.recv_parts(), [b"works"]);
}

// A1 and A2 (37, Greeting): all 64 bytes, before a single one of the peer's.
#[test]
fn a01_a02_our_greeting_comes_whole_and_unasked() {
    for via in [Via::Tcp, Via::Ipc] {
        let ours = Ours::bound(SocketType::Pull, Options::new(), via);
        let greeting = RawPeer::connect(ours.endpoint()).read_greeting();
        assert_eq!((greeting[0], greeting[9]), (0xFF, 0x7F));
        assert_eq!(greeting[10..12], [3, 1]);
        assert_eq!(greeting[12..32], Greeting::default().mechanism);
        assert_eq!(greeting[32..], [0; 32], "as-server and filler");
    }
}

// A2: libzmq sends 10 bytes, then 1, then 53.
#[test]
fn a02_any_split_of_the_peers_greeting_works() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for splits in [vec![10, 11], vec![1], vec![63], (1..64).collect()] {
        let mut peer = RawPeer::connect(ours.endpoint());
        let greeting = Greeting::default().bytes();
        let mut sent = 0;
        for split in splits.into_iter().chain([64]) {
            peer.send(&greeting[sent..split]);
            sent = split;
        }
        let _ = peer.read_greeting();
        peer.send_ready("PUSH", &[]);
        peer.read_ready();
        works_as_push(&mut peer, &ours);
    }
}

#[test]
fn a03_padding_of_any_value_is_accepted() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for padding in [[0; 8], [0xFF; 8], [0, 0, 0, 0, 0, 0, 0, 1], *b"whatever"] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.handshake(
            Greeting {
                padding,
                ..Greeting::default()
            },
            "PUSH",
            &[],
        );
        works_as_push(&mut peer, &ours);
    }
}

#[test]
fn a04_other_versions_from_3_0_on_are_answered_as_3_1() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for (major, minor) in [(3, 0), (3, 1), (3, 9), (4, 0), (255, 255)] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(
            &Greeting {
                major,
                minor,
                ..Greeting::default()
            }
            .bytes(),
        );
        assert_eq!(peer.read_greeting()[10..12], [3, 1]);
        peer.send_ready("PUSH", &[]);
        peer.read_ready();
        works_as_push(&mut peer, &ours);
    }
}

// A5 (23): a 3.0 peer knows no SUBSCRIBE command.
#[test]
fn a05_a_3_0_peer_gets_no_subscribe_command() {
    let ours = Ours::on_tcp(SocketType::Sub);
    ours.subscribe("topic").expect("subscribe");
    let mut peer = RawPeer::established_3_0(ours.endpoint(), "PUB");
    let frame = peer.read_frame();
    assert_eq!(
        (frame.flags, frame.body.as_slice()),
        (0, b"\x01topic".as_slice())
    );
}

#[test]
fn a06_protocols_before_3_0_are_closed() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let version_1 = b"\x01\x00".as_slice();
    let version_2 = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x01\x05\0\0".as_slice();
    let http = b"GET / HTTP/1.1\r\n\r\n".as_slice();
    let tls = b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".as_slice();
    for greeting in [version_1, version_2, http, tls] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(greeting);
        peer.read_to_close();
        let cause = ours.await_handshake_failure();
        assert!(!cause.is_empty());
    }
}

// A7 (37, Mechanism): all 20 bytes count.
#[test]
fn a07_a_differing_mechanism_closes() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut trailing = Greeting::default();
    trailing.mechanism[5] = b'x';
    let mut last = Greeting::default();
    last.mechanism[19] = 1;
    for greeting in [Greeting::of("PLAIN"), Greeting::of("NULLX"), trailing, last] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(&greeting.bytes());
        peer.read_to_close();
        let cause = ours.await_handshake_failure();
        assert!(cause.contains("mechanism"), "{cause}");
    }
}

#[test]
fn a08_null_ignores_as_server() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.handshake(
        Greeting {
            as_server: 1,
            ..Greeting::default()
        },
        "PUSH",
        &[],
    );
    works_as_push(&mut peer, &ours);
}

// A9: libzmq's PLAIN server does not set as-server, and is accepted.
#[test]
fn a09_a_plain_server_that_does_not_say_so_is_accepted() {
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new().plain_client("name", "secret");
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    let mut peer = listener.accept();
    peer.send(&Greeting::of("PLAIN").bytes());
    assert_eq!(peer.read_greeting()[12..17], *b"PLAIN");
    assert_eq!(
        peer.read_command(),
        ("HELLO".into(), b"\x04name\x06secret".to_vec())
    );
    peer.send_command("WELCOME", &[]);
    assert_eq!(peer.read_command().0, "INITIATE");
    peer.send_command("READY", &metadata(&[("Socket-Type", b"PULL")]));
    ours.send("through").expect("send");
    assert_eq!(peer.read_message(), [b"through"]);
}

#[test]
fn a10_two_plain_servers_get_nowhere() {
    let options = Options::new()
        .plain_server([("name", "secret")])
        .handshake_timeout(Duration::from_millis(300));
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(
        &Greeting {
            as_server: 1,
            ..Greeting::of("PLAIN")
        }
        .bytes(),
    );
    peer.read_to_close();
    let _ = ours.await_handshake_failure();
}

// A10: each waits for the other's WELCOME, and neither may send one.
#[test]
fn a10_two_plain_clients_get_nowhere() {
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new()
        .plain_client("name", "secret")
        .reconnect_interval(Duration::from_millis(10), Duration::from_millis(50));
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    for _ in 0..2 {
        let mut peer = listener.accept();
        peer.send(&Greeting::of("PLAIN").bytes());
        peer.send_command("HELLO", b"\x04name\x06secret");
        peer.read_to_close();
        let _ = ours.await_handshake_failure();
    }
    assert_eq!(ours.statistics().connected(), 0);
}

// A11: the deadline is total.
#[test]
fn a11_no_byte_prolongs_the_handshake() {
    let options = Options::new().handshake_timeout(Duration::from_millis(300));
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let started = Instant::now();
    let mut peer = RawPeer::connect(ours.endpoint());
    for byte in Greeting::default().bytes() {
        // A closed connection is what is waited for.
        if !peer.try_send(&[byte]) || peer.is_closed_within(Duration::from_millis(20)) {
            assert!(
                started.elapsed() >= Duration::from_millis(300),
                "closed too early"
            );
            let _ = ours.await_handshake_failure();
            return;
        }
    }
    panic!(
        "64 bytes took {:?} and kept the handshake alive",
        started.elapsed()
    );
}

#[test]
fn a11_a_connector_tries_again_after_a_handshake_that_timed_out() {
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new()
        .handshake_timeout(Duration::from_millis(100))
        .reconnect_interval(Duration::from_millis(10), Duration::from_millis(50));
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    let mut silent = listener.accept();
    silent.read_to_close();
    let mut peer = listener.accept_established("PULL");
    ours.send("at last").expect("send");
    assert_eq!(peer.read_message(), [b"at last"]);
}
