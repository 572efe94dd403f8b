//! Frame headers (37/ZMTP, Framing): flags, and a size of one byte or eight.

use crate::{Features, ProtocolError};
use core::fmt;
use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The largest header and trailer that a frame gets.
pub const FRAME_OVERHEAD: usize = LONG_HEADER_LEN + TRAILER_LEN;

pub(crate) const SHORT_HEADER_LEN: usize = 2;
pub(crate) const LONG_HEADER_LEN: usize = size_of::<LongHeader>();
pub(crate) const TRAILER_LEN: usize = 4;

/// The first byte of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameFlags(u8);

impl FrameFlags {
    /// A message's last frame, or its only one.
    pub const LAST: Self = Self(0);
    /// Another frame of the same message follows.
    pub const MORE: Self = Self(1);
    /// A command, not part of a message.
    pub const COMMAND: Self = Self(4);
    /// The size has eight bytes, not one. Set by [`Header`] itself.
    pub(crate) const LONG: Self = Self(2);
    /// The body is a [`Reference`](crate::Reference). Legal only where that is
    /// negotiated, else refused like every other bit.
    const REFERENCE: Self = Self(8);
    /// Everything that plain ZMTP 3.1 knows.
    const PLAIN: u8 = 7;

    /// The byte on the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether another frame of the same message follows.
    #[must_use]
    pub const fn is_more(self) -> bool {
        self.0 & Self::MORE.0 != 0
    }

    /// Whether this is a command.
    #[must_use]
    pub const fn is_command(self) -> bool {
        self.0 & Self::COMMAND.0 != 0
    }

    /// Whether the size has eight bytes.
    #[must_use]
    pub const fn is_long(self) -> bool {
        self.0 & Self::LONG.0 != 0
    }

    /// Whether the body says where the payload lies.
    #[must_use]
    pub const fn is_reference(self) -> bool {
        self.0 & Self::REFERENCE.0 != 0
    }

    /// The same frame by reference.
    pub(crate) const fn by_reference(self) -> Self {
        Self(self.0 | Self::REFERENCE.0)
    }

    /// Takes the flag byte apart, refusing what no frame may have.
    pub(crate) const fn check(bits: u8, references: References) -> Result<Self, ProtocolError> {
        let flags = Self(bits);
        let known = match references {
            References::On if !flags.is_command() => Self::PLAIN | Self::REFERENCE.0,
            _ => Self::PLAIN,
        };
        if bits & !known != 0 {
            return Err(ProtocolError::ReservedFlags { flags: bits });
        }
        if flags.is_command() && flags.is_more() {
            return Err(ProtocolError::CommandWithMore);
        }
        Ok(flags)
    }
}

/// Whether frames may travel by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum References {
    Off,
    On,
}

impl From<Features> for References {
    fn from(features: Features) -> Self {
        match features.contains(Features::BY_REFERENCE) {
            true => Self::On,
            false => Self::Off,
        }
    }
}

impl fmt::Debug for FrameFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameFlags({:#04x})", self.0)
    }
}

/// What a frame's first 2 or 9 bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The flag byte.
    pub flags: FrameFlags,
    /// Bytes in the header: 2 or 9.
    pub header_len: usize,
    /// Bytes in the body, below 2^63.
    pub body_len: u64,
}

/// Reads the header at the start of `input`, or `None` while it is incomplete
/// (or no header that this crate would write). To walk frames that we wrote
/// ourselves; a [`Receiver`](crate::Receiver) reads a peer's.
#[must_use]
pub fn peek_header(input: &[u8]) -> Option<FrameHeader> {
    read_header(input, References::On).ok().flatten()
}

/// Reads the header at the start of `input`; `None` while it is incomplete.
///
/// The flags are judged as soon as they are there, the size as soon as it is
/// complete.
#[inline]
pub(crate) fn read_header(
    input: &[u8],
    references: References,
) -> Result<Option<FrameHeader>, ProtocolError> {
    let Some(&bits) = input.first() else {
        return Ok(None);
    };
    let flags = FrameFlags::check(bits, references)?;
    if !flags.is_long() {
        return Ok(input.get(1).map(|&size| FrameHeader {
            flags,
            header_len: SHORT_HEADER_LEN,
            body_len: u64::from(size),
        }));
    }
    let Ok((header, _)) = LongHeader::ref_from_prefix(input) else {
        return Ok(None);
    };
    let body_len = header.size.get();
    if body_len > SIZE_MAX {
        return Err(ProtocolError::SizeOverflow { len: body_len });
    }
    Ok(Some(FrameHeader {
        flags,
        header_len: LONG_HEADER_LEN,
        body_len,
    }))
}

