//! What is asked of a ZAP handler, and what comes of its answers.

use std::time::Duration;

use ferromq::{CurveClients, CurveKeys, Message, Options, SocketType};
use ferromq_tests::{Greeting, Ours, RawPeer, Via, metadata};

use super::{Handler, Reply, WELCOME, asking, ready, refusal};

/// The frames of a request behind the version and the id.
fn rest(request: &[Vec<u8>]) -> Vec<String> {
    assert_eq!(request[0], b"1.0");
    let text = |frame: &Vec<u8>| String::from_utf8_lossy(frame).into_owned();
    request[2..].iter().map(text).collect()
}

// D43 (27), for REP and for ROUTER.
#[test]
fn d43_a_null_peer_is_asked_about_by_address_and_identity() {
    for socket_type in [SocketType::Rep, SocketType::Router] {
        let ours = asking(Via::Tcp);
        let handler = Handler::start(ours.context(), socket_type, |request| {
            let mut reply = Message::from([&request[0], &request[1]]);
            WELCOME.into_iter().for_each(|frame| reply.push_back(frame));
            Some(reply)
        });
        let mut peer = ready(&ours, &[("Identity", b"worker")]);
        assert_eq!(
            rest(&handler.request()),
            ["plant", "127.0.0.1", "worker", "NULL"]
        );
        peer.read_ready();
        peer.send_message(&["hello"]);
        assert_eq!(ours.recv_parts(), [b"hello"]);
    }
}

#[test]
fn d43_a_local_peer_is_who_the_kernel_says() {
    let ours = asking(Via::Ipc);
    let handler = Handler::replies(ours.context(), WELCOME);
    let mut peer = ready(&ours, &[]);
    let request = rest(&handler.request());
    let process = format!(":{}", std::process::id());
    assert!(request[1].starts_with(':') && request[1].ends_with(&process));
    peer.read_ready();
}

#[test]
fn d43_a_plain_client_is_asked_about_by_name_and_password() {
    let options = Options::new().plain_zap_server();
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let handler = Handler::replies(ours.context(), WELCOME);
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::of("PLAIN").bytes());
    let _ = peer.read_greeting();
    peer.send_command("HELLO", b"\x03bob\x06secret");
    assert_eq!(
        rest(&handler.request()),
        ["", "127.0.0.1", "", "PLAIN", "bob", "secret"]
    );
    assert_eq!(peer.read_command().0, "WELCOME");
    peer.send_command("INITIATE", &metadata(&[("Socket-Type", b"PUSH")]));
    peer.read_ready();
    peer.send_message(&["hello"]);
    let message = ours.recv().expect("a message");
    let user = message.peer().and_then(|peer| peer.user_id());
    assert_eq!(user, Some("ann"), "the handler's word is the last");
}

#[test]
fn d43_a_curve_client_is_asked_about_by_key_and_identity() {
    let (server, client) = (CurveKeys::generate(), CurveKeys::generate());
    let options = Options::new()
        .curve_server(server.clone(), CurveClients::Zap)
        .zap_domain("plant");
    let ours = Ours::bound(SocketType::Dealer, options, Via::Tcp);
    let handler = Handler::replies(ours.context(), WELCOME);
    let options = Options::new()
        .curve_client(server.public, client.clone())
        .identity("worker");
    let theirs = Ours::connected(SocketType::Dealer, options, ours.endpoint());
    let request = handler.request();
    assert_eq!(
        request[2..6],
        [&b"plant"[..], b"127.0.0.1", b"worker", b"CURVE"]
    );
    assert_eq!(request[6..], [client.public.0]);
    theirs.send("hello").expect("send");
    let message = ours.recv().expect("a message");
    assert_eq!(message.peer().expect("a peer").user_id(), Some("ann"));
}

// A socket's own list comes first, and is not all.
#[test]
fn d43_nobody_is_asked_about_a_client_that_the_sockets_own_list_refuses() {
    let options = Options::new()
        .plain_server([("ann", "secret")])
        .zap_domain("plant");
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let handler = Handler::replies(ours.context(), [b"400", b"no", b"", b""]);
    for (hello, asked) in [
        (&b"\x03ann\x05wrong"[..], false),
        (b"\x03ann\x06secret", true),
    ] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(&Greeting::of("PLAIN").bytes());
        let _ = peer.read_greeting();
        peer.send_command("HELLO", hello);
        assert_eq!(peer.read_command(), ("ERROR".into(), b"\x03400".to_vec()));
        peer.read_to_close();
        assert_eq!(refusal(&ours).0, Some(400));
        assert_eq!(handler.had_requests(), asked);
    }
}

