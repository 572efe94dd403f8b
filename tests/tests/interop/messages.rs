//! What is on a message: order, identities, metadata.

use ferromq::{Options, SocketType};
use ferromq_tests::{Ours, Via, ZmqPeer};
use serde_json::json;

use crate::join::{Binder, EVERY_WAY, Way, join};

const TCP: Way = Way {
    binder: Binder::Ours,
    via: Via::Tcp,
};

#[test]
fn many_messages_keep_their_order_both_ways() {
    let Some(peer) = ZmqPeer::start() else { return };
    for way in EVERY_WAY {
        let theirs = peer.socket("PAIR");
        let ours = join(SocketType::Pair, Options::new(), &theirs, way);
        theirs.begin("echo", json!({"count": 5000}));
        let sender = (*ours).clone();
        let sending = std::thread::spawn(move || {
            for number in 0..5000 {
                sender
                    .send([format!("{number}"), "tail".into()])
                    .expect("send");
            }
        });
        for number in 0..5000 {
            assert_eq!(
                ours.recv_parts(),
                [format!("{number}").as_bytes(), b"tail"],
                "{way:?}"
            );
        }
        sending.join().expect("all were sent");
        peer.answer();
    }
}

#[test]
fn our_identity_is_known_over_there() {
    let Some(peer) = ZmqPeer::start() else { return };
    for identity in [&b"name"[..], b"\xFF\x00\xFE", &[b'i'; 255]] {
        let theirs = peer.socket("ROUTER");
        let ours = join(
            SocketType::Dealer,
            Options::new().identity(identity),
            &theirs,
            TCP,
        );
        ours.send("hello").expect("send");
        assert_eq!(theirs.recv(), [identity, b"hello"]);
        theirs.send(&[identity, b"back"]);
        assert_eq!(ours.recv_parts(), [b"back"]);
    }
}

#[test]
fn without_identity_each_side_makes_one_up_for_the_other() {
    let Some(peer) = ZmqPeer::start() else { return };
    let router = peer.socket("ROUTER");
    let dealer = join(SocketType::Dealer, Options::new(), &router, TCP);
    dealer.send("hello").expect("send");
    let message = router.recv();
    assert_eq!((message[0].len(), message[0][0]), (5, 0));
    router.send(&message);
    assert_eq!(dealer.recv_parts(), [b"hello"]);

    let theirs = peer.socket("DEALER");
    let ours = join(SocketType::Router, Options::new(), &theirs, TCP);
    theirs.send(&["hello"]);
    let message = ours.recv_parts();
    assert_eq!((message[0].len(), message[0][0]), (5, 0));
    ours.send(message).expect("send");
    assert_eq!(theirs.recv(), [b"hello"]);
}

#[test]
fn metadata_is_readable_on_both_sides() {
    let Some(peer) = ZmqPeer::start() else { return };
    let theirs = peer.socket_with("DEALER", json!({"ROUTING_ID": "them"}));
    let ours = join(
        SocketType::Dealer,
        Options::new().identity("us"),
        &theirs,
        TCP,
    );
    theirs.send(&["hello"]);
    let message = ours.recv().expect("a message");
    let from = message.peer().expect("it came from a peer");
    assert_eq!(
        (from.socket_type(), from.identity()),
        ("DEALER", &b"them"[..])
    );
    ours.send("hello").expect("send");
    let seen = theirs.properties(&["Socket-Type", "Identity"]);
    assert_eq!(seen, json!({"Socket-Type": "DEALER", "Identity": "us"}));
}

#[test]
fn two_of_ours_share_one_of_theirs_in_turn() {
    let Some(peer) = ZmqPeer::start() else { return };
    let theirs = peer.socket("PUSH");
    let endpoint = theirs.bind("tcp://127.0.0.1:*");
    let ours = [(); 2].map(|()| {
        let ours = Ours::connected(SocketType::Pull, Options::new(), &endpoint);
        ours.await_peer();
        ours
    });
    // Theirs may still be completing the second handshake: give each a message
    // until both were served.
    for receiver in &ours {
        ferromq_tests::until("both are served", || {
            theirs.send(&["warm-up"]);
            receiver.try_recv().ok()
        });
    }
    theirs.send(&["done"]);
    theirs.send(&["done"]);
    for receiver in &ours {
        while receiver.recv_parts() != [b"done"] {}
    }
}
