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

    /// Of the authors' vectors for SipHash-1-3: the key 00 01 … 0f, and as many bytes
    /// 00 01 … as the place in the list.
    #[test]
    fn hash_bytes_is_siphash_of_a_seed_too() {
        let seed = Seed::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let hash = u64::from_le_bytes([0xdc, 0xc4, 0x0f, 0x05, 0x58, 0x01, 0xac, 0xab]);
        assert_eq!(seed.hash_bytes(b""), (hash >> 32) as u32 ^ hash as u32);
    }

    /// The multiplier comes from the seed, and must be odd and not zero for each.
    #[test]
    fn no_seed_makes_all_words_alike() {
        let unlucky = Seed::new(1, 0xa076_1d64_78bd_642f ^ 1);
        for seed in [unlucky, Seed::new(1, unlucky.high ^ 1)] {
            let hashes: std::collections::HashSet<u32> =
                (0..1_000).map(|key| seed.hash_word(key)).collect();
            assert!(hashes.len() >= 998, "{} of 1,000", hashes.len());
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

    /// Bits of the hash that change on average when one bit of what goes in does.
    fn avalanche(hash: impl Fn(u32) -> u32, bits: u32) -> u32 {
        let changed = (0..bits).map(|bit| (hash(bit) ^ hash(NO_BIT)).count_ones());
        changed.sum::<u32>() / bits
    }

    const NO_BIT: u32 = u32::MAX;

    fn flipped(word: u64, bit: u32) -> u64 {
        1_u64.checked_shl(bit).map_or(word, |bit| word ^ bit)
    }

    #[test]
    fn each_bit_of_a_key_and_of_the_seed_changes_half_of_the_hash() {
        for (low, high) in [(0, 0), (!0, !0), (0x0123_4567_89ab_cdef, 0xfedc_ba98)] {
            for key in [0, 1, 0xff, 0xdead_beef_0000_0042, u64::MAX] {
                let word = |low, high, key| Seed::new(low, high).hash_word(key);
                let of_key = avalanche(|bit| word(low, high, flipped(key, bit)), 64);
                let of_low = avalanche(|bit| word(flipped(low, bit), high, key), 64);
                let of_high = avalanche(|bit| word(low, flipped(high, bit), key), 64);
                for mean in [of_key, of_low, of_high] {
                    assert!((10..=22).contains(&mean), "{mean} of 32: {low:x} {key:x}");
                }
            }
            let bytes = |low, high| Seed::new(low, high).hash_bytes(b"identity");
            for bit in 0..64 {
                assert_ne!(bytes(flipped(low, bit), high), bytes(low, high), "{bit}");
                assert_ne!(bytes(low, flipped(high, bit)), bytes(low, high), "{bit}");
            }
        }
    }
}
