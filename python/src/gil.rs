//! Giving the GIL away, and asking for it again.
//!
//! Who asks for the GIL while another thread has it sleeps, which costs a microsecond or
//! two and, where a core has to be woken, 30 more. Two threads of a process that ask and
//! answer would meet like that at each message: one is back from its send while the other
//! makes an answer of what came, for half a microsecond. So who comes back while a thread
//! has the GIL that is expected to be in a call of ours soon waits for that, awake, for as
//! long as falling asleep would have cost. Whether it pays is learnt.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// The longest wait.
const PATIENCE: Duration = Duration::from_micros(10);
/// Looks between two readings of the clock.
const LOOKS: u32 = 32;
/// Most waits to leave out after those that were in vain.
const MOST_LEFT_OUT: u32 = 1024;

/// Calls without the GIL, and asks for it when that is done.
#[inline]
pub(crate) fn without<T: Send>(py: Python<'_>, call: impl FnOnce() -> T + Send) -> T {
    let me = this_thread();
    let result = py.detach(|| {
        TURNS.left(me);
        let result = call();
        TURNS.wait();
        result
    });
    TURNS.has(me);
    result
}

static TURNS: Turns = Turns {
    thread: AtomicUsize::new(0),
    left_out: AtomicU32::new(0),
    backoff: AtomicU32::new(1),
};

/// Who has the GIL as far as calls of ours know. All of it is a hint, so that no order of
/// these loads and stores is wrong: who has the GIL is the interpreter's business.
struct Turns {
    /// The thread that came back to Python last, until its next call; 0 is none.
    thread: AtomicUsize,
    /// How many waits are left out from now on.
    left_out: AtomicU32,
    /// How many will be after the next that is in vain.
    backoff: AtomicU32,
}

impl Turns {
    /// This thread has the GIL.
    #[inline]
    fn has(&self, me: usize) {
        self.thread.store(me, Ordering::Relaxed);
    }

    /// This thread has given the GIL away. Another one may have come by it since.
    #[inline]
    fn left(&self, me: usize) {
        let _ = self
            .thread
            .compare_exchange(me, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    #[inline]
    fn is_free(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == 0
    }

    /// Waits for a moment until nobody is known to have the GIL.
    #[inline]
    fn wait(&self) {
        if !self.is_free() {
            self.wait_awake();
        }
    }

    #[cold]
    fn wait_awake(&self) {
        let left_out = self.left_out.load(Ordering::Relaxed);
        if left_out > 0 || !several_cores() {
            self.left_out
                .store(left_out.saturating_sub(1), Ordering::Relaxed);
            return;
        }
        let backoff = match self.becomes_free() {
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

/// A number of this thread's that no other one has while it lives.
#[inline]
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// Whether the other thread can run while this one waits awake.
fn several_cores() -> bool {
    static CORES: OnceLock<bool> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().is_ok_and(|cores| cores.get() > 1))
}
