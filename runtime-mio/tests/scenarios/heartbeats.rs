//! Silent peers die, live ones do not, and PINGs are answered whatever the
//! application does.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ferromq_mio::{EventKind, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

const INTERVAL: Duration = Duration::from_millis(50);

/// Asks often, and gives up on nobody who is only slow.
fn beating() -> Options {
    Options::new().heartbeat(INTERVAL, Some(PATIENCE), None)
}

fn is_disconnected(event: &ferromq_mio::Event) -> bool {
    matches!(event.kind, EventKind::Disconnected { .. })
}

// E49, HOSTILE 48
#[test]
fn a_silent_peer_dies_after_interval_and_timeout() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().heartbeat(INTERVAL, None, None);
    let (pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let monitor = pull.monitor();
    // Before the watch over the peer can have begun.
    let started = Instant::now();
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    assert_eq!(peer.next_command("PING")[..2], [0, 0]);
    peer.await_end();
    assert!(started.elapsed() >= INTERVAL);
    await_event(&monitor, "of the end", is_disconnected);
}

// E50
#[test]
fn a_peer_that_answers_or_sends_anything_lives() {
    let _watchdog = Watchdog::start();
    // Far longer than a busy machine lets a thread wait. Each peer lives on its own
    // kind of answer only.
    let timeout = Duration::from_secs(4);
    let context = context();
    let options = Options::new().heartbeat(INTERVAL, Some(timeout), None);
    let (_pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let mut answering = RawPeer::connect(&real, "PUSH", &[]);
    let mut sending = RawPeer::connect(&real, "PUSH", &[]);
    let started = Instant::now();
    while started.elapsed() < timeout + timeout / 2 {
        let context = answering.next_command("PING")[2..].to_vec();
        answering.send_command("PONG", &context);
        sending.next_command("PING");
        sending.send(&[b"alive"]);
    }
}

// E47
#[test]
fn pings_are_answered_while_the_application_is_away() {
    let _watchdog = Watchdog::start();
    let context = context();
    for socket_type in [SocketType::Pull, SocketType::Dealer, SocketType::Router] {
        let (socket, real) = bound(&context, socket_type, Options::new(), "tcp://127.0.0.1:*");
        let peer_type = if socket_type == SocketType::Pull {
            "PUSH"
        } else {
            "DEALER"
        };
        let mut peer = RawPeer::connect(&real, peer_type, &[]);
        await_peers(&socket, 1);
        for round in 0..20_u8 {
            peer.ping(0, &[round; 16]);
            assert_eq!(peer.next_command("PONG"), [round; 16]);
        }
    }
}

#[test]
fn pings_are_answered_after_a_receive_timed_out() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    // Long enough for the I/O thread to go to sleep.
    assert!(pull.recv_timeout(Duration::from_millis(300)).is_err());
    peer.ping(0, b"after");
    assert_eq!(peer.next_command("PONG"), b"after");
}

#[test]
fn pings_are_answered_after_a_poller_timed_out() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    let mut poller = ferromq_mio::Poller::new();
    poller.add(&pull, 1, ferromq_mio::Interest::Readable);
    let mut events = Vec::new();
    poller
        .wait(&mut events, Some(Duration::from_millis(300)))
        .unwrap();
    assert!(events.is_empty());
    peer.ping(0, b"after");
    assert_eq!(peer.next_command("PONG"), b"after");
}

#[test]
fn pings_are_answered_while_another_thread_waits() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    let receiver = std::thread::spawn(move || recv_parts(&pull));
    for _ in 0..10 {
        peer.ping(0, b"hello");
        assert_eq!(peer.next_command("PONG"), b"hello");
    }
    peer.send(&[b"end"]);
    assert_eq!(receiver.join().unwrap(), [b"end"]);
}

// E48, E49: the TTL is the peer's wish to be missed.
#[test]
fn a_peer_that_gave_a_ttl_and_fell_silent_dies() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (_pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    let started = Instant::now();
    peer.ping(1, b"");
    peer.await_end();
    assert!(started.elapsed() >= Duration::from_millis(100));
    // HOSTILE 37: none was given.
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    peer.ping(0, b"");
    peer.next_command("PONG");
    assert!(peer.is_quiet_for(Duration::from_millis(300)));
}

#[test]
fn our_ttl_travels_in_tenths_of_a_second() {
    let _watchdog = Watchdog::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let context = context();
    let ttl = Some(Duration::from_millis(1500));
    let options = Options::new().heartbeat(INTERVAL, None, ttl);
    let _push = connected(&context, SocketType::Push, options, &endpoint);
    let mut peer = RawPeer::accept(&listener, "PULL");
    assert_eq!(peer.next_command("PING")[..2], [0, 15]);
}

// E51
#[test]
fn heartbeats_do_not_touch_the_turn_of_a_request() {
    let _watchdog = Watchdog::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let context = context();
    let req = connected(&context, SocketType::Req, beating(), &endpoint);
    req.send("question").unwrap();
    let mut peer = RawPeer::accept(&listener, "REP");
    assert_eq!(
        peer.next_message().unwrap(),
        [b"".to_vec(), b"question".to_vec()]
    );
    for _ in 0..3 {
        peer.next_command("PING");
        peer.ping(0, b"");
    }
    peer.send(&[b"", b"answer"]);
    assert_eq!(recv_parts(&req), [b"answer"]);
}

// HOSTILE 35
#[test]
fn a_flood_of_pings_leaves_the_others_served() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, push) = linked(
        &context,
        "tcp://127.0.0.1:*",
        (SocketType::Pull, Options::new()),
        (SocketType::Push, Options::new()),
    );
    let endpoint = pull.statistics().peers[0].endpoint.clone();
    let mut peer = RawPeer::connect(&endpoint, "PUSH", &[]);
    let flood = std::thread::spawn(move || {
        for _ in 0..20_000 {
            peer.ping(100, b"0123456789abcdef");
        }
        peer
    });
    for number in 0..2000_u64 {
        push.send_bytes(&number.to_le_bytes()).unwrap();
        assert_eq!(recv_number(&pull), number);
    }
    drop(flood.join().unwrap());
}

// HOSTILE 38
#[test]
fn malformed_pings_close_the_connection() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (_pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    for data in [&[0][..], &[0; 19]] {
        let mut peer = RawPeer::connect(&real, "PUSH", &[]);
        peer.send_command("PING", data);
        peer.await_end();
    }
}
