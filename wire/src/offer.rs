//! The `X-FerroMQ` property: what a peer of our kind can do beyond ZMTP.

use bytemuck::TransparentWrapper;
use core::ops::{BitAnd, BitOr};
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A set of extensions, one bit each.
///
/// Plain data of four bytes, so that it can lie in an atomic, a shared slot
/// or a statistics table. Bits without a name are kept, and mean nothing.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    bytemuck::Pod,
    bytemuck::Zeroable,
    bytemuck::TransparentWrapper,
)]
#[repr(transparent)]
pub struct Features(u32);

impl Features {
    /// No extension.
    pub const NONE: Self = Self(0);
    /// A CRC-32 trailer after every frame that follows READY.
    pub const CRC: Self = Self(1);
    /// Frames whose body says where the payload lies, and RELEASE.
    /// Stays off beside CRC, which covers every payload.
    pub const BY_REFERENCE: Self = Self(2);
    /// Moving a connection to a shorter path once the handshake is complete; see
    /// [`Switch`](crate::Switch).
    pub const SWITCH: Self = Self(4);
    /// That path may be a fabric between machines. Means nothing without SWITCH.
    pub const FABRIC: Self = Self(8);

    /// The set with exactly these bits.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self::wrap(bits)
    }

    /// The bits of this set.
    #[must_use]
    pub fn bits(self) -> u32 {
        Self::peel(self)
    }

    /// Whether every extension of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self & other == other
    }

    /// This set without the extensions of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitAnd for Features {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Features {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What one side offers; an extension that both offer is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Version of the offer's layout; [`Offer::VERSION`] is the only one.
    pub version: u16,
    /// The extensions on offer.
    pub features: Features,
}

impl Offer {
    /// The version of the offer that this crate speaks.
    pub const VERSION: u16 = 1;
    /// The name of the property that carries an offer.
    pub const PROPERTY: &'static str = "X-FerroMQ";

    /// An offer of these features in our version.
    #[must_use]
    pub const fn new(features: Features) -> Self {
        Self {
            version: Self::VERSION,
            features,
        }
    }

    /// The offer in a property's value; `None` for another length or version,
    /// which counts as no offer at all (it is no error).
    #[must_use]
    pub fn decode(value: &[u8]) -> Option<Self> {
        let layout = OfferLayout::read_from_bytes(value).ok()?;
        (layout.version.get() == Self::VERSION).then(|| Self {
            version: layout.version.get(),
            features: Features::from_bits(layout.features.get()),
        })
    }

    /// The 16 bytes that go out.
    #[must_use]
    pub fn encode(self) -> [u8; 16] {
        zerocopy::transmute!(OfferLayout {
            version: U16::new(self.version),
            reserved: [0; 2],
            features: U32::new(self.features.bits()),
            reserved_parameters: [0; 8],
        })
    }

    /// What is on when one side offers `self` and the other `other`.
    #[must_use]
    pub fn agreed(self, other: Self) -> Features {
        if self.version == other.version {
            self.features & other.features
        } else {
            Features::NONE
        }
    }
}

/// The value of the property, byte for byte.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct OfferLayout {
    version: U16,
    reserved: [u8; 2],
    features: U32,
    reserved_parameters: [u8; 8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_sixteen_fixed_bytes() {
        let offer = Offer::new(Features::CRC | Features::SWITCH);
        let bytes = offer.encode();
        assert_eq!(bytes, [0, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Offer::decode(&bytes), Some(offer));
    }

    #[test]
    fn other_lengths_and_versions_are_no_offer() {
        let bytes = Offer::new(Features::CRC).encode();
        assert_eq!(Offer::decode(&bytes[..15]), None);
        assert_eq!(Offer::decode(&[bytes.as_slice(), &[0]].concat()), None);
        for version in [0u16, 2, 256] {
            let mut other = bytes;
            other[..2].copy_from_slice(&version.to_be_bytes());
            assert_eq!(Offer::decode(&other), None);
        }
    }

    #[test]
    fn reserved_bytes_and_unknown_bits_are_tolerated() {
        let bytes = [0, 1, 9, 9, 0x80, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8];
        let theirs = Offer::decode(&bytes).unwrap();
        let ours = Offer::new(Features::CRC | Features::BY_REFERENCE);
        assert_eq!(ours.agreed(theirs), Features::CRC);
        let later = Offer { version: 2, ..ours };
        assert_eq!(later.agreed(ours), Features::NONE);
    }
}
