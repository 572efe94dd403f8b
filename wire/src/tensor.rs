//! The header of a tensor message: frames `[topic?][header][payload]`.
//!
//! Any ZeroMQ peer can read it with a fixed structure of 128 bytes; what does not
//! fit there, dimensions beyond eight and strides, follows. Nothing here touches
//! a payload.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum;

mod element;
mod error;

pub use element::{TensorFlags, TensorType};
pub use error::TensorError;

/// The first four bytes.
pub const TENSOR_MAGIC: [u8; 4] = *b"ZTN1";

/// Dimensions of a tensor without strides that a header can describe.
pub const TENSOR_MAX_DIMENSIONS: usize = 240;

/// Dimensions in the fixed part.
const FIXED: usize = 8;
/// Bytes of the fixed part.
const FIXED_LEN: usize = size_of::<Layout>();
/// Headers are multiples of this.
const GRAIN: usize = 64;

/// The fixed part, as `struct.unpack_from("<4sBBHBBHBBHQQQIIQQ8q")` reads it.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    magic: [u8; 4],
    /// Of the whole header, in units of 8 bytes.
    len8: u8,
    ndim: u8,
    flags: U16,
    code: u8,
    bits: u8,
    lanes: U16,
    device_type: u8,
    log2_align: u8,
    part: U16,
    payload_len: U64,
    offset: U64,
    sequence: U64,
    payload_crc: U32,
    header_crc: U32,
    user_tag: U64,
    device_id: U32,
    zero: U32,
    shape: [I64; FIXED],
}

const _: () = assert!(FIXED_LEN == 128);

/// A tensor's header without its dimensions, which are beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorHeader {
    /// What the elements are.
    pub element: TensorType,
    /// How they lie, and what follows.
    pub flags: TensorFlags,
    /// DLPack's device type where the tensor came from; 1 is the CPU.
    pub device_type: u8,
    /// The device's number.
    pub device_id: u32,
    /// The payload was aligned to 2 to the power of this, at its sender.
    pub log2_align: u8,
    /// Which part of a tensor in parts, from 0.
    pub part: u16,
    /// Bytes of the payload frame.
    pub payload_len: u64,
    /// Bytes from the payload's start to the element at the origin.
    pub offset: u64,
    /// Counts a sender's tensors.
    pub sequence: u64,
    /// CRC-32 of the payload, if flagged.
    pub payload_crc: u32,
    /// Whatever the application likes.
    pub user_tag: u64,
}

/// A header that was read: its fields, and where shape and strides lie in it.
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'a> {
    header: TensorHeader,
    shape: &'a [I64],
    strides: &'a [I64],
}

impl TensorHeader {
    /// Writes the header into `out` and answers its length, a multiple of 64 and
    /// at least 128. `strides`, in elements, are written if there are any; they
    /// are as many as `shape` then. The STRIDED flag follows them.
    ///
    /// # Errors
    /// [`TensorError::Short`] if `out` is, and what [`TensorView::parse`] would
    /// refuse.
    pub fn encode(
        &self,
        shape: &[i64],
        strides: Option<&[i64]>,
        out: &mut [u8],
    ) -> Result<usize, TensorError> {
        let strided = strides.is_some();
        let ndim = u8::try_from(shape.len()).map_err(|_| dimensions(shape))?;
        let len = encoded_len(shape.len(), strided);
        let len8 = u8::try_from(len / 8).map_err(|_| dimensions(shape))?;
        let short = TensorError::Short {
            len: out.len(),
            needed: len,
        };
        let out = out.get_mut(..len).ok_or(short)?;
        out.fill(0);
        let (fixed, _) = Layout::mut_from_prefix(out).map_err(|_| short)?;
        *fixed = self.layout(ndim, len8, strided);
        let words = out.get_mut(GRAIN..).unwrap_or_default();
        let words = <[I64]>::mut_from_bytes(words).map_err(|_| short)?;
        copy(words, 0, shape);
        copy(words, shape.len().max(FIXED), strides.unwrap_or_default());
        let crc = header_crc(out);
        if let Ok((fixed, _)) = Layout::mut_from_prefix(out) {
            fixed.header_crc = crc.into();
        }
        TensorView::parse(out).map(|_| len)
    }