/// An encoded frame header of 2 or 9 bytes; `as_ref` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; LONG_HEADER_LEN],
    len: u8,
}

impl Header {
    /// The header of a frame with a body of `body_len` bytes, below 2^63: the
    /// short form up to 255 bytes, as 37/ZMTP asks.
    #[inline]
    pub(crate) fn new(flags: FrameFlags, body_len: u64) -> Self {
        match u8::try_from(body_len) {
            Ok(size) => Self {
                bytes: [flags.0, size, 0, 0, 0, 0, 0, 0, 0],
                len: 2,
            },
            Err(_) => Self {
                bytes: zerocopy::transmute!(LongHeader {
                    flags: flags.0 | FrameFlags::LONG.0,
                    size: U64::new(body_len),
                }),
                len: 9,
            },
        }
    }
}

impl AsRef<[u8]> for Header {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// An encoded CRC trailer of 4 bytes, or nothing; `as_ref` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    bytes: [u8; TRAILER_LEN],
    len: u8,
}

impl Trailer {
    pub(crate) const NONE: Self = Self {
        bytes: [0; TRAILER_LEN],
        len: 0,
    };

    pub(crate) const fn new(checksum: u32) -> Self {
        Self {
            bytes: checksum.to_le_bytes(),
            len: 4,
        }
    }
}

impl AsRef<[u8]> for Trailer {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The long form of a header, byte for byte.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct LongHeader {
    flags: u8,
    size: U64,
}

const _: () = assert!(LONG_HEADER_LEN == 9);

/// The largest size of a frame: 63 bits, so that no sum of two overflows.
const SIZE_MAX: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn read_header(input: &[u8]) -> Result<Option<FrameHeader>, ProtocolError> {
        super::read_header(input, References::Off)
    }

    #[test]
    fn references_are_judged_by_what_was_negotiated() {
        for bits in 0..=255u8 {
            let verdict = super::read_header(&[bits], References::On);
            match bits {
                0..=4 | 6 | 8..=11 => assert_eq!(verdict, Ok(None)),
                5 | 7 => assert_eq!(verdict, Err(ProtocolError::CommandWithMore)),
                _ => assert_eq!(verdict, Err(ProtocolError::ReservedFlags { flags: bits })),
            }
        }
    }

    #[test]
    fn bodies_up_to_255_bytes_get_the_short_form() {
        // B12
        let short = Header::new(FrameFlags::MORE, 255);
        assert_eq!(short.as_ref(), [1, 255]);
        let long = Header::new(FrameFlags::COMMAND, 256);
        assert_eq!(long.as_ref(), [6, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn headers_read_back_once_complete_and_not_before() {
        // B12, HOSTILE 18: the long form is legal for small bodies
        let bytes = [3, 0, 0, 0, 0, 0, 0, 0, 5];
        for end in 0..9 {
            assert_eq!(read_header(&bytes[..end]), Ok(None));
        }
        let header = peek_header(&bytes).unwrap();
        assert_eq!((header.header_len, header.body_len), (9, 5));
        assert!(header.flags.is_more() && header.flags.is_long());
    }

    #[test]
    fn every_flag_byte_is_judged_before_a_size_is_there() {
        // B13, B14, HOSTILE 16, 17
        for bits in 0..=255u8 {
            let verdict = read_header(&[bits]);
            match bits {
                0..=4 | 6 => assert_eq!(verdict, Ok(None)),
                5 | 7 => assert_eq!(verdict, Err(ProtocolError::CommandWithMore)),
                _ => assert_eq!(verdict, Err(ProtocolError::ReservedFlags { flags: bits })),
            }
        }
    }

    #[test]
    fn sizes_from_two_to_the_63rd_are_refused() {
        // B15, HOSTILE 11
        let mut bytes = [0xFF; 9];
        bytes[0] = 2;
        assert_eq!(
            read_header(&bytes),
            Err(ProtocolError::SizeOverflow { len: u64::MAX })
        );
        bytes[1] = 0x80;
        bytes[2..].fill(0);
        assert_eq!(
            read_header(&bytes),
            Err(ProtocolError::SizeOverflow { len: 1 << 63 })
        );
        bytes[1] = 0x7F;
        assert!(matches!(read_header(&bytes), Ok(Some(_))));
    }
}
