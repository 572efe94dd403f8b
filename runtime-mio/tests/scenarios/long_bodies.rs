//! Long bodies that come in pieces.

use std::time::Duration;

use ferromq_mio::{Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

/// The receiver asks to be woken for 1 MiB and then less is missing: the last
/// piece must wake it all the same.
#[test]
fn the_last_piece_of_a_long_body_wakes_its_receiver() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    await_peers(&pull, 1);
    let body: Vec<u8> = (0..(1 << 20) + 100_000)
        .map(|at: u32| (at >> 8) as u8)
        .collect();
    let receiver = std::thread::spawn(move || recv(&pull));
    let mut header = vec![2];
    header.extend_from_slice(&(body.len() as u64).to_be_bytes());
    peer.write(&header);
    // A buffer is offered for reading a mebibyte at a time: the second piece
    // fills the first mebibyte to the byte.
    for piece in [&body[..10], &body[10..1 << 20], &body[1 << 20..]] {
        peer.write(piece);
        let _ = peer.is_quiet_for(Duration::from_millis(100));
    }
    let message = receiver.join().unwrap();
    assert!(message.frame(0).unwrap() == &body[..]);
}
