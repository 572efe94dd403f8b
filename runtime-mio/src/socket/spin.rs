//! Whether to look a little longer before sleeping.
//!
//! Waking an idle core costs about 33 us, so a peer that answers within 50 us
//! is met awake. A spin that finds nothing is a loss for everybody else on the
//! core: three failures switch spinning off for 2, 4, … 1,024 waits.

use std::time::Duration;

use crate::clock::{Ticks, ticks};

/// Longest spin.
const SPIN: Duration = Duration::from_micros(50);
/// A gap between two looks that only a scheduler can make.
const DESCHEDULED: Duration = Duration::from_micros(25);
/// Failures in a row that switch spinning off for a while.
const FAILURES: u32 = 3;
/// Waits to skip when the peer was seen on our own core.
const SHARED_CORE_SKIP: u32 = 32;
/// Most waits to skip.
const SKIP_MAX: u32 = 1024;

/// How spins went lately.
#[derive(Debug)]
pub(crate) struct Spin {
    limit: u64,
    descheduled: u64,
    failures: u32,
    skip: u32,
    backoff: u32,
}

/// One spin under way.
#[derive(Debug)]
pub(crate) struct Turn {
    start: Ticks,
    last: Ticks,
    /// It looked more than once.
    spun: bool,
    descheduled: bool,
}

impl Spin {
    /// Never spins where there is but one core.
    pub(crate) fn new() -> Self {
        let cores = crate::system::cores();
        Self::with_limit(if cores > 1 { ticks(SPIN) } else { 0 })
    }

    fn with_limit(limit: u64) -> Self {
        Self {
            limit,
            descheduled: ticks(DESCHEDULED),
            failures: 0,
            skip: 0,
            backoff: 1,
        }
    }

    /// Counts a wait among those to skip; false if it is one of them.
    #[inline]
    pub(crate) fn may_start(&mut self) -> bool {
        let skips = self.skip > 0;
        self.skip -= u32::from(skips);
        self.limit > 0 && !skips
    }

    /// Starts a spin, if experience speaks for one. `shares_core` is asked only
    /// when the last spin failed: the answer costs a system call.
    pub(crate) fn start(&mut self, shares_core: impl FnOnce() -> bool) -> Option<Turn> {
        if !self.may_start() {
            return None;
        }
        if self.failures > 0 && shares_core() {
            self.skip = SHARED_CORE_SKIP;
            return None;
        }
        let now = Ticks::now();
        Some(Turn {
            start: now,
            last: now,
            spun: false,
            descheduled: false,
        })
    }

    /// Whether to look once more.
    pub(crate) fn goes_on(&self, turn: &mut Turn) -> bool {
        let now = Ticks::now();
        turn.spun = true;
        turn.descheduled |= now.since(turn.last) > self.descheduled;
        turn.last = now;
        now.since(turn.start) <= self.limit
    }

    /// Learns from a finished spin. One that "succeeded" after another process
    /// had the core would have done as well asleep, and one that found what it
    /// waits for at once says nothing: on one core, whom we wrote to may run
    /// before we come here.
    pub(crate) fn finish(&mut self, turn: &Turn, found: bool) {
        if found && !turn.spun {
            return;
        }
        if found && !turn.descheduled {
            self.failures = 0;
            self.backoff = 1;
            return;
        }
        self.failures = if found { FAILURES } else { self.failures + 1 };
        if self.failures >= FAILURES || turn.descheduled {
            self.backoff = (self.backoff * 2).min(SKIP_MAX);
            self.skip = self.backoff;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin_once(spin: &mut Spin, found: bool) -> bool {
        let Some(mut turn) = spin.start(|| false) else {
            return false;
        };
        assert!(spin.goes_on(&mut turn));
        spin.finish(&turn, found);
        true
    }

    #[test]
    fn failures_back_off_and_success_forgives() {
        let mut spin = Spin::with_limit(1_000_000);
        assert!((0..3).all(|_| spin_once(&mut spin, false)));
        let skipped = (0..).take_while(|_| !spin_once(&mut spin, false)).count();
        assert_eq!(skipped, 2);
        let skipped = (0..).take_while(|_| !spin_once(&mut spin, true)).count();
        assert_eq!(skipped, 4);
        assert!((0..3).all(|_| spin_once(&mut spin, true)));
    }

    #[test]
    fn what_is_there_at_the_first_look_speaks_neither_for_nor_against() {
        let mut spin = Spin::with_limit(1_000_000);
        assert!((0..3).all(|_| spin_once(&mut spin, false)));
        assert!((0..2).all(|_| !spin_once(&mut spin, false)));
        let turn = spin.start(|| false).expect("the waits to skip are over");
        spin.finish(&turn, true);
        assert!(spin_once(&mut spin, false), "that was no failure");
        let skipped = (0..).take_while(|_| !spin_once(&mut spin, false)).count();
        assert_eq!(skipped, 4, "nor a success");
    }

    #[test]
    fn a_peer_on_our_own_core_is_waited_for_asleep() {
        let mut spin = Spin::with_limit(1_000_000);
        assert!(spin_once(&mut spin, false));
        assert!(spin.start(|| true).is_none());
        let skipped = (0..).take_while(|_| spin.start(|| false).is_none()).count();
        assert_eq!(skipped, SHARED_CORE_SKIP as usize);
    }

    #[test]
    fn one_core_never_spins() {
        assert!(Spin::with_limit(0).start(|| false).is_none());
    }
}
