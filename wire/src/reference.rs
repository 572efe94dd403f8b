//! Frames by reference: the body says where the payload lies.

use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where the payload of a frame lies that travels by reference, in memory that the
/// peer can reach by itself (docs/PROTOCOL.md, section 10).
///
/// What the numbers mean is the transport's affair, but for `len` and `token`. They
/// come from the peer: nothing but `len`, which no limit forbids, has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Which piece of memory, in its owner's numbering.
    pub region: u64,
    /// Where in it the payload begins, in bytes.
    pub offset: u64,
    /// Bytes in the payload. They count as the frame's in every limit.
    pub len: u64,
    /// What the carrier wants as proof, such as an RDMA remote key; else 0.
    pub key: u64,
    /// What RELEASE gives back, unique among those of its link that are out.
    pub token: u64,
}

impl Reference {
    /// Bytes in the body of such a frame.
    pub const LEN: usize = size_of::<Layout>();

    /// The body of a frame.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        zerocopy::transmute!(Layout {
            region: U64::new(self.region),
            offset: U64::new(self.offset),
            len: U64::new(self.len),
            key: U64::new(self.key),
            token: U64::new(self.token),
            reserved: [0; 24],
        })
    }

    /// The reference in a frame's body; `None` if it has another length.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        let layout = Layout::read_from_bytes(body).ok()?;
        Some(Self {
            region: layout.region.get(),
            offset: layout.offset.get(),
            len: layout.len.get(),
            key: layout.key.get(),
            token: layout.token.get(),
        })
    }
}

/// The body, byte for byte. What is reserved is ignored on receipt.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Layout {
    region: U64,
    offset: U64,
    len: U64,
    key: U64,
    token: U64,
    reserved: [u8; 24],
}

const _: () = assert!(Reference::LEN == 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_64_bytes_and_reads_back() {
        let reference = Reference {
            region: 1,
            offset: 2 << 32,
            len: u64::MAX,
            key: 4,
            token: 5 << 40,
        };
        let mut body = reference.encode();
        assert_eq!(body[7], 1);
        assert_eq!(body[40..], [0; 24]);
        body[63] = 9;
        assert_eq!(Reference::decode(&body), Some(reference));
        assert_eq!(Reference::decode(&body[..63]), None);
        assert_eq!(Reference::decode(&[0; 65]), None);
    }
}
