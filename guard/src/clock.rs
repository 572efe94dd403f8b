//! A clock that is as slow as the program.
//!
//! Valgrind runs a program some sixty times slower, so that to the runtime the
//! caller of a burst seems to rest between any two messages, and it decides
//! otherwise than it does at full speed. This clock is taken instead of the C
//! library's, and goes slower still: then what happens within a section has
//! happened within microseconds, and counts do not depend on the machine's pace.
//! (The runtime compares the processor's counter with this clock once, when it
//! starts, and knows by that how many of its ticks are a microsecond.)

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use crate::sections::Failure;

/// How many times slower the clock is than the world's.
const SLOWNESS: i128 = 1_000;

static IS_SLOW: AtomicBool = AtomicBool::new(false);

/// Slows the process's clock down. Before anybody has read it: it jumps back.
///
/// # Errors
/// The standard library reads another clock than ours.
pub(crate) fn slow_down() -> Result<(), Failure> {
    IS_SLOW.store(true, Relaxed);
    // By a clock that is slow since 1970 it still is.
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    match age < Duration::from_secs(365 * 24 * 60 * 60) {
        true => Ok(()),
        false => Err("the C library's clock could not be replaced".into()),
    }
}

/// In place of the C library's, for all that the standard library and others do.
#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the system call has the function's contract: `time` may be
    // written, and is on success.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if result == 0 && IS_SLOW.load(Relaxed) {
        // SAFETY: just written, see above; nobody else has it yet.
        let time = unsafe { &mut *time };
        *time = slowed(*time);
    }
    result as libc::c_int
}

fn slowed(mut time: libc::timespec) -> libc::timespec {
    let nanos = i128::from(time.tv_sec) * NANOS + i128::from(time.tv_nsec);
    let nanos = nanos / SLOWNESS;
    time.tv_sec = (nanos / NANOS) as libc::time_t;
    time.tv_nsec = (nanos % NANOS) as libc::c_long;
    time
}

/// In a second.
const NANOS: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    // That the clock is replaced is checked whenever it is slowed down: not here,
    // for other tests of this process live by it.
    #[test]
    fn a_thousand_seconds_pass_as_one() {
        let slow = slowed(libc::timespec {
            tv_sec: 1_234_567,
            tv_nsec: 890_000_000,
        });
        assert_eq!((slow.tv_sec, slow.tv_nsec), (1_234, 567_890_000));
    }
}
