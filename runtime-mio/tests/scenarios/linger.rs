//! What linger gives up is counted (H91).

use crate::common::raw::RawPeer;
use crate::common::*;
use ferromq_mio::{DropCause, EventKind, Options, SocketType};
use std::time::Duration;

// H91
#[test]
fn what_a_deaf_peer_left_in_our_hands_is_counted_when_linger_ends() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().linger(Some(Duration::from_millis(30)));
    let (push, real) = bound(&context, SocketType::Push, options, "tcp://127.0.0.1:*");
    let mut peer = RawPeer::connect(&real, "PULL", &[]);
    await_peers(&push, 1);
    let monitor = push.monitor();
    let mut sent = 0_u64;
    while push.try_send(vec![1; 256 << 10]).is_ok() {
        sent += 1;
    }
    push.close();
    let event = await_event(&monitor, "of the discarded", |event| {
        matches!(event.kind, EventKind::LingerExpired { .. })
    });
    let EventKind::LingerExpired { messages } = event.kind else {
        unreachable!("filtered above")
    };
    // What the peer finds whole was sent; everything else was counted.
    let arrived = std::iter::from_fn(|| peer.next_message()).count() as u64;
    assert_eq!(arrived + messages, sent);
    assert_eq!(push.statistics().drops.of(DropCause::Linger), messages);
}
