//! Memory that objects of ours show by the buffer protocol.

use std::ffi::c_int;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Bytes that an object keeps.
pub(crate) struct Memory {
    pub(crate) start: *mut u8,
    pub(crate) len: usize,
    pub(crate) writable: bool,
}

impl Memory {
    /// Answers `owner`'s `__getbuffer__`: the view keeps the object.
    ///
    /// # Safety
    /// `view` is null or the interpreter's to fill, and `owner` keeps the memory for as
    /// long as it exists, to be written to if that is said of it.
    pub(crate) unsafe fn fill(
        self,
        view: *mut ffi::Py_buffer,
        owner: &Bound<'_, PyAny>,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        let (start, len) = (self.start.cast(), self.len.cast_signed());
        let fixed = c_int::from(!self.writable);
        // SAFETY: the caller's promise; the object is alive, and the GIL is held.
        let result =
            unsafe { ffi::PyBuffer_FillInfo(view, owner.as_ptr(), start, len, fixed, flags) };
        match result {
            0 => Ok(()),
            _ => Err(PyErr::fetch(owner.py())),
        }
    }
}
