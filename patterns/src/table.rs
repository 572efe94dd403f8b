//! A hash table that grows by one bucket at a time.

use crate::slab::NIL;
use crate::storage::{Full, Storage};

/// One bucket of a hash table: the first item of its chain.
///
/// Opaque; it is public so that a storage can be named.
#[derive(Clone, Copy, Debug)]
pub struct Bucket(u32);

impl Default for Bucket {
    fn default() -> Self {
        Self(NIL)
    }
}

/// Items that a table chains together. They hold the links; the table holds
/// the buckets.
pub(crate) trait Chained {
    /// The hash of an item that is, or is about to be, in the table.
    fn hash(&self, item: u32) -> u32;
    /// The next item of the same chain.
    fn chain(&self, item: u32) -> u32;
    /// Sets the next item of the same chain.
    fn set_chain(&mut self, item: u32, next: u32);
}

/// A linear-hashing table: no insertion ever moves more than one bucket's items.
///
/// Bucket `i` of `used` holds the hashes whose low bits are `i`, taking one bit
/// less where that names a bucket that does not exist yet. Adding bucket `used`
/// therefore splits exactly one chain. Invariant: `mask` is one less than the
/// smallest power of two that is at least `used`.
///
/// A bucket storage that cannot grow only makes chains longer.
#[derive(Debug)]
pub(crate) struct Table<B> {
    buckets: B,
    used: u32,
    mask: u32,
    items: u32,
}

impl<B: Storage<Bucket>> Table<B> {
    pub(crate) fn new(buckets: B) -> Self {
        Self {
            buckets,
            used: 0,
            mask: 0,
            items: 0,
        }
    }

    /// Makes sure that the next [`insert`](Self::insert) finds a bucket.
    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        if self.used == 0 {
            self.add_bucket()?;
        }
        Ok(())
    }

    /// First item of the chain that holds `hash`.
    #[inline]
    pub(crate) fn first(&self, hash: u32) -> u32 {
        self.buckets
            .get(self.bucket_of(hash))
            .map_or(NIL, |bucket| bucket.0)
    }

    /// Adds an item at an end of its chain, and a bucket if there are more items
    /// than buckets. Expected O(1): one chain is split at most.
    pub(crate) fn insert(&mut self, chained: &mut impl Chained, item: u32, end: End) {
        let bucket = self.bucket_of(chained.hash(item));
        match end {
            End::Front => self.push_front(chained, bucket, item),
            End::Back => self.push_after(chained, bucket, self.last(chained, bucket), item),
        }
        self.items += 1;
        if self.items > self.used && self.add_bucket().is_ok() {
            self.split_into(chained, self.used - 1);
        }
    }

    /// Takes an item out. Expected O(1).
    pub(crate) fn remove(&mut self, chained: &mut impl Chained, item: u32) {
        let bucket = self.bucket_of(chained.hash(item));
        let next = chained.chain(item);
        let Some(first) = self.buckets.get_mut(bucket) else {
            return;
        };
        let mut at = first.0;
        if at == item {
            first.0 = next;
            self.items -= 1;
            return;
        }
        while at != NIL {
            let after = chained.chain(at);
            if after == item {
                chained.set_chain(at, next);
                self.items -= 1;
                return;
            }
            at = after;
        }
    }

    /// Bytes of storage behind the table, in use or not.
    pub(crate) fn footprint(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>()
    }

    #[inline]
    fn bucket_of(&self, hash: u32) -> usize {
        let bucket = hash & self.mask;
        (if bucket < self.used {
            bucket
        } else {
            bucket & (self.mask >> 1)
        }) as usize
    }

    fn push_front(&mut self, chained: &mut impl Chained, bucket: usize, item: u32) {
        if let Some(first) = self.buckets.get_mut(bucket) {
            chained.set_chain(item, first.0);
            first.0 = item;
        }
    }

    /// Puts an item behind `last`, the last of its chain, or into an empty bucket.
    fn push_after(&mut self, chained: &mut impl Chained, bucket: usize, last: u32, item: u32) {
        if last == NIL {
            return self.push_front(chained, bucket, item);
        }
        chained.set_chain(item, NIL);
        chained.set_chain(last, item);
    }

    fn last(&self, chained: &impl Chained, bucket: usize) -> u32 {
        let mut last = NIL;
        let mut at = self.buckets.get(bucket).map_or(NIL, |bucket| bucket.0);
        while at != NIL {
            last = at;
            at = chained.chain(at);
        }
        last
    }

    fn add_bucket(&mut self) -> Result<(), Full> {
        let used = self.used.checked_add(1).ok_or(Full)?;
        if used as usize > self.buckets.len() {
            self.buckets.grow(used as usize)?;
        }
        if let Some(bucket) = self.buckets.get_mut(self.used as usize) {
            *bucket = Bucket::default();
        }
        self.used = used;
        self.mask = used
            .checked_next_power_of_two()
            .map_or(u32::MAX, |power| power - 1);
        Ok(())
    }

    /// Moves to the new bucket what the bucket with one bit less held for it.
    /// What was in front stays in front.
    fn split_into(&mut self, chained: &mut impl Chained, new: u32) {
        let (old, new) = ((new & (self.mask >> 1)) as usize, new as usize);
        let Some(first) = self.buckets.get_mut(old) else {
            return;
        };
        let mut at = core::mem::take(first).0;
        let (mut last_old, mut last_new) = (NIL, NIL);
        while at != NIL {
            let next = chained.chain(at);
            let bucket = self.bucket_of(chained.hash(at));
            let last = if bucket == new {
                &mut last_new
            } else {
                &mut last_old
            };
            self.push_after(chained, bucket, *last, at);
            *last = at;
            at = next;
        }
    }
}

