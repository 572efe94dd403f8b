//! Topics: binary, long, many, cancelled.

use ferromq::{Options, SocketType};
use ferromq_tests::{Ours, ZmqPeer, parts_of};

use crate::join::{EVERY_WAY, join};

/// Topics of every kind: none is a prefix of another.
fn topics() -> Vec<Vec<u8>> {
    vec![
        b"plain".to_vec(),
        b"\xFF\xFE not UTF-8".to_vec(),
        b"\0".to_vec(),
        [&b"long "[..], &[b'l'; 250]].concat(),
        [&b"longer "[..], &[b'l'; 20_000]].concat(),
    ]
}

#[test]
fn our_subscriptions_select_what_theirs_sends() {
    let Some(peer) = ZmqPeer::start() else { return };
    for way in EVERY_WAY {
        let theirs = peer.socket("XPUB");
        let ours = join(SocketType::Sub, Options::new(), &theirs, way);
        for topic in topics() {
            ours.subscribe(&topic).expect("subscribe");
            assert_eq!(theirs.recv(), [[&b"\x01"[..], &topic].concat()]);
            theirs.send(&[b"unrelated"]);
            theirs.send(&[&topic[..topic.len() - 1], b"too short"]);
            theirs.send(&[[&topic[..], b"!"].concat(), b"body".to_vec()]);
            assert_eq!(
                ours.recv_parts(),
                [[&topic[..], b"!"].concat(), b"body".to_vec()]
            );
            ours.unsubscribe(&topic).expect("unsubscribe");
            assert_eq!(theirs.recv(), [[&b"\x00"[..], &topic].concat()]);
        }
    }
}

#[test]
fn their_subscriptions_select_what_ours_sends() {
    let Some(peer) = ZmqPeer::start() else { return };
    for way in EVERY_WAY {
        let theirs = peer.socket("SUB");
        let ours = join(SocketType::XPub, Options::new(), &theirs, way);
        for topic in topics() {
            theirs.set_bytes("SUBSCRIBE", &topic);
            let shown = theirs.speak_up_until(|| ours.try_recv().ok());
            assert_eq!(parts_of(&shown), [[&b"\x01"[..], &topic].concat()]);
            ours.send("unrelated").expect("send");
            ours.send([&topic[..topic.len() - 1], b"too short"])
                .expect("send");
            ours.send([[&topic[..], b"!"].concat(), b"body".to_vec()])
                .expect("send");
            assert_eq!(
                theirs.recv(),
                [[&topic[..], b"!"].concat(), b"body".to_vec()]
            );
            theirs.set_bytes("UNSUBSCRIBE", &topic);
            let shown = theirs.speak_up_until(|| ours.try_recv().ok());
            assert_eq!(parts_of(&shown), [[&b"\x00"[..], &topic].concat()]);
        }
    }
}

#[test]
fn a_thousand_subscriptions_each_way() {
    let Some(peer) = ZmqPeer::start() else { return };
    let theirs = peer.socket("SUB");
    let ours = Ours::on_tcp(SocketType::XPub);
    theirs.connect(ours.endpoint());
    for number in 0..1000 {
        theirs.set_bytes("SUBSCRIBE", format!("topic {number:04}").as_bytes());
    }
    for _ in 0..1000 {
        assert_eq!(ours.recv_parts()[0][0], 1);
    }
    ours.send("topic none").expect("send");
    for number in [0, 999, 500] {
        ours.send([format!("topic {number:04} and more")])
            .expect("send");
        assert_eq!(
            theirs.recv(),
            [format!("topic {number:04} and more").as_bytes()]
        );
    }
}

#[test]
fn a_subscriber_of_theirs_that_leaves_is_unsubscribed() {
    let Some(peer) = ZmqPeer::start() else { return };
    for way in EVERY_WAY {
        let theirs = peer.socket("SUB");
        let ours = join(SocketType::XPub, Options::new(), &theirs, way);
        theirs.set_bytes("SUBSCRIBE", b"A");
        let shown = theirs.speak_up_until(|| ours.try_recv().ok());
        assert_eq!(parts_of(&shown), [b"\x01A"]);
        theirs.close();
        assert_eq!(ours.recv_parts(), [b"\x00A"]);
    }
}
