//! Section F: REQ and REP (28/REQREP).

use std::time::Duration;

use ferromq::{DropCause, Error, Options, SocketType, StateError};
use ferromq_tests::{Ours, PATIENCE, RawPeer, Via, until};

/// A REQ of ours with a peer that is ready.
fn asking(options: Options, theirs: &str) -> (Ours, RawPeer) {
    let ours = Ours::bound(SocketType::Req, options, Via::Tcp);
    let peer = RawPeer::established(ours.endpoint(), theirs);
    ours.await_peer();
    (ours, peer)
}

#[test]
fn f53_a_request_starts_with_an_empty_delimiter() {
    let (ours, mut peer) = asking(Options::new(), "REP");
    ours.send(["two", "parts"]).expect("send");
    assert_eq!(peer.read_exact(14), b"\x01\x00\x01\x03two\x00\x05parts");
}

#[test]
fn f54_calls_out_of_turn_are_refused() {
    let (ours, mut peer) = asking(Options::new(), "REP");
    assert!(matches!(
        ours.recv(),
        Err(Error::State(StateError::NoRequestSent))
    ));
    ours.send("question").expect("send");
    let refused = ours.send("another").expect_err("a reply is due");
    assert!(matches!(
        refused.error,
        Error::State(StateError::AwaitingReply)
    ));
    assert_eq!(
        refused.message.parts()[0].as_ref(),
        b"another",
        "the message comes back"
    );
    let _ = peer.read_message();
    peer.send_message(&["", "answer"]);
    assert_eq!(ours.recv_parts(), [b"answer"]);
    assert!(matches!(
        ours.try_recv(),
        Err(Error::State(StateError::NoRequestSent))
    ));
    ours.send("next question").expect("it is our turn again");
}

#[test]
fn f54_a_reply_before_a_request_is_refused() {
    let ours = Ours::on_tcp(SocketType::Rep);
    let refused = ours.send("unasked").expect_err("nobody asked");
    assert!(matches!(
        refused.error,
        Error::State(StateError::NoRequestReceived)
    ));
}

// F55: only the peer that was asked may answer.
#[test]
fn f55_a_reply_from_another_peer_is_not_delivered() {
    let (ours, mut asked) = asking(Options::new(), "REP");
    ours.send("question").expect("send");
    let _ = asked.read_message();
    let mut other = RawPeer::established(ours.endpoint(), "REP");
    other.send_message(&["", "from somebody else"]);
    other.settle();
    asked.send_message(&["", "answer"]);
    assert_eq!(ours.recv_parts(), [b"answer"]);
}

#[test]
fn f55_a_reply_without_delimiter_is_not_delivered() {
    let (ours, mut peer) = asking(Options::new(), "REP");
    ours.send("question").expect("send");
    let _ = peer.read_message();
    peer.send_message(&["no delimiter"]);
    peer.send_message(&["neither", "here"]);
    peer.send_message(&["", "answer"]);
    assert_eq!(ours.recv_parts(), [b"answer"]);
}

// F55: answers that nobody asked for do not wait for the next question.
#[test]
fn f55_a_reply_sent_before_the_request_is_not_taken_for_its_answer() {
    let (ours, mut peer) = asking(Options::new(), "REP");
    peer.send_message(&["", "premature"]);
    peer.settle();
    ours.send("question").expect("send");
    let _ = peer.read_message();
    peer.send_message(&["", "answer"]);
    assert_eq!(ours.recv_parts(), [b"answer"]);
}

#[test]
fn f56_correlated_requests_carry_an_id_of_4_bytes() {
    let (ours, mut peer) = asking(Options::new().req_correlate(true), "REP");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ours.send("question").expect("send");
        let request = peer.read_message();
        assert_eq!(request[1..], [&b""[..], b"question"]);
        assert_eq!(request[0].len(), 4);
        let mut other = request[0].clone();
        other[0] ^= 0xFF;
        peer.send_message(&[&other[..], b"", b"to another question"]);
        peer.send_message(&["", "without an id"]);
        peer.send_message(&[&request[0][..], b"", b"answer"]);
        assert_eq!(ours.recv_parts(), [b"answer"]);
        ids.push(request[0].clone());
    }
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "{ids:?}"
    );
}

#[test]
fn f57_a_relaxed_req_asks_the_next_peer_and_discards_late_replies() {
    let options = Options::new().req_relaxed(true).req_correlate(true);
    let (ours, mut first) = asking(options, "REP");
    let mut second = RawPeer::established(ours.endpoint(), "REP");
    ours.await_peer();
    ours.send("question 1").expect("send");
    let early = first.read_message();
    ours.send("question 2")
        .expect("a relaxed REQ may ask again");
    let request = second.read_message();
    assert_eq!(request[2], b"question 2");
    first.send_message(&[&early[0][..], b"", b"late"]);
    first.settle();
    second.send_message(&[&request[0][..], b"", b"answer 2"]);
    assert_eq!(ours.recv_parts(), [b"answer 2"]);
}

