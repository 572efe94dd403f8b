//! When lent memory is the lender's again.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use ferromq::Error;
use pyo3::prelude::*;

use crate::wait::{Wait, in_slices};

/// Tells when memory that was lent to a send is its owner's again.
#[pyclass(frozen, module = "ferromq")]
pub(crate) struct Tracker {
    state: Arc<State>,
}

#[derive(Default)]
pub(crate) struct State {
    returned: Mutex<bool>,
    changed: Condvar,
}

impl State {
    /// Called with the last handle of the memory.
    pub(crate) fn set_returned(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, time: Duration) -> Result<(), Error> {
        let guard = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(guard, time, |returned| !*returned);
        match *waited.unwrap_or_else(PoisonError::into_inner).0 {
            true => Ok(()),
            false => Err(Error::TimedOut),
        }
    }
}

impl Tracker {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }
}

#[pymethods]
impl Tracker {
    /// Whether the memory may be changed again.
    #[getter]
    fn done(&self) -> bool {
        *self.state.lock()
    }

    /// Waits until it may; raises TimedOut after `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let wait = timeout.map_or(Ok(Wait::Endless), Wait::of_seconds)?;
        in_slices(py, wait, || self.state.wait(wait.left().0))
    }
}
