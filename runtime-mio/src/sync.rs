//! The only door to atomics, locks and fences.
//!
//! Everything that two threads share goes through here, so that a build with
//! `--cfg loom` replaces it with loom's models. Besides the re-exports there is
//! one pair of barriers of our own:
//!
//! ```text
//!  frequent side (a caller)          rare side (the I/O thread)
//!  flag.store(1, Relaxed)            word.store(0, Relaxed)
//!  light_barrier()      ~0 ns        heavy_barrier()      ~1-20 us
//!  word.load(Acquire)                flag.load(Acquire)
//! ```
//!
//! At least one of the two sees the other's store, as with two sequentially
//! consistent fences, but the frequent side pays nothing: the rare side makes
//! the kernel run a full barrier on every processor that runs this process
//! (`membarrier(2)`, `PRIVATE_EXPEDITED`). Where the kernel refuses, both are
//! ordinary fences. loom cannot model membarrier and gets two fences.

#![allow(
    unused_imports,
    reason = "one list for both builds; not every build uses every name"
)]

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{
            AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        },
    },
    thread,
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{
            AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        },
    },
    thread,
};

#[cfg(not(loom))]
pub(crate) use asymmetric::{asymmetric_available, heavy_barrier, light_barrier};
#[cfg(loom)]
pub(crate) use modelled::{asymmetric_available, heavy_barrier, light_barrier};

/// A number that no other thread of this process has or will have.
///
/// Taken from a counter at the thread's first call, so unlike the address of a
/// thread-local it is never reused. Costs a thread-local load. Never zero, and
/// below 2^61.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId(u64);

impl ThreadId {
    /// The calling thread's number.
    #[inline]
    pub(crate) fn current() -> Self {
        let id = THREAD_ID.with(std::cell::Cell::get);
        if id != 0 { Self(id) } else { Self::assign() }
    }

    #[cold]
    fn assign() -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        // Relaxed: only uniqueness matters, and a read-modify-write gives that.
        let id = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        THREAD_ID.with(|slot| slot.set(id));
        Self(id)
    }

    /// The number itself; zero stands for "nobody" wherever it is stored.
    #[inline]
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    /// Model threads are coroutines of one thread: each names itself.
    #[cfg(all(test, loom))]
    pub(crate) fn modelled(id: u64) -> Self {
        Self(id)
    }
}

