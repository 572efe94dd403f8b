//! Ctrl-C and SIGTERM: the socket is closed, which wakes whoever waits on it,
//! what was received is flushed, and the program ends with 128 and the
//! signal's number. What cannot be woken, such as a read of a terminal, is
//! not waited for; a second signal ends at once.

use std::process::{Child, exit};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::error::Failure;

/// Time for the program to end in good order after the first signal.
const GRACE: Duration = Duration::from_millis(300);

/// The first signal that came, or 0. Only ever set by the signal thread and
/// read as a flag: nothing else is published through it.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The command of `rep --exec` that runs right now.
static COMMAND: Mutex<Option<Child>> = Mutex::new(None);

/// Calls `end` on the first signal; then the program has [`GRACE`] to end.
pub(crate) fn on_signal(end: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    on_signal_within(Duration::ZERO, end)
}

/// The same, and `linger` in addition.
pub(crate) fn on_signal_within(
    linger: Duration,
    end: impl FnOnce() + Send + 'static,
) -> Result<(), Failure> {
    let refused = Failure::system("listen for signals");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
    let listen = move || {
        let mut end = Some(end);
        for signal in signals.forever() {
            let Some(end) = end.take() else {
                exit(128 + signal)
            };
            SIGNAL.store(signal, Ordering::Relaxed);
            thread::spawn(move || {
                thread::sleep(GRACE.saturating_add(linger));
                exit(128 + signal);
            });
            end();
        }
    };
    let started = thread::Builder::new().name("signals".into()).spawn(listen);
    started.map(drop).map_err(Failure::system("start a thread"))
}

/// The failure that a signal caused, if one came.
pub(crate) fn interrupted() -> Option<Failure> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(Failure::Interrupted { signal }),
    }
}

/// Lets signals end `child` too, while it runs.
pub(crate) fn command_started(child: Child) {
    *command() = Some(child);
}

/// Waits for the child given to [`command_started`].
pub(crate) fn wait_command() -> std::io::Result<std::process::ExitStatus> {
    // Not in the match: the lock would be held while waiting.
    let child = command().take();
    match child {
        Some(mut child) => child.wait(),
        None => Err(std::io::ErrorKind::NotFound.into()),
    }
}

fn command() -> MutexGuard<'static, Option<Child>> {
    COMMAND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the command that runs, if any.
pub(crate) fn end_command() {
    let mut command = match COMMAND.try_lock() {
        Ok(command) => command,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(child) = command.as_mut() {
        let _ = child.kill();
    }
}
