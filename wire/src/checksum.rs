//! The CRC-32 behind every frame, where both sides offered it.

use crate::frame::TRAILER_LEN;
use crate::{Features, ProtocolError};

pub(crate) use crc32fast::Hasher;

/// Whether frames have a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksums {
    Off,
    On,
}

impl From<Features> for Checksums {
    fn from(features: Features) -> Self {
        if features.contains(Features::CRC) {
            Self::On
        } else {
            Self::Off
        }
    }
}

/// The checksum of a header and body that lie in one piece.
pub(crate) fn of(frame: &[u8]) -> u32 {
    crc32fast::hash(frame)
}

/// Refuses a frame whose trailer is not the checksum.
pub(crate) fn verify(computed: u32, trailer: [u8; TRAILER_LEN]) -> Result<(), ProtocolError> {
    let received = u32::from_le_bytes(trailer);
    if computed != received {
        return Err(ProtocolError::ChecksumMismatch { computed, received });
    }
    Ok(())
}
