//! x
use ferromq::SocketType;
use ferromq_tests::{Ours, RawPeer};
use std::time::Duration;

#[test]
fn bad_ping_is_closed_every_time() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for round in 0..300 {
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        peer.send_command("PING", b"\0");
        assert!(peer.is_closed_within(Duration::from_secs(3)), "round {round} {:?}", ours.statistics());
    }
}
#[test]
fn good_ping_is_answered_every_time() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for round in 0..300 {
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        peer.send_command("PING", b"\0\0");
        assert!(!peer.is_silent_for(Duration::from_secs(3)), "round {round} {:?}", ours.statistics());
    }
}
#[test]
fn bad_ping_with_await() {
    let ours = Ours::on_tcp(SocketType::Pull);
    for round in 0..300 {
        let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
        peer.send_command("PING", b"\0");
        assert!(peer.is_closed_within(Duration::from_secs(3)), "round {round} {:?}", ours.statistics());
        let _ = ours.await_disconnect();
    }
}