thread_local! {
    static THREAD_ID: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Locks `mutex`; a panic of an earlier holder is not our caller's problem.
///
/// Whoever uses this leaves the data consistent at every point that can panic.
pub(crate) fn lock_unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

#[cfg(not(loom))]
mod asymmetric {
    use super::{AtomicU8, Ordering, fence};
    use std::sync::atomic::compiler_fence;

    /// Whether this process may use membarrier. `UNKNOWN` and `REFUSED` make
    /// [`light_barrier`] a real fence, which is right with either heavy side,
    /// so that the value may change under a thread that has just read it.
    static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 0;
    const REGISTERED: u8 = 1;
    const REFUSED: u8 = 2;

    /// Whether [`light_barrier`] is free here. Asks the kernel once.
    pub(crate) fn asymmetric_available() -> bool {
        // Relaxed: the value stands for itself, nothing is published with it.
        match STATE.load(Ordering::Relaxed) {
            UNKNOWN => {
                let state = if register() { REGISTERED } else { REFUSED };
                STATE.store(state, Ordering::Relaxed);
                state == REGISTERED
            }
            state => state == REGISTERED,
        }
    }

    /// The frequent side of the pair: orders the caller's earlier stores before
    /// its later loads, as seen by a thread that calls [`heavy_barrier`].
    #[inline]
    pub(crate) fn light_barrier() {
        if STATE.load(Ordering::Relaxed) == REGISTERED {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The rare side of the pair. Costs a system call and an interrupt of every
    /// processor that runs another thread of this process: 1 to 20 us.
    pub(crate) fn heavy_barrier() {
        if asymmetric_available() {
            barrier_everywhere();
        } else {
            fence(Ordering::SeqCst);
        }
    }

    #[cfg(target_os = "linux")]
    fn register() -> bool {
        membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    }

    #[cfg(target_os = "linux")]
    fn barrier_everywhere() {
        // A kernel that granted the registration does not refuse, except under a
        // system call filter installed since. Then the light side, already
        // compiled without a fence, cannot be made right any more.
        if !membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            eprintln!("ferromq: membarrier was granted and is now refused by a filter");
            std::process::abort();
        }
    }

    #[cfg(target_os = "linux")]
    fn membarrier(command: libc::c_int) -> bool {
        const NO_FLAGS: libc::c_uint = 0;
        const ANY_CPU: libc::c_int = 0;
        // SAFETY: membarrier(2) takes three integers and touches no memory of
        // ours; an unknown command or an old kernel is an error return.
        let done = unsafe { libc::syscall(libc::SYS_membarrier, command, NO_FLAGS, ANY_CPU) };
        done == 0
    }

    #[cfg(not(target_os = "linux"))]
    fn register() -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn barrier_everywhere() {
        fence(Ordering::SeqCst);
    }
}

#[cfg(loom)]
mod modelled {
    use super::{Ordering, fence};

    pub(crate) fn asymmetric_available() -> bool {
        true
    }

    pub(crate) fn light_barrier() {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy_barrier() {
        fence(Ordering::SeqCst);
    }
}

/// Bugs that a model plants to prove that it would find them.
///
/// `planted(..)` is `false`, known to the compiler, in every build but a model.
#[cfg_attr(not(loom), allow(dead_code, reason = "planted only in models"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The lock's owner enters without looking at the bias again.
    OwnerSkipsRecheck,
    /// The lock's owner enters without its barrier.
    OwnerSkipsBarrier,
    /// A foreigner does not run the heavy barrier.
    ForeignSkipsBarrier,
    /// The lock's owner leaves with a relaxed store.
    OwnerLeavesRelaxed,
    /// A slice gives up its share of a block with a relaxed decrement.
    SliceDropsRelaxed,
    /// The link looks for live slices with a relaxed load.
    UniqueLooksRelaxed,
    /// The last slice frees its block without an acquire fence.
    LastSkipsFence,
    /// A caller asks the I/O thread without its barrier.
    CallerSkipsBarrier,
    /// A caller asks the I/O thread before it has stored what for.
    CallerAsksFirst,
    /// A caller stores the mode, whatever another one has asked for.
    RaiseOverwrites,
    /// The I/O thread lowers its mode without the heavy barrier.
    ThreadSkipsBarrier,
    /// The I/O thread lowers its mode and does not look again.
    ThreadSkipsRecheck,
    /// The I/O thread corrects its mode with a store.
    RecheckOverwrites,
    /// A poller's wait ends without a call.
    WaitEndsSilently,
    /// A socket is taken back with a load and a store.
    TakesBackTwice,
    /// A call goes to sleep without looking whether the socket is closed.
    SleepsOnClosed,
    /// A call sleeps in the epoll although a poller waits for its events.
    SleepsBesidePoller,
    /// A call sleeps in the epoll although another one does.
    SleepsBesideSleeper,
    /// A call sleeps in the epoll and does not say so.
    SleepsWithoutToken,
    /// A call takes its ticket for the turnstile outside the lock.
    TicketAfterUnlock,
    /// A poller does not drive a sleeper out of the epoll.
    PollerLeavesSleeper,
    /// A call that does not wait takes a poller's events.
    CallTakesFromPoller,
    /// The I/O thread tells nobody what it took.
    WorkerKeepsEvents,
    /// The I/O thread leaves its work to a call that has the epoll.
    WorkerLeavesToCall,
    /// The I/O thread tells no poller what it took.
    WorkerForgetsPoller,
    /// A poller goes and leaves those at the turnstile there.
    PollerForgetsQueue,
    /// Whoever takes events does not turn the turnstile.
    TokenIsKept,
    /// The descriptor is not raised for what was taken.
    DescriptorIsNotRaised,
    /// The descriptor is lowered after the look, not before.
    DescriptorIsLoweredLate,
    /// Who leaves something looks who sleeps without a fence.
    LeaverSkipsFence,
    /// Who is about to sleep looks what is left without a fence.
    SleeperSkipsFence,
    /// Who is about to sleep does not look what is left.
    SleeperSkipsLook,
    /// Who is about to sleep looks what is left before it says that it sleeps.
    SleeperLooksFirst,
    /// Who spins silences a link although somebody else waits for events.
    SpinnerSilencesAll,
    /// A call goes to sleep and leaves a link silent.
    SleeperLeavesSilence,
    /// Whoever looks at the epoll leaves a link silent.
    LookerLeavesSilence,
    /// The I/O thread takes the socket and leaves a link silent.
    WorkerLeavesSilence,
    /// The descriptor is exported, and a link left silent.
    ExporterLeavesSilence,
}

#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}

#[cfg(loom)]
pub(crate) use faults::planted;

#[cfg(loom)]
pub(crate) mod faults {
    use super::Fault;
    use std::cell::Cell;
    #[cfg(test)]
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicUsize, Ordering},
    };

    // One model runs on one thread of the test harness, with coroutines.
    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    pub(crate) fn planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Runs a model with a bug planted, or none, and returns its executions.
    /// `preemptions` bounds how often a thread is interrupted where it could go
    /// on; `None` explores everything.
    ///
    /// # Panics
    ///
    /// If the model fails without a bug, or does not find the planted one.
    #[cfg(test)]
    pub(crate) fn explore(
        fault: Option<Fault>,
        preemptions: Option<usize>,
        model: impl Fn() + Send + Sync + 'static,
    ) -> usize {
        let executions = std::sync::Arc::new(AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&executions);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        let long = std::env::var("FERROMQ_MODEL_SECONDS").ok();
        let long = long.and_then(|seconds| seconds.parse().ok());
        if let (None, Some(seconds)) = (fault, long) {
            // As far as it comes in that time: no model here ends with two more.
            builder.preemption_bound = preemptions.map(|most| most + 1);
            builder.max_duration = Some(std::time::Duration::from_secs(seconds));
        }
        PLANTED.set(fault);
        let result = catch_unwind(AssertUnwindSafe(|| {
            builder.check(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                model();
            });
        }));
        PLANTED.set(None);
        assert_eq!(result.is_err(), fault.is_some(), "with {fault:?}");
        if let Err(cause) = result {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text.or(cause.downcast_ref::<&str>().copied());
            // Else loom gave up, and has found nothing.
            let found = text.is_some_and(|text| !text.contains("exceeded"));
            assert!(found, "with {fault:?}: {text:?}");
        }
        let executions = executions.load(Ordering::Relaxed);
        if fault.is_none() {
            println!("explored {executions} interleavings");
        }
        executions
    }
}
