//! Arrays of numpy, made and known without Python's help.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use crate::frame::Frame;
use crate::tensor::TensorHeader;

/// numpy's own types, by DLPack's code and bits.
const TYPES: [(u8, u8, &str); 14] = [
    (0, 8, "int8"),
    (0, 16, "int16"),
    (0, 32, "int32"),
    (0, 64, "int64"),
    (1, 8, "uint8"),
    (1, 16, "uint16"),
    (1, 32, "uint32"),
    (1, 64, "uint64"),
    (2, 16, "float16"),
    (2, 32, "float32"),
    (2, 64, "float64"),
    (5, 64, "complex64"),
    (5, 128, "complex128"),
    (6, 8, "bool"),
];

/// `numpy.ndarray`, once there is numpy.
static ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// `numpy.dtype`s, as in [`TYPES`].
static DTYPES: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();

/// Whether it is an array of numpy's, and of no type that is made of that.
pub(crate) fn is_array(object: &Bound<'_, PyAny>) -> bool {
    let py = object.py();
    let is = |array: &Py<PyAny>| object.get_type().is(array);
    match ARRAY.get(py) {
        Some(array) => is(array),
        None => imported(py).is_some_and(is),
    }
}

/// `numpy.ndarray`, unless nobody has imported numpy: then nothing is of that type.
#[cold]
fn imported(py: Python<'_>) -> Option<&Py<PyAny>> {
    let modules = py.import("sys").ok()?.getattr("modules").ok()?;
    modules.get_item("numpy").ok()?;
    array_type(py).ok()
}

fn array_type(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    ARRAY.get_or_try_init(py, || Ok(py.import("numpy")?.getattr("ndarray")?.unbind()))
}

/// Whether numpy itself has that type.
pub(crate) fn has(header: &TensorHeader) -> bool {
    index_of(header).is_some()
}

fn index_of(header: &TensorHeader) -> Option<usize> {
    let (code, bits, lanes) = header.dtype;
    let is_it = |it: &(u8, u8, &str)| (it.0, it.1) == (code, bits);
    (lanes == 1).then(|| TYPES.iter().position(is_it)).flatten()
}

/// The array that a payload holds, in place; `None` if it does not lie as numpy's arrays do by
/// themselves, or numpy has no such type.
#[pyfunction(name = "_plain_array")]
pub(crate) fn plain_array<'py>(
    header: &TensorHeader,
    payload: &Bound<'py, Frame>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = payload.py();
    let Some(index) = index_of(header).filter(|_| header.lies_plainly()) else {
        return Ok(None);
    };
    let dtypes = DTYPES.get_or_try_init(py, || dtypes(py))?;
    let shape = PyTuple::new(py, &header.shape)?;
    let parts = (shape, &dtypes[index], payload, header.offset);
    array_type(py)?.bind(py).call1(parts).map(Some)
}

fn dtypes(py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
    let dtype = py.import("numpy")?.getattr("dtype")?;
    let of = |it: &(u8, u8, &str)| Ok(dtype.call1((it.2,))?.unbind());
    TYPES.iter().map(of).collect()
}