/// Where in its chain an item goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It will be looked up often.
    Front,
    /// It will not.
    Back,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Array;
    use std::vec::Vec;

    struct Items(Vec<(u32, u32)>);

    impl Chained for Items {
        fn hash(&self, item: u32) -> u32 {
            self.0[item as usize].0
        }
        fn chain(&self, item: u32) -> u32 {
            self.0[item as usize].1
        }
        fn set_chain(&mut self, item: u32, next: u32) {
            self.0[item as usize].1 = next;
        }
    }

    impl Items {
        fn finds<B: Storage<Bucket>>(&self, table: &Table<B>, item: u32) -> bool {
            let mut at = table.first(self.hash(item));
            while at != NIL && at != item {
                at = self.chain(at);
            }
            at == item
        }
    }

    fn holds_what_was_inserted<const N: usize>() {
        let hashes = (0..200u32).map(|i| (i.wrapping_mul(0x9e37_79b9), NIL));
        let mut items = Items(hashes.collect());
        let mut table = Table::new(Array::<Bucket, N>::new());
        table.reserve().unwrap();
        for item in 0..200 {
            assert!(!items.finds(&table, item));
            table.insert(
                &mut items,
                item,
                if item % 3 == 0 { End::Front } else { End::Back },
            );
            assert!(
                (0..=item).all(|i| items.finds(&table, i)),
                "{N} buckets, item {item}"
            );
        }
        for item in (0..200).rev().step_by(2).chain((0..200).step_by(2)) {
            table.remove(&mut items, item);
            assert!(!items.finds(&table, item));
        }
        assert_eq!(table.items, 0);
        assert!(table.buckets.items_are_empty());
    }

    impl<const N: usize> Array<Bucket, N> {
        fn items_are_empty(&self) -> bool {
            (0..self.len()).all(|i| self.get(i).unwrap().0 == NIL)
        }
    }

    #[test]
    fn growing_and_stuck_tables_hold_what_was_inserted() {
        holds_what_was_inserted::<1>();
        holds_what_was_inserted::<3>();
        holds_what_was_inserted::<100>();
        holds_what_was_inserted::<256>();
    }

    #[test]
    fn no_bucket_at_all_is_full() {
        assert_eq!(Table::new(Array::<Bucket, 0>::new()).reserve(), Err(Full));
    }

    #[test]
    fn items_are_spread_over_all_buckets() {
        let hashes = (0..256_u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 7, NIL));
        let mut items = Items(hashes.collect());
        let mut table = Table::new(Array::<Bucket, 256>::new());
        table.reserve().unwrap();
        (0..256).for_each(|item| table.insert(&mut items, item, End::Back));
        let len = |item: u32| {
            let next = |at: &u32| Some(items.chain(*at)).filter(|at| *at != NIL);
            core::iter::successors(Some(table.first(items.hash(item))), next).count()
        };
        let longest = (0..256).map(len).max().unwrap();
        assert!(longest <= 12, "a chain of {longest} where few are the mean");
        assert_eq!(table.footprint(), 256 * size_of::<Bucket>());
    }
}
