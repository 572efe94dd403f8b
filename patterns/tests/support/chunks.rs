//! A storage like a runtime's: chunks of heap memory, with a limit.

use ferromq_patterns::{Full, Storage};

/// Chunks of about 64 KiB: growing copies nothing. The first one is kept apart:
/// most tables fit into it, and then an access loads one pointer less.
pub(crate) struct Chunks<T> {
    first: Box<[T]>,
    more: Vec<Box<[T]>>,
    len: usize,
    limit: usize,
}

impl<T: Default> Chunks<T> {
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self {
            first: Box::default(),
            more: Vec::new(),
            len: 0,
            limit,
        }
    }

    const fn per_chunk() -> usize {
        (1usize << 16 >> size_of::<T>().ilog2()).next_power_of_two()
    }

    fn chunk() -> Box<[T]> {
        (0..Self::per_chunk()).map(|_| T::default()).collect()
    }
}

impl<T: Default> Default for Chunks<T> {
    fn default() -> Self {
        Self::with_limit(usize::MAX)
    }
}

impl<T: Default> Storage<T> for Chunks<T> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        if i < Self::per_chunk() {
            return self.first.get(i);
        }
        self.more
            .get(i / Self::per_chunk() - 1)?
            .get(i % Self::per_chunk())
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        if i < Self::per_chunk() {
            return self.first.get_mut(i);
        }
        self.more
            .get_mut(i / Self::per_chunk() - 1)?
            .get_mut(i % Self::per_chunk())
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len > self.limit {
            return Err(Full);
        }
        if len > 0 && self.first.is_empty() {
            self.first = Self::chunk();
        }
        while (self.more.len() + 1) * Self::per_chunk() < len {
            self.more.push(Self::chunk());
        }
        self.len = self.len.max(len);
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        for i in len..self.len {
            if let Some(item) = self.get_mut(i) {
                *item = T::default();
            }
        }
        self.more
            .truncate(len.div_ceil(Self::per_chunk()).saturating_sub(1));
        self.len = self.len.min(len);
    }
}
