//! A requester that goes while its request is answered (F60).

use crate::common::raw::RawPeer;
use crate::common::*;
use ferromq_mio::{DropCause, EventKind, Options, SocketType};

#[test]
fn a_reply_to_a_requester_that_is_gone_is_dropped_and_counted() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (rep, real) = bound(
        &context,
        SocketType::Rep,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let monitor = rep.monitor();
    let mut peer = RawPeer::connect(&real, "REQ", &[]);
    peer.send(&[b"", b"question"]);
    recv(&rep);
    drop(peer);
    await_event(&monitor, "of the end", |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    rep.send("answer").unwrap();
    assert_eq!(rep.statistics().drops.of(DropCause::Unroutable), 1);
}

/// A relaxed REQ whose only peer went with the abandoned request asks the next.
#[test]
fn a_request_after_an_abandoned_one_is_not_lost_and_gets_its_own_reply() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().req_relaxed(true);
    let (req, real) = bound(&context, SocketType::Req, options, "tcp://127.0.0.1:*");
    let rep = connected(&context, SocketType::Rep, Options::new(), &real);
    await_peers(&req, 1);
    req.send("first").unwrap();
    req.send("second").unwrap();
    assert_eq!(recv_parts(&rep), [b"second"]);
    rep.send("reply to second").unwrap();
    assert_eq!(recv_parts(&req), [b"reply to second"]);
}

/// A REP that connected has no reply for a connection that is gone, and gives the
/// next one none that it did not ask for.
#[test]
fn a_request_that_was_not_taken_ends_with_its_connection() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let rep = connected(&context, SocketType::Rep, Options::new(), &endpoint);
    let monitor = rep.monitor();
    let mut peer = RawPeer::accept(&listener, "REQ");
    await_peers(&rep, 1);
    peer.send(&[b"", b"first"]);
    drop(peer);
    await_event(&monitor, "of the end", |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    let mut peer = RawPeer::accept(&listener, "REQ");
    peer.send(&[b"", b"second"]);
    assert_eq!(recv_parts(&rep), [b"second"]);
    assert_eq!(rep.statistics().drops.of(DropCause::Refused), 1);
    rep.send("reply to second").unwrap();
    assert_eq!(peer.next_message().unwrap(), [&b""[..], b"reply to second"]);
}

/// A relaxed REQ before there is a connection: only the last request leaves.
#[test]
fn an_abandoned_request_that_has_not_left_never_does() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().req_relaxed(true);
    let req = connected(&context, SocketType::Req, options, "inproc://later");
    req.send("first").unwrap();
    req.send("second").unwrap();
    assert_eq!(req.statistics().drops.of(DropCause::Refused), 1);
    let (rep, _) = bound(&context, SocketType::Rep, Options::new(), "inproc://later");
    assert_eq!(recv_parts(&rep), [b"second"]);
    rep.send("reply to second").unwrap();
    assert_eq!(recv_parts(&req), [b"reply to second"]);
}
