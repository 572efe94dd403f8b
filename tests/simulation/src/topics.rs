//! The topics of the scenarios, and naive counts of who is subscribed to them.

/// What is subscribed to: prefixes of each other, and the empty one.
pub(crate) const TOPICS: [&[u8]; 7] = [b"", b"a", b"ab", b"abc", b"abd", b"b", b"ba"];
/// What is published: matched by several of those, by one, and by the empty one.
pub(crate) const PUBLISHED: [&[u8]; 6] = [b"a", b"abcd", b"abd", b"ba", b"b", b"c"];

/// How often each topic is subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts([u16; TOPICS.len()]);

/// Which publications a topic stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those that begin with it.
    Prefix,
    /// Those of just this topic: groups.
    Exact,
}

/// A topic's place in [`TOPICS`].
pub(crate) fn place(topic: &[u8]) -> Option<usize> {
    TOPICS.iter().position(|known| *known == topic)
}

impl Counts {
    pub(crate) fn add(&mut self, topic: usize) {
        self.0[topic] += 1;
    }

    /// One less; one that is not there changes nothing.
    pub(crate) fn remove(&mut self, topic: usize) {
        self.0[topic] = self.0[topic].saturating_sub(1);
    }

    pub(crate) fn of(&self, topic: usize) -> u16 {
        self.0[topic]
    }

    pub(crate) fn matches(&self, published: &[u8], reach: Reach) -> bool {
        TOPICS.iter().zip(self.0).any(|(topic, count)| {
            count > 0
                && match reach {
                    Reach::Prefix => published.starts_with(topic),
                    Reach::Exact => published == *topic,
                }
        })
    }

    /// Each topic once: what goes upstream.
    pub(crate) fn distinct(&self) -> Self {
        Self(self.0.map(|count| count.min(1)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
