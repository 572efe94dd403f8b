//! The header of tensor messages, for Python.

use ferromq_wire as wire;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::lent::Bytes;

/// A tensor's header: what the elements are, and how they lie in the payload.
#[pyclass(frozen, get_all, module = "ferromq")]
pub(crate) struct TensorHeader {
    /// DLPack's code, bits and lanes.
    dtype: (u8, u8, u16),
    /// The length of each dimension.
    shape: Vec<i64>,
    /// The strides in elements; None for C's order.
    strides: Option<Vec<i64>>,
    /// Bytes of the payload.
    payload_len: u64,
    /// Bytes from the payload's start to the element at the origin.
    offset: u64,
    /// Flag bits 0 to 5: strided, checksum, read-only, packed, big-endian, more
    /// parts.
    flags: u16,
    /// DLPack's device type and id where the tensor came from.
    device: (u8, u32),
    /// Counts the sender's tensors.
    sequence: u64,
    /// The payload's CRC-32, if flagged.
    payload_crc: u32,
    /// Whatever the application likes.
    user_tag: u64,
    /// Which part of a tensor in parts.
    part: u16,
}

#[pymethods]
impl TensorHeader {
    #[new]
    #[pyo3(signature = (dtype, shape, payload, *, strides = None, offset = 0, flags = 0, device = None, sequence = 0, user_tag = 0))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn new(
        dtype: (u8, u8, u16),
        shape: Vec<i64>,
        payload: &Bound<'_, PyAny>,
        strides: Option<Vec<i64>>,
        offset: u64,
        flags: u16,
        device: Option<(u8, u32)>,
        sequence: u64,
        user_tag: u64,
    ) -> PyResult<Self> {
        let py = payload.py();
        let bytes = Bytes::of(payload)?;
        let payload_len = bytes.as_ref().len() as u64;
        let checksum = flags & wire::TensorFlags::CHECKSUM.bits() != 0;
        let payload_crc = match checksum {
            true => py.detach(|| wire::tensor_checksum(bytes.as_ref())),
            false => 0,
        };
        bytes.release(py);
        Ok(Self {
            dtype,
            shape,
            strides,
            payload_len,
            offset,
            flags,
            // The CPU.
            device: device.unwrap_or((1, 0)),
            sequence,
            payload_crc,
            user_tag,
            part: 0,
        })
    }

    /// The bytes that travel.
    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let (code, bits, lanes) = self.dtype;
        let flags = self.flags;
        let flags = wire::TensorFlags::from_bits(flags)
            .ok_or_else(|| raise(py, wire::TensorError::Flags { bits: flags }))?;
        let header = wire::TensorHeader {
            element: wire::TensorType { code, bits, lanes },
            flags,
            device_type: self.device.0,
            device_id: self.device.1,
            log2_align: 6,
            part: self.part,
            payload_len: self.payload_len,
            offset: self.offset,
            sequence: self.sequence,
            payload_crc: self.payload_crc,
            user_tag: self.user_tag,
        };
        let mut out = [0; 2048];
        let len = header
            .encode(&self.shape, self.strides.as_deref(), &mut out)
            .map_err(|error| raise(py, error))?;
        Ok(PyBytes::new(py, &out[..len]))
    }

    /// Whether `payload` has the checksum that the header tells, if it tells one.
    fn matches(&self, payload: &Bound<'_, PyAny>) -> PyResult<bool> {
        if self.flags & wire::TensorFlags::CHECKSUM.bits() == 0 {
            return Ok(true);
        }
        let py = payload.py();
        let bytes = Bytes::of(payload)?;
        let crc = py.detach(|| wire::tensor_checksum(bytes.as_ref()));
        bytes.release(py);
        Ok(crc == self.payload_crc)
    }
}

/// Reads a header; raises HeaderError or UnknownDtype.
#[pyfunction]
pub(crate) fn parse_tensor_header(header: &Bound<'_, PyAny>) -> PyResult<TensorHeader> {
    let py = header.py();
    let bytes = Bytes::of(header)?;
    let parsed = wire::TensorView::parse(bytes.as_ref()).map(|view| read(&view));
    bytes.release(py);
    parsed.map_err(|error| raise(py, error))
}

fn read(view: &wire::TensorView<'_>) -> TensorHeader {
    let header = view.header();
    let wire::TensorType { code, bits, lanes } = header.element;
    TensorHeader {
        dtype: (code, bits, lanes),
        shape: view.shape().collect(),
        strides: view.strides().map(Iterator::collect),
        payload_len: header.payload_len,
        offset: header.offset,
        flags: header.flags.bits(),
        device: (header.device_type, header.device_id),
        sequence: header.sequence,
        payload_crc: header.payload_crc,
        user_tag: header.user_tag,
        part: header.part,
    }
}

fn raise(py: Python<'_>, error: wire::TensorError) -> PyErr {
    let class = match error {
        wire::TensorError::UnknownType(_) => "UnknownDtype",
        _ => "HeaderError",
    };
    errors::raise_text(py, class, &error.to_string())
}
