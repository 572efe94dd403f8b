//! Counting and hashing what passes, and making bytes worth hashing.

use ferromq::Message;
use sha2::{Digest, Sha256};

/// Counts and hashes messages while they pass.
#[derive(Default)]
pub(crate) struct Counter {
    messages: u64,
    bytes: u64,
    hash: Sha256,
}

/// What passed in one direction, as one side saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// SHA-256 over all of it, in order; zeros where something else checks.
    pub(crate) digest: [u8; 32],
}

impl Counter {
    /// Adds a message: the number of its frames and the length of each are
    /// hashed too, so that a frame boundary cannot move unseen.
    pub(crate) fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.hash.update((message.len() as u64).to_le_bytes());
        for frame in message.parts() {
            self.bytes += frame.len() as u64;
            self.hash.update((frame.len() as u64).to_le_bytes());
            self.hash.update(&frame[..]);
        }
    }

    pub(crate) fn total(self) -> Tally {
        let Self {
            messages,
            bytes,
            hash,
        } = self;
        Tally {
            messages,
            bytes,
            digest: hash.finalize().into(),
        }
    }
}

impl Tally {
    /// One message of one frame, its digest that of the frame alone: what
    /// `sha256sum` would say of it.
    pub(crate) fn of_payload(payload: &[u8]) -> Self {
        Self {
            messages: 1,
            bytes: payload.len() as u64,
            digest: Sha256::digest(payload).into(),
        }
    }
}

/// Pseudo-random bytes (SplitMix64): a lost, doubled or moved piece shows.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A body of up to `longest` bytes, of a length that nobody foresees.
    pub(crate) fn body(&mut self, longest: u64) -> Vec<u8> {
        let len = self.next() % (longest + 1);
        // At most `longest`, which fits.
        self.bytes(len as usize)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(messages: &[&[&str]]) -> Tally {
        let mut counter = Counter::default();
        messages
            .iter()
            .for_each(|frames| counter.add(&frames.iter().copied().collect()));
        counter.total()
    }

    #[test]
    fn a_tally_sees_every_difference() {
        let whole = tally(&[&["ab", "c"], &["d"]]);
        assert_eq!((whole.messages, whole.bytes), (2, 4));
        assert_eq!(whole, tally(&[&["ab", "c"], &["d"]]));
        assert_ne!(
            whole,
            tally(&[&["a", "bc"], &["d"]]),
            "a frame boundary moved"
        );
        assert_ne!(whole, tally(&[&["d"], &["ab", "c"]]), "the order changed");
        assert_ne!(
            whole.digest,
            tally(&[&["ab"], &["c", "d"]]).digest,
            "a message boundary moved"
        );
    }

    #[test]
    fn the_digest_of_a_payload_is_the_one_that_everybody_knows() {
        let digest = Tally::of_payload(b"abc").digest;
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn noise_has_the_length_asked_for_and_never_repeats() {
        let mut noise = Noise::new(7);
        assert_eq!(noise.bytes(13).len(), 13);
        assert_ne!(noise.bytes(64), noise.bytes(64));
        assert!((0..1000).all(|_| noise.body(9).len() <= 9));
    }
}
