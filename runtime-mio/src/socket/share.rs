//! How long one peer may be read before it is somebody else's turn.
//!
//! A peer that sends faster than we decode is never read to its end. Whoever
//! reads until there is nothing more would read it alone, for ever: so a read
//! ends with the peer's share too, and what is left is come back to.

/// A command, or a message that nobody gets.
pub(super) const ITEM: u32 = 1;
/// A receive block that was filled: up to 128 KiB to decode.
pub(super) const BLOCK: u32 = 512;
/// A piece of a long body, which only has to be moved.
pub(super) const PIECE: u32 = 32;

/// What one peer may still cost in this turn.
#[derive(Debug)]
pub(super) struct Share(u32);

impl Share {
    /// Two blocks, or a thousand commands: some milliseconds at worst.
    pub(super) const fn new() -> Self {
        Self(1024)
    }

    /// Takes something from it. False: the others are due.
    #[inline]
    pub(super) const fn spend(&mut self, cost: u32) -> bool {
        self.0 = self.0.saturating_sub(cost);
        self.0 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_ends_after_two_blocks_or_a_thousand_items() {
        for (cost, times) in [(ITEM, 1023), (BLOCK, 1), (PIECE, 31)] {
            let mut share = Share::new();
            for _ in 0..times {
                assert!(share.spend(cost));
            }
            assert!(!share.spend(cost));
            assert!(!share.spend(cost), "it stays spent");
        }
    }
}
