//! Many peers that speak in one moment, to a socket whose caller is away.

use crate::common::raw::RawPeer;
use crate::common::*;
use ferromq_mio::{Options, SocketType};

const PEERS: usize = 900;

#[test]
fn hundreds_of_peers_that_ping_in_one_moment_are_all_answered() {
    // Both ends are ours; the rest is for the tests beside this one.
    if !has_descriptors(2 * PEERS as u64 + 1000) {
        return;
    }
    let _watchdog = Watchdog::start();
    let context = context();
    let (push, real) = bound(
        &context,
        SocketType::Push,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peers: Vec<_> = (0..PEERS)
        .map(|_| RawPeer::connect(&real, "PULL", &[]))
        .collect();
    await_peers(&push, PEERS);
    for _ in 0..20 {
        for peer in &mut peers {
            peer.ping(0, b"all");
        }
        for peer in &mut peers {
            assert_eq!(peer.next_command("PONG"), b"all");
        }
    }
}
