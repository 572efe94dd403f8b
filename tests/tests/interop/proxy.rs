//! Their sockets through our proxy, ours through theirs, and both in a chain.

use std::thread::JoinHandle;

use ferromq::{AnySocket, Context, Options, Proxy, ProxyError, ProxyHandle, SocketType};
use ferromq_tests::{Ours, Place, Via, ZmqPeer, ZmqSocket};

const VIAS: [Via; 2] = [Via::Tcp, Via::Ipc];

/// A proxy of ours at work, bound on both sides.
struct Running {
    handle: ProxyHandle,
    thread: JoinHandle<Result<(), ProxyError>>,
    front: String,
    back: String,
    _places: [Place; 2],
}

impl Running {
    fn start(sides: [SocketType; 2], via: Via, control: Option<AnySocket>) -> Self {
        let context = Context::new().expect("a context");
        let places = [via.place(), via.place()];
        let [(frontend, front), (backend, back)] = [0, 1].map(|side| {
            let socket = context
                .any_socket(sides[side], Options::new())
                .expect("a socket");
            let bound = socket.bind(places[side].endpoint()).expect("bind");
            (socket, bound.to_string())
        });
        let mut builder = Proxy::builder(frontend, backend);
        if let Some(control) = control {
            builder = builder.control(control);
        }
        let mut proxy = builder.build().expect("they fit");
        Self {
            handle: proxy.handle(),
            thread: std::thread::spawn(move || proxy.run()),
            front,
            back,
            _places: places,
        }
    }

    fn stop(self) {
        self.handle.stop();
        self.thread.join().expect("no panic").expect("no failure");
    }
}

const QUEUE: [SocketType; 2] = [SocketType::Router, SocketType::Dealer];

/// Two bound sockets of theirs with a proxy between them: both endpoints.
fn their_proxy(
    peer: &ZmqPeer,
    sides: [&str; 2],
    via: Via,
    control: Option<ZmqSocket<'_>>,
) -> ([String; 2], [Place; 2]) {
    let places = [via.place(), via.place()];
    let [frontend, backend] = sides.map(|side| peer.socket(side));
    let endpoints = [
        frontend.bind(places[0].endpoint()),
        backend.bind(places[1].endpoint()),
    ];
    peer.proxy(frontend, backend, control);
    (endpoints, places)
}

#[test]
fn their_requests_pass_our_broker() {
    let Some(peer) = ZmqPeer::start() else { return };
    for via in VIAS {
        let broker = Running::start(QUEUE, via, None);
        let (req, rep) = (peer.socket("REQ"), peer.socket("REP"));
        req.connect(&broker.front);
        rep.connect(&broker.back);
        for body in [&b"short"[..], b"", &[7; 100_000]] {
            req.send(&[body, b"second"]);
            assert_eq!(rep.recv(), [body, b"second"]);
            rep.send(&[b"reply", body]);
            assert_eq!(req.recv(), [b"reply", body]);
        }
        broker.stop();
    }
}

#[test]
fn their_publishers_hear_of_their_subscribers_through_our_forwarder() {
    let Some(peer) = ZmqPeer::start() else { return };
    for via in VIAS {
        let forwarder = Running::start([SocketType::XSub, SocketType::XPub], via, None);
        let (publisher, subscriber) = (peer.socket("XPUB"), peer.socket("SUB"));
        publisher.connect(&forwarder.front);
        subscriber.connect(&forwarder.back);
        subscriber.set_bytes("SUBSCRIBE", b"topic");
        subscriber.speak_up_until(|| publisher.poll(20).then_some(()));
        assert_eq!(publisher.recv(), [b"\x01topic"]);
        publisher.send(&[&b"other"[..], b"unheard"]);
        publisher.send(&[&b"topic"[..], b"heard"]);
        assert_eq!(subscriber.recv(), [&b"topic"[..], b"heard"]);
        subscriber.close();
        assert_eq!(publisher.recv(), [b"\x00topic"]);
        let passed = forwarder.handle.statistics();
        assert_eq!(passed.backend.messages_sent, 1);
        forwarder.stop();
    }
}

