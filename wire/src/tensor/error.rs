//! What can be wrong with a tensor's header.

use core::fmt;

use super::TensorType;

/// Why bytes are no tensor header, or a header none that could be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorError {
    /// Fewer bytes than a header has.
    Short {
        /// Bytes that are there.
        len: usize,
        /// Bytes that are needed.
        needed: usize,
    },
    /// The first four bytes are not the magic.
    Magic {
        /// What they are.
        found: [u8; 4],
    },
    /// The length field does not fit the dimensions.
    Length {
        /// Bytes that it says.
        len: usize,
        /// Bytes that the dimensions need.
        needed: usize,
    },
    /// The CRC-32 of the header differs.
    Checksum {
        /// As it says.
        said: u32,
        /// As it is.
        found: u32,
    },
    /// A flag without a meaning.
    Flags {
        /// All flags.
        bits: u16,
    },
    /// An element type that DLPack does not know.
    UnknownType(TensorType),
    /// More dimensions than fit.
    Dimensions {
        /// How many.
        ndim: usize,
    },
    /// A negative length of a dimension, or a word that must be zero and is not.
    Field,
    /// The elements do not lie inside the payload.
    Outside {
        /// Bytes of the payload.
        payload_len: u64,
    },
}

impl core::error::Error for TensorError {}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Short { len, needed } => {
                write!(f, "{len} bytes are no tensor header: {needed} are needed")
            }
            Self::Magic { found } => {
                write!(
                    f,
                    "no tensor header: it starts with {}",
                    found.escape_ascii()
                )
            }
            Self::Length { len, needed } => {
                write!(
                    f,
                    "tensor header of {len} bytes where its dimensions need {needed}"
                )
            }
            Self::Checksum { said, found } => write!(
                f,
                "tensor header with the checksum {found:#010x}, not {said:#010x} as it says"
            ),
            Self::Flags { bits } => write!(f, "tensor header with unknown flags {bits:#06x}"),
            Self::UnknownType(TensorType { code, bits, lanes }) => write!(
                f,
                "unknown tensor element: code {code} of {bits} bits in {lanes} lanes"
            ),
            Self::Dimensions { ndim } => {
                write!(f, "{ndim} dimensions do not fit a tensor header")
            }
            Self::Field => f.write_str("tensor header with a field that cannot be"),
            Self::Outside { payload_len } => write!(
                f,
                "tensor whose elements lie outside its payload of {payload_len} bytes"
            ),
        }
    }
}
