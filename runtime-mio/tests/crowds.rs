//! Very many connections and sockets. A binary of its own, because it uses
//! thousands of descriptors; its tests take turns.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, EventKind, Monitor, Options, SocketType};

mod common;

use common::raw::{Incoming, RawPeer};
use common::*;

/// Handshakes that one context has under way at most.
const HALF_OPEN: usize = 4096;

/// Held by each test, so that descriptors and wake-ups are its own.
static TURN: Mutex<()> = Mutex::new(());

/// Takes a turn in which so many descriptors may be used; `None` where the
/// system does not let us.
fn turn(descriptors: u64) -> Option<MutexGuard<'static, ()>> {
    let guard = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    has_descriptors(descriptors).then_some(guard)
}

/// How often the I/O thread of the only context has gone to sleep.
fn sleeps_of_the_io_thread() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let statuses =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    let of_io = statuses.filter(|status| status.starts_with("Name:\tferromq-io\n"));
    of_io
        .map(|status| {
            let line = status.lines().find(|line| line.starts_with("voluntary"));
            let count = line.unwrap().rsplit('\t').next().unwrap();
            count.parse::<u64>().unwrap()
        })
        .sum()
}

/// Handshakes under way, as the monitor tells of them.
struct HalfOpen {
    monitor: Monitor,
    now: usize,
    most: usize,
}

impl HalfOpen {
    fn of(socket: &AnySocket) -> Self {
        Self {
            monitor: socket.monitor(),
            now: 0,
            most: 0,
        }
    }

    /// Takes an event, if one comes within this time.
    fn follow(&mut self, time: Duration) -> bool {
        let Some(event) = self.monitor.recv_timeout(time) else {
            return false;
        };
        match event.kind {
            EventKind::Accepted => self.now += 1,
            EventKind::HandshakeFailed { .. } | EventKind::HandshakeSucceeded => self.now -= 1,
            _ => {}
        }
        self.most = self.most.max(self.now);
        true
    }
}

