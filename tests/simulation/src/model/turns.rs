//! Fairness, as a reader of the RFC would count it.

/// Counts how often each peer had its turn while the same ones were ready.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    edges: u64,
    counts: Vec<(u64, u32)>,
}

impl Turns {
    /// `chosen` had its turn, `ready` were ready, and who is ready has changed
    /// `edges` times since the socket was made. Whether that was fair: nobody
    /// who was ready all the time is two turns behind somebody.
    pub(crate) fn take(
        &mut self,
        edges: u64,
        ready: impl Iterator<Item = u64>,
        chosen: u64,
    ) -> bool {
        if self.edges != edges || self.counts.is_empty() {
            self.edges = edges;
            self.counts.clear();
            self.counts.extend(ready.map(|peer| (peer, 0)));
        }
        let (mut least, mut most, mut found) = (u32::MAX, 0, false);
        for (peer, count) in &mut self.counts {
            if *peer == chosen {
                *count += 1;
                found = true;
            }
            least = least.min(*count);
            most = most.max(*count);
        }
        found && most <= least + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_turn_before_somebodys_first_is_unfair() {
        let mut turns = Turns::default();
        let ready = || [1, 2, 3].into_iter();
        for chosen in [3, 1, 2, 3, 2] {
            assert!(turns.take(1, ready(), chosen));
        }
        assert!(!turns.take(1, ready(), 3), "1 is behind");
        assert!(turns.take(2, ready(), 3), "somebody came or went");
        assert!(!turns.take(2, ready(), 9), "nobody knows 9");
    }
}
