//! How many system calls a round trip takes, as strace counts them. Skipped,
//! with a word, where strace is not to be had.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use ferromq_mio::{Options, SocketType};

mod common;

use common::*;

const SHORT: u64 = 2_000;
const LONG: u64 = 6_000;
/// Requests at once.
const UNDER_WAY: u64 = 100;
const SUBSCRIBERS: usize = 8;
/// Messages that are sent together.
const BATCH: u64 = 100;
const ROUND_TRIPS: &str = "FERROMQ_TEST_ROUND_TRIPS";

/// The process that is counted: round trips between two threads.
#[test]
fn worker() {
    // Only the process that the test below starts has work to do.
    let Ok(count) = std::env::var(ROUND_TRIPS) else {
        return;
    };
    let count: u64 = count.parse().unwrap();
    let context = context();
    let (rep, req) = linked(
        &context,
        "tcp://127.0.0.1:*",
        (SocketType::Rep, Options::new()),
        (SocketType::Req, Options::new()),
    );
    let server = std::thread::spawn(move || {
        for _ in 0..count {
            let request = recv(&rep);
            rep.send(request).unwrap();
        }
    });
    for _ in 0..count {
        req.send("x").unwrap();
        recv(&req);
    }
    server.join().unwrap();
}

/// A process that is counted: messages to eight subscribers, sent without pause.
#[test]
fn fan_out() {
    let Ok(count) = std::env::var(ROUND_TRIPS) else {
        return;
    };
    let count: u64 = count.parse().unwrap();
    let context = context();
    let options = Options::new().pub_no_drop(true).xpub_verbose(true);
    let (publisher, real) = bound(&context, SocketType::XPub, options, "tcp://127.0.0.1:*");
    let subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let subscriber = connected(&context, SocketType::Sub, Options::new(), &real);
            subscriber.subscribe("").unwrap();
            std::thread::spawn(move || (0..count).for_each(|_| drop(recv(&subscriber))))
        })
        .collect();
    for _ in 0..SUBSCRIBERS {
        assert_eq!(recv_parts(&publisher), [b"\x01"]);
    }
    for _ in 0..count {
        publisher.send("x").unwrap();
    }
    for subscriber in subscribers {
        subscriber.join().unwrap();
    }
}

/// A process that is counted: requests of which many are under way.
#[test]
fn pipeline() {
    let Ok(count) = std::env::var(ROUND_TRIPS) else {
        return;
    };
    let count: u64 = count.parse().unwrap();
    let context = context();
    let (router, dealer) = linked(
        &context,
        "tcp://127.0.0.1:*",
        (SocketType::Router, Options::new()),
        (SocketType::Dealer, Options::new()),
    );
    let server = std::thread::spawn(move || {
        for _ in 0..count {
            let request = recv(&router);
            router.send(request).unwrap();
        }
    });
    for _ in 0..UNDER_WAY {
        dealer.send("x").unwrap();
    }
    for done in 0..count {
        recv(&dealer);
        if done + UNDER_WAY < count {
            dealer.send("x").unwrap();
        }
    }
    server.join().unwrap();
}

/// A process that is counted: batches, and other work between two of them.
#[test]
fn batches() {
    let Ok(count) = std::env::var(ROUND_TRIPS) else {
        return;
    };
    let count: u64 = count.parse().unwrap();
    let context = context();
    let (push, pull) = linked(
        &context,
        "tcp://127.0.0.1:*",
        (SocketType::Push, Options::new()),
        (SocketType::Pull, Options::new()),
    );
    for _ in 0..count / BATCH {
        let together = push.together();
        for _ in 0..BATCH {
            push.send_bytes(b"x").unwrap();
        }
        drop(together);
        // Nothing waits now, and to receive it all is a pause.
        (0..BATCH).for_each(|_| drop(recv(&pull)));
    }
}

/// System calls of a worker, all threads together: all, or those of a kind.
fn count(worker: &str, kind: &str, round_trips: u64, report: &std::path::Path) -> Option<u64> {
    let program = std::env::current_exe().unwrap();
    // One core: with more, a waiting thread looks a few times before it sleeps. And strace
    // on the same one, which only sees the calls that it counts: from another core it has
    // the receivers run whenever the sender would, which makes a pause of each message.
    let status = Command::new("taskset")
        .args([
            "-c",
            "0",
            "strace",
            "--seccomp-bpf",
            "-f",
            "-c",
            "-e",
            kind,
            "-o",
        ])
        .arg(report)
        .arg(program)
        .args(["--exact", worker])
        .env(ROUND_TRIPS, round_trips.to_string())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return None;
    }
    let report = std::fs::read_to_string(report).ok()?;
    let total = report.lines().find(|line| line.ends_with("total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

/// Held by each test that counts: two workers on one core take more calls each.
static TURN: Mutex<()> = Mutex::new(());

/// In the least of up to five runs: a thread that has to wait for its core may ask the
/// system again meanwhile.
#[test]
fn a_round_trip_takes_about_six_system_calls_on_both_sides_together() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let report = std::env::temp_dir().join(format!("ferromq-strace-{}", std::process::id()));
    let count = |trips| count("worker", "trace=all", trips, &report);
    let (mut short, mut long) = (u64::MAX, u64::MAX);
    let (mut each, mut text) = (f64::INFINITY, String::new());
    for _ in 0..5 {
        let counts = count(SHORT).zip(count(LONG));
        text = std::fs::read_to_string(&report).unwrap_or_default();
        let _ = std::fs::remove_file(&report);
        let Some(counts) = counts else {
            println!("skipped: strace and taskset are not to be had here");
            return;
        };
        (short, long) = (short.min(counts.0), long.min(counts.1));
        each = long.saturating_sub(short) as f64 / (LONG - SHORT) as f64;
        println!("{each:.2} system calls a round trip");
        if each <= 6.5 {
            return;
        }
    }
    panic!("{each:.2} system calls a round trip:\n{text}");
}

/// Checks writes a `unit` of a worker that sends [`LONG`] messages: in the best of
/// five runs. A burst ends when it grows old, and so sooner where the core is
/// shared with other work; each of a defect's runs has many times the limit.
fn assert_few_writes(worker: &str, units: u64, unit: &str, limit: f64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("ferromq-strace-{worker}-{}", std::process::id());
    let report = std::env::temp_dir().join(name);
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let writes = count(worker, "trace=sendto,sendmsg", LONG, &report);
        let _ = std::fs::remove_file(&report);
        let Some(writes) = writes else {
            println!("skipped: strace and taskset are not to be had here");
            return;
        };
        least = least.min(writes as f64 / units as f64);
        println!("{least:.3} writes a {unit}");
        if least <= limit {
            return;
        }
    }
    panic!("{least:.3} writes a {unit}, and {limit} at most are expected");
}

#[test]
fn what_is_sent_to_many_without_pause_leaves_in_few_writes() {
    assert_few_writes("fan_out", LONG * SUBSCRIBERS as u64, "delivery", 0.34);
}

#[test]
fn answers_to_requests_that_came_together_leave_together() {
    assert_few_writes("pipeline", 2 * LONG, "message", 0.25);
}

#[test]
fn what_is_sent_together_leaves_in_few_writes() {
    // Under strace a batch grows old on its way.
    assert_few_writes("batches", LONG / BATCH, "batch", 10.0);
}
