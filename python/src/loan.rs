//! Memory of the runtime's to write a payload into.

use std::ffi::c_int;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

/// What `Socket.loan` lends, for as long as anybody looks at it: whoever made an array
/// of it, and the peers that it was sent to.
#[pyclass(frozen, module = "ferromq._native")]
pub(crate) struct LoanedMemory {
    /// Given back with the last view.
    _loan: ferromq::Loan,
    start: usize,
    len: usize,
}

impl LoanedMemory {
    /// All of a loan, to be written to.
    pub(crate) fn view(
        py: Python<'_>,
        mut loan: ferromq::Loan,
    ) -> PyResult<Bound<'_, PyMemoryView>> {
        let (start, len) = (loan.as_mut_ptr().expose_provenance(), loan.len());
        let memory = Self {
            _loan: loan,
            start,
            len,
        };
        PyMemoryView::from(Bound::new(py, memory)?.as_any())
    }
}

#[pymethods]
impl LoanedMemory {
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        let memory = slf.get();
        let start = std::ptr::with_exposed_provenance_mut(memory.start);
        let len = memory.len.cast_signed();
        // SAFETY: the view is the interpreter's to fill; the memory is the loan's, which
        // the object keeps and nobody here looks at, and the view keeps the object.
        let result = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, len, 0, flags) };
        match result {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}
