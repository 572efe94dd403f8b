//! The 64 bytes that come first (37/ZMTP, The Greeting).

use crate::{HandshakeError, Version};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in a greeting.
pub(crate) const GREETING_LEN: usize = 64;

/// A security mechanism's name: up to 20 characters, padded with zeros.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct MechanismName([u8; 20]);

impl MechanismName {
    /// The name `name`, cut off after 20 bytes.
    #[must_use]
    pub const fn new(name: &str) -> Self {
        let mut padded = [0; 20];
        let mut rest = name.as_bytes();
        let mut room: &mut [u8] = &mut padded;
        while let ([byte, tail @ ..], [slot, free @ ..]) = (rest, room) {
            *slot = *byte;
            rest = tail;
            room = free;
        }
        Self(padded)
    }

    /// All 20 bytes, padding included.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().rposition(|&byte| byte != 0);
        let text = end.and_then(|end| self.0.get(..=end)).unwrap_or_default();
        write!(f, "{}", text.escape_ascii())
    }
}

impl fmt::Debug for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MechanismName({self})")
    }
}

/// The as-server field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsServer {
    No,
    Yes,
}

/// The greeting, byte for byte.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Greeting {
    signature_first: u8,
    /// Not significant: never looked at.
    padding: [u8; 8],
    signature_last: u8,
    major: u8,
    minor: u8,
    mechanism: MechanismName,
    as_server: u8,
    filler: [u8; 31],
}

const _: () = assert!(size_of::<Greeting>() == GREETING_LEN);

impl Greeting {
    /// What we send: always version 3.1.
    pub(crate) fn new(mechanism: MechanismName, as_server: AsServer) -> Self {
        Self {
            signature_first: SIGNATURE_FIRST,
            padding: [0; 8],
            signature_last: SIGNATURE_LAST,
            major: Version::ZMTP_3_1.major,
            minor: Version::ZMTP_3_1.minor,
            mechanism,
            as_server: u8::from(as_server == AsServer::Yes),
            filler: [0; 31],
        }
    }

    /// The peer's whole greeting, once [`check_prefix`] has passed all of it.
    pub(crate) fn read(bytes: &[u8]) -> Option<&Self> {
        Self::ref_from_bytes(bytes).ok()
    }

    pub(crate) fn version(&self) -> Version {
        Version {
            major: self.major,
            minor: self.minor,
        }
    }

    pub(crate) fn mechanism(&self) -> MechanismName {
        self.mechanism
    }

    pub(crate) fn as_server(&self) -> AsServer {
        if self.as_server == 1 {
            AsServer::Yes
        } else {
            AsServer::No
        }
    }
}

/// Refuses the first bytes of a greeting as soon as one of them is wrong, so
/// that no more than the first bad byte is needed.
pub(crate) fn check_prefix(received: &[u8]) -> Result<(), HandshakeError> {
    if let Some(&first) = received.first()
        && first != SIGNATURE_FIRST
    {
        return Err(HandshakeError::NotZmtp { first });
    }
    if let Some(&last) = received.get(SIGNATURE_LAST_AT)
        && last != SIGNATURE_LAST
    {
        return Err(HandshakeError::BadSignature { last });
    }
    // Earlier revisions have no mechanism; stepping down to them is where
    // implementations overflowed, so we never do.
    if let Some(&major) = received.get(MAJOR_AT)
        && major < Version::ZMTP_3_1.major
    {
        return Err(HandshakeError::VersionTooOld { major });
    }
    Ok(())
}

const SIGNATURE_FIRST: u8 = 0xFF;
const SIGNATURE_LAST: u8 = 0x7F;
const SIGNATURE_LAST_AT: usize = 9;
const MAJOR_AT: usize = 10;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn ours_is_the_rfc_s_layout() {
        // A1
        let ours = Greeting::new(MechanismName::new("PLAIN"), AsServer::Yes);
        let bytes = ours.as_bytes();
        assert_eq!(bytes[..12], [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 1]);
        assert_eq!(&bytes[12..32], b"PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(bytes[32], 1);
        assert_eq!(bytes[33..], [0; 31]);
    }

    #[test]
    fn each_bad_byte_is_refused_when_it_comes_and_not_before() {
        let mut bytes = [0u8; 64];
        bytes[0] = 0xFF;
        assert_eq!(check_prefix(&bytes[..9]), Ok(()));
        bytes[9] = 1;
        let bad = HandshakeError::BadSignature { last: 1 };
        assert_eq!(check_prefix(&bytes[..10]), Err(bad));
        bytes[9] = 0x7F;
        assert_eq!(check_prefix(&bytes[..10]), Ok(()));
        for major in [0, 1, 2] {
            bytes[10] = major;
            let old = HandshakeError::VersionTooOld { major };
            assert_eq!(check_prefix(&bytes[..11]), Err(old));
        }
        bytes[10] = 3;
        assert_eq!(check_prefix(&bytes), Ok(()));
    }

    #[test]
    fn names_are_cut_padded_and_shown_escaped() {
        assert_eq!(MechanismName::new("NULL").to_string(), "NULL");
        let long = MechanismName::new("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        assert_eq!(long.to_string(), "ABCDEFGHIJKLMNOPQRST");
        assert_eq!(MechanismName::new("A\0B\n").to_string(), "A\\x00B\\n");
        assert_eq!(MechanismName::new("").to_string(), "");
    }
}
