//! The machines' tables in heap memory, with a limit.

use ferromq_patterns::{Full, Storage};

/// A vector that grows up to `limit` items.
#[derive(Debug)]
pub(crate) struct Table<T> {
    items: Vec<T>,
    limit: usize,
}

impl<T> Table<T> {
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self {
            items: Vec::new(),
            limit,
        }
    }
}

impl<T: Default> Storage<T> for Table<T> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        self.items.get(i)
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        self.items.get_mut(i)
    }

    #[inline]
    fn len(&self) -> usize {
        self.items.len()
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len > self.limit {
            return Err(Full);
        }
        if len > self.items.len() {
            self.items.resize_with(len, T::default);
        }
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        self.items.truncate(len);
    }
}
