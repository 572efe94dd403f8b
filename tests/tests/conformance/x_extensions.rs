//! Extensions (docs/PROTOCOL.md, section 10): whom they are offered to, and that
//! nobody is lost who cannot take the offer.

use std::time::{Duration, Instant};

use ferromq::{EventKind, Options, SocketType};
use ferromq_tests::{Greeting, Ours, RawListener, RawPeer, Via};

const OFFER: &str = "X-FerroMQ";
/// First and longest delay before another attempt.
const DELAYS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(80));

fn options() -> Options {
    Options::new().reconnect_interval(DELAYS.0, DELAYS.1)
}

/// Greets and reads our READY: whether an offer is in it. The peer's own READY
/// is not sent.
fn is_offered_to(peer: &mut RawPeer) -> bool {
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.read_ready().iter().any(|(name, _)| name == OFFER)
}

/// Completes the handshake that `is_offered_to` began, and talks.
fn lets_in(mut peer: RawPeer, ours: &Ours) -> RawPeer {
    peer.send_ready("PULL", &[]);
    ours.await_peer();
    ours.send("through").expect("send");
    assert_eq!(peer.read_message(), [b"through"]);
    peer
}

// X1: as libzmq does whose MAXMSGSIZE is below our READY.
#[test]
fn x1_a_peer_that_hangs_up_on_the_offer_is_asked_without_it() {
    for via in [Via::Tcp, Via::Ipc] {
        let listener = RawListener::bind(via);
        let ours = Ours::connected(SocketType::Push, options(), listener.endpoint());
        let mut peer = listener.accept();
        assert!(is_offered_to(&mut peer), "the first time");
        drop(peer);
        let cause = ours.await_handshake_failure();
        assert!(cause.contains("closed"), "{cause}");
        let mut peer = listener.accept();
        assert!(!is_offered_to(&mut peer), "it hung up on the offer");
        drop(lets_in(peer, &ours));
        assert_eq!(ours.statistics().handshakes_failed, 1);
        // What was learnt is kept over a reconnection.
        let _ = ours.await_disconnect();
        let mut peer = listener.accept();
        assert!(!is_offered_to(&mut peer), "it hung up on the offer before");
        drop(lets_in(peer, &ours));
    }
}

// X1: who closes with unread bytes in his buffer resets the connection.
#[test]
fn x1_a_peer_that_resets_on_the_offer_is_asked_without_it() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, options(), listener.endpoint());
    let mut peer = listener.accept();
    assert!(is_offered_to(&mut peer), "the first time");
    peer.reset();
    let _ = ours.await_handshake_failure();
    let mut peer = listener.accept();
    assert!(!is_offered_to(&mut peer), "it hung up on the offer");
    drop(lets_in(peer, &ours));
}

// X1: who hangs up before our READY can not have minded what is in it.
#[test]
fn x1_a_peer_that_hangs_up_before_the_offer_is_offered_again() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, options(), listener.endpoint());
    for _ in 0..3 {
        let _ = listener.accept().read_greeting();
        let _ = ours.await_handshake_failure();
    }
    let mut peer = listener.accept();
    assert!(is_offered_to(&mut peer));
    drop(lets_in(peer, &ours));
}

// X2: with or without the offer, it is one more attempt that failed (H93).
#[test]
fn x2_a_peer_that_hangs_up_for_another_reason_is_not_asked_any_faster() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, options(), listener.endpoint());
    let mut offers = Vec::new();
    let mut last: Option<Instant> = None;
    for failures in 0..6_u32 {
        let mut peer = listener.accept();
        if let (Some(hung_up), Some(earlier)) = (last, failures.checked_sub(1)) {
            let least = DELAYS.0.saturating_mul(1 << earlier).min(DELAYS.1) / 2;
            assert!(
                hung_up.elapsed() >= least,
                "attempt {failures} came after {:?}",
                hung_up.elapsed()
            );
        }
        offers.push(is_offered_to(&mut peer));
        last = Some(Instant::now());
        drop(peer);
        let _ = ours.await_handshake_failure();
    }
    assert!(offers[0] && !offers[1], "{offers:?}");
    drop(listener);
    let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    match ours.await_event("a retry", retried).kind {
        EventKind::ConnectRetried { delay, .. } => assert!(delay >= DELAYS.1 / 2, "{delay:?}"),
        other => unreachable!("{other:?} was not waited for"),
    }
}

#[test]
fn x3_without_extensions_nothing_is_offered() {
    let plain = || options().crc(true).extensions(false);
    let listener = RawListener::bind(Via::Tcp);
    let connecting = Ours::connected(SocketType::Push, plain(), listener.endpoint());
    for round in 0..3 {
        let mut peer = listener.accept();
        assert!(!is_offered_to(&mut peer), "attempt {round}");
        drop(peer);
        let _ = connecting.await_handshake_failure();
    }
    let bound = Ours::bound(SocketType::Push, plain(), Via::Tcp);
    let mut peer = RawPeer::connect(bound.endpoint());
    assert!(!is_offered_to(&mut peer), "to a peer that connects");
    drop(lets_in(peer, &bound));
}

// X4: another layout than ours is no offer, and no error.
#[test]
fn x4_an_offer_that_is_not_understood_is_none() {
    let ours = Ours::bound(SocketType::Pull, Options::new().crc(true), Via::Tcp);
    let later_version = b"\0\x02\0\0\0\0\0\x01\0\0\0\0\0\0\0\0";
    for offer in [&later_version[..], &[0; 15], &[0xFF; 17], b""] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.handshake(Greeting::default(), "PUSH", &[(OFFER, offer)]);
        peer.send_message(&["without", "checksums"]);
        assert_eq!(ours.recv_parts(), [&b"without"[..], b"checksums"]);
    }
    assert_eq!(ours.statistics().violations, 0);
}