    fn layout(&self, ndim: u8, len8: u8, strided: bool) -> Layout {
        let strided = match strided {
            true => TensorFlags::STRIDED.bits(),
            false => 0,
        };
        let flags = self.flags.bits() & !TensorFlags::STRIDED.bits() | strided;
        Layout {
            magic: TENSOR_MAGIC,
            len8,
            ndim,
            flags: flags.into(),
            code: self.element.code,
            bits: self.element.bits,
            lanes: self.element.lanes.into(),
            device_type: self.device_type,
            log2_align: self.log2_align,
            part: self.part.into(),
            payload_len: self.payload_len.into(),
            offset: self.offset.into(),
            sequence: self.sequence.into(),
            payload_crc: self.payload_crc.into(),
            header_crc: 0.into(),
            user_tag: self.user_tag.into(),
            device_id: self.device_id.into(),
            zero: 0.into(),
            shape: [0.into(); FIXED],
        }
    }
}

impl<'a> TensorView<'a> {
    /// Reads a header and believes nothing: every field is checked, and every
    /// element lies inside the payload afterwards. O(dimensions).
    ///
    /// # Errors
    /// A [`TensorError`] that names the field.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TensorError> {
        let short = |needed| TensorError::Short {
            len: bytes.len(),
            needed,
        };
        let (fixed, _) = Layout::ref_from_prefix(bytes).map_err(|_| short(FIXED_LEN))?;
        if fixed.magic != TENSOR_MAGIC {
            return Err(TensorError::Magic { found: fixed.magic });
        }
        let bits = fixed.flags.get();
        let flags = TensorFlags::from_bits(bits).ok_or(TensorError::Flags { bits })?;
        let strided = flags.contains(TensorFlags::STRIDED);
        let ndim = usize::from(fixed.ndim);
        let len = usize::from(fixed.len8).saturating_mul(8);
        let needed = encoded_len(ndim, strided);
        if len != needed {
            return Err(TensorError::Length { len, needed });
        }
        let header = bytes.get(..len).ok_or(short(len))?;
        let (said, found) = (fixed.header_crc.get(), header_crc(header));
        if said != found {
            return Err(TensorError::Checksum { said, found });
        }
        if fixed.zero.get() != 0 {
            return Err(TensorError::Field);
        }
        let words = header.get(GRAIN..).unwrap_or_default();
        let words = <[I64]>::ref_from_bytes(words).map_err(|_| TensorError::Field)?;
        let shape = words.get(..ndim).ok_or(TensorError::Field)?;
        let at = ndim.max(FIXED);
        let strides = match strided {
            true => words.get(at..at.saturating_add(ndim)),
            false => Some(Default::default()),
        };
        let view = Self {
            header: fixed.header(flags),
            shape,
            strides: strides.ok_or(TensorError::Field)?,
        };
        view.check()?;
        Ok(view)
    }

    /// The fields.
    #[must_use]
    pub fn header(&self) -> &TensorHeader {
        &self.header
    }

    /// The length of each dimension; none for a scalar.
    pub fn shape(&self) -> impl ExactSizeIterator<Item = i64> + use<'a> {
        self.shape.iter().map(|len| len.get())
    }

    /// The strides in elements, if they were sent.
    #[must_use]
    pub fn strides(&self) -> Option<impl ExactSizeIterator<Item = i64> + use<'a>> {
        let strided = self.header.flags.contains(TensorFlags::STRIDED);
        strided.then(|| self.strides.iter().map(|stride| stride.get()))
    }

    /// Elements of the tensor; 1 for a scalar. `None` if they cannot be counted.
    #[must_use]
    pub fn elements(&self) -> Option<u64> {
        if self.shape.iter().any(|len| len.get() == 0) {
            return Some(0);
        }
        self.shape()
            .try_fold(1, |all: u64, len| all.checked_mul(u64::try_from(len).ok()?))
    }

    fn check(&self) -> Result<(), TensorError> {
        let TensorHeader {
            element,
            payload_len,
            ..
        } = self.header;
        if !element.is_known() {
            return Err(TensorError::UnknownType(element));
        }
        if self.shape().any(|len| len < 0) {
            return Err(TensorError::Field);
        }
        let outside = TensorError::Outside { payload_len };
        let elements = self.elements().ok_or(outside)?;
        let more = self.header.flags.contains(TensorFlags::MORE_PARTS) || self.header.part > 0;
        // A part knows the whole tensor's shape and holds some of its bytes.
        if elements == 0 || more {
            return Ok(());
        }
        match self.reaches_inside(elements) {
            Some(true) => Ok(()),
            _ => Err(outside),
        }
    }

    /// Whether the first and the last byte are inside the payload.
    fn reaches_inside(&self, elements: u64) -> Option<bool> {
        let TensorHeader {
            element,
            flags,
            payload_len,
            offset,
            ..
        } = self.header;
        if flags.contains(TensorFlags::PACKED) {
            let bits = u64::from(element.bits).checked_mul(element.lanes.into())?;
            let len = elements.checked_mul(bits)?.div_ceil(8);
            let dense = !flags.contains(TensorFlags::STRIDED);
            return Some(dense && offset.checked_add(len)? <= payload_len);
        }
        let mut first: i64 = i64::try_from(offset).ok()?;
        let size = i64::try_from(element.element_len()).ok()?;
        let mut last = first;
        if flags.contains(TensorFlags::STRIDED) {
            for (len, stride) in self.shape().zip(self.strides.iter()) {
                let reach = len
                    .checked_sub(1)?
                    .checked_mul(stride.get())?
                    .checked_mul(size)?;
                match reach < 0 {
                    true => first = first.checked_add(reach)?,
                    false => last = last.checked_add(reach)?,
                }
            }
        } else {
            let beyond = i64::try_from(elements).ok()?.checked_sub(1)?;
            last = last.checked_add(beyond.checked_mul(size)?)?;
        }
        let end = u64::try_from(last.checked_add(size)?).ok()?;
        Some(first >= 0 && end <= payload_len)
    }
}

