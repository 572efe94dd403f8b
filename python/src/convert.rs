//! What Python gives for bytes, and what it is told about it.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Bytes, or text as UTF-8: topics, groups, identities.
pub(crate) fn bytes_or_text(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_cow()?.as_bytes().to_vec());
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    let bytes = crate::lent::Bytes::of(value)?;
    let copy = bytes.as_ref().to_vec();
    bytes.release(value.py());
    Ok(copy)
}

/// A text where bytes are wanted gets the hint that its user needs.
#[cold]
pub(crate) fn not_bytes(value: &Bound<'_, PyAny>, cause: PyErr) -> PyErr {
    let py = value.py();
    let kind = value.get_type().name();
    let kind = kind.map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let text = match value.is_instance_of::<PyString>() {
        true => "a message is bytes, not str: encode it, or use send_string".to_owned(),
        false => format!(
            "a message is contiguous bytes, not {kind}: {}",
            cause.value(py)
        ),
    };
    PyTypeError::new_err(text)
}
