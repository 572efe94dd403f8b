//! Section D, the PLAIN rows (24/ZMTP-PLAIN).

use std::time::Duration;

use ferromq::{Options, SocketType};
use ferromq_tests::{Greeting, Ours, RawPeer, Via, metadata};

fn server() -> Ours {
    Ours::bound(
        SocketType::Pull,
        Options::new().plain_server([("ann", "secret")]),
        Via::Tcp,
    )
}

fn greeted(ours: &Ours) -> RawPeer {
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::of("PLAIN").bytes());
    let greeting = peer.read_greeting();
    assert_eq!(
        (&greeting[12..17], greeting[32]),
        (&b"PLAIN"[..], 1),
        "we are the server"
    );
    peer
}

#[test]
fn d33_hello_welcome_initiate_ready() {
    let ours = server();
    let mut peer = greeted(&ours);
    peer.send_command("HELLO", b"\x03ann\x06secret");
    assert_eq!(peer.read_command(), ("WELCOME".into(), Vec::new()));
    peer.send_command("INITIATE", &metadata(&[("Socket-Type", b"PUSH")]));
    peer.read_ready();
    peer.send_message(&["hello"]);
    let message = ours.recv().expect("a message");
    assert_eq!(message.frame(0).expect("a frame").as_ref(), b"hello");
    assert_eq!(message.peer().expect("a peer").user_id(), Some("ann"));
}

#[test]
fn d33_bytes_after_hello_are_fatal() {
    let ours = server();
    let malformed = [
        &b"\x03ann\x06secretX"[..],
        b"\x03ann\x07secret",
        b"\x03an",
        b"",
        b"\x03ann",
    ];
    for hello in malformed {
        let mut peer = greeted(&ours);
        peer.send_command("HELLO", hello);
        let answer = peer.read_to_close();
        assert!(
            !answer.windows(7).any(|bytes| bytes == b"WELCOME"),
            "{hello:?}"
        );
        let _ = ours.await_handshake_failure();
    }
}

#[test]
fn d34_who_is_not_in_the_table_is_refused() {
    let ours = server();
    for hello in [&b"\x03ann\x05wrong"[..], b"\x03bob\x06secret", b"\x00\x00"] {
        let mut peer = greeted(&ours);
        peer.send_command("HELLO", hello);
        let (name, _) = peer.read_command();
        assert_eq!(name, "ERROR");
        peer.read_to_close();
        let _ = ours.await_handshake_failure();
    }
}

#[test]
fn d34_an_empty_table_refuses_everybody() {
    let nobody: [(&str, &str); 0] = [];
    let ours = Ours::bound(
        SocketType::Pull,
        Options::new().plain_server(nobody),
        Via::Tcp,
    );
    let mut peer = greeted(&ours);
    peer.send_command("HELLO", b"\x03ann\x06secret");
    assert_eq!(peer.read_command().0, "ERROR");
    peer.read_to_close();
}

// D33 (24): metadata before WELCOME was earned.
#[test]
fn d33_initiate_before_hello_is_fatal() {
    let options = Options::new()
        .plain_server([("ann", "secret")])
        .handshake_timeout(Duration::from_secs(30));
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let mut peer = greeted(&ours);
    peer.send_command("INITIATE", &metadata(&[("Socket-Type", b"PUSH")]));
    peer.read_to_close();
    let _ = ours.await_handshake_failure();
}
