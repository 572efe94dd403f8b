//! Every pair of socket types that may talk, over each transport, each side
//! binding once.

use ferromq::{Options, SocketType};
use ferromq_tests::{Ours, ZmqPeer, ZmqSocket, until};

use crate::join::{Binder, Way, join};

/// Messages of every shape: empty, multipart, around the long form's limit.
fn shapes() -> Vec<Vec<Vec<u8>>> {
    vec![
        vec![b"plain".to_vec()],
        vec![Vec::new()],
        vec![b"two".to_vec(), b"parts".to_vec()],
        vec![
            Vec::new(),
            Vec::new(),
            b"\0\xFF binary".to_vec(),
            Vec::new(),
        ],
        vec![vec![1; 255], vec![2; 256]],
        vec![vec![3; 70_000], b"behind".to_vec()],
    ]
}

fn ours_sends(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        ours.send(message.clone()).expect("send");
        assert_eq!(theirs.recv(), message);
    }
}

fn theirs_sends(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        theirs.send(&message);
        assert_eq!(ours.recv_parts(), message);
    }
}

fn both_send(ours: &Ours, theirs: &ZmqSocket<'_>) {
    ours_sends(ours, theirs);
    theirs_sends(ours, theirs);
}

/// REQ or DEALER of ours, which writes its own delimiter if it is a DEALER.
fn ours_asks(ours: &Ours, theirs: &ZmqSocket<'_>) {
    let delimiter = (ours.socket_type() == SocketType::Dealer).then(Vec::new);
    for message in shapes() {
        let request: Vec<Vec<u8>> = delimiter.iter().cloned().chain(message.clone()).collect();
        ours.send(request.clone()).expect("send");
        assert_eq!(theirs.recv(), message);
        theirs.send(&message);
        assert_eq!(ours.recv_parts(), request);
    }
}

/// REP of ours asked by a REQ.
fn theirs_asks(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        theirs.send(&message);
        assert_eq!(ours.recv_parts(), message);
        ours.send(message.clone()).expect("send");
        assert_eq!(theirs.recv(), message);
    }
}

/// REP of ours asked by a DEALER, with an envelope of two.
fn theirs_asks_in_an_envelope(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        let envelope = [b"outer".to_vec(), b"inner".to_vec(), Vec::new()];
        let whole: Vec<Vec<u8>> = envelope.into_iter().chain(message.clone()).collect();
        theirs.send(&whole);
        assert_eq!(ours.recv_parts(), message);
        ours.send(message.clone()).expect("send");
        assert_eq!(theirs.recv(), whole);
    }
}

/// REQ of ours asks a ROUTER.
fn ours_asks_a_router(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        ours.send(message.clone()).expect("send");
        let request = theirs.recv();
        assert_eq!(
            (request[0].as_slice(), request[1].as_slice()),
            (&b"ours"[..], &b""[..])
        );
        assert_eq!(request[2..], message);
        theirs.send(&request);
        assert_eq!(ours.recv_parts(), message);
    }
}

/// ROUTER of ours answers whoever speaks first.
fn ours_routes(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        theirs.send(&message);
        let routed = ours.recv_parts();
        assert_eq!(routed[0], b"theirs");
        // A REQ has put its delimiter in front.
        assert!(routed.ends_with(&message));
        ours.send(routed).expect("send");
        assert_eq!(theirs.recv(), message);
    }
}

/// DEALER of theirs is asked by a ROUTER's counterpart: a ROUTER of theirs.
fn theirs_routes(ours: &Ours, theirs: &ZmqSocket<'_>) {
    for message in shapes() {
        ours.send(message.clone()).expect("send");
        let routed = theirs.recv();
        assert_eq!((&routed[0][..], &routed[1..]), (&b"ours"[..], &message[..]));
        theirs.send(&routed);
        assert_eq!(ours.recv_parts(), message);
    }
}

/// Two ROUTERs, each knowing the other's name.
fn both_route(ours: &Ours, theirs: &ZmqSocket<'_>) {
    until("the peer is known", || ours.send(["theirs", "hello"]).ok());
    assert_eq!(theirs.recv(), [&b"ours"[..], b"hello"]);
    theirs.send(&["ours", "back"]);
    assert_eq!(ours.recv_parts(), [&b"theirs"[..], b"back"]);
}

/// A publisher that cannot see its subscribers publishes until one listens.
fn ours_publishes(ours: &Ours, theirs: &ZmqSocket<'_>) {
    subscribe(theirs, b"");
    until("the subscription is in force", || {
        ours.send("warm-up").expect("send");
        theirs.poll(20).then_some(())
    });
    ours.send("start").expect("send");
    assert!(
        theirs
            .recv_until(b"start")
            .iter()
            .all(|first| first == b"warm-up")
    );
    ours_sends(ours, theirs);
}

/// An XPUB of ours sees the subscription and what else comes upstream.
fn ours_publishes_knowingly(ours: &Ours, theirs: &ZmqSocket<'_>) {
    subscribe(theirs, b"");
    assert_eq!(theirs.speak_up_until(|| ours.try_recv().ok()).len(), 1);
    ours_sends(ours, theirs);
}

