//! Verdicts of code and tables in the program, without a handler.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use ferromq::{
    AuthenticationRequest, AuthenticationTable, Claim, CurveClients, CurveKeys, Options,
    SocketType, Verdict,
};
use ferromq_tests::{Ours, Via};

use super::{asking, ready, refusal};

#[test]
fn d44_a_function_decides_in_place_of_a_handler() {
    let ours = asking(Via::Tcp);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let saw = seen.clone();
    ours.context()
        .set_authenticator(move |request: &AuthenticationRequest| {
            saw.lock().expect("not poisoned").push(request.clone());
            match &request.identity[..] {
                b"ann" => Verdict::allow("Ann").property("X-Floor", "3"),
                b"bob" => Verdict::try_later("full"),
                b"eve" => Verdict::deny("never"),
                _ => Verdict::fail("lost the list"),
            }
        });
    let mut peer = ready(&ours, &[("Identity", b"ann")]);
    peer.read_ready();
    peer.send_message(&["hello"]);
    let message = ours.recv().expect("a message");
    let origin = message.peer().expect("a peer");
    assert_eq!(origin.user_id(), Some("Ann"));
    assert_eq!(origin.property("x-floor"), Some(&b"3"[..]));
    for (identity, status, words) in [
        (&b"bob"[..], 300, &b""[..]),
        (b"eve", 400, b"\x04\x0a\x05ERROR\x03400"),
        (b"", 500, b"\x04\x0a\x05ERROR\x03500"),
    ] {
        let mut peer = ready(&ours, &[("Identity", identity)]);
        assert_eq!(peer.read_to_close(), words);
        assert_eq!(refusal(&ours).0, Some(status));
    }
    let seen = seen.lock().expect("not poisoned");
    assert_eq!(
        (&seen[0].domain[..], seen[0].mechanism()),
        ("plant", "NULL")
    );
    assert!(seen[0].ip().is_some_and(|ip| ip.is_loopback()));
    assert!(matches!(seen[0].claim, Claim::Null));
}

#[test]
fn d44_a_panic_of_the_authenticator_refuses_its_peer_and_no_other() {
    let ours = asking(Via::Tcp);
    ours.context()
        .set_authenticator(|request: &AuthenticationRequest| {
            assert!(request.identity != b"spoiler", "planted: {request:?}");
            Verdict::allow("")
        });
    let mut peer = ready(&ours, &[("Identity", b"spoiler")]);
    assert_eq!(peer.read_command(), ("ERROR".into(), b"\x03500".to_vec()));
    assert_eq!(refusal(&ours).0, Some(500));
    let mut peer = ready(&ours, &[]);
    peer.read_ready();
}

#[test]
fn d44_an_authenticator_that_is_slow_refuses_in_time() {
    let options = Options::new()
        .zap_domain("plant")
        .authentication_timeout(std::time::Duration::from_millis(50));
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    ours.context()
        .set_authenticator(move |_: &AuthenticationRequest| {
            let _ = wait.lock().expect("not poisoned").recv();
            Verdict::allow("")
        });
    let mut peer = ready(&ours, &[]);
    assert_eq!(peer.read_to_close(), b"");
    assert_eq!(refusal(&ours).0, None);
    drop(go_on);
}

#[test]
fn d44_without_its_authenticator_a_context_has_nobody_to_decide() {
    let ours = asking(Via::Tcp);
    let everybody = |_: &AuthenticationRequest| Verdict::allow("");
    ours.context().set_authenticator(everybody);
    let mut peer = ready(&ours, &[]);
    peer.read_ready();
    ours.context().clear_authenticator();
    let mut peer = ready(&ours, &[]);
    assert_eq!(peer.read_to_close(), b"");
    assert_eq!(refusal(&ours).0, None);
}

#[test]
fn d45_a_table_decides_on_keys_passwords_and_addresses() {
    let (server, known, stranger) = (
        CurveKeys::generate(),
        CurveKeys::generate(),
        CurveKeys::generate(),
    );
    let options = Options::new()
        .curve_server(server.clone(), CurveClients::Zap)
        .zap_domain("plant");
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let table = AuthenticationTable::new()
        .allow("127.0.0.0/8".parse().expect("a range"))
        .key_of("plant", known.public, "ann");
    ours.context().set_authenticator(table);
    let client = |keys: CurveKeys| {
        let options = Options::new().curve_client(server.public, keys);
        Ours::connected(SocketType::Push, options, ours.endpoint())
    };
    let refused = client(stranger);
    assert_eq!(refusal(&ours).0, Some(400));
    assert_eq!(refusal(&refused).0, Some(400));
    let welcome = client(known);
    welcome.send("hello").expect("send");
    let message = ours.recv().expect("a message");
    assert_eq!(message.peer().expect("a peer").user_id(), Some("ann"));
    // Another table holds for who comes from then on.
    let denying = AuthenticationTable::new()
        .deny("127.0.0.1".parse().expect("an address"))
        .any_key("*");
    ours.context().set_authenticator(denying);
    let refused = client(CurveKeys::generate());
    assert_eq!(refusal(&refused).0, Some(400));
}
