//! Named pipes lead from one process to another, and tell when that is killed.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use example_alternative_transport::Fifo;
use ferromq::{Context, EventKind, Pull, Push};
use tempfile::TempDir;

const ENDPOINT: &str = "FIFO_ENDPOINT";
const PATIENCE: Duration = Duration::from_secs(60);

fn context() -> Context {
    Context::builder().transport(Fifo).build().unwrap()
}

/// Only has something to do in the process that the other test starts.
#[test]
fn the_other_process() {
    let Ok(endpoint) = env::var(ENDPOINT) else {
        return;
    };
    let context = context();
    let push = context.socket::<Push>().unwrap();
    push.connect(&endpoint).unwrap();
    for number in 0..1000 {
        push.send(number.to_string()).unwrap();
    }
    // Until it is killed.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

#[test]
fn messages_come_from_another_process_until_it_is_killed() {
    let directory = TempDir::new().unwrap();
    let endpoint = format!("fifo://{}/door", directory.path().display());
    let context = context();
    let pull = context.socket::<Pull>().unwrap();
    let monitor = pull.monitor();
    pull.bind(&endpoint).unwrap();
    let mut other = Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_other_process"])
        .env(ENDPOINT, &endpoint)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    for number in 0..1000 {
        let message = pull.recv_timeout(PATIENCE).unwrap();
        assert_eq!(message, number.to_string().into());
    }
    other.kill().unwrap();
    other.wait().unwrap();
    let lost = std::iter::from_fn(|| monitor.recv_timeout(PATIENCE))
        .any(|event| matches!(event.kind, EventKind::Disconnected { .. }));
    assert!(lost, "nothing told that the other process is gone");
}
