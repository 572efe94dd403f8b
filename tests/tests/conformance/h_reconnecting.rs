//! Section H: how soon a lost or refused connection is tried again.
//!
//! Delays are seen in two ways, neither of them an upper bound on time: the
//! monitor announces those before which nothing stood, and two accepts are
//! never closer together than the delay between them.

use std::time::{Duration, Instant};

use ferromq::{EventKind, Options, SocketType};
use ferromq_tests::{Nobody, Ours, RawListener, RawPeer, Via};

/// Announced after an attempt that the system refused.
fn next_delay(ours: &Ours) -> Duration {
    let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    match ours.await_event("a retry", retried).kind {
        EventKind::ConnectRetried { delay, .. } => delay,
        other => unreachable!("{other:?} was not waited for"),
    }
}

/// The delay after so many failures in a row, before chance shortens it by up
/// to a half.
fn nominal((min, max): (Duration, Duration), failures: u32) -> Duration {
    min.saturating_mul(1 << failures.min(16)).min(max)
}

/// A connection whose handshake has begun; one that was never let in may be
/// told of as refused.
fn in_handshake(listener: &RawListener) -> RawPeer {
    let mut peer = listener.accept();
    let _ = peer.read_greeting();
    peer
}

fn assert_within(delay: Duration, nominal: Duration) {
    assert!(
        (nominal / 2..=nominal).contains(&delay),
        "{delay:?} of {nominal:?}"
    );
}

// H93: as for attempts that are refused (C31), so for those that come to
// nothing later; they share one delay.
#[test]
fn h93_attempts_that_fail_in_any_way_are_ever_further_apart() {
    const FAILURES: u32 = 6;
    let range = (Duration::from_millis(8), Duration::from_millis(128));
    for via in [Via::Tcp, Via::Ipc] {
        let listener = RawListener::bind(via);
        let options = Options::new().reconnect_interval(range.0, range.1);
        let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
        let mut peer = in_handshake(&listener);
        for failures in 0..FAILURES {
            let hung_up = Instant::now();
            drop(peer);
            peer = in_handshake(&listener);
            assert!(
                hung_up.elapsed() >= nominal(range, failures) / 2,
                "attempt {failures} came after {:?}",
                hung_up.elapsed()
            );
        }
        // Nobody listens any more: from now on each delay is announced. One
        // attempt may have reached the listener before its end.
        drop((peer, listener));
        for _ in 0..4 {
            assert_within(next_delay(&ours), range.1);
        }
    }
}

#[test]
fn h93_delays_grow_to_the_longest_and_stay_there() {
    let range = (Duration::from_millis(3), Duration::from_millis(40));
    let nobody = Nobody::listens();
    let options = Options::new().reconnect_interval(range.0, range.1);
    let ours = Ours::connected(SocketType::Push, options, nobody.endpoint());
    for failures in 0..12 {
        assert_within(next_delay(&ours), nominal(range, failures));
    }
}

// H93: clients of a server that restarts do not come back all at once.
#[test]
fn h93_every_client_waits_for_a_time_of_its_own() {
    let only = Duration::from_millis(20);
    let nobody = Nobody::listens();
    let options = || Options::new().reconnect_interval(only, only);
    let clients: Vec<Ours> = (0..16)
        .map(|_| Ours::connected(SocketType::Push, options(), nobody.endpoint()))
        .collect();
    let mut delays: Vec<Duration> = clients.iter().map(next_delay).collect();
    for delay in &delays {
        assert_within(*delay, only);
    }
    delays.sort();
    delays.dedup();
    // 16 of 1,024 possible ones: that half of them coincide is out of question.
    assert!(delays.len() > 8, "16 clients wait for {delays:?} only");
}

// H93: a connection that stood for longer than the next delay was none that
// failed. One that fell at once was: the next two tests go together.
#[test]
fn h93_a_connection_that_stood_starts_the_delays_over() {
    let range = (Duration::from_millis(20), Duration::from_millis(160));
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new().reconnect_interval(range.0, range.1);
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    for _ in 0..4 {
        drop(in_handshake(&listener));
        let _ = ours.await_handshake_failure();
    }
    let mut peer = listener.accept_established("PULL");
    ours.await_peer();
    assert!(peer.is_silent_for(range.1 * 2), "it stands");
    drop((listener, peer));
    let _ = ours.await_disconnect();
    // The first delay after the loss is the shortest, and not announced.
    assert_within(next_delay(&ours), nominal(range, 1));
}

#[test]
fn h93_a_peer_that_hangs_up_after_every_handshake_is_not_stormed() {
    let range = (Duration::from_millis(300), Duration::from_secs(3));
    let listener = RawListener::bind(Via::Tcp);
    let options = Options::new().reconnect_interval(range.0, range.1);
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    let mut stood = Duration::ZERO;
    for _ in 0..2 {
        let started = Instant::now();
        drop(listener.accept_established("PULL"));
        let _ = ours.await_disconnect();
        stood = stood.max(started.elapsed());
    }
    drop(listener);
    let delay = next_delay(&ours);
    // On a machine so slow that a connection stood for that long, it was none
    // that fell at once.
    if stood < range.0 {
        assert_within(delay, nominal(range, 2));
    }
}
