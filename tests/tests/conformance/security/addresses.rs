//! Peers that are turned away for where they come from.

use ferromq::{AddressRange, EventKind, Options, SocketType};
use ferromq_tests::{Ours, RawPeer, Via};

fn range(text: &str) -> AddressRange {
    text.parse().expect("a range")
}

/// Whether a peer of this machine gets a single byte from a socket with these
/// options.
fn is_greeted(options: Options, via: Via) -> (Ours, bool) {
    let ours = Ours::bound(SocketType::Pull, options, via);
    let mut peer = RawPeer::connect(ours.endpoint());
    let event = ours.await_event("a look at the address", |kind| {
        matches!(kind, EventKind::Accepted | EventKind::Refused { .. })
    });
    let greeted = event.kind == EventKind::Accepted;
    match greeted {
        true => assert_eq!(peer.read_exact(1), [0xFF]),
        false => assert_eq!(peer.read_to_close(), b""),
    }
    (ours, greeted)
}

#[test]
fn d_addresses_are_looked_at_before_a_byte_is_read_or_written() {
    let new = Options::new;
    for (options, expected) in [
        (new().allow_addresses([range("127.0.0.0/8")]), true),
        (new().allow_addresses([range("192.0.2.0/24")]), false),
        (new().deny_addresses([range("127.0.0.1")]), false),
        (new().deny_addresses([range("192.0.2.0/24")]), true),
        (
            new()
                .allow_addresses([range("127.0.0.1")])
                .deny_addresses([range("0.0.0.0/0")]),
            false,
        ),
    ] {
        let (ours, greeted) = is_greeted(options, Via::Tcp);
        assert_eq!(greeted, expected);
        let counted = ours.statistics();
        assert_eq!(counted.addresses_refused, u64::from(!expected));
        // The one that was greeted has hung up by now.
        assert!(expected || counted.handshakes_failed == 0);
    }
}

#[test]
fn d_who_has_no_address_is_not_judged_by_it() {
    let options = Options::new().allow_addresses([range("192.0.2.0/24")]);
    assert!(is_greeted(options, Via::Ipc).1);
}

#[test]
fn d_a_storm_of_unwanted_addresses_leaves_others_served() {
    let options = Options::new().deny_addresses([range("127.0.0.0/30")]);
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    for _ in 0..200 {
        let mut peer = RawPeer::connect(ours.endpoint());
        assert_eq!(peer.read_to_close(), b"");
    }
    // From another address of this machine.
    let endpoint = ours.endpoint().replace("tcp://", "tcp://127.0.0.9;");
    let push = Ours::connected(SocketType::Push, Options::new(), &endpoint);
    push.send("hello").expect("send");
    assert_eq!(ours.recv_parts(), [b"hello"]);
    assert_eq!(ours.statistics().addresses_refused, 200);
}
