//! Peers of 3.0 (23/ZMTP), which are secured like those of 3.1.

use std::time::Duration;

use ferromq::{CurveClients, CurveKeys, EventKind, Options, SocketType};
use ferromq_tests::{Downgrade, Greeting, Ours, RawPeer, Via, metadata};

use super::{Handler, WELCOME, asking};

const BEAT: Duration = Duration::from_millis(20);

// D40: no commands but MESSAGE, so subscriptions are messages in one, and no
// PING is sent, which the other side would take for a message.
#[test]
fn d40_to_a_3_0_peer_subscriptions_are_messages_inside_messages() {
    let (server, client) = (CurveKeys::generate(), CurveKeys::generate());
    let options = Options::new()
        .curve_server(server.clone(), CurveClients::keys([client.public]))
        .heartbeat(BEAT, None, None);
    let publisher = Ours::bound(SocketType::XPub, options, Via::Tcp);
    let relay = Downgrade::to(publisher.endpoint());
    let options = Options::new()
        .curve_client(server.public, client)
        .heartbeat(BEAT, None, None);
    let subscriber = Ours::connected(SocketType::Sub, options, relay.endpoint());
    subscriber.subscribe("topic").expect("subscribe");
    assert_eq!(publisher.recv_parts(), [b"\x01topic"]);
    for round in 0..5_u8 {
        publisher.send([&b"topic"[..], &[round]]).expect("send");
        assert_eq!(subscriber.recv_parts(), [&b"topic"[..], &[round]]);
        // Some heartbeats would go by.
        std::thread::park_timeout(2 * BEAT);
    }
    subscriber.unsubscribe("topic").expect("unsubscribe");
    assert_eq!(publisher.recv_parts(), [b"\x00topic"]);
    assert_eq!(publisher.statistics().violations, 0);
    assert_eq!(subscriber.statistics().peers[0].reconnects, 0);
}

#[test]
fn d43_peers_of_3_0_are_asked_about_too() {
    let ours = asking(Via::Tcp);
    let handler = Handler::replies(ours.context(), WELCOME);
    let mut peer = RawPeer::established_3_0(ours.endpoint(), "PUSH");
    let _ = handler.request();
    peer.send_message(&["hello"]);
    assert_eq!(ours.recv_parts(), [b"hello"]);
}

#[test]
fn d33_a_plain_client_of_3_0_is_let_in_by_its_password() {
    let options = Options::new().plain_server([("ann", "secret")]);
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let mut peer = RawPeer::connect(ours.endpoint());
    let greeting = Greeting {
        minor: 0,
        ..Greeting::of("PLAIN")
    };
    peer.send(&greeting.bytes());
    let _ = peer.read_greeting();
    peer.send_command("HELLO", b"\x03ann\x06secret");
    assert_eq!(peer.read_command().0, "WELCOME");
    peer.send_command("INITIATE", &metadata(&[("Socket-Type", b"PUSH")]));
    peer.read_ready();
    ours.await_event("its handshake", |kind| {
        matches!(kind, EventKind::HandshakeSucceeded)
    });
}
