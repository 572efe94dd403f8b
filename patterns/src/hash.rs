//! Seeded hashing: a peer that chooses names cannot choose collisions.

/// The secret of a machine's hash tables: 128 random bits, from whoever embeds
/// the machine. Without it a peer cannot tell which identities or topics share a
/// bucket (HashDoS).
#[derive(Clone, Copy)]
pub struct Seed {
    low: u64,
    high: u64,
}

impl Seed {
    /// A seed of two random words.
    #[must_use]
    pub const fn new(low: u64, high: u64) -> Self {
        Self { low, high }
    }

    /// Hash of a fixed-size key made of indices and single bytes.
    ///
    /// One widening multiplication, folded: 1 ns. Peers influence these keys but
    /// do not choose them (they are slot numbers), and never see the hash.
    #[inline]
    pub(crate) fn hash_word(&self, key: u64) -> u32 {
        let product =
            u128::from(key ^ self.low ^ WEYL) * u128::from(self.high ^ 0xa076_1d64_78bd_642f | 1);
        let folded = product as u64 ^ (product >> 64) as u64;
        (folded.wrapping_mul(WEYL) >> 32) as u32
    }

    /// SipHash-1-3 of bytes that a peer chose freely.
    pub(crate) fn hash_bytes(&self, bytes: &[u8]) -> u32 {
        let mut sip = Sip([
            self.low ^ 0x736f_6d65_7073_6575,
            self.high ^ 0x646f_7261_6e64_6f6d,
            self.low ^ 0x6c79_6765_6e65_7261,
            self.high ^ 0x7465_6462_7974_6573,
        ]);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            sip.absorb(word_of(word));
        }
        sip.absorb(word_of(words.remainder()) | (bytes.len() as u64) << 56);
        let hash = sip.finish();
        (hash >> 32) as u32 ^ hash as u32
    }
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// SipHash's four words of state.
struct Sip([u64; 4]);

impl Sip {
    #[inline]
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    #[inline]
    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.0.iter().fold(0, |all, word| all ^ word)
    }

    #[inline]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}

/// Up to eight bytes as a little-endian number.
#[inline]
fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// 2^64 divided by the golden ratio.
const WEYL: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_bytes_is_siphash_of_the_reference() {
        // `DefaultHasher` is SipHash-1-3 with a zero key.
        use core::hash::Hasher;
        let data: [u8; 40] = core::array::from_fn(|i| (i as u8).wrapping_mul(7));
        for len in 0..data.len() {
            let mut theirs = std::hash::DefaultHasher::new();
            theirs.write(&data[..len]);
            let hash = theirs.finish();
            let ours = Seed::new(0, 0).hash_bytes(&data[..len]);
            assert_eq!(ours, (hash >> 32) as u32 ^ hash as u32, "{len} bytes");
        }
    }

    #[test]
    fn words_spread_over_the_low_bits_whatever_the_seed() {
        for seed in [
            Seed::new(0, 0),
            Seed::new(u64::MAX, u64::MAX),
            Seed::new(1, 2),
        ] {
            let mut buckets = [0u32; 1024];
            for key in 0..16 * 1024 {
                buckets[seed.hash_word(key << 8) as usize % 1024] += 1;
            }
            let fullest = buckets.iter().max().unwrap();
            assert!(*fullest < 64, "a bucket of {fullest} where 16 is the mean");
        }
    }

    #[test]
    fn the_seed_matters() {
        let (a, b) = (Seed::new(1, 2), Seed::new(3, 4));
        assert_ne!(a.hash_bytes(b"id"), b.hash_bytes(b"id"));
        assert_ne!(a.hash_word(1), b.hash_word(1));
    }
}
