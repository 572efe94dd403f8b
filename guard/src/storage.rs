//! Storage for the machines' tables: a vector, as simple as it can be, so that
//! the figures are the machines' own.

use ferromq_patterns::{Full, Storage};

/// A table that grows as far as memory does.
#[derive(Debug)]
pub(crate) struct Table<T>(Vec<T>);

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Storage<T> for Table<T> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        self.0.get(i)
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        self.0.get_mut(i)
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len > self.0.len() {
            self.0.resize_with(len, T::default);
        }
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        self.0.truncate(len);
    }
}
