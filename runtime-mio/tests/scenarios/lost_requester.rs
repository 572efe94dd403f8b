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
