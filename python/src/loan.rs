//! Memory of the runtime's to write a payload into.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

use crate::buffer::Memory;

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
        let loan = slf.get();
        let memory = Memory {
            start: std::ptr::with_exposed_provenance_mut(loan.start),
            len: loan.len,
            writable: true,
        };
        // SAFETY: the interpreter gives the view; the memory is the loan's, which the
        // object keeps and nobody here looks at.
        unsafe { memory.fill(view, slf.as_any(), flags) }
    }
}
