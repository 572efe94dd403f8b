//! A ZAP handler that is absent, slow or talks nonsense lets nobody in
//! (HOSTILE 46), and holds nobody else up.

use std::sync::mpsc::channel;
use std::time::Duration;

use ferromq::{EventKind, Message, Options, SocketType};
use ferromq_tests::{Ours, Via};

use super::{Handler, Reply, WELCOME, ready, refusal};

/// A PULL that waits so long for a verdict.
fn patient_for(time: Duration) -> Ours {
    let options = Options::new()
        .zap_domain("plant")
        .authentication_timeout(time)
        .handshake_timeout(Duration::from_secs(60));
    Ours::bound(SocketType::Pull, options, Via::Tcp)
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// A reply of the welcome's frames, with this one in the place of another.
fn spoilt(request: &[Vec<u8>], index: usize, frame: &[u8]) -> Message {
    let mut frames = vec![request[0].clone(), request[1].clone()];
    frames.extend(WELCOME.map(<[u8]>::to_vec));
    frames[index] = frame.to_vec();
    frames.into()
}

// D44
#[test]
fn d44_without_a_handler_nobody_is_let_in() {
    let ours = patient_for(LONG);
    let mut peer = ready(&ours, &[]);
    assert_eq!(peer.read_to_close(), b"", "it is not the peer's fault");
    let (status, cause) = refusal(&ours);
    assert_eq!(status, None);
    assert!(cause.contains("no ZAP handler is bound"), "{cause}");
    let _ = ours.await_handshake_failure();
    let counted = ours.statistics();
    assert_eq!(counted.authentications_undecided, 1);
    assert_eq!(counted.authentications_failed, 1);
    // One that comes later is found.
    let _handler = Handler::replies(ours.context(), WELCOME);
    let mut peer = ready(&ours, &[]);
    peer.read_ready();
}

#[test]
fn d44_a_handler_that_does_not_answer_in_time_lets_nobody_in() {
    let ours = patient_for(SHORT);
    let handler = Handler::start(ours.context(), SocketType::Router, |_| None);
    let mut peer = ready(&ours, &[]);
    let _ = handler.request();
    assert_eq!(peer.read_to_close(), b"");
    let (status, cause) = refusal(&ours);
    assert_eq!(status, None);
    assert!(cause.contains("in time"), "{cause}");
    assert_eq!(ours.statistics().authentications_undecided, 1);
}

#[test]
fn d44_a_malformed_reply_lets_nobody_in() {
    let ours = patient_for(LONG);
    for (index, frame) in [
        (0, &b"2.0"[..]),
        (2, b"201"),
        (2, b""),
        (4, b"\xff"),
        (5, b"\x01X\0\0\0\x09y"),
    ] {
        let spoil = move |request: &[Vec<u8>]| Some(spoilt(request, index, frame));
        let _handler = Handler::start(ours.context(), SocketType::Rep, spoil);
        let mut peer = ready(&ours, &[]);
        assert_eq!(peer.read_to_close(), b"", "{index} {frame:?}");
        assert_eq!(refusal(&ours).0, None);
    }
    let short = |request: &[Vec<u8>]| Some(Message::from([&request[0][..], &request[1], b"200"]));
    let _handler = Handler::start(ours.context(), SocketType::Rep, short);
    let mut peer = ready(&ours, &[]);
    assert_eq!(peer.read_to_close(), b"");
    assert!(refusal(&ours).1.contains("3 frames"));
    assert_eq!(ours.statistics().authentications_undecided, 6);
}

#[test]
fn d44_a_reply_to_something_else_is_no_answer() {
    let ours = patient_for(SHORT);
    let other = |request: &[Vec<u8>]| Some(spoilt(request, 1, b"something else"));
    let _handler = Handler::start(ours.context(), SocketType::Rep, other);
    let mut peer = ready(&ours, &[]);
    assert_eq!(peer.read_to_close(), b"");
    assert_eq!(refusal(&ours).0, None);
}

// A late answer would let in whoever has the handshake's place by then.
#[test]
fn d44_a_late_reply_lets_nobody_in() {
    let ours = patient_for(SHORT);
    let (go_on, wait) = channel::<()>();
    let late = move |request: &[Vec<u8>]| {
        let _ = wait.recv();
        Some(spoilt(request, 0, b"1.0"))
    };
    let handler = Handler::start(ours.context(), SocketType::Rep, late);
    let mut first = ready(&ours, &[]);
    assert_eq!(first.read_to_close(), b"");
    assert_eq!(refusal(&ours).0, None);
    // In the place of the first one, which the handler is still busy with.
    let mut second = ready(&ours, &[]);
    go_on.send(()).expect("the handler lives");
    let _ = handler.request();
    assert_eq!(second.read_to_close(), b"");
    drop(go_on);
    assert_eq!(refusal(&ours).0, None);
    assert_eq!(ours.statistics().connected(), 0);
}

// HOSTILE 46: the I/O thread and other connections go on meanwhile.
#[test]
fn d44_peers_that_are_decided_on_hold_nobody_up() {
    let ours = patient_for(LONG);
    let (go_on, wait) = channel::<()>();
    let slow = move |request: &[Vec<u8>]| {
        let _ = wait.recv();
        Some(spoilt(request, 0, b"1.0"))
    };
    let handler = Handler::start(ours.context(), SocketType::Rep, slow);
    let mut waiting: Vec<_> = (0..20).map(|_| ready(&ours, &[])).collect();
    let plain = ours
        .context()
        .any_socket(SocketType::Pull, Options::new())
        .expect("a socket");
    let endpoint = plain.bind("tcp://127.0.0.1:*").expect("bind").to_string();
    for round in 0..10_u8 {
        let push = Ours::connected(SocketType::Push, Options::new(), &endpoint);
        push.send(vec![round]).expect("send");
        let message = plain.recv().expect("a message");
        assert_eq!(message.frame(0).expect("a frame")[..], [round]);
    }
    assert_eq!(ours.statistics().connected(), 0);
    drop(go_on);
    for peer in &mut waiting {
        peer.read_ready();
        let _ = handler.request();
    }
    assert!(ours.wait_for_peers(20, LONG).expect("open"));
}

#[test]
fn d44_what_a_peer_sends_while_it_is_decided_on_is_not_lost() {
    let ours = patient_for(LONG);
    let (go_on, wait) = channel::<()>();
    let slow = move |request: &[Vec<u8>]| {
        let _ = wait.recv();
        Some(spoilt(request, 0, b"1.0"))
    };
    let handler = Handler::start(ours.context(), SocketType::Rep, slow);
    let mut peer = ready(&ours, &[]);
    // Too early by the RFC, which says so to the sender: it is kept, not read.
    peer.send_message(&["early"]);
    peer.send_message(&vec!["x"; 500]);
    go_on.send(()).expect("the handler lives");
    let _ = handler.request();
    peer.read_ready();
    assert_eq!(ours.recv_parts(), [b"early"]);
    assert_eq!(ours.recv_parts().len(), 500);
}

#[test]
fn d44_a_peer_that_leaves_while_it_is_decided_on_is_forgotten() {
    let ours = patient_for(LONG);
    let (go_on, wait) = channel::<()>();
    let slow = move |request: &[Vec<u8>]| {
        let _ = wait.recv();
        Some(spoilt(request, 0, b"1.0"))
    };
    let handler = Handler::start(ours.context(), SocketType::Rep, slow);
    drop(ready(&ours, &[]));
    let mut other = ready(&ours, &[]);
    drop(go_on);
    for _ in 0..2 {
        let _ = handler.request();
    }
    other.read_ready();
    ours.await_event("an end", |kind| {
        matches!(
            kind,
            EventKind::Disconnected { .. } | EventKind::HandshakeFailed { .. }
        )
    });
    assert_eq!(ours.statistics().connected(), 1);
}

#[test]
fn d44_a_handler_that_was_replaced_is_found_again() {
    let ours = patient_for(LONG);
    let words: [Reply; 4] = [
        WELCOME,
        [b"400", b"", b"", b""],
        WELCOME,
        [b"500", b"", b"", b""],
    ];
    for reply in words {
        let handler = Handler::replies(ours.context(), reply);
        let mut peer = ready(&ours, &[]);
        let _ = handler.request();
        match reply[0] {
            b"200" => assert_eq!(peer.read_command().0, "READY"),
            _ => assert_eq!(peer.read_command().0, "ERROR"),
        }
    }
}

// Who replaces it has not had the question, and would never answer it.
#[test]
fn d44_what_a_handler_took_along_the_next_one_is_asked() {
    let ours = patient_for(LONG);
    let gone = Handler::start(ours.context(), SocketType::Router, |_| None);
    let mut peers: Vec<_> = (0..3).map(|_| ready(&ours, &[])).collect();
    for _ in 0..3 {
        let _ = gone.request();
    }
    drop(gone);
    let handler = Handler::replies(ours.context(), WELCOME);
    for peer in &mut peers {
        let _ = handler.request();
        peer.read_ready();
    }
    assert_eq!(ours.statistics().authentications_failed, 0);
}

// The context ends while somebody is asked, and so does the socket.
#[test]
fn d44_closing_while_somebody_is_asked_waits_for_nobody() {
    let ours = patient_for(LONG);
    let handler = Handler::start(ours.context(), SocketType::Router, |_| None);
    let _peers: Vec<_> = (0..3).map(|_| ready(&ours, &[])).collect();
    for _ in 0..3 {
        let _ = handler.request();
    }
    drop(handler);
    drop(ours);
}
