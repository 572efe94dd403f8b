//! Heartbeats of sockets whose application does not read.

use crate::common::raw::{Incoming, RawPeer};
use crate::common::*;
use ferromq_mio::{EventKind, Options, SocketType};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(50);
const PINGS: usize = 20;

fn beating(timeout: Duration) -> Options {
    Options::new().heartbeat(INTERVAL, Some(timeout), None)
}

fn is_disconnected(event: &ferromq_mio::Event) -> bool {
    matches!(event.kind, EventKind::Disconnected { .. })
}

/// A DEALER that sends and never receives still owes PONGs, and hears them.
#[test]
fn an_application_that_only_sends_keeps_its_connection_alive() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = beating(PATIENCE);
    let (dealer, real) = bound(&context, SocketType::Dealer, options, "tcp://127.0.0.1:*");
    let monitor = dealer.monitor();
    let mut peer = RawPeer::connect(&real, "DEALER", &[]);
    await_peers(&dealer, 1);
    let answering = std::thread::spawn(move || {
        let (mut pings, mut pongs) = (0, 0);
        while pings < PINGS || pongs < PINGS {
            match peer.next() {
                Incoming::Command { name, data } if name == "PING" => {
                    pings += 1;
                    // Whoever answers the PING behind it has read it.
                    peer.send_command("PONG", &data[2..]);
                    peer.ping(0, b"and you?");
                }
                Incoming::Command { name, .. } if name == "PONG" => pongs += 1,
                Incoming::End => panic!("ended after {pings} pings and {pongs} pongs"),
                _ => {}
            }
        }
        // Kept until we have looked: its end is an event too.
        peer
    });
    while !answering.is_finished() {
        let _ = dealer.try_send("x");
        // Slower than the peer reads, or our PINGs would wait behind the rest.
        std::thread::park_timeout(Duration::from_micros(300));
    }
    let _peer = answering.join().unwrap();
    let ended = std::iter::from_fn(|| monitor.try_next()).find(is_disconnected);
    assert!(ended.is_none(), "{ended:?}");
}

/// A full receiver reads nothing more: that is no reason to call a peer dead.
#[test]
fn a_peer_whose_messages_are_not_read_for_long_lives() {
    let _watchdog = Watchdog::start();
    // Longer than a busy machine lets a thread wait before the receiver is full.
    let timeout = Duration::from_secs(2);
    let context = context();
    let options = beating(timeout).receive_high_water_mark(2);
    let (pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    await_peers(&pull, 1);
    let body = vec![3; 100_000];
    for _ in 0..10 {
        peer.send(&[&body]);
    }
    let answering = std::thread::spawn(move || {
        // Fails when the connection ends.
        let started = Instant::now();
        while started.elapsed() < timeout * 2 {
            peer.next_command("PING");
            peer.send_command("PONG", b"");
        }
        // Kept while we read: its end would cut off what it has not written.
        peer
    });
    let _peer = answering.join().unwrap();
    for _ in 0..10 {
        assert_eq!(recv(&pull).body_len(), 100_000);
    }
}