// Over inproc there is nobody to keep out, the handler least of all.
#[test]
fn d43_nobody_is_asked_about_peers_in_the_same_process() {
    let mut ours = Ours::new(SocketType::Pull, Options::new().zap_domain("plant"));
    ours.bind_to("inproc://here");
    let push = ours
        .context()
        .any_socket(SocketType::Push, Options::new())
        .expect("a socket");
    push.connect(ours.endpoint()).expect("connect");
    push.send("hello").expect("send");
    assert_eq!(ours.recv_parts(), [b"hello"]);
}

// D44 (27): 300 closes without a word.
#[test]
fn d44_every_status_has_its_consequence() {
    let refusals: [(Reply, &[u8], u16); 3] = [
        ([b"300", b"busy", b"", b""], b"", 300),
        (
            [b"400", b"unknown", b"", b""],
            b"\x04\x0a\x05ERROR\x03400",
            400,
        ),
        (
            [b"500", b"broken", b"", b""],
            b"\x04\x0a\x05ERROR\x03500",
            500,
        ),
    ];
    let ours = asking(Via::Tcp);
    for (count, (reply, words, status)) in (1..).zip(refusals) {
        let _handler = Handler::replies(ours.context(), reply);
        let mut peer = ready(&ours, &[]);
        assert_eq!(peer.read_to_close(), words, "{status}");
        let (told, cause) = refusal(&ours);
        assert_eq!(told, Some(status));
        let reason = String::from_utf8_lossy(reply[1]);
        assert!(cause.contains(&*reason), "{cause}");
        let _ = ours.await_handshake_failure();
        let counted = ours.statistics();
        assert_eq!(counted.authentications_failed, count);
        assert_eq!(counted.handshakes_failed, count);
        assert_eq!(counted.authentications_undecided, 0);
    }
    let _handler = Handler::replies(ours.context(), WELCOME);
    let mut peer = ready(&ours, &[]);
    peer.read_ready();
}

// D44: our own client insists only after 300.
#[test]
fn d44_a_client_comes_back_after_300_and_not_after_400() {
    let soon = Duration::from_millis(5);
    let client = || Options::new().reconnect_interval(soon, soon);
    let ours = asking(Via::Tcp);
    let later = Handler::replies(ours.context(), [b"300", b"", b"", b""]);
    let theirs = Ours::connected(SocketType::Push, client(), ours.endpoint());
    for _ in 0..3 {
        let _ = later.request();
    }
    drop(later);
    let _now = Handler::replies(ours.context(), WELCOME);
    theirs.send("hello").expect("send");
    assert_eq!(ours.recv_parts(), [b"hello"]);

    let ours = asking(Via::Tcp);
    let never = Handler::replies(ours.context(), [b"400", b"", b"", b""]);
    let theirs = Ours::connected(SocketType::Push, client(), ours.endpoint());
    let _ = never.request();
    let refused = refusal(&theirs);
    assert_eq!(refused.0, Some(400), "{}", refused.1);
    assert_eq!(theirs.statistics().authentications_failed, 1);
    let _ = ours.wait_for_peers(1, Duration::from_millis(100));
    assert!(!never.had_requests(), "it asked again");
}

// D46 (27), and nobody gives himself a name.
#[test]
fn d46_the_handlers_user_id_and_properties_are_on_every_message() {
    let ours = asking(Via::Tcp);
    let reply: Reply = [b"200", b"", b"ann", b"\x06X-Role\0\0\0\x05admin"];
    let _handler = Handler::replies(ours.context(), reply);
    let mut peer = ready(&ours, &[("User-Id", b"root"), ("X-Role", b"god")]);
    peer.read_ready();
    for _ in 0..2 {
        peer.send_message(&["hello"]);
        let message = ours.recv().expect("a message");
        let origin = message.peer().expect("a peer");
        assert_eq!(origin.user_id(), Some("ann"));
        assert_eq!(origin.property("User-Id"), Some(&b"ann"[..]));
        assert_eq!(origin.property("X-Role"), Some(&b"admin"[..]));
    }
}

#[test]
fn d46_without_a_user_id_there_is_none() {
    let ours = asking(Via::Tcp);
    let _handler = Handler::replies(ours.context(), [b"200", b"", b"", b""]);
    let mut peer = ready(&ours, &[("User-Id", b"root")]);
    peer.read_ready();
    peer.send_message(&["hello"]);
    let message = ours.recv().expect("a message");
    let origin = message.peer().expect("a peer");
    assert_eq!((origin.user_id(), origin.property("User-Id")), (None, None));
}
