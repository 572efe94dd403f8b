//! What a tensor's elements are, and how they lie.

/// What a tensor's elements are: a code of DLPack's, and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// DLPack's `DLDataTypeCode`.
    pub code: u8,
    /// Bits of one element's lane.
    pub bits: u8,
    /// Lanes of one element; 1 unless it is a vector.
    pub lanes: u16,
}

impl TensorType {
    /// Whether DLPack knows the code, in this size. Unknown ones are refused, for
    /// whoever guessed would read other numbers than were sent.
    #[must_use]
    pub const fn is_known(self) -> bool {
        let size = match self.code {
            // Signed and unsigned integers.
            0 | 1 => matches!(self.bits, 1 | 2 | 4 | 8 | 16 | 32 | 64 | 128),
            // IEEE floats; complex numbers of two of them.
            2 => matches!(self.bits, 16 | 32 | 64 | 80 | 128),
            5 => matches!(self.bits, 32 | 64 | 128),
            // bfloat, bool.
            4 => self.bits == 16,
            6 => matches!(self.bits, 1 | 8),
            // The floats of eight, six and four bits.
            7..=14 => self.bits == 8,
            15 | 16 => self.bits == 6,
            17 => self.bits == 4,
            _ => false,
        };
        size && self.lanes > 0
    }

    /// Bytes of one element; sub-byte types take a byte each unless packed.
    pub(super) const fn element_len(self) -> u64 {
        (self.bits as u64)
            .div_ceil(8)
            .saturating_mul(self.lanes as u64)
    }
}

/// What a flag of a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TensorFlags(u16);

impl TensorFlags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Strides follow the shape.
    pub const STRIDED: Self = Self(1);
    /// `payload_crc` holds the payload's CRC-32.
    pub const CHECKSUM: Self = Self(1 << 1);
    /// The sender's memory is read-only.
    pub const READ_ONLY: Self = Self(1 << 2);
    /// Elements of less than a byte lie without gaps, the first in the low bits.
    pub const PACKED: Self = Self(1 << 3);
    /// Elements are big-endian.
    pub const BIG_ENDIAN: Self = Self(1 << 4);
    /// Further parts of the tensor follow in messages of their own.
    pub const MORE_PARTS: Self = Self(1 << 5);

    const KNOWN: u16 = 0x3f;

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The flags of these bits; `None` if one has no meaning.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Option<Self> {
        match bits & !Self::KNOWN {
            0 => Some(Self(bits)),
            _ => None,
        }
    }
}
