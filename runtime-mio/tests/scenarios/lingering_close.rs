//! A close while the peer still sends loses nothing of ours.

use crate::common::raw::RawPeer;
use crate::common::*;
use ferromq_mio::{Options, SocketType};

#[test]
fn what_was_sent_arrives_although_the_peer_goes_on_sending() {
    let _watchdog = Watchdog::start();
    for _ in 0..20 {
        let context = context();
        let (dealer, real) = bound(
            &context,
            SocketType::Dealer,
            Options::new(),
            "tcp://127.0.0.1:*",
        );
        let mut peer = RawPeer::connect(&real, "DEALER", &[]);
        await_peers(&dealer, 1);
        for _ in 0..300 {
            dealer.send(vec![1; 10_000]).unwrap();
        }
        drop(dealer);
        for received in 0..300 {
            let _ = peer.try_write(&crate::common::raw::message(&[b"chatter"]));
            assert!(peer.next_message().is_some(), "lost after {received}");
        }
    }
}
