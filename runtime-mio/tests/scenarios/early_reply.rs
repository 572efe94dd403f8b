//! What came before a request is not its reply (F55).

use crate::common::raw::RawPeer;
use crate::common::*;
use ferromq_mio::{DropCause, Options, SocketType};

#[test]
fn what_came_before_the_request_is_not_its_reply() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (req, real) = bound(
        &context,
        SocketType::Req,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "REP", &[]);
    peer.send(&[b"", b"unasked"]);
    await_peers(&req, 1);
    req.send("question").unwrap();
    assert_eq!(peer.next_message().unwrap().len(), 2);
    peer.send(&[b"", b"asked"]);
    assert_eq!(recv_parts(&req), [b"asked"]);
    assert_eq!(req.statistics().drops.of(DropCause::Refused), 1);
}
