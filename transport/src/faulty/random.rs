//! Numbers that a seed determines.

/// A seeded sequence of numbers (SplitMix64), for tests that can be repeated.
/// Not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed. Neighbouring seeds give unrelated sequences.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that differs from run to run.
    #[must_use]
    pub fn seed() -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(std::process::id())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// True once in `n` times on average; never if `n` is 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    /// A length from 1 to `max`, with as many short ones as long ones: each
    /// power of two is as likely as the next.
    pub fn length(&mut self, max: usize) -> usize {
        let magnitudes = u64::from(max.max(1).ilog2()) + 1;
        let bound = 2 << self.below(magnitudes);
        (1 + self.below(bound - 1) as usize).min(max.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        let of = |seed| {
            let mut random = Random::new(seed);
            [(); 8].map(|()| random.number())
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn lengths_are_within_bounds_and_of_every_magnitude() {
        let mut random = Random::new(7);
        assert_eq!(random.length(1), 1);
        let lengths: Vec<_> = (0..1000).map(|_| random.length(1 << 16)).collect();
        assert!(lengths.iter().all(|len| (1..=1 << 16).contains(len)));
        assert!(lengths.iter().filter(|&&len| len < 16).count() > 100);
        assert!(lengths.iter().filter(|&&len| len > 4096).count() > 100);
    }
}
