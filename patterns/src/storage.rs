//! Where a machine keeps its tables.

use core::fmt;

/// Indexed storage for one of a machine's tables.
///
/// The machines own no memory: whoever embeds them chooses inline arrays
/// ([`Array`]), [`heapless::Vec`], or chunks of heap memory with a limit.
/// Links between items are `u32` indices, so that items may move in memory but
/// never change their index.
///
/// # Contract
///
/// After `grow(len)` returned `Ok`, `self.len() >= len` and `get(i)` is `Some`
/// for every `i < self.len()`. After `Err`, nothing has changed. Items keep
/// their values over `grow`; new ones hold `T::default()`. A storage that breaks
/// this makes a machine forget peers; it cannot make it panic.
pub trait Storage<T> {
    /// The item at `i`, or `None` at and past [`len`](Self::len).
    fn get(&self, i: usize) -> Option<&T>;

    /// The item at `i`, or `None` at and past [`len`](Self::len).
    fn get_mut(&mut self, i: usize) -> Option<&mut T>;

    /// Items held.
    fn len(&self) -> usize;

    /// Whether no item is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for at least `len` items. Growing should take bounded time:
    /// add chunks, copy nothing.
    ///
    /// # Errors
    ///
    /// [`Full`] when the storage's limit is below `len`; nothing has changed then.
    fn grow(&mut self, len: usize) -> Result<(), Full>;

    /// Lets go of the items from `len` on.
    fn shrink(&mut self, len: usize);
}

/// A storage that lies elsewhere, in a static for instance.
impl<T, S: Storage<T> + ?Sized> Storage<T> for &mut S {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        (**self).get(i)
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        (**self).get_mut(i)
    }

    #[inline]
    fn len(&self) -> usize {
        (**self).len()
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        (**self).grow(len)
    }

    fn shrink(&mut self, len: usize) {
        (**self).shrink(len);
    }
}

/// A storage has reached its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("storage is full")
    }
}

impl core::error::Error for Full {}

/// `N` items in place: storage for machines that own no heap.
#[derive(Clone, Debug)]
pub struct Array<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Default, const N: usize> Array<T, N> {
    /// An empty array with room for `N` items.
    #[must_use]
    pub fn new() -> Self {
        Self {
            items: core::array::from_fn(|_| T::default()),
            len: 0,
        }
    }
}

impl<T: Default, const N: usize> Default for Array<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Default, const N: usize> Storage<T> for Array<T, N> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        if i < self.len {
            self.items.get(i)
        } else {
            None
        }
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        if i < self.len {
            self.items.get_mut(i)
        } else {
            None
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len > N {
            return Err(Full);
        }
        self.len = self.len.max(len);
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        for item in self.items.iter_mut().take(self.len).skip(len) {
            *item = T::default();
        }
        self.len = self.len.min(len);
    }
}

impl<T: Default, const N: usize> Storage<T> for heapless::Vec<T, N> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        self.as_slice().get(i)
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        self.as_mut_slice().get_mut(i)
    }

    #[inline]
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len > N {
            return Err(Full);
        }
        while self.as_slice().len() < len {
            self.push(T::default()).map_err(|_| Full)?;
        }
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        self.truncate(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaves<S: Storage<u32> + Default>(capacity: usize) {
        let mut s = S::default();
        assert!(s.is_empty());
        assert_eq!(s.get(0), None);
        assert_eq!(s.grow(capacity), Ok(()));
        assert_eq!(s.len(), capacity);
        assert!(!s.is_empty());
        *s.get_mut(capacity - 1).unwrap() = 7;
        assert_eq!(s.grow(capacity + 1), Err(Full));
        assert_eq!(
            (s.len(), s.get(capacity - 1), s.get(capacity)),
            (capacity, Some(&7), None)
        );
        s.shrink(1);
        assert_eq!((s.len(), s.get(1)), (1, None));
        assert_eq!(s.get_mut(1), None);
        assert_eq!(s.grow(capacity), Ok(()));
        assert_eq!(s.get(capacity - 1), Some(&0), "shrinking forgets");
        s.grow(1).unwrap();
        assert_eq!(s.len(), capacity, "growing never shrinks");
    }

    #[test]
    fn storages_keep_the_contract() {
        behaves::<Array<u32, 4>>(4);
        behaves::<heapless::Vec<u32, 4>>(4);
    }

    #[test]
    fn a_storage_that_lies_elsewhere_is_what_it_is() {
        fn fill_and_clear(mut s: impl Storage<u32>) {
            assert_eq!(s.grow(3), Ok(()));
            *s.get_mut(2).unwrap() = 7;
            assert_eq!((s.len(), s.get(2)), (3, Some(&7)));
            s.shrink(1);
            assert_eq!((s.len(), s.grow(5)), (1, Err(Full)));
        }
        let mut elsewhere = Array::<u32, 4>::new();
        fill_and_clear(&mut elsewhere);
        assert_eq!(elsewhere.len(), 1);
    }
}
