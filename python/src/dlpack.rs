//! Tensors of other libraries through DLPack: their memory, described.
//!
//! The structures are those of DLPack's C header, versions 0 and 1.

use std::ffi::{CStr, c_int, c_void};

use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::buffer::Memory;

#[repr(C)]
struct Device {
    kind: i32,
    id: i32,
}

#[repr(C)]
struct DataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device: Device,
    ndim: i32,
    dtype: DataType,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

#[repr(C)]
struct Managed {
    tensor: Tensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

#[repr(C)]
struct ManagedVersioned {
    major: u32,
    minor: u32,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut ManagedVersioned)>,
    flags: u64,
    tensor: Tensor,
}

const NAME: &CStr = c"dltensor";
const NAME_VERSIONED: &CStr = c"dltensor_versioned";
/// DLPack's flag of tensors that must not be written to.
const READ_ONLY: u64 = 1;
/// Memory that this process's CPU reads.
const CPU: i32 = 1;
/// More dimensions than any library has.
const MOST_DIMENSIONS: i32 = 1024;

/// A tensor of another library, its memory held: bytes by the buffer protocol.
#[pyclass(frozen, module = "ferromq._native")]
pub(crate) struct Loan {
    /// Keeps the memory: an unconsumed capsule frees its tensor when it goes.
    _capsule: Py<PyCapsule>,
    start: usize,
    len: usize,
    writable: bool,
    description: Description,
}

#[derive(Clone)]
struct Description {
    dtype: (u8, u8, u16),
    device: (i32, i32),
    shape: Vec<i64>,
    strides: Vec<i64>,
    offset: usize,
}

#[pymethods]
impl Loan {
    /// Of what a `__dlpack__` method answered. `writable` is for tensors that may
    /// be written to; those that say they may not raise BufferError.
    #[new]
    #[pyo3(signature = (capsule, *, writable = false))]
    fn new(capsule: &Bound<'_, PyCapsule>, writable: bool) -> PyResult<Self> {
        let (tensor, flags) = tensor_of(capsule)?;
        if writable && flags & READ_ONLY != 0 {
            return Err(PyBufferError::new_err("the tensor is read-only"));
        }
        let description = Description::of(tensor)?;
        let (device, _) = description.device;
        if device != CPU {
            return Err(PyValueError::new_err(format!(
                "the tensor is on a device (DLPack type {device}), not in the CPU's memory"
            )));
        }
        let data = tensor.data.expose_provenance() + tensor.byte_offset as usize;
        let (before, len) = description.extent()?;
        Ok(Self {
            _capsule: capsule.clone().unbind(),
            start: data - before,
            len,
            writable,
            description: Description {
                offset: before,
                ..description
            },
        })
    }

    /// DLPack's code, bits and lanes of the elements.
    #[getter]
    fn dtype(&self) -> (u8, u8, u16) {
        self.description.dtype
    }

    /// The length of each dimension.
    #[getter]
    fn shape(&self) -> Vec<i64> {
        self.description.shape.clone()
    }

    /// The strides in elements.
    #[getter]
    fn strides(&self) -> Vec<i64> {
        self.description.strides.clone()
    }

    /// Bytes from the buffer's first to the element at the origin.
    #[getter]
    fn offset(&self) -> usize {
        self.description.offset
    }

    /// The address of the buffer's first byte.
    #[getter]
    fn address(&self) -> usize {
        self.start
    }

    fn __len__(&self) -> usize {
        self.len
    }

    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let loan = slf.get();
        let memory = Memory {
            start: std::ptr::with_exposed_provenance_mut(loan.start),
            len: loan.len,
            writable: loan.writable,
        };
        // SAFETY: the interpreter gives the view; the memory is the capsule's, which the
        // object keeps.
        unsafe { memory.fill(view, slf.as_any(), flags) }
    }
}

/// The tensor in a capsule, and its flags.
fn tensor_of<'a>(capsule: &'a Bound<'_, PyCapsule>) -> PyResult<(&'a Tensor, u64)> {
    use pyo3::types::PyCapsuleMethods;
    if capsule.is_valid_checked(Some(NAME)) {
        let pointer = capsule.pointer_checked(Some(NAME))?.cast::<Managed>();
        // SAFETY: a capsule of this name holds this structure (DLPack's Python
        // specification), and lives as long as the reference.
        let managed = unsafe { pointer.as_ref() };
        return Ok((&managed.tensor, 0));
    }
    if capsule.is_valid_checked(Some(NAME_VERSIONED)) {
        let pointer = capsule.pointer_checked(Some(NAME_VERSIONED))?;
        // SAFETY: as above; the version comes first in every version.
        let managed = unsafe { pointer.cast::<ManagedVersioned>().as_ref() };
        return match managed.major {
            1 => Ok((&managed.tensor, managed.flags)),
            major => Err(PyValueError::new_err(format!("DLPack of version {major}"))),
        };
    }
    Err(PyTypeError::new_err("no DLPack capsule, or a consumed one"))
}

impl Description {
    fn of(tensor: &Tensor) -> PyResult<Self> {
        if !(0..=MOST_DIMENSIONS).contains(&tensor.ndim) {
            let text = format!("a tensor of {} dimensions", tensor.ndim);
            return Err(PyValueError::new_err(text));
        }
        let ndim = tensor.ndim.unsigned_abs() as usize;
        let shape = words(tensor.shape, ndim).unwrap_or_default();
        let strides = words(tensor.strides, ndim).unwrap_or_else(|| dense(&shape));
        let DataType { code, bits, lanes } = tensor.dtype;
        Ok(Self {
            dtype: (code, bits, lanes),
            device: (tensor.device.kind, tensor.device.id),
            shape,
            strides,
            offset: 0,
        })
    }

    /// Bytes before the element at the origin, and in all.
    fn extent(&self) -> PyResult<(usize, usize)> {
        let (_, bits, lanes) = self.dtype;
        let size = i64::from(bits).div_euclid(8).max(1) * i64::from(lanes);
        if self.shape.contains(&0) {
            return Ok((0, 0));
        }
        let (mut before, mut behind) = (0, size);
        for (len, stride) in self.shape.iter().zip(&self.strides) {
            let reach = (len - 1).checked_mul(*stride);
            let reach = reach.and_then(|reach| reach.checked_mul(size));
            let reach = reach.ok_or_else(|| PyValueError::new_err("the tensor is too large"))?;
            match reach < 0 {
                true => before -= reach,
                false => behind += reach,
            }
        }
        let before = before.unsigned_abs() as usize;
        Ok((before, before + behind.unsigned_abs() as usize))
    }
}

fn words(start: *const i64, count: usize) -> Option<Vec<i64>> {
    if start.is_null() {
        return None;
    }
    // SAFETY: DLPack: shape and strides point to `ndim` words, or are null.
    Some(unsafe { std::slice::from_raw_parts(start, count) }.to_vec())
}

/// The strides of elements in C's order.
fn dense(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at].max(1);
    }
    strides
}
