//! The header of tensor messages, for Python.

use std::sync::atomic::{AtomicU64, Ordering};

use ferromq_wire as wire;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::frame::Frame;
use crate::lent::{Bytes, Elements};

/// DLPack's type of this machine's own memory.
const CPU: u8 = 1;
/// Payloads are aligned to 64 bytes where they are received.
const LOG2_ALIGN: u8 = 6;

/// A tensor's header: what the elements are, and how they lie in the payload.
#[pyclass(frozen, get_all, module = "ferromq")]
pub(crate) struct TensorHeader {
    /// DLPack's code, bits and lanes.
    pub(crate) dtype: (u8, u8, u16),
    /// The length of each dimension.
    pub(crate) shape: Vec<i64>,
    /// The strides in elements; None for C's order.
    strides: Option<Vec<i64>>,
    /// Bytes of the payload.
    payload_len: u64,
    /// Bytes from the payload's start to the element at the origin.
    pub(crate) offset: u64,
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
            device: device.unwrap_or((CPU, 0)),
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
            log2_align: LOG2_ALIGN,
            part: self.part,
            payload_len: self.payload_len,
            offset: self.offset,
            sequence: self.sequence,
            payload_crc: self.payload_crc,
            user_tag: self.user_tag,
        };
        let header = encoded(py, &header, &self.shape, self.strides.as_deref())?;
        Ok(PyBytes::new(py, &header))
    }

    /// Whether `payload` has the checksum that the header tells, if it tells one.
    fn matches(&self, payload: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = payload.py();
        let bytes = Bytes::of(payload)?;
        let matches = self.matches_bytes(py, bytes.as_ref());
        bytes.release(py);
        Ok(matches)
    }
}

impl TensorHeader {
    fn has(&self, flag: wire::TensorFlags) -> bool {
        self.flags & flag.bits() != 0
    }

    /// Whether the elements lie in C's order, in whole bytes of this machine's order, and
    /// there are any.
    pub(crate) fn lies_plainly(&self) -> bool {
        self.strides.is_none()
            && !self.has(wire::TensorFlags::BIG_ENDIAN)
            && !self.has(wire::TensorFlags::PACKED)
            && !self.shape.contains(&0)
            && cfg!(target_endian = "little")
    }

    /// The same of bytes.
    pub(crate) fn matches_bytes(&self, py: Python<'_>, payload: &[u8]) -> bool {
        !self.has(wire::TensorFlags::CHECKSUM)
            || py.detach(|| wire::tensor_checksum(payload)) == self.payload_crc
    }
}

/// Counts the tensors that this process sends.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// The number of the next tensor.
#[pyfunction(name = "_next_sequence")]
pub(crate) fn next_sequence() -> u64 {
    SEQUENCE.fetch_add(1, Ordering::Relaxed)
}

/// The header of an array whose memory travels as it is: of elements in C's order, of a
/// type that the buffer protocol has letters for. None of others. It is the usual tensor,
/// which so costs one call of this module instead of two dozen of Python's and numpy's.
#[pyfunction(name = "_plain_header")]
pub(crate) fn plain_header<'py>(
    array: &Bound<'py, PyAny>,
    checksum: bool,
    user_tag: u64,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = array.py();
    let Some(bytes) = Bytes::of_elements(array) else {
        return Ok(None);
    };
    let header = header_of(py, &bytes, checksum, user_tag);
    bytes.release(py);
    Ok(header?.map(|header| PyBytes::new(py, &header)))
}

/// The same of what is pinned already.
pub(crate) fn header_of(
    py: Python<'_>,
    bytes: &Bytes,
    checksum: bool,
    user_tag: u64,
) -> PyResult<Option<Vec<u8>>> {
    let described = bytes.elements().and_then(|elements| type_of(&elements));
    let Some((element, shape, flags)) = described else {
        return Ok(None);
    };
    let (flags, payload_crc) = match checksum {
        true => (
            flags.with(wire::TensorFlags::CHECKSUM),
            py.detach(|| wire::tensor_checksum(bytes.as_ref())),
        ),
        false => (flags, 0),
    };
    let header = wire::TensorHeader {
        element,
        flags,
        device_type: CPU,
        device_id: 0,
        log2_align: LOG2_ALIGN,
        part: 0,
        payload_len: bytes.as_ref().len() as u64,
        offset: 0,
        sequence: next_sequence(),
        payload_crc,
        user_tag,
    };
    encoded(py, &header, &shape, None).map(Some)
}

/// Type, shape and flags of elements that lie as they are sent; `None` for others.
fn type_of(elements: &Elements<'_>) -> Option<(wire::TensorType, Vec<i64>, wire::TensorFlags)> {
    // Of DLPack: signed, unsigned, floating, complex, bool.
    let code = match elements.format {
        b"b" | b"h" | b"i" | b"l" | b"q" => 0,
        b"B" | b"H" | b"I" | b"L" | b"Q" => 1,
        b"e" | b"f" | b"d" => 2,
        b"Zf" | b"Zd" => 5,
        b"?" => 6,
        _ => return None,
    };
    let element = wire::TensorType {
        code,
        bits: u8::try_from(8 * elements.bytes).ok()?,
        lanes: 1,
    };
    let flags = match elements.read_only {
        true => wire::TensorFlags::READ_ONLY,
        false => wire::TensorFlags::NONE,
    };
    let shape = elements.shape.iter().map(|len| *len as i64).collect();
    // Where the machine's order is the other one, it has to be told.
    cfg!(target_endian = "little").then_some((element, shape, flags))
}

fn encoded(
    py: Python<'_>,
    header: &wire::TensorHeader,
    shape: &[i64],
    strides: Option<&[i64]>,
) -> PyResult<Vec<u8>> {
    let mut out = [0; 2048];
    let len = header
        .encode(shape, strides, &mut out)
        .map_err(|error| raise(py, error))?;
    Ok(out[..len].to_vec())
}

/// The header of a whole tensor with this payload; raises TensorError.
#[pyfunction(name = "_whole_header")]
pub(crate) fn whole_header(
    py: Python<'_>,
    header: &Frame,
    payload: &Frame,
) -> PyResult<TensorHeader> {
    let header = described(py, &header.frame, payload.frame.len())?;
    if !header.matches_bytes(py, &payload.frame) {
        let text = "the payload's checksum differs from the header's";
        return Err(errors::raise_text(py, "TensorError", text));
    }
    Ok(header)
}

/// The same where the payload has that many bytes, whatever these are.
pub(crate) fn described(py: Python<'_>, header: &[u8], len: usize) -> PyResult<TensorHeader> {
    let header = parsed(py, header)?;
    let told = header.payload_len;
    if len as u64 != told {
        let text = format!("a payload of {len} bytes where the header tells {told}");
        return Err(errors::raise_text(py, "HeaderError", &text));
    }
    if header.has(wire::TensorFlags::MORE_PARTS) || header.part != 0 {
        let text = "a tensor in parts: only whole ones are received here";
        return Err(errors::raise_text(py, "TensorError", text));
    }
    Ok(header)
}

/// Reads a header; raises HeaderError or UnknownDtype.
#[pyfunction]
pub(crate) fn parse_tensor_header(header: &Bound<'_, PyAny>) -> PyResult<TensorHeader> {
    let py = header.py();
    let bytes = Bytes::of(header)?;
    let header = parsed(py, bytes.as_ref());
    bytes.release(py);
    header
}

fn parsed(py: Python<'_>, header: &[u8]) -> PyResult<TensorHeader> {
    let view = wire::TensorView::parse(header).map_err(|error| raise(py, error))?;
    Ok(read(&view))
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
