//! Received frames, as memory that Python reads in place.

use std::ffi::c_int;

use pyo3::basic::CompareOp;
use pyo3::exceptions::PyIndexError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMemoryView};

use crate::buffer::Memory;
use crate::lent::Bytes;

/// One frame of a message: immutable bytes that are read where they were
/// received. `bytes(frame)`, `memoryview(frame)` and `numpy.frombuffer` take it.
#[pyclass(frozen, weakref, module = "ferromq", name = "Frame")]
pub(crate) struct Frame {
    pub(crate) frame: ferromq::Frame,
}

#[pymethods]
impl Frame {
    /// A frame of bytes of your own: a copy.
    #[new]
    fn new(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bytes = Bytes::of(data)?;
        let frame = ferromq::Frame::from(bytes.as_ref());
        bytes.release(data.py());
        Ok(Self { frame })
    }

    fn __len__(&self) -> usize {
        self.frame.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.frame)
    }

    fn __getitem__(&self, index: isize) -> PyResult<u8> {
        let at = match index {
            0.. => index.unsigned_abs(),
            _ => self.frame.len().wrapping_sub(index.unsigned_abs()),
        };
        let byte = self.frame.get(at).copied();
        byte.ok_or_else(|| PyIndexError::new_err("frame index out of range"))
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Option<bool>> {
        let Ok(bytes) = Bytes::of(other) else {
            return Ok(None);
        };
        let equal = *self.frame == *bytes.as_ref();
        bytes.release(other.py());
        Ok(match op {
            CompareOp::Eq => Some(equal),
            CompareOp::Ne => Some(!equal),
            _ => None,
        })
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        // That of equal bytes.
        self.__bytes__(py).hash()
    }

    fn __repr__(&self) -> String {
        format!("Frame({:?})", self.frame)
    }

    /// The bytes, copied.
    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.__bytes__(py)
    }

    /// The bytes in place.
    #[getter]
    fn buffer<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(slf.as_any())
    }

    /// The text of the bytes.
    #[pyo3(signature = (encoding = "utf-8"))]
    fn decode<'py>(&self, py: Python<'py>, encoding: &str) -> PyResult<Bound<'py, PyAny>> {
        self.__bytes__(py).call_method1("decode", (encoding,))
    }

    /// The address of the first byte: for who checks an alignment.
    #[getter]
    fn address(&self) -> usize {
        self.frame.as_ptr().addr()
    }

    /// The peer that it came from; None for a frame made here.
    #[getter]
    fn peer(&self) -> Option<Peer> {
        self.frame.origin().cloned().map(|info| Peer { info })
    }

    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let frame = &slf.get().frame;
        let memory = Memory {
            start: frame.as_ptr().cast_mut(),
            // A frame is at most 4 GiB.
            len: frame.len(),
            writable: false,
        };
        // SAFETY: the interpreter gives the view; the memory is the frame's, which the
        // object keeps.
        unsafe { memory.fill(view, slf.as_any(), flags) }
    }
}

/// What a peer said about itself when it connected, and where it is.
#[pyclass(frozen, module = "ferromq", name = "Peer")]
pub(crate) struct Peer {
    info: ferromq::PeerInfo,
}

#[pymethods]
impl Peer {
    /// Its address as an endpoint: `tcp://192.0.2.7:41234`.
    #[getter]
    fn address(&self) -> &str {
        self.info.address()
    }

    /// The identity that it announced; empty if none.
    #[getter]
    fn identity<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.info.identity())
    }

    /// The socket type that it announced, such as `DEALER`.
    #[getter]
    fn socket_type(&self) -> &str {
        self.info.socket_type()
    }

    /// Whom the security mechanism says it is; None without authentication.
    #[getter]
    fn user_id(&self) -> Option<&str> {
        self.info.user_id()
    }

    /// Its metadata.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let properties = PyDict::new(py);
        for (name, value) in self.info.properties() {
            properties.set_item(name, PyBytes::new(py, value))?;
        }
        Ok(properties)
    }

    fn __repr__(&self) -> String {
        format!(
            "Peer({} at {})",
            self.info.socket_type(),
            self.info.address()
        )
    }
}
