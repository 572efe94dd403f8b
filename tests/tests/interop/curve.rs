//! CURVE between both implementations (26/CURVEZMQ): D35 to D42.

use std::time::Duration;

use ferromq::{CurveClients, CurveKeys, EventKind, Options, SocketType};
use ferromq_tests::{Downgrade, Ours, PATIENCE, Via, ZmqPeer};
use serde_json::{Value, json};

use crate::join::{Binder, EVERY_WAY, Way, join};

struct Keys {
    server: CurveKeys,
    client: CurveKeys,
}

impl Keys {
    fn new() -> Self {
        Self {
            server: CurveKeys::generate(),
            client: CurveKeys::generate(),
        }
    }

    fn our_server(&self) -> Options {
        let clients = CurveClients::keys([self.client.public]);
        Options::new().curve_server(self.server.clone(), clients)
    }

    fn our_client(&self) -> Options {
        Options::new().curve_client(self.server.public, self.client.clone())
    }

    fn their_server(&self) -> Value {
        json!({"CURVE_SERVER": 1, "CURVE_SECRETKEY": secret(&self.server)})
    }

    fn their_client(&self) -> Value {
        json!({
            "CURVE_SERVERKEY": self.server.public.to_string(),
            "CURVE_PUBLICKEY": self.client.public.to_string(),
            "CURVE_SECRETKEY": secret(&self.client),
        })
    }
}

fn secret(keys: &CurveKeys) -> String {
    String::from_utf8(keys.secret.expose_z85().to_vec()).expect("z85 is text")
}

#[test]
fn d35_messages_travel_both_ways_whoever_is_the_server() {
    let Some(peer) = ZmqPeer::start() else { return };
    let keys = Keys::new();
    for way in EVERY_WAY {
        for (ours, theirs) in [
            (keys.our_server(), keys.their_client()),
            (keys.our_client(), keys.their_server()),
        ] {
            let theirs = peer.socket_with("DEALER", theirs);
            let ours = join(SocketType::Dealer, ours, &theirs, way);
            for len in [0, 1, 222, 255, 8_192, 70_000] {
                let text = "x".repeat(len);
                ours.send([&b"head"[..], text.as_bytes()]).expect("send");
                assert_eq!(theirs.recv(), [b"head".to_vec(), text.clone().into_bytes()]);
                theirs.send(&["head", &text]);
                let message = ours.recv().expect("a message");
                assert_eq!(message.parts()[1].as_ref(), text.as_bytes());
            }
        }
    }
}

#[test]
fn d40_subscriptions_and_heartbeats_travel_inside_messages() {
    let Some(peer) = ZmqPeer::start() else { return };
    let keys = Keys::new();
    for way in EVERY_WAY {
        // libzmq 4.3.5: a SUB that binds under CURVE sends no subscriptions,
        // not even to a libzmq peer.
        if way.binder == Binder::Ours {
            their_sub_hears_our_publisher(&peer, &keys, way);
        }
        let theirs = peer.socket_with("XPUB", keys.their_server());
        let options = beating(keys.our_client());
        let ours = join(SocketType::Sub, options, &theirs, way);
        ours.subscribe("topic").expect("subscribe");
        assert_eq!(theirs.recv(), [b"\x01topic"]);
        theirs.send(&["topic", "yes"]);
        assert_eq!(ours.recv().expect("a message").parts().len(), 2);
    }
}

const BEAT: Duration = Duration::from_millis(30);

/// Asks often, and gives up on nobody who is only slow.
fn beating(options: Options) -> Options {
    options.heartbeat(BEAT, Some(PATIENCE), None)
}

fn their_sub_hears_our_publisher(peer: &ZmqPeer, keys: &Keys, way: Way) {
    let theirs = peer.socket_with("SUB", keys.their_client());
    theirs.set_bytes("SUBSCRIBE", b"topic");
    let options = beating(keys.our_server());
    let ours = join(SocketType::XPub, options, &theirs, way);
    let told = ours.recv().expect("a subscription");
    assert_eq!(told.parts()[0].as_ref(), b"\x01topic");
    for _ in 0..5 {
        ours.send([&b"other"[..], b"no"]).expect("send");
        ours.send([&b"topic"[..], b"yes"]).expect("send");
        assert_eq!(theirs.recv(), [b"topic".to_vec(), b"yes".to_vec()]);
        // Some heartbeats go by.
        std::thread::park_timeout(2 * BEAT);
    }
}

#[test]
fn d45_a_client_whose_key_is_not_on_our_list_is_refused() {
    let Some(peer) = ZmqPeer::start() else { return };
    let (keys, stranger) = (Keys::new(), Keys::new());
    let ours = Ours::bound(SocketType::Pull, keys.our_server(), Via::Tcp);
    let mut options = stranger.their_client();
    options["CURVE_SERVERKEY"] = json!(keys.server.public.to_string());
    let theirs = peer.socket_with("PUSH", options);
    theirs.connect(ours.endpoint());
    let failed = |kind: &EventKind| matches!(kind, EventKind::HandshakeFailed { .. });
    let event = ours.await_event("the refusal", failed);
    let EventKind::HandshakeFailed { cause } = event.kind else {
        unreachable!("it was matched")
    };
    assert!(cause.contains("400"), "{cause}");
}

#[test]
fn d38_another_server_than_the_one_expected_is_not_talked_to() {
    let Some(peer) = ZmqPeer::start() else { return };
    let (keys, elsewhere) = (Keys::new(), Keys::new());
    let theirs = peer.socket_with("PULL", elsewhere.their_server());
    let endpoint = theirs.bind("tcp://127.0.0.1:*");
    let ours = Ours::connected(SocketType::Push, keys.our_client(), &endpoint);
    let _ = ours.await_handshake_failure();

    let ours = Ours::bound(SocketType::Pull, elsewhere.our_server(), Via::Tcp);
    let theirs = peer.socket_with("PUSH", keys.their_client());
    theirs.connect(ours.endpoint());
    let _ = ours.await_handshake_failure();
}

// D40 (23): both take each other for 3.0.
#[test]
fn d40_libzmq_and_we_talk_3_0_inside_messages() {
    let Some(peer) = ZmqPeer::start() else { return };
    let keys = Keys::new();
    let theirs = peer.socket_with("XPUB", keys.their_server());
    let relay = Downgrade::to(&theirs.bind("tcp://127.0.0.1:*"));
    let options = beating(keys.our_client());
    let ours = Ours::connected(SocketType::Sub, options, relay.endpoint());
    ours.subscribe("topic").expect("subscribe");
    assert_eq!(theirs.recv(), [b"\x01topic"]);
    theirs.send(&["topic", "yes"]);
    assert_eq!(ours.recv_parts(), [&b"topic"[..], b"yes"]);

    let options = beating(keys.our_server());
    let ours = Ours::bound(SocketType::XPub, options, Via::Tcp);
    let relay = Downgrade::to(ours.endpoint());
    let theirs = peer.socket_with("SUB", keys.their_client());
    theirs.set_bytes("SUBSCRIBE", b"topic");
    theirs.connect(relay.endpoint());
    assert_eq!(ours.recv_parts(), [b"\x01topic"]);
    ours.send(["topic", "yes"]).expect("send");
    assert_eq!(theirs.recv(), [&b"topic"[..], b"yes"]);
}
