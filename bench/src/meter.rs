//! Wall and CPU time since a moment.

use std::time::{Duration, Instant};

use crate::channel::Report;
use crate::peers::Failure;
use crate::sys;

pub(crate) struct Meter {
    start: Instant,
    cpu: Duration,
    resident_bytes: u64,
    /// When the part ended whose wall time is wanted, if before the end.
    split: Option<Duration>,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            // Nothing is known without it, but nothing is lost either.
            resident_bytes: sys::status_bytes("RssAnon").unwrap_or_default(),
            start: Instant::now(),
            cpu: sys::cpu_time(),
            split: None,
        }
    }

    /// The wall time ends here; CPU time and memory do not.
    pub(crate) fn split(&mut self) {
        self.split = Some(self.start.elapsed());
    }

    pub(crate) fn stop(self) -> Result<Report, Failure> {
        let elapsed = self.split.unwrap_or_else(|| self.start.elapsed());
        let cpu_seconds = sys::cpu_time().saturating_sub(self.cpu).as_secs_f64();
        Ok(Report {
            seconds: elapsed.as_secs_f64(),
            cpu_seconds,
            peak_rss_bytes: sys::status_bytes("VmHWM")?,
            resident_bytes: self.resident_bytes,
            setup_seconds: 0.0,
            round_trip: None,
        })
    }
}
