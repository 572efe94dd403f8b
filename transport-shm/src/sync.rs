//! The only door to atomics, so that a build with `--cfg loom` replaces them with
//! loom's, and the place of the bugs that models plant.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A bug that a model plants, to show that it would be found. `planted(..)` is
/// `false`, known to the compiler, in every build but a model.
#[cfg_attr(not(loom), allow(dead_code, reason = "planted only in models"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The head is stored so that it may be seen before the bytes.
    HeadIsRelaxed,
    /// The tail is stored so that it may be seen before the bytes are copied.
    TailIsRelaxed,
    /// Who moved a position looks for sleepers without a fence.
    MoverSkipsFence,
    /// Who is about to sleep looks again without a fence.
    SleeperSkipsFence,
    /// Who is about to sleep does not look again.
    SleeperSkipsLook,
    /// A reader does not tell a writer of room.
    RoomIsNotTold,
    /// A side rings once, and never again.
    RingsOnce,
    /// Who is about to sleep overlooks that the peer closed.
    SleeperOverlooksEnd,
}

#[cfg(not(loom))]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}

#[cfg(loom)]
pub(crate) use faults::planted;

#[cfg(loom)]
pub(crate) mod faults {
    use super::Fault;
    use std::cell::Cell;

    // One model runs on one thread of the test harness, with coroutines.
    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    pub(crate) fn planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Runs a model with a bug planted, or none, and returns its executions.
    /// `preemptions` bounds how often a thread is interrupted where it could go on;
    /// `FERROMQ_MODEL_SECONDS` allows one more, for so long at most.
    ///
    /// # Panics
    /// If the model fails without a bug, or does not find the planted one.
    #[cfg(test)]
    pub(crate) fn explore(
        fault: Option<Fault>,
        preemptions: Option<usize>,
        model: impl Fn() + Send + Sync + 'static,
    ) -> usize {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        let executions = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&executions);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        let long = std::env::var("FERROMQ_MODEL_SECONDS").ok();
        let long = long.and_then(|seconds| seconds.parse().ok());
        if let (None, Some(seconds)) = (fault, long) {
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
        match (fault, result) {
            (None, Err(cause)) => std::panic::resume_unwind(cause),
            (Some(fault), Ok(())) => panic!("{fault:?} was not found"),
            (Some(_), Err(_)) => executions.load(Ordering::Relaxed),
            (None, Ok(())) => {
                let executions = executions.load(Ordering::Relaxed);
                println!("explored {executions} interleavings");
                executions
            }
        }
    }
}
