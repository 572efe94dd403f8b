//! How many system calls a round trip takes, as strace counts them. Skipped,
//! with a word, where strace is not to be had.

use std::process::Command;

use ferromq_mio::{Options, SocketType};

mod common;

use common::*;

const SHORT: u64 = 2_000;
const LONG: u64 = 6_000;
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

/// System calls of the worker, all threads together.
fn count(round_trips: u64, report: &std::path::Path) -> Option<u64> {
    let worker = std::env::current_exe().unwrap();
    // One core: with more, a waiting thread looks a few times before it sleeps.
    let status = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(report)
        .args(["taskset", "-c", "0"])
        .arg(worker)
        .args(["--exact", "worker"])
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

#[test]
fn a_round_trip_takes_about_six_system_calls_on_both_sides_together() {
    let report = std::env::temp_dir().join(format!("ferromq-strace-{}", std::process::id()));
    let counts = count(SHORT, &report).zip(count(LONG, &report));
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let _ = std::fs::remove_file(&report);
    let Some((short, long)) = counts else {
        println!("skipped: strace and taskset are not to be had here");
        return;
    };
    let each = (long - short) as f64 / (LONG - SHORT) as f64;
    println!("{each:.2} system calls a round trip");
    assert!(each <= 6.5, "{each:.2} system calls a round trip:\n{text}");
}
