//! Who has the GIL as far as calls of ours know, and whether to wait for it awake.
//!
//! All of it is a hint, so that no order of these loads and stores is wrong: who has the
//! GIL is the interpreter's business. Nothing of Python is in here, for it to be tested
//! without an interpreter.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait.
const PATIENCE: Duration = Duration::from_micros(10);
/// Looks between two readings of the clock.
const LOOKS: u32 = 32;
/// Most waits to leave out after those that were in vain.
const MOST_LEFT_OUT: u32 = 1024;

pub(crate) struct Turns {
    /// The thread that came back to Python last, until its next call; 0 is none.
    thread: AtomicUsize,
    /// How many waits are left out from now on.
    left_out: AtomicU32,
    /// How many will be after the next that is in vain.
    backoff: AtomicU32,
}

impl Turns {
    pub(crate) const fn new() -> Self {
        Self {
            thread: AtomicUsize::new(0),
            left_out: AtomicU32::new(0),
            backoff: AtomicU32::new(1),
        }
    }

    /// This thread has the GIL.
    #[inline]
    pub(crate) fn has(&self, me: usize) {
        self.thread.store(me, Ordering::Relaxed);
    }

    /// This thread has given the GIL away. Another one may have come by it since.
    #[inline]
    pub(crate) fn left(&self, me: usize) {
        let _ = self
            .thread
            .compare_exchange(me, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Waits for a moment until nobody is known to have the GIL.
    #[inline]
    pub(crate) fn wait(&self) {
        if !self.is_free() && several_cores() {
            self.wait_where_it_pays(|| self.becomes_free());
        }
    }

    #[inline]
    fn is_free(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == 0
    }

    /// Leaves waits out after one that was in vain, twice as many each time.
    #[cold]
    fn wait_where_it_pays(&self, becomes_free: impl FnOnce() -> bool) {
        let left_out = self.left_out.load(Ordering::Relaxed);
        if left_out > 0 {
            self.left_out.store(left_out - 1, Ordering::Relaxed);
            return;
        }
        let backoff = match becomes_free() {
            true => 1,
            false => {
                let backoff = self.backoff.load(Ordering::Relaxed);
                self.left_out.store(backoff, Ordering::Relaxed);
                (2 * backoff).min(MOST_LEFT_OUT)
            }
        };
        self.backoff.store(backoff, Ordering::Relaxed);
    }

    fn becomes_free(&self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            for _ in 0..LOOKS {
                if self.is_free() {
                    return true;
                }
                std::hint::spin_loop();
            }
        }
        false
    }
}

/// Whether the other thread can run while this one waits awake.
fn several_cores() -> bool {
    static CORES: OnceLock<bool> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().is_ok_and(|cores| cores.get() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two threads.
    const A: usize = 1;
    const B: usize = 2;

    /// Which of so many waits are made, of which all pay or none does.
    fn made(turns: &Turns, waits: usize, pay: bool) -> Vec<usize> {
        let mut made = Vec::new();
        for wait in 0..waits {
            turns.wait_where_it_pays(|| {
                made.push(wait);
                pay
            });
        }
        made
    }

    #[test]
    fn each_wait_in_vain_has_twice_as_many_left_out_up_to_a_limit() {
        let made = made(&Turns::new(), 4_000, false);
        let left_out: Vec<usize> = made.windows(2).map(|it| it[1] - it[0] - 1).collect();
        assert_eq!(
            left_out,
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]
        );
    }

    #[test]
    fn waits_that_pay_are_all_made() {
        assert_eq!(made(&Turns::new(), 100, true).len(), 100);
    }

    #[test]
    fn a_wait_that_pays_makes_up_for_all_in_vain() {
        let turns = Turns::new();
        // 1, 2, 4 and 8 are left out behind the first four; the next one is made.
        assert_eq!(made(&turns, 4 + 15, false).len(), 4);
        assert_eq!(made(&turns, 1, true), [0]);
        assert_eq!(made(&turns, 4, false), [0, 2]);
    }

    #[test]
    fn who_has_it_is_whoever_came_by_it_last() {
        let turns = Turns::new();
        assert!(turns.is_free());
        turns.has(A);
        assert!(!turns.is_free());
        turns.has(B);
        // A gave it away before, and says so only now.
        turns.left(A);
        assert!(!turns.is_free());
        turns.left(B);
        assert!(turns.is_free());
    }

    #[test]
    fn a_wait_ends_when_its_time_is_over() {
        let turns = Turns::new();
        assert!(turns.becomes_free());
        turns.has(A);
        assert!(!turns.becomes_free());
        turns.wait();
        // It was in vain, if there was one.
        assert_eq!(made(&turns, 1, true).is_empty(), several_cores());
    }
}
