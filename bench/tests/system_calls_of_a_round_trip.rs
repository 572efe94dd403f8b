//! The number of system calls that REQ, REP and their background threads make
//! for a round trip stays at a send, a receive and a wait on each side.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Both sides together; raw sockets take 4, libzmq 48.
const LIMIT: f64 = 6.5;
/// Without the privilege to count at full speed the program is traced. A round
/// trip takes some twenty times as long then, and so many more of the
/// background threads' periodic calls fall into one.
const TRACED_LIMIT: f64 = 7.5;

/// One count at a time: all of them use the same core.
static CORE: Mutex<()> = Mutex::new(());

/// What the benchmark's own program counted, and the limit for its method.
fn system_calls(contender: &str, via: &str) -> (f64, f64) {
    let _core = CORE.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!(
        "ferromq-bench-test-{contender}-{via}-{}.json",
        std::process::id()
    );
    let file = std::env::temp_dir().join(name);
    let status = Command::new(env!("CARGO_BIN_EXE_ferromq-bench"))
        .args(["syscalls", "--contender", contender, "--via", via, "--json"])
        .arg(&file)
        .status()
        .expect("the benchmark starts");
    assert!(status.success(), "the benchmark ended with {status}");
    let results = fs::read(&file).expect("the benchmark wrote its results");
    fs::remove_file(&file).expect("the results can be removed");
    let results: Value = serde_json::from_slice(&results).expect("the results are JSON");
    let row = &results["syscalls"][0];
    let counted = row["per_round_trip"].as_f64();
    let counted = counted.unwrap_or_else(|| panic!("nothing was counted: {}", row["trouble"]));
    (
        counted,
        if row["method"] == "counter" {
            LIMIT
        } else {
            TRACED_LIMIT
        },
    )
}

#[test]
fn raw_sockets_take_four() {
    // The method itself: a write and a read on each side, and nothing else.
    let (calls, _) = system_calls("raw", "tcp");
    assert!(
        (calls - 4.0).abs() < 0.05,
        "{calls} system calls a round trip"
    );
}

#[test]
fn req_and_rep_over_tcp_take_a_send_a_receive_and_a_wait_each() {
    let (calls, limit) = system_calls("ferromq", "tcp");
    assert!(calls <= limit, "{calls} system calls a round trip");
}

#[test]
fn req_and_rep_over_ipc_take_a_send_a_receive_and_a_wait_each() {
    let (calls, limit) = system_calls("ferromq", "ipc");
    assert!(calls <= limit, "{calls} system calls a round trip");
}
