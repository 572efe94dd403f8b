//! Section E: heartbeats (37/ZMTP, Commands).

use std::time::{Duration, Instant};

use ferromq::{Options, SocketType};
use ferromq_tests::{Greeting, Ours, RawPeer, Via};

const TICK: Duration = Duration::from_millis(50);

fn beating(timeout: Option<Duration>, ttl: Option<Duration>) -> Ours {
    let options = Options::new().heartbeat(TICK, timeout, ttl);
    Ours::bound(SocketType::Pull, options, Via::Tcp)
}

#[test]
fn e47_a_ping_is_answered_with_its_context() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    for context in [&b""[..], b"x", b"sixteen bytes ok"] {
        peer.send_command("PING", &[&[0, 0], context].concat());
        assert_eq!(peer.read_command(), ("PONG".into(), context.to_vec()));
    }
}

// E48: tenths of a second in 16 bits.
#[test]
fn e48_the_ttl_goes_out_in_tenths_of_a_second() {
    for (ttl, wire) in [
        (Duration::from_millis(1500), [0x00, 0x0F]),
        (Duration::from_millis(6_553_500), [0xFF, 0xFF]),
        (Duration::from_secs(1_000_000), [0xFF, 0xFF]),
    ] {
        let ours = beating(Some(Duration::from_secs(60)), Some(ttl));
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        let (name, data) = peer.read_command();
        assert_eq!((name.as_str(), &data[..2]), ("PING", &wire[..]), "{ttl:?}");
    }
}

// E48: a peer's longest TTL is not taken for a tiny one.
#[test]
fn e48_the_longest_ttl_does_not_wrap() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.send_command("PING", &[0xFF, 0xFF]);
    let _ = peer.read_command();
    assert!(!peer.is_closed_within(Duration::from_millis(500)));
}

#[test]
fn e49_a_silent_peer_dies_after_interval_and_timeout() {
    for timeout in [None, Some(TICK * 2)] {
        let ours = beating(timeout, None);
        let started = Instant::now();
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        assert_eq!(peer.read_command().0, "PING");
        peer.read_to_close();
        assert!(started.elapsed() >= timeout.unwrap_or(TICK), "too early");
        let _ = ours.await_disconnect();
    }
}

#[test]
fn e49_a_peer_that_answers_lives_on() {
    let ours = beating(Some(Duration::from_secs(30)), None);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    for _ in 0..5 {
        let (name, data) = peer.read_command();
        assert_eq!(name, "PING");
        peer.send_command("PONG", &data[2..]);
    }
    peer.send_message(&["alive"]);
    assert_eq!(ours.recv_parts(), [b"alive"]);
}

// E50: one slow frame keeps its link alive, byte by byte.
#[test]
fn e50_every_byte_is_a_sign_of_life() {
    let timeout = Duration::from_secs(2);
    let ours = beating(Some(timeout), None);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    let started = Instant::now();
    peer.send(&[2, 0, 0, 0, 0, 0, 0, 0x27, 0x10]);
    let mut sent = 0;
    while started.elapsed() < timeout * 2 {
        peer.send(b".");
        sent += 1;
        // Their PINGs arrive meanwhile and stay unanswered.
        assert!(
            !peer.is_closed_within(Duration::from_millis(20)),
            "after {sent} bytes"
        );
    }
    peer.send(&vec![b'.'; 10_000 - sent]);
    assert_eq!(ours.recv_parts(), [vec![b'.'; 10_000]]);
}

#[test]
fn e51_a_ping_leaves_the_request_state_alone() {
    let ours = Ours::on_tcp(SocketType::Req);
    let mut peer = RawPeer::established(ours.endpoint(), "REP");
    ours.await_peer();
    peer.settle();
    ours.send("question").expect("send");
    assert_eq!(peer.read_message(), [&b""[..], b"question"]);
    peer.settle();
    assert!(ours.send("another").is_err(), "it still awaits a reply");
    peer.send_message(&["", "answer"]);
    assert_eq!(ours.recv_parts(), [b"answer"]);
}

#[test]
fn e52_no_ping_before_the_handshake_is_complete() {
    let ours = beating(None, None);
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.read_ready();
    assert!(peer.is_silent_for(TICK * 6));
}

#[test]
fn e52_no_ping_to_a_3_0_peer() {
    let ours = beating(None, None);
    let mut peer = RawPeer::established_3_0(ours.endpoint(), "PUSH");
    assert!(peer.is_silent_for(TICK * 6));
    peer.send_message(&["and it lives"]);
    assert_eq!(ours.recv_parts(), [b"and it lives"]);
}

// What arrives in one piece with the peer's READY raises no event of its own.
#[test]
fn e47_a_ping_right_behind_the_handshake_is_answered_every_time() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for round in 0..100 {
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        peer.send_command("PING", b"\0\0");
        assert_eq!(peer.read_command().0, "PONG", "round {round}");
    }
}

#[test]
fn e47_a_malformed_ping_closes() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for body in [&b""[..], b"\0", b"\0\0seventeen bytes!!"] {
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        peer.send_command("PING", body);
        peer.read_to_close();
        let cause = ours.await_disconnect();
        assert!(!cause.is_empty(), "{body:?}");
    }
}

#[test]
fn e48_a_peer_that_is_silent_beyond_its_ttl_is_dropped() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.send_command("PING", &[0, 1]);
    let _ = peer.read_command();
    peer.read_to_close();
    let _ = ours.await_disconnect();
}
