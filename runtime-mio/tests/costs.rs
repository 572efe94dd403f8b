//! What connections cost in memory. A binary of its own, because it counts for
//! the whole process; its tests take turns.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ferromq_mio::{Options, SocketType};

mod common;

use common::raw::RawPeer;
use common::*;

/// The system's allocator, with counters.
struct Counting;

static LIVE: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to `System`, which keeps the
// contract; the counters do not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Held by each test, so that the counts are its own.
static TURN: Mutex<()> = Mutex::new(());

fn live() -> i64 {
    LIVE.load(Ordering::Relaxed) as i64
}

// HOSTILE 52
#[test]
fn an_idle_connection_costs_at_most_4_kib() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::start();
    const WARM: usize = 100;
    const PEERS: usize = 500;
    // Both ends are ours.
    if !has_descriptors(2 * (WARM + PEERS) as u64 + 200) {
        return;
    }
    let context = context();
    for (socket_type, peer_type) in [
        (SocketType::Pull, "PUSH"),
        (SocketType::Push, "PULL"),
        (SocketType::Router, "DEALER"),
        (SocketType::Dealer, "DEALER"),
        (SocketType::Rep, "REQ"),
        (SocketType::XPub, "SUB"),
        (SocketType::Sub, "PUB"),
    ] {
        let options = Options::new();
        let (socket, real) = bound(&context, socket_type, options, "tcp://127.0.0.1:*");
        let mut peers: Vec<_> = (0..WARM)
            .map(|_| RawPeer::connect(&real, peer_type, &[]))
            .collect();
        await_peers(&socket, peers.len());
        let before = live();
        peers.extend((0..PEERS).map(|_| RawPeer::connect(&real, peer_type, &[])));
        await_peers(&socket, peers.len());
        let fresh = (live() - before) / PEERS as i64;
        for peer in &mut peers {
            peer.ping(0, b"");
            peer.next_command("PONG");
        }
        // The answer leaves before the link comes to rest.
        until("used connections cost no more", || {
            (live() - before <= 4096 * PEERS as i64).then_some(())
        });
        let used = (live() - before) / PEERS as i64;
        println!("{socket_type:?}: {fresh} bytes a fresh connection, {used} a used one");
        assert!(
            fresh <= 4096,
            "{socket_type:?}: {fresh} bytes a fresh connection"
        );
    }
}

#[test]
fn sockets_and_contexts_leave_nothing_behind() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::start();
    let round = || {
        let context = context();
        let (pull, push) = linked(
            &context,
            "tcp://127.0.0.1:*",
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        push.send(vec![1; 100_000]).unwrap();
        recv(&pull);
    };
    for _ in 0..5 {
        round();
    }
    let before = live();
    for _ in 0..20 {
        round();
    }
    // Threads that have just ended may still hold a little.
    until("everything is freed", || {
        (live() - before < 20 * 1000).then_some(())
    });
}

/// A loop that sleeps on the descriptor of a socket with messages is told of
/// them, and the I/O thread rests meanwhile.
#[test]
fn unread_messages_of_an_exported_socket_cost_no_time() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
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
    assert!(std::os::fd::AsRawFd::as_raw_fd(&pull.readiness_fd()) >= 0);
    peer.send(&[b"unread"]);
    peer.ping(0, b"");
    peer.next_command("PONG");
    let before = cpu_ticks("ferromq-io");
    assert!(peer.is_quiet_for(Duration::from_millis(600)));
    let used = cpu_ticks("ferromq-io") - before;
    // Half of the time: far more than rest, far less than a spin.
    assert!(used < 30, "{used} ticks of 10 ms in 600 ms");
    assert_eq!(recv_parts(&pull), [b"unread"]);
}

/// The CPU time that threads of this name have used, in clock ticks.
fn cpu_ticks(prefix: &str) -> u64 {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .filter(|stat| stat.contains(prefix))
        .map(|stat| {
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
            fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()
        })
        .sum()
}
