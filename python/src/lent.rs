//! Python's memory in the runtime's hands.
//!
//! A view pins its memory: bytearrays refuse to be resized, arrays to be moved.
//! Giving it back needs the GIL, and the last handle may fall on the I/O thread,
//! which must not wait for it. So what falls anywhere is queued, and released by
//! the next call that has the GIL, or by the interpreter itself, which is asked
//! to (`Py_AddPendingCall`).

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::not_bytes;

/// The bytes of an object, pinned while this lives.
pub(crate) struct Bytes {
    held: Option<Held>,
    start: *const u8,
    len: usize,
}

/// What memory holds, by the buffer protocol.
pub(crate) struct Elements<'a> {
    /// The type, in the letters of Python's `struct`.
    pub(crate) format: &'a [u8],
    /// Bytes of an element.
    pub(crate) bytes: usize,
    pub(crate) shape: &'a [isize],
    pub(crate) read_only: bool,
}

/// What pins them.
enum Held {
    /// Immutable, so a reference is enough.
    Object(#[expect(dead_code, reason = "it is kept")] Py<PyBytes>),
    View(View),
}

struct View(Box<ffi::Py_buffer>);

// SAFETY: the pointers are of memory that the view pins, whichever thread looks
// at it; the view is released with the GIL only (`Bytes::drop`).
unsafe impl Send for View {}

// SAFETY: as for `View`; the bytes are only read.
unsafe impl Send for Bytes {}

// SAFETY: as above, and nothing in it changes.
unsafe impl Sync for Bytes {}

impl Bytes {
    /// Takes a view of what is contiguous bytes in some way: bytes, bytearray,
    /// memoryview, array, numpy's arrays.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            let slice = bytes.as_bytes();
            let (start, len) = (slice.as_ptr(), slice.len());
            let held = Some(Held::Object(bytes.clone().unbind()));
            return Ok(Self { held, start, len });
        }
        Self::view(object, ffi::PyBUF_SIMPLE)
    }

    /// Takes a view of elements in C's order that tells their type; `None` of others.
    pub(crate) fn of_elements(object: &Bound<'_, PyAny>) -> Option<Self> {
        Self::view(object, ffi::PyBUF_ND | ffi::PyBUF_FORMAT).ok()
    }

    /// What such a view is of.
    pub(crate) fn elements(&self) -> Option<Elements<'_>> {
        let Some(Held::View(View(view))) = &self.held else {
            return None;
        };
        if view.format.is_null() {
            return None;
        }
        // SAFETY: the object keeps the letters of its type for as long as the view.
        let format = unsafe { CStr::from_ptr(view.format) };
        let dimensions = usize::try_from(view.ndim).ok()?;
        let shape = match view.shape.is_null() {
            true => &[],
            // SAFETY: that many lengths are there, which the object keeps as well.
            false => unsafe { std::slice::from_raw_parts(view.shape, dimensions) },
        };
        (shape.len() == dimensions).then_some(Elements {
            format: format.to_bytes(),
            bytes: view.itemsize.unsigned_abs(),
            shape,
            read_only: view.readonly != 0,
        })
    }

    fn view(object: &Bound<'_, PyAny>, flags: c_int) -> PyResult<Self> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: the object is alive, the GIL is held, the view is ours.
        let result = unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &mut *view, flags) };
        if result != 0 {
            return Err(not_bytes(object, PyErr::fetch(object.py())));
        }
        let (start, len) = (view.buf.cast_const().cast(), view.len.unsigned_abs());
        let held = Some(Held::View(View(view)));
        Ok(Self { held, start, len })
    }

    /// Gives the memory back at once, as who has the GIL can.
    #[inline]
    pub(crate) fn release(mut self, py: Python<'_>) {
        if let Some(held) = self.held.take() {
            held.release(py);
        }
    }
}

/// Memory of an object that is written to, pinned while this lives.
pub(crate) struct Room {
    bytes: Bytes,
    /// Tells who lent it that nobody has it any more.
    _held: Option<Arc<()>>,
}

impl Room {
    /// Takes a view of what is contiguous memory and may be written to.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bytes = Bytes::view(object, ffi::PyBUF_WRITABLE)?;
        Ok(Self { bytes, _held: None })
    }

    /// The address of the first byte.
    pub(crate) fn start(&self) -> usize {
        self.bytes.start.addr()
    }

    pub(crate) fn held_by(mut self, held: Arc<()>) -> Self {
        self._held = Some(held);
        self
    }
}

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl AsMut<[u8]> for Room {
    fn as_mut(&mut self) -> &mut [u8] {
        let Bytes { start, len, .. } = self.bytes;
        if len == 0 {
            return &mut [];
        }
        // SAFETY: the view pins `len` bytes at `start`, which its object lets be
        // written. The runtime is the only one who writes while it reads a message;
        // a program that reads them meanwhile sees some of it, as with `readinto`.
        unsafe { std::slice::from_raw_parts_mut(start.cast_mut(), len) }
    }
}

impl Held {
    #[inline]
    fn release(self, _py: Python<'_>) {
        if let Self::View(View(mut view)) = self {
            // SAFETY: the view was filled by PyObject_GetBuffer, is released once,
            // here, and the GIL is held.
            unsafe { ffi::PyBuffer_Release(&mut *view) };
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `held` pins `len` bytes at `start`. That nobody writes them
        // meanwhile is what every buffer's consumer relies on; who writes all the
        // same sends other bytes than he meant, and breaks nothing else, for the
        // runtime never decides by a body's bytes.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
        returned.push(held);
        drop(returned);
        // Release: with the Acquire in `settle`.
        if !ANY.swap(true, Ordering::Release) {
            ask_the_interpreter();
        }
    }
}

static RETURNED: Mutex<Vec<Held>> = Mutex::new(Vec::new());
static ANY: AtomicBool = AtomicBool::new(false);

/// Releases what fell meanwhile. Cheap when nothing did.
#[inline]
pub(crate) fn settle(py: Python<'_>) {
    // Acquire: with the Release in `drop`.
    if ANY.load(Ordering::Relaxed) && ANY.swap(false, Ordering::Acquire) {
        release_all(py);
    }
}

#[cold]
fn release_all(py: Python<'_>) {
    let returned = std::mem::take(&mut *RETURNED.lock().unwrap_or_else(PoisonError::into_inner));
    returned.into_iter().for_each(|held| held.release(py));
}

fn ask_the_interpreter() {
    // SAFETY: may be called any time, from any thread.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        // SAFETY: may be called without the GIL; a full queue is no harm, for the
        // next call of ours releases the memory.
        let _ = unsafe { ffi::Py_AddPendingCall(Some(pending), std::ptr::null_mut()) };
    }
}

extern "C" fn pending(_: *mut c_void) -> c_int {
    // The interpreter calls this with the GIL.
    Python::attach(settle);
    0
}
