//! Items with a free list, over a storage.

use core::marker::PhantomData;

use crate::storage::{Full, Storage};

/// No item: the end of a list.
pub(crate) const NIL: u32 = u32::MAX;

/// An item that can be on a free list.
pub(crate) trait Slot: Default {
    /// The next free item, while this one is free.
    fn free_next(&self) -> u32;

    /// Becomes a free item in front of `next`.
    fn set_free(&mut self, next: u32);
}

/// A storage that hands out indices.
///
/// Invariant: `fresh <= slots.len()`; the free list has `free_len` items, all
/// below `fresh`. Items from `fresh` on were never used.
#[derive(Debug)]
pub(crate) struct Slab<S, T> {
    slots: S,
    free: u32,
    free_len: u32,
    fresh: u32,
    _item: PhantomData<fn() -> T>,
}

impl<T: Slot, S: Storage<T>> Slab<S, T> {
    pub(crate) fn new(slots: S) -> Self {
        Self {
            slots,
            free: NIL,
            free_len: 0,
            fresh: 0,
            _item: PhantomData,
        }
    }

    /// Makes sure that the next `n` calls of [`take`](Self::take) succeed.
    pub(crate) fn reserve(&mut self, n: u32) -> Result<(), Full> {
        let missing = n.saturating_sub(self.free_len);
        let len = self
            .fresh
            .checked_add(missing)
            .filter(|&len| len < NIL)
            .ok_or(Full)? as usize;
        if len > self.slots.len() {
            self.slots.grow(len)?;
        }
        Ok(())
    }

    /// An unused item's index; its content is whatever `free` left there.
    pub(crate) fn take(&mut self) -> Option<u32> {
        if self.free != NIL {
            let index = self.free;
            self.free = self.slots.get(index as usize)?.free_next();
            self.free_len -= 1;
            return Some(index);
        }
        let index = self.fresh;
        if index as usize >= self.slots.len() || index == NIL {
            return None;
        }
        self.fresh += 1;
        Some(index)
    }

    /// Takes an item back. The caller has unlinked it from everything.
    pub(crate) fn free(&mut self, index: u32) {
        let next = self.free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.set_free(next);
            self.free = index;
            self.free_len += 1;
        }
    }

    /// Items that were ever used: every index handed out is below.
    pub(crate) fn used(&self) -> u32 {
        self.fresh
    }

    /// Bytes of storage behind the slab, in use or not.
    pub(crate) fn footprint(&self) -> usize {
        self.slots.len() * size_of::<T>()
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentitySlot;
    use crate::storage::Array;

    #[test]
    fn only_what_there_is_room_for_is_handed_out() {
        let mut slab = Slab::<_, IdentitySlot>::new(Array::<IdentitySlot, 2>::new());
        assert_eq!(slab.take(), None, "nothing was reserved");
        assert_eq!(slab.reserve(2), Ok(()));
        assert_eq!(slab.footprint(), 2 * size_of::<IdentitySlot>());
        assert_eq!(
            (slab.take(), slab.take(), slab.take()),
            (Some(0), Some(1), None)
        );
        assert_eq!(slab.reserve(1), Err(Full));
        slab.free(0);
        assert_eq!(slab.reserve(1), Ok(()));
        assert_eq!((slab.take(), slab.take()), (Some(0), None));
        assert_eq!(slab.used(), 2);
    }

    #[test]
    fn what_was_freed_last_is_used_first() {
        let mut slab = Slab::<_, IdentitySlot>::new(Array::<IdentitySlot, 3>::new());
        assert_eq!(slab.reserve(3), Ok(()));
        assert_eq!([(); 3].map(|()| slab.take()), [Some(0), Some(1), Some(2)]);
        [1, 0, 2].into_iter().for_each(|index| slab.free(index));
        assert_eq!(slab.reserve(3), Ok(()));
        assert_eq!(slab.reserve(4), Err(Full));
        assert_eq!(
            [(); 4].map(|()| slab.take()),
            [Some(2), Some(0), Some(1), None]
        );
    }
}
