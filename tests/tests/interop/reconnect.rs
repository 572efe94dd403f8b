//! Either side is restarted while traffic flows.

use std::time::Duration;

use ferromq::{Options, SocketType};
use ferromq_tests::{Ours, Via, ZmqPeer, ZmqSocket, parts_of, until};
use serde_json::json;

fn soon() -> Options {
    Options::new().reconnect_interval(Duration::from_millis(10), Duration::from_millis(100))
}

/// Both transports.
const VIAS: [Via; 2] = [Via::Tcp, Via::Ipc];

fn their<'a>(peer: &'a ZmqPeer, socket_type: &str) -> ZmqSocket<'a> {
    peer.socket_with(
        socket_type,
        json!({"RECONNECT_IVL": 10, "RECONNECT_IVL_MAX": 100}),
    )
}

/// The number in the last frame of a message of a flow.
fn number(frame: &[u8]) -> u64 {
    std::str::from_utf8(frame)
        .expect("digits")
        .parse()
        .expect("a number")
}

/// Numbers may be missing where a connection was lost; none comes twice or out
/// of order.
fn assert_increasing(numbers: &[u64]) {
    assert!(
        numbers.windows(2).all(|pair| pair[0] < pair[1]),
        "{numbers:?}"
    );
}

// They bind, are killed, and bind again, while we keep sending.
#[test]
fn our_connected_push_survives_their_restart() {
    for via in VIAS {
        let Some(first) = ZmqPeer::start() else {
            return;
        };
        let place = via.place();
        let theirs = their(&first, "PULL");
        let endpoint = theirs.bind(place.endpoint());
        let ours = Ours::connected(SocketType::Push, soon(), &endpoint);
        let mut sent = 0_u64;
        let mut send = || {
            ours.send(["flow".to_owned(), sent.to_string()])
                .expect("send");
            sent += 1;
        };
        (0..100).for_each(|_| send());
        assert_eq!(number(&theirs.recv()[1]), 0);
        first.kill();
        (0..100).for_each(|_| send());
        let Some(second) = ZmqPeer::start() else {
            return;
        };
        let theirs = their(&second, "PULL");
        theirs.bind(&endpoint);
        (0..100).for_each(|_| send());
        ours.send("end").expect("send");
        let numbers: Vec<u64> = theirs
            .recv_until(b"end")
            .iter()
            .map(|n| number(n))
            .collect();
        assert_increasing(&numbers);
        assert!(numbers.ends_with(&[297, 298, 299]), "{via:?}: {numbers:?}");
    }
}

// We bind; they are killed and connect again.
#[test]
fn our_bound_push_survives_their_restart() {
    for via in VIAS {
        let ours = Ours::bound(SocketType::Push, Options::new(), via);
        for round in 0..3 {
            let Some(peer) = ZmqPeer::start() else { return };
            let theirs = their(&peer, "PULL");
            theirs.connect(ours.endpoint());
            for number in 0..50 {
                ours.send([format!("{round}"), number.to_string()])
                    .expect("send");
            }
            let last = until("the end of this round", || {
                let message = theirs.recv();
                assert_eq!(message[0], format!("{round}").as_bytes());
                (number(&message[1]) == 49).then_some(message)
            });
            assert_eq!(last.len(), 2);
            peer.kill();
            let _ = ours.await_disconnect();
        }
    }
}

// They keep sending while our receiver goes away and comes back.
#[test]
fn their_connected_push_survives_our_restart() {
    for via in VIAS {
        let Some(peer) = ZmqPeer::start() else { return };
        let theirs = their(&peer, "PUSH");
        let first = Ours::bound(SocketType::Pull, Options::new(), via);
        let (endpoint, place) = first.into_place_after(|ours| {
            theirs.connect(ours.endpoint());
            theirs.start_flow(b"flow");
            let numbers: Vec<u64> = (0..500).map(|_| number(&ours.recv_parts()[1])).collect();
            assert_eq!(numbers, (0..500).collect::<Vec<_>>());
        });
        let mut second = Ours::new(SocketType::Pull, Options::new());
        second.bind_to(&endpoint);
        let numbers: Vec<u64> = (0..500).map(|_| number(&second.recv_parts()[1])).collect();
        assert_increasing(&numbers);
        assert!(numbers[0] >= 500);
        assert!(theirs.stop_flow() >= 1000);
        drop(place);
    }
}

