//! Protocol versions (37/ZMTP, Version Negotiation).

use core::fmt;

/// A ZMTP version, as a greeting carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major version: 3 for every peer that this crate talks to, or above.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
}

impl Version {
    /// ZMTP 3.0 (23/ZMTP): subscriptions are messages, there is no heartbeat.
    pub const ZMTP_3_0: Self = Self { major: 3, minor: 0 };
    /// ZMTP 3.1 (37/ZMTP): what this crate speaks.
    pub const ZMTP_3_1: Self = Self { major: 3, minor: 1 };

    /// What the two sides talk when the peer's greeting says `self`: 3.0 with
    /// a 3.0 peer, else 3.1, for a later peer steps down to our version.
    #[must_use]
    pub const fn negotiated(self) -> Self {
        if self.major == 3 && self.minor == 0 {
            Self::ZMTP_3_0
        } else {
            Self::ZMTP_3_1
        }
    }

    /// Whether the negotiated protocol has SUBSCRIBE, CANCEL and PING commands.
    pub(crate) const fn has_commands(self) -> bool {
        self.negotiated().minor > 0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_zero_is_talked_to_as_three_zero() {
        let version = |major, minor| Version { major, minor };
        assert_eq!(version(3, 0).negotiated(), Version::ZMTP_3_0);
        for later in [
            version(3, 1),
            version(3, 9),
            version(4, 0),
            version(255, 255),
        ] {
            assert_eq!(later.negotiated(), Version::ZMTP_3_1, "{later}");
        }
    }
}
