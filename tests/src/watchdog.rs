//! Ends a test that waits for what never comes.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long a single wait goes on before the test has failed. No machine is so
/// slow that a correct run comes near it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the process when it is not dropped in time: the last resort against a
/// call that never returns.
#[derive(Debug)]
pub struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Watches until dropped; a test that is still running after five
    /// [`PATIENCE`]s is named on standard error and the process aborted.
    #[must_use]
    pub fn start() -> Self {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let (alive, dropped) = channel::<()>();
        std::thread::spawn(move || {
            if dropped.recv_timeout(PATIENCE * 5) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {test} hangs");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}

/// Calls `condition` until it answers, giving other threads the core in
/// between.
///
/// # Panics
///
/// After [`PATIENCE`], naming `what`.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
