//! Who was made before a fork is of no use after it: its I/O thread stayed with
//! the parent.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::errors;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The process that something was made in, counted in forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    pub(crate) fn current() -> Self {
        // Relaxed: it changes in a process's only thread, before Python goes on.
        Self(GENERATION.load(Ordering::Relaxed))
    }

    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }

    /// Refuses what the parent made.
    pub(crate) fn check(self, py: Python<'_>) -> PyResult<()> {
        match self.is_current() {
            true => Ok(()),
            false => Err(errors::raise_text(
                py,
                "ForkedError",
                "this was made before the process forked: make a new context here",
            )),
        }
    }
}

/// Refuses subinterpreters: what is kept here is the process's. And interpreters that
/// run without the GIL, in which nothing here was tried: the module says that it needs
/// the GIL, which those that can take it do, but `PYTHON_GIL=0` forbids them to.
pub(crate) fn check_interpreter(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    if let Some(enabled) = sys.getattr_opt("_is_gil_enabled")?
        && !enabled.call0()?.is_truthy()?
    {
        return Err(PyImportError::new_err(
            "ferromq works with the GIL only, and this interpreter runs without it",
        ));
    }
    // SAFETY: the GIL is held, so there is a current interpreter.
    let interpreter = unsafe { ffi::PyInterpreterState_Get() };
    // SAFETY: it is the current one, and stays while the GIL is held.
    match unsafe { ffi::PyInterpreterState_GetID(interpreter) } {
        0 => Ok(()),
        id => Err(PyImportError::new_err(format!(
            "ferromq works in the main interpreter only, not in subinterpreter {id}"
        ))),
    }
}

/// Told in the child, after each fork.
#[pyfunction(name = "_forked")]
pub(crate) fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