// HOSTILE 40, 53: those who never greet fill the handshakes, and no memory
// beyond them. Who comes later waits in the system's queue.
#[test]
fn beyond_4096_handshakes_nobody_is_let_in_and_then_everybody() {
    const LATE: usize = 100;
    let Some(_turn) = turn(2 * (HALF_OPEN + LATE) as u64 + 500) else {
        return;
    };
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().handshake_timeout(PATIENCE * 10);
    let (pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let mut half_open = HalfOpen::of(&pull);
    let mut silent = Vec::new();
    // Read as they come: a monitor keeps as many events as there are places.
    for _ in 0..HALF_OPEN + LATE {
        silent.push(RawPeer::silent(&real));
        while half_open.follow(Duration::ZERO) {}
    }
    let good = std::thread::spawn(move || {
        let mut peer = RawPeer::connect(&real, "PUSH", &[]);
        peer.send(&[b"let in"]);
        peer
    });
    while half_open.now < HALF_OPEN {
        assert!(half_open.follow(PATIENCE), "{} are let in", half_open.now);
    }
    assert!(
        !half_open.follow(Duration::from_millis(300)),
        "one too many"
    );
    assert!(!good.is_finished(), "it overtook the others");
    // As many go as came too late: the last of these is the good one.
    silent.drain(..LATE + 1);
    assert_eq!(recv_parts(&pull), [b"let in"]);
    drop(good.join().unwrap());
    while half_open.follow(Duration::ZERO) {}
    assert_eq!(half_open.most, HALF_OPEN);
    pull.close();
}

// The same without anybody's leave: time makes room.
#[test]
fn a_flood_that_stays_does_not_keep_the_others_out() {
    let Some(_turn) = turn(2 * HALF_OPEN as u64 + 1500) else {
        return;
    };
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().handshake_timeout(Duration::from_secs(2));
    let (pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let mut half_open = HalfOpen::of(&pull);
    let mut silent = Vec::new();
    for _ in 0..HALF_OPEN + 500 {
        silent.push(RawPeer::silent(&real));
        while half_open.follow(Duration::ZERO) {}
    }
    // It has to wait for its turn, and no longer than the deadline.
    let mut good = RawPeer::connect(&real, "PUSH", &[]);
    good.send(&[b"let in"]);
    assert_eq!(recv_parts(&pull), [b"let in"]);
    while half_open.follow(Duration::ZERO) {}
    assert!(half_open.most <= HALF_OPEN, "{}", half_open.most);
}

/// One timer serves all links of a socket: however their heartbeats are spread
/// over the interval, the I/O thread wakes a few times in it.
#[test]
fn the_heartbeats_of_many_links_share_their_wake_ups() {
    const LINKS: usize = 200;
    const INTERVAL: Duration = Duration::from_millis(400);
    let Some(_turn) = turn(2 * LINKS as u64 + 500) else {
        return;
    };
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().heartbeat(INTERVAL, Some(PATIENCE), None);
    let (pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let mut peers = Vec::new();
    for _ in 0..LINKS {
        let mut peer = RawPeer::connect(&real, "PUSH", &[]);
        // Spreads them: nothing comes so soon.
        let _ = peer.is_quiet_for(INTERVAL / LINKS as u32);
        peers.push(peer);
    }
    await_peers(&pull, LINKS);
    let everybody_is_asked = |peers: &mut [RawPeer]| {
        for peer in peers {
            peer.next_command("PING");
        }
    };
    everybody_is_asked(&mut peers);
    let (started, before) = (Instant::now(), sleeps_of_the_io_thread());
    for _ in 0..5 {
        everybody_is_asked(&mut peers);
    }
    let sleeps = sleeps_of_the_io_thread() - before;
    let intervals = started.elapsed().as_secs_f64() / INTERVAL.as_secs_f64();
    println!("{sleeps} sleeps in {intervals:.1} intervals of {LINKS} links");
    // 16 looks an interval, and half as many for whatever else wakes it.
    assert!(
        sleeps as f64 <= 24.0 * (intervals + 1.0),
        "{sleeps} sleeps in {intervals:.1} intervals of {LINKS} links"
    );
}

/// However much passes over it, and however many others there are.
#[test]
fn a_busy_link_is_asked_once_an_interval_at_most() {
    const INTERVAL: Duration = Duration::from_millis(50);
    let Some(_turn) = turn(1000) else { return };
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().heartbeat(INTERVAL, Some(PATIENCE), None);
    let (dealer, real) = bound(&context, SocketType::Dealer, options, "tcp://127.0.0.1:*");
    let started = Instant::now();
    let mut busy = RawPeer::connect(&real, "DEALER", &[]);
    await_peers(&dealer, 1);
    let echo = std::thread::spawn(move || {
        while let Ok(message) = dealer.recv() {
            if message.frame(0).is_some_and(|frame| frame.is_empty()) {
                return;
            }
            dealer.send(message).unwrap();
        }
    });
    let mut pings = 0;
    while pings < 10 {
        busy.ping(1000, b"and you?");
        busy.send(&[b"back and forth"]);
        loop {
            match busy.next() {
                Incoming::Frame { .. } => break,
                Incoming::Command { name, .. } => pings += u32::from(name == "PING"),
                Incoming::End => panic!("it ended after {pings} pings"),
            }
        }
    }
    // The first came an interval after the handshake.
    assert!(started.elapsed() >= INTERVAL * pings, "{pings} pings");
    busy.send(&[b""]);
    echo.join().unwrap();
}

/// What lies undecoded in a link's block is no event: it has to be looked for
/// when the I/O thread takes a socket over, at every peer there is.
#[test]
fn a_socket_with_thousands_of_peers_answers_each_while_nobody_calls() {
    const PEERS: usize = 1500;
    let Some(_turn) = turn(2 * PEERS as u64 + 500) else {
        return;
    };
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peers: Vec<_> = (0..PEERS)
        .map(|_| RawPeer::connect(&real, "PUSH", &[]))
        .collect();
    await_peers(&pull, PEERS);
    // In one piece, so that reading the one is reading the other.
    let ping = common::raw::frame(4, b"\x04PING\0\0and me?");
    let both = [common::raw::message(&[b"first"]), ping].concat();
    // Often, for a machine that is busy elsewhere lets the I/O thread in between.
    for round in 0..8 {
        for some in peers.chunks_mut(50) {
            some.iter_mut().for_each(|peer| peer.write(&both));
            // We are here: the I/O thread keeps off.
            let _ = pull.statistics();
        }
        for _ in 0..PEERS {
            assert_eq!(recv_parts(&pull), [b"first"]);
        }
        // From here on nobody calls, and nothing comes.
        for (index, peer) in peers.iter_mut().enumerate() {
            let answer = peer.next_command("PONG");
            assert_eq!(answer, b"and me?", "peer {index} in round {round}");
        }
    }
}
