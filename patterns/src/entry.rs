//! One peer's interest in one topic, and the lists that it is on.

use crate::hash::Seed;
use crate::peer::Link;
use crate::slab::{NIL, Slab, Slot};
use crate::storage::Storage;
use crate::table::Chained;

/// A peer's subscription to a topic, in 32 bytes: how often, and its
/// neighbours in the peer's list, the topic's list and a hash chain.
///
/// Opaque; it is public so that a storage can be named.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub(crate) peer: u32,
    pub(crate) node: u32,
    mark: u32,
    /// Next in a hash chain, or in the free list.
    chain: u32,
    /// In the peer's list: `next` is older.
    pub(crate) of_peer: Link,
    /// In the topic's list.
    pub(crate) of_node: Link,
}

const _: () = assert!(size_of::<Entry>() == 32);

/// Which entry of a peer at a topic: of which connection, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) peer: u32,
    pub(crate) node: u32,
    pub(crate) epoch: u8,
    pub(crate) kind: Kind,
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages go by it.
    Active,
    /// The peer asked for it, the application decides (manual mode).
    Requested,
}

impl Entry {
    /// The largest count of the same subscription on one connection.
    pub(crate) const MAX_COUNT: u32 = (1 << 23) - 1;

    pub(crate) fn new(key: Key) -> Self {
        let mark = mark(key.epoch, key.kind) | 1;
        Self {
            peer: key.peer,
            node: key.node,
            mark,
            chain: NIL,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key {
            peer: self.peer,
            node: self.node,
            epoch: self.epoch(),
            kind: self.kind(),
        }
    }

    #[inline]
    pub(crate) fn epoch(&self) -> u8 {
        (self.mark >> 24) as u8
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        if self.mark & REQUESTED == 0 {
            Kind::Active
        } else {
            Kind::Requested
        }
    }

    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.mark & Self::MAX_COUNT
    }

    /// Counts one more; `false` at the largest count.
    pub(crate) fn increment(&mut self) -> bool {
        let room = self.count() < Self::MAX_COUNT;
        self.mark += u32::from(room);
        room
    }

    /// Counts one less and says how many are left.
    pub(crate) fn decrement(&mut self) -> u32 {
        self.mark -= u32::from(self.count() > 0);
        self.count()
    }
}

const REQUESTED: u32 = 1 << 23;

fn mark(epoch: u8, kind: Kind) -> u32 {
    let kind = if kind == Kind::Requested {
        REQUESTED
    } else {
        0
    };
    u32::from(epoch) << 24 | kind
}

impl Slot for Entry {
    fn free_next(&self) -> u32 {
        self.chain
    }

    fn set_free(&mut self, next: u32) {
        *self = Self {
            chain: next,
            ..Self::default()
        };
    }
}

impl Key {
    pub(crate) fn hash(&self, seed: &Seed) -> u32 {
        let mark = mark(self.epoch, self.kind) >> 23;
        seed.hash_word((u64::from(self.peer) << 32 | u64::from(self.node)) ^ u64::from(mark) << 55)
    }
}

/// The entries as items of the look-up table.
pub(crate) struct Entries<'a, E> {
    pub(crate) slab: &'a mut Slab<E, Entry>,
    pub(crate) seed: Seed,
}

impl<E: Storage<Entry>> Chained for Entries<'_, E> {
    fn hash(&self, item: u32) -> u32 {
        self.slab
            .get(item)
            .map_or(0, |entry| entry.key().hash(&self.seed))
    }

    fn chain(&self, item: u32) -> u32 {
        chain(self.slab, item)
    }

    fn set_chain(&mut self, item: u32, next: u32) {
        if let Some(entry) = self.slab.get_mut(item) {
            entry.chain = next;
        }
    }
}

/// Next entry of the same hash chain.
pub(crate) fn chain<E: Storage<Entry>>(slab: &Slab<E, Entry>, item: u32) -> u32 {
    slab.get(item).map_or(NIL, |entry| entry.chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::vec::Vec;

    fn keys() -> Vec<Key> {
        let mut keys = Vec::new();
        for (peer, node) in (0..40).flat_map(|peer| (0..40).map(move |node| (peer, node))) {
            for (epoch, kind) in [(0, Kind::Active), (0, Kind::Requested), (7, Kind::Active)] {
                keys.push(Key {
                    peer,
                    node,
                    epoch,
                    kind,
                });
            }
        }
        keys
    }

    #[test]
    fn keys_that_differ_have_hashes_that_differ() {
        let seed = Seed::new(5, 6);
        let keys = keys();
        let hashes: HashSet<u32> = keys.iter().map(|key| key.hash(&seed)).collect();
        // 4,800 of 2^32 meet once in 373 seeds.
        assert!(
            hashes.len() >= keys.len() - 2,
            "{} of {}",
            hashes.len(),
            keys.len()
        );
        let buckets: HashSet<u32> = keys.iter().map(|key| key.hash(&seed) % 4096).collect();
        // By chance 1,265 of 4,096 stay empty.
        assert!(buckets.len() > 2_500, "{} buckets of 4,096", buckets.len());
    }

    #[test]
    fn an_entry_knows_its_key_and_counts_once() {
        for key in keys() {
            assert_eq!(Entry::new(key).key(), key);
        }
    }

    #[test]
    fn what_was_never_counted_is_not_counted_off() {
        for key in keys() {
            let mut entry = Entry::new(key);
            assert!(entry.increment());
            assert_eq!([(); 3].map(|()| entry.decrement()), [1, 0, 0]);
            assert_eq!(entry.key(), key, "counting changes nothing else");
        }
    }
}