// F58: whatever routers on the way have put before the delimiter.
#[test]
fn f58_the_reply_carries_the_requests_envelope() {
    let ours = Ours::on_tcp(SocketType::Rep);
    let mut peer = RawPeer::established(ours.endpoint(), "DEALER");
    let long = vec![b'e'; 300];
    let envelopes: [Vec<&[u8]>; 4] = [
        vec![],
        vec![b"one"],
        vec![b"\0\x01\x02", b"two", b"three"],
        vec![&long; 20],
    ];
    for envelope in envelopes {
        let with = |body: &[&'static [u8]]| -> Vec<&[u8]> {
            envelope
                .iter()
                .copied()
                .chain([&b""[..]])
                .chain(body.iter().copied())
                .collect()
        };
        peer.send_message(&with(&[b"question", b"", b"its rest"]));
        assert_eq!(ours.recv_parts(), [&b"question"[..], b"", b"its rest"]);
        ours.send(["answer", ""]).expect("send");
        assert_eq!(peer.read_message(), with(&[b"answer", b""]));
    }
}

// F59: libzmq says readable and then has nothing.
#[test]
fn f59_a_request_without_delimiter_is_discarded_and_not_signalled() {
    let ours = Ours::on_tcp(SocketType::Rep);
    let mut peer = RawPeer::established(ours.endpoint(), "DEALER");
    peer.send_message(&["no", "delimiter"]);
    peer.settle();
    assert!(!ours.readiness().expect("readiness").readable);
    assert!(matches!(ours.try_recv(), Err(Error::WouldBlock)));
    peer.send_message(&["", "question"]);
    assert_eq!(ours.recv_parts(), [b"question"]);
    ours.send("answer").expect("send");
    assert_eq!(peer.read_message(), [&b""[..], b"answer"]);
    assert_eq!(ours.statistics().drops.of(DropCause::Refused), 1);
}

#[test]
fn f54_a_req_whose_peer_is_gone_waits_for_its_own_reply_until_closed() {
    let (ours, mut peer) = asking(Options::new(), "REP");
    ours.send("question").expect("send");
    let _ = peer.read_message();
    drop(peer);
    let _ = ours.await_disconnect();
    let waited = ours.recv_timeout(Duration::from_millis(100));
    assert!(
        matches!(waited, Err(Error::TimedOut | Error::State(_))),
        "{waited:?}"
    );
}

#[test]
fn f57_a_relaxed_req_recovers_when_its_peer_is_gone() {
    let (ours, mut peer) = asking(Options::new().req_relaxed(true), "REP");
    ours.send("lost").expect("send");
    let _ = peer.read_message();
    drop(peer);
    let _ = ours.await_disconnect();
    let mut next = RawPeer::established(ours.endpoint(), "REP");
    until("the next peer is usable", || ours.try_send("again").ok());
    assert_eq!(next.read_message(), [&b""[..], b"again"]);
    next.send_message(&["", "answer"]);
    assert_eq!(ours.recv_parts(), [b"answer"]);
}

#[test]
fn f60_a_rep_serves_its_peers_in_turn() {
    let ours = Ours::on_tcp(SocketType::Rep);
    let mut peers: Vec<RawPeer> = (0..3)
        .map(|_| RawPeer::established(ours.endpoint(), "DEALER"))
        .collect();
    for (index, peer) in peers.iter_mut().enumerate() {
        for round in 0..2 {
            peer.send_message(&["", &format!("{index} {round}")]);
        }
        peer.settle();
    }
    let mut asked = Vec::new();
    for _ in 0..6 {
        let request = ours.recv_timeout(PATIENCE).expect("a request");
        asked.push(request.parts()[0].to_vec());
        ours.send(request).expect("send");
    }
    for (index, peer) in peers.iter_mut().enumerate() {
        for round in 0..2 {
            let expected = format!("{index} {round}");
            assert_eq!(
                peer.read_message(),
                [&b""[..], expected.as_bytes()],
                "{asked:?}"
            );
        }
    }
}

// F60: a reply is never sent to the next one who gets the same slot.
#[test]
fn f60_a_reply_does_not_reach_the_successor_of_its_requester() {
    let ours = Ours::on_tcp(SocketType::Rep);
    let mut gone = RawPeer::established(ours.endpoint(), "REQ");
    gone.send_message(&["", "question"]);
    assert_eq!(ours.recv_parts(), [b"question"]);
    drop(gone);
    let _ = ours.await_disconnect();
    let mut successor = RawPeer::established(ours.endpoint(), "REQ");
    ours.await_peer();
    ours.send("secret").expect("it is dropped");
    successor.send_message(&["", "mine"]);
    assert_eq!(ours.recv_parts(), [b"mine"]);
    ours.send("yours").expect("send");
    assert_eq!(successor.read_message(), [&b""[..], b"yours"]);
}

#[test]
fn f60_the_reply_to_a_requester_that_is_gone_is_dropped() {
    let ours = Ours::on_tcp(SocketType::Rep);
    let mut gone = RawPeer::established(ours.endpoint(), "REQ");
    gone.send_message(&["", "question"]);
    assert_eq!(ours.recv_parts(), [b"question"]);
    drop(gone);
    let _ = ours.await_disconnect();
    ours.send("to nobody").expect("it is dropped, not refused");
    let mut next = RawPeer::established(ours.endpoint(), "REQ");
    next.send_message(&["", "next"]);
    assert_eq!(ours.recv_parts(), [b"next"]);
    ours.send("to somebody").expect("send");
    assert_eq!(next.read_message(), [&b""[..], b"to somebody"]);
}
