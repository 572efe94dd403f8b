//! PLAIN between both implementations (24/ZMTP-PLAIN).

use ferromq::{EventKind, Options, SocketType};
use ferromq_tests::{Ours, Via, ZmqPeer};
use serde_json::json;

use crate::join::{Binder, EVERY_WAY, Way, join};

#[test]
fn their_client_is_let_in_by_its_password() {
    let Some(peer) = ZmqPeer::start() else { return };
    for way in EVERY_WAY {
        let theirs = peer.socket_with(
            "PUSH",
            json!({"PLAIN_USERNAME": "ann", "PLAIN_PASSWORD": "secret"}),
        );
        let options = Options::new().plain_server([("bob", "other"), ("ann", "secret")]);
        let ours = join(SocketType::Pull, options, &theirs, way);
        theirs.send(&["hello"]);
        let message = ours.recv().expect("a message");
        assert_eq!(message.parts()[0].as_ref(), b"hello");
        assert_eq!(message.peer().expect("a peer").user_id(), Some("ann"));
    }
}

#[test]
fn their_client_with_a_wrong_password_is_refused() {
    let Some(peer) = ZmqPeer::start() else { return };
    let options = Options::new().plain_server([("ann", "secret")]);
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let theirs = peer.socket_with(
        "PUSH",
        json!({"PLAIN_USERNAME": "ann", "PLAIN_PASSWORD": "wrong"}),
    );
    theirs.connect(ours.endpoint());
    let _ = ours.await_handshake_failure();
}

#[test]
fn our_client_is_let_in_by_its_password() {
    let Some(peer) = ZmqPeer::start() else { return };
    peer.authenticate("ann", "secret");
    for way in EVERY_WAY {
        let theirs = peer.socket_with("PULL", json!({"PLAIN_SERVER": 1, "ZAP_DOMAIN": "tests"}));
        let options = Options::new().plain_client("ann", "secret");
        let ours = join(SocketType::Push, options, &theirs, way);
        ours.send("hello").expect("send");
        assert_eq!(theirs.recv(), [b"hello"]);
    }
}

#[test]
fn our_client_with_a_wrong_password_is_refused_and_told_so() {
    let Some(peer) = ZmqPeer::start() else { return };
    peer.authenticate("ann", "secret");
    let theirs = peer.socket_with("PULL", json!({"PLAIN_SERVER": 1, "ZAP_DOMAIN": "tests"}));
    let options = Options::new().plain_client("ann", "wrong");
    let way = Way {
        binder: Binder::Theirs,
        via: Via::Tcp,
    };
    let ours = join(SocketType::Push, options, &theirs, way);
    let failed = |kind: &EventKind| matches!(kind, EventKind::HandshakeFailed { .. });
    let event = ours.await_event("the refusal", failed);
    let EventKind::HandshakeFailed { cause } = event.kind else {
        unreachable!("it was matched")
    };
    assert!(cause.contains("400"), "{cause}");
}

#[test]
fn without_a_common_mechanism_nobody_gets_through() {
    let Some(peer) = ZmqPeer::start() else { return };
    let ours = Ours::on_tcp(SocketType::Pull);
    let theirs = peer.socket_with(
        "PUSH",
        json!({"PLAIN_USERNAME": "ann", "PLAIN_PASSWORD": "secret"}),
    );
    theirs.connect(ours.endpoint());
    // Whoever sees it first closes.
    let _ = ours.await_handshake_failure();
}