#[test]
fn our_requests_pass_their_broker() {
    let Some(peer) = ZmqPeer::start() else { return };
    for via in VIAS {
        let ([front, back], _places) = their_proxy(&peer, ["ROUTER", "DEALER"], via, None);
        let req = Ours::connected(SocketType::Req, Options::new(), &front);
        let rep = Ours::connected(SocketType::Rep, Options::new(), &back);
        for body in [&b"short"[..], b"", &[7; 100_000]] {
            req.send([body, b"second"]).expect("send");
            assert_eq!(rep.recv_parts(), [body, b"second"]);
            rep.send([b"reply", body]).expect("send");
            assert_eq!(req.recv_parts(), [b"reply", body]);
        }
    }
}

#[test]
fn our_subscriptions_pass_their_forwarder() {
    let Some(peer) = ZmqPeer::start() else { return };
    for via in VIAS {
        let ([front, back], _places) = their_proxy(&peer, ["XSUB", "XPUB"], via, None);
        let publisher = Ours::connected(SocketType::XPub, Options::new(), &front);
        let subscriber = Ours::connected(SocketType::Sub, Options::new(), &back);
        subscriber.subscribe("topic").expect("subscribe");
        assert_eq!(publisher.recv_parts(), [b"\x01topic"]);
        publisher.send(["other", "unheard"]).expect("send");
        publisher.send(["topic", "heard"]).expect("send");
        assert_eq!(subscriber.recv_parts(), [&b"topic"[..], b"heard"]);
    }
}

#[test]
fn a_reply_finds_its_way_through_a_chain_of_both() {
    let Some(peer) = ZmqPeer::start() else { return };
    for via in VIAS {
        let near = Running::start(QUEUE, via, None);
        let far_place = via.place();
        let (far_front, far_back) = (peer.socket("ROUTER"), peer.socket("DEALER"));
        far_front.connect(&near.back);
        let back = far_back.bind(far_place.endpoint());
        peer.proxy(far_front, far_back, None);
        let requesters = [0, 1].map(|_| peer.socket("REQ"));
        let rep = Ours::connected(SocketType::Rep, Options::new(), &back);
        for (requester, name) in requesters.iter().zip(["one", "two"]) {
            requester.connect(&near.front);
            requester.send(&[name]);
        }
        for _ in 0..2 {
            let request = rep.recv().expect("a request");
            rep.send(request).expect("send");
        }
        for (requester, name) in requesters.iter().zip(["one", "two"]) {
            assert_eq!(requester.recv(), [name.as_bytes()]);
        }
        near.stop();
    }
}

/// What a streamer answers to a dialogue. Nothing is sent after the first PAUSE,
/// and nothing of two frames: libzmq 4.3.5 takes PAUSE for RESUME and the other
/// way round, and counts frames, where its manual says otherwise.
fn dialogue(
    front: &str,
    back: &str,
    mut ask: impl FnMut(&str) -> Vec<Vec<u8>>,
) -> Vec<Vec<Vec<u8>>> {
    let push = Ours::connected(SocketType::Push, Options::new(), front);
    let pull = Ours::connected(SocketType::Pull, Options::new(), back);
    let mut answers = vec![ask("STATISTICS")];
    push.send("one").expect("send");
    push.send("another").expect("send");
    assert_eq!(pull.recv_parts(), [b"one"]);
    assert_eq!(pull.recv_parts(), [b"another"]);
    for word in ["STATISTICS", "PAUSE", "nothing known", "RESUME"] {
        answers.push(ask(word));
    }
    answers.extend([ask("STATISTICS"), ask("TERMINATE")]);
    answers
}

#[test]
fn both_proxies_answer_the_same_words_the_same() {
    let Some(peer) = ZmqPeer::start() else { return };
    let theirs = {
        let control = peer.socket("REP");
        let words = control.bind("tcp://127.0.0.1:*");
        let ([front, back], _places) =
            their_proxy(&peer, ["PULL", "PUSH"], Via::Tcp, Some(control));
        let req = Ours::connected(SocketType::Req, Options::new(), &words);
        dialogue(&front, &back, |word| {
            req.send(word).expect("send");
            req.recv_parts()
        })
    };
    let ours = {
        let control = Ours::on_tcp(SocketType::Rep);
        let sides = [SocketType::Pull, SocketType::Push];
        let streamer = Running::start(sides, Via::Tcp, Some((*control).clone()));
        let req = peer.socket("REQ");
        req.connect(control.endpoint());
        let answers = dialogue(&streamer.front, &streamer.back, |word| {
            req.send(&[word]);
            req.recv()
        });
        streamer
            .thread
            .join()
            .expect("no panic")
            .expect("it ends by word");
        answers
    };
    assert_eq!(ours, theirs);
}