impl Layout {
    fn header(&self, flags: TensorFlags) -> TensorHeader {
        TensorHeader {
            element: TensorType {
                code: self.code,
                bits: self.bits,
                lanes: self.lanes.get(),
            },
            flags,
            device_type: self.device_type,
            device_id: self.device_id.get(),
            log2_align: self.log2_align,
            part: self.part.get(),
            payload_len: self.payload_len.get(),
            offset: self.offset.get(),
            sequence: self.sequence.get(),
            payload_crc: self.payload_crc.get(),
            user_tag: self.user_tag.get(),
        }
    }
}

/// Bytes of a header with so many dimensions.
const fn encoded_len(ndim: usize, strided: bool) -> usize {
    let n = if ndim > FIXED { ndim } else { FIXED };
    let words = if strided { n.saturating_mul(2) } else { n };
    words
        .saturating_mul(8)
        .saturating_add(GRAIN)
        .next_multiple_of(GRAIN)
}

/// The CRC-32 of a header, its own field counted as zeros.
fn header_crc(header: &[u8]) -> u32 {
    const AT: usize = core::mem::offset_of!(Layout, header_crc);
    const BEHIND: usize = AT + size_of::<U32>();
    let mut hasher = checksum::Hasher::new();
    hasher.update(header.get(..AT).unwrap_or_default());
    hasher.update(&[0; size_of::<U32>()]);
    hasher.update(header.get(BEHIND..).unwrap_or_default());
    hasher.finalize()
}

/// The CRC-32 of a payload, for [`TensorHeader::payload_crc`]. O(bytes).
#[must_use]
pub fn tensor_checksum(payload: &[u8]) -> u32 {
    checksum::of(payload)
}

fn copy(words: &mut [I64], at: usize, values: &[i64]) {
    let words = words.iter_mut().skip(at);
    words.zip(values).for_each(|(word, value)| word.set(*value));
}

const fn dimensions(shape: &[i64]) -> TensorError {
    TensorError::Dimensions { ndim: shape.len() }
}

#[cfg(test)]
mod tests;
