use super::*;

const IVL: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn config() -> HeartbeatConfig {
    HeartbeatConfig {
        interval: IVL,
        timeout: None,
        ttl: None,
    }
}

fn heartbeats(config: HeartbeatConfig) -> Heartbeats {
    Heartbeats::new(config, Version::ZMTP_3_1, at(0))
}

const PING: HeartbeatAction = HeartbeatAction::SendPing {
    ttl: Duration::ZERO,
};

#[test]
fn a_ping_goes_out_every_interval() {
    let mut watch = heartbeats(config());
    assert_eq!(watch.poll_timeout(), Some(at(1000)));
    assert_eq!(watch.handle_timeout(at(999)), HeartbeatAction::None);
    for second in 1..5 {
        assert_eq!(watch.handle_timeout(at(second * 1000)), PING);
        watch.heard(at(second * 1000 + 1));
        assert_eq!(watch.poll_timeout(), Some(at(second * 1000 + 1000)));
    }
}

#[test]
fn a_late_caller_sends_one_ping_not_a_burst() {
    let mut watch = heartbeats(config());
    assert_eq!(watch.handle_timeout(at(9_500)), PING);
    assert_eq!(watch.handle_timeout(at(9_500)), HeartbeatAction::None);
    assert_eq!(watch.poll_timeout(), Some(at(10_500)));
}

#[test]
fn a_silent_peer_dies_after_interval_and_timeout() {
    // E49: TIMEOUT defaults to IVL
    let mut watch = heartbeats(config());
    assert_eq!(watch.handle_timeout(at(1000)), PING);
    assert_eq!(watch.poll_timeout(), Some(at(2000)));
    assert_eq!(watch.handle_timeout(at(1999)), HeartbeatAction::None);
    assert_eq!(watch.handle_timeout(at(2000)), HeartbeatAction::PeerDead);
    assert_eq!(watch.poll_timeout(), None);
}

#[test]
fn pings_do_not_put_off_a_longer_timeout() {
    // E49
    let mut watch = heartbeats(HeartbeatConfig {
        timeout: Some(Duration::from_millis(2_500)),
        ..config()
    });
    for second in 1..=3 {
        assert_eq!(watch.handle_timeout(at(second * 1000)), PING);
    }
    assert_eq!(watch.poll_timeout(), Some(at(3500)));
    assert_eq!(watch.handle_timeout(at(3500)), HeartbeatAction::PeerDead);
}

#[test]
fn any_inbound_byte_counts_as_life() {
    // E50: one byte of a huge slow frame will do
    let mut watch = heartbeats(config());
    for second in 1..20 {
        assert_eq!(watch.handle_timeout(at(second * 1000)), PING);
        watch.heard(at(second * 1000 + 999));
    }
}

#[test]
fn no_ping_goes_to_a_3_0_peer_or_without_an_interval() {
    // E52, A5
    let watch = Heartbeats::new(config(), Version::ZMTP_3_0, at(0));
    assert_eq!(watch.poll_timeout(), None);
    let mut watch = heartbeats(HeartbeatConfig::default());
    assert_eq!(watch.poll_timeout(), None);
    assert_eq!(watch.handle_timeout(at(1 << 40)), HeartbeatAction::None);
    let later = Version { major: 4, minor: 0 };
    let watch = Heartbeats::new(config(), later, at(0));
    assert!(watch.poll_timeout().is_some());
}

#[test]
fn a_ping_carries_our_ttl() {
    // E48
    let ttl = Duration::from_millis(1_500);
    let mut watch = heartbeats(HeartbeatConfig {
        ttl: Some(ttl),
        ..config()
    });
    let ping = HeartbeatAction::SendPing { ttl };
    assert_eq!(watch.handle_timeout(at(1000)), ping);
}

#[test]
fn a_flood_of_pings_leaves_one_pong_pending() {
    // E47, HOSTILE 35
    let mut watch = heartbeats(HeartbeatConfig::default());
    assert_eq!(watch.poll_pong(), None);
    for n in 0..100u8 {
        watch.ping_received(Duration::ZERO, &[n; 16], at(0));
    }
    assert_eq!(watch.poll_pong().unwrap().as_ref(), [99; 16]);
    assert_eq!(watch.poll_pong(), None);
    watch.ping_received(Duration::ZERO, b"", at(0));
    assert_eq!(watch.poll_pong().unwrap().as_ref(), b"");
    assert!(size_of::<Heartbeats>() <= 192);
}

#[test]
fn unasked_pongs_are_counted_and_harmless() {
    // HOSTILE 36
    let mut watch = heartbeats(config());
    for _ in 0..1000 {
        watch.pong_received();
    }
    assert_eq!(watch.unasked_pongs(), 1000);
    assert_eq!(watch.handle_timeout(at(1000)), PING);
    watch.pong_received();
    assert_eq!(watch.unasked_pongs(), 1000);
    watch.pong_received();
    assert_eq!(watch.unasked_pongs(), 1001);
}

#[test]
fn the_peer_has_to_keep_the_ttl_that_it_announced() {
    let mut watch = heartbeats(HeartbeatConfig::default());
    watch.ping_received(Duration::from_millis(300), b"", at(100));
    assert_eq!(watch.poll_timeout(), Some(at(400)));
    watch.heard(at(350));
    assert_eq!(watch.poll_timeout(), Some(at(650)));
    assert_eq!(watch.handle_timeout(at(649)), HeartbeatAction::None);
    assert_eq!(watch.handle_timeout(at(650)), HeartbeatAction::PeerDead);
}

#[test]
fn a_ttl_of_zero_sets_no_remote_timer() {
    // HOSTILE 37: and takes an earlier one back
    let mut watch = heartbeats(HeartbeatConfig::default());
    watch.ping_received(Duration::ZERO, b"", at(0));
    watch.heard(at(1));
    assert_eq!(watch.poll_timeout(), None);
    watch.ping_received(Duration::from_secs(1), b"", at(2));
    assert!(watch.poll_timeout().is_some());
    watch.ping_received(Duration::ZERO, b"", at(3));
    watch.heard(at(4));
    assert_eq!(watch.poll_timeout(), None);
}