// They bind and send; we go away and connect again.
#[test]
fn their_bound_push_survives_our_restart() {
    for via in VIAS {
        let Some(peer) = ZmqPeer::start() else { return };
        let theirs = their(&peer, "PUSH");
        let place = via.place();
        let endpoint = theirs.bind(place.endpoint());
        theirs.start_flow(b"flow");
        let mut last = None;
        for _ in 0..3 {
            let ours = Ours::connected(SocketType::Pull, soon(), &endpoint);
            let numbers: Vec<u64> = (0..200).map(|_| number(&ours.recv_parts()[1])).collect();
            assert_increasing(&numbers);
            assert!(last < numbers.first().copied(), "{last:?} came again");
            last = numbers.last().copied();
        }
        assert!(theirs.stop_flow() >= 600);
    }
}

#[test]
fn our_sub_subscribes_again_after_their_restart() {
    for via in VIAS {
        let place = via.place();
        let Some(mut peer) = ZmqPeer::start() else {
            return;
        };
        let mut endpoint = their(&peer, "XPUB").bind(place.endpoint());
        let ours = Ours::connected(SocketType::Sub, soon(), &endpoint);
        peer.kill();
        ours.subscribe("A").expect("subscribe");
        ours.subscribe(b"\xFF").expect("subscribe");
        for _ in 0..2 {
            peer = match ZmqPeer::start() {
                Some(peer) => peer,
                None => return,
            };
            let theirs = their(&peer, "XPUB");
            endpoint = theirs.bind(&endpoint);
            let mut topics = [theirs.recv(), theirs.recv()];
            topics.sort();
            assert_eq!(topics, [[b"\x01A"], [b"\x01\xFF"]]);
            theirs.send(&["B", "unwanted"]);
            theirs.send(&["A", "wanted"]);
            assert_eq!(ours.recv_parts(), [&b"A"[..], b"wanted"]);
            peer.kill();
        }
    }
}

#[test]
fn their_sub_subscribes_again_after_our_restart() {
    for via in VIAS {
        let Some(peer) = ZmqPeer::start() else { return };
        let theirs = their(&peer, "SUB");
        theirs.set_bytes("SUBSCRIBE", b"A");
        let first = Ours::bound(SocketType::XPub, Options::new(), via);
        let (endpoint, place) = first.into_place_after(|ours| {
            theirs.connect(ours.endpoint());
            assert_eq!(ours.recv_parts(), [b"\x01A"]);
        });
        let mut second = Ours::new(SocketType::XPub, Options::new());
        second.bind_to(&endpoint);
        let shown = theirs.speak_up_until(|| second.try_recv().ok());
        assert_eq!(parts_of(&shown), [b"\x01A"]);
        second.send(["A", "again"]).expect("send");
        assert_eq!(theirs.recv(), [&b"A"[..], b"again"]);
        drop(place);
    }
}

#[test]
fn our_req_asks_their_restarted_rep() {
    for via in VIAS {
        let place = via.place();
        let mut endpoint = place.endpoint().to_owned();
        let mut ours = None;
        for round in 0..3 {
            let Some(peer) = ZmqPeer::start() else { return };
            let theirs = their(&peer, "REP");
            endpoint = theirs.bind(&endpoint);
            let ours =
                ours.get_or_insert_with(|| Ours::connected(SocketType::Req, soon(), &endpoint));
            ours.await_peer();
            theirs.begin("echo", json!({"count": 1}));
            ours.send(format!("question {round}")).expect("send");
            assert_eq!(ours.recv_parts(), [format!("question {round}").as_bytes()]);
            peer.answer();
            peer.kill();
            let _ = ours.await_disconnect();
        }
    }
}
