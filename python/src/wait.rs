//! Calls that wait: without the GIL, until they are done, their time is over, or
//! a signal handler raises.

use std::time::{Duration, Instant};

use ferromq::Error;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::{errors, gil};

/// How long Ctrl-C may take to be noticed. The runtime's own time-outs are this,
/// so that a call that does not wait reads no clock.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wait {
    Not,
    Until(Instant),
    Endless,
}

impl Wait {
    /// `seconds` as Python gives them: infinite is for ever.
    pub(crate) fn of_seconds(seconds: f64) -> PyResult<Self> {
        if seconds == 0.0 {
            return Ok(Self::Not);
        }
        Ok(Self::within(duration(seconds)?))
    }

    /// At most so long; `None` is for ever.
    pub(crate) fn within(timeout: Option<Duration>) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        deadline.map_or(Self::Endless, Self::Until)
    }

    /// The end of the next slice, and whether it is the last.
    pub(crate) fn slice(self) -> (Instant, bool) {
        let end = Instant::now() + SLICE;
        match self {
            Self::Until(deadline) if deadline <= end => (deadline, true),
            Self::Not => (end, true),
            _ => (end, false),
        }
    }

    /// The time left, at most a slice, and whether nothing follows it.
    pub(crate) fn left(self) -> (Duration, bool) {
        let (end, last) = self.slice();
        match self {
            Self::Not => (Duration::ZERO, true),
            _ => (end.saturating_duration_since(Instant::now()), last),
        }
    }
}

/// Seconds of Python as a time; infinite is none.
pub(crate) fn duration(seconds: f64) -> PyResult<Option<Duration>> {
    if seconds == f64::INFINITY {
        return Ok(None);
    }
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| {
        PyValueError::new_err(format!(
            "a time of {seconds} seconds: it must not be negative"
        ))
    })
}

/// Tries until it is no question of time. `attempt` is called without the GIL
/// and answers [`Error::TimedOut`] after a slice at the latest.
pub(crate) fn in_slices<T: Send>(
    py: Python<'_>,
    wait: Wait,
    mut attempt: impl FnMut() -> Result<T, Error> + Send,
) -> PyResult<T> {
    loop {
        let ended = match gil::without(py, &mut attempt) {
            Err(Error::TimedOut) => match wait {
                Wait::Until(deadline) => Instant::now() >= deadline,
                Wait::Endless => false,
                Wait::Not => true,
            },
            Ok(value) => return Ok(value),
            Err(error) => return Err(errors::raise(py, &error)),
        };
        py.check_signals()?;
        if ended {
            return Err(errors::raise(py, &Error::TimedOut));
        }
    }
}