fn theirs_publishes(ours: &Ours, theirs: &ZmqSocket<'_>) {
    ours_subscribes(ours);
    until("the subscription is in force", || {
        theirs.send(&["warm-up"]);
        ours.try_recv().ok()
    });
    theirs.send(&["start"]);
    while ours.recv_parts() != [b"start"] {}
    theirs_sends(ours, theirs);
}

fn theirs_publishes_knowingly(ours: &Ours, theirs: &ZmqSocket<'_>) {
    ours_subscribes(ours);
    assert_eq!(theirs.recv(), [b"\x01"]);
    theirs_sends(ours, theirs);
}

fn ours_subscribes(ours: &Ours) {
    if ours.socket_type() == SocketType::XSub {
        ours.send(b"\x01").expect("an XSUB subscribes by sending");
    } else {
        ours.subscribe("").expect("subscribe");
    }
}

/// A SUB subscribes by an option, an XSUB by a message: here it is a SUB.
fn subscribe(theirs: &ZmqSocket<'_>, topic: &[u8]) {
    theirs.set_bytes("SUBSCRIBE", topic);
}

/// XSUB of theirs.
fn ours_publishes_to_xsub(ours: &Ours, theirs: &ZmqSocket<'_>) {
    theirs.send(&[b"\x01"]);
    until("the subscription is in force", || {
        ours.send("warm-up").expect("send");
        theirs.poll(20).then_some(())
    });
    ours.send("start").expect("send");
    assert!(
        theirs
            .recv_until(b"start")
            .iter()
            .all(|first| first == b"warm-up")
    );
    ours_sends(ours, theirs);
}

/// XPUB of ours and XSUB of theirs: data flows upstream, too.
fn xsub_speaks_to_xpub(ours: &Ours, theirs: &ZmqSocket<'_>) {
    theirs.send(&[b"\x01"]);
    assert_eq!(theirs.speak_up_until(|| ours.try_recv().ok()).len(), 1);
    ours_sends(ours, theirs);
    theirs.send(&["upstream", "data"]);
    assert_eq!(ours.recv_parts(), [&b"upstream"[..], b"data"]);
}

type Exchange = fn(&Ours, &ZmqSocket<'_>);

fn run(socket_type: SocketType, theirs: &str, exchange: Exchange, way: Way) {
    let Some(peer) = ZmqPeer::start() else { return };
    let options = match theirs {
        "REQ" | "DEALER" | "REP" | "ROUTER" => serde_json::json!({"ROUTING_ID": "theirs"}),
        _ => serde_json::json!({}),
    };
    let theirs = peer.socket_with(theirs, options);
    let mandatory = Options::new().identity("ours").router_mandatory(true);
    let ours = join(socket_type, mandatory, &theirs, way);
    exchange(&ours, &theirs);
}

/// One module a pair, one test a way to meet.
macro_rules! matrix {
    ($($name:ident: $ours:ident, $theirs:literal, $exchange:ident;)*) => {$(
        mod $name {
            use super::*;
            use ferromq_tests::Via;

            fn go(binder: Binder, via: Via) {
                run(SocketType::$ours, $theirs, $exchange, Way { binder, via });
            }

            #[test]
            fn ours_binds_tcp() {
                go(Binder::Ours, Via::Tcp);
            }

            #[test]
            fn ours_binds_ipc() {
                go(Binder::Ours, Via::Ipc);
            }

            #[test]
            fn theirs_binds_tcp() {
                go(Binder::Theirs, Via::Tcp);
            }

            #[test]
            fn theirs_binds_ipc() {
                go(Binder::Theirs, Via::Ipc);
            }
        }
    )*};
}

matrix! {
    push_with_pull: Push, "PULL", ours_sends;
    pull_with_push: Pull, "PUSH", theirs_sends;
    pair_with_pair: Pair, "PAIR", both_send;
    req_with_rep: Req, "REP", ours_asks;
    req_with_router: Req, "ROUTER", ours_asks_a_router;
    rep_with_req: Rep, "REQ", theirs_asks;
    rep_with_dealer: Rep, "DEALER", theirs_asks_in_an_envelope;
    dealer_with_rep: Dealer, "REP", ours_asks;
    dealer_with_dealer: Dealer, "DEALER", both_send;
    dealer_with_router: Dealer, "ROUTER", theirs_routes;
    router_with_req: Router, "REQ", ours_routes;
    router_with_dealer: Router, "DEALER", ours_routes;
    router_with_router: Router, "ROUTER", both_route;
    pub_with_sub: Pub, "SUB", ours_publishes;
    pub_with_xsub: Pub, "XSUB", ours_publishes_to_xsub;
    xpub_with_sub: XPub, "SUB", ours_publishes_knowingly;
    xpub_with_xsub: XPub, "XSUB", xsub_speaks_to_xpub;
    sub_with_pub: Sub, "PUB", theirs_publishes;
    sub_with_xpub: Sub, "XPUB", theirs_publishes_knowingly;
    xsub_with_pub: XSub, "PUB", theirs_publishes;
    xsub_with_xpub: XSub, "XPUB", theirs_publishes_knowingly;
}
