//! Time, as cheap as it is to be had.
//!
//! A send decides by the gap since the last one whether to write at once, so
//! it reads a clock every time: the cycle counter costs 7 ns where
//! `clock_gettime` costs 25 (two thirds of a small message's budget).

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Readings of a fast monotonic counter, in its own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Ticks(u64);

impl Ticks {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(counter())
    }

    /// Ticks since an earlier reading; 0 if the counter of another core lags.
    #[inline]
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// Ticks in `time`; exact to about 0.1 %.
pub(crate) fn ticks(time: Duration) -> u64 {
    (time.as_nanos() as f64 * ticks_per_nano()) as u64
}

/// The origin of `ferromq_wire::Instant` in this process.
pub(crate) fn wire_now() -> ferromq_wire::Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let elapsed = ORIGIN.get_or_init(Instant::now).elapsed();
    ferromq_wire::Instant::from_nanos(elapsed.as_nanos() as u64)
}

fn ticks_per_nano() -> f64 {
    static RATE: OnceLock<f64> = OnceLock::new();
    *RATE.get_or_init(|| {
        let (start, ticks) = (Instant::now(), Ticks::now());
        // 2 ms give the rate to 0.1 %, enough to tell 2 us from 3.
        while start.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        Ticks::now().since(ticks) as f64 / start.elapsed().as_nanos() as f64
    })
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    // SAFETY: RDTSC reads a register and has no other effect; every x86_64
    // processor has it, and Linux leaves it enabled for user programs.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn counter() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_follow_the_clock() {
        let (start, before) = (Instant::now(), Ticks::now());
        while start.elapsed() < Duration::from_millis(5) {}
        let passed = Ticks::now().since(before);
        assert!(
            passed >= ticks(Duration::from_micros(4900)),
            "{passed} ticks in 5 ms"
        );
    }
}
