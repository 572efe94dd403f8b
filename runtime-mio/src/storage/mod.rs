//! Storage for the pattern machines' tables.

use ferromq_patterns::{Full, Storage};
use std::collections::TryReserveError;
use std::fmt;

/// Items in chunks of 64 KiB, up to a limit.
///
/// Growing adds a chunk and moves nothing, so that no call stalls however large
/// the table is. Only the first chunk grows in place, doubling from 4 items, so
/// that a table of a few items takes a few items' memory: at most 64 KiB is ever
/// moved. It is kept apart, for most tables fit into it: routing to one of a few
/// peers takes 1.5 ns where another load made it 4.5.
pub(crate) struct Chunks<T> {
    first: Vec<T>,
    /// The chunks behind a first one that is full. All but the last are full,
    /// and none is empty.
    more: Vec<Vec<T>>,
    len: usize,
    limit: usize,
}

impl<T: Default> Chunks<T> {
    /// Items a chunk: the power of two that fills at most 64 KiB.
    const PER_CHUNK: usize = {
        let size = if size_of::<T>() == 0 {
            1
        } else {
            size_of::<T>()
        };
        let fit = if size < CHUNK_BYTES {
            CHUNK_BYTES / size
        } else {
            1
        };
        1 << fit.ilog2()
    };
    const SHIFT: u32 = Self::PER_CHUNK.ilog2();
    const MASK: usize = Self::PER_CHUNK - 1;

    /// An empty table that will hold at most `limit` items. Allocates nothing.
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self {
            first: Vec::new(),
            more: Vec::new(),
            len: 0,
            limit,
        }
    }

    /// Makes room for `len` items and touches none; what it reserved stays when
    /// it fails.
    fn reserve(&mut self, len: usize) -> Result<(), TryReserveError> {
        // The list first: it is what an absurd length fails at.
        let more = len.div_ceil(Self::PER_CHUNK).saturating_sub(1);
        self.more
            .try_reserve(more.saturating_sub(self.more.len()))?;
        let first = len.min(Self::PER_CHUNK);
        if self.first.capacity() < first {
            let doubled = first.next_power_of_two().max(SMALL).min(Self::PER_CHUNK);
            self.first.try_reserve_exact(doubled - self.first.len())?;
        }
        while self.more.len() < more {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(Self::PER_CHUNK)?;
            self.more.push(chunk);
        }
        Ok(())
    }
}

impl<T: Default> Storage<T> for Chunks<T> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        match i >> Self::SHIFT {
            0 => self.first.get(i),
            chunk => self.more.get(chunk - 1)?.get(i & Self::MASK),
        }
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        match i >> Self::SHIFT {
            0 => self.first.get_mut(i),
            chunk => self.more.get_mut(chunk - 1)?.get_mut(i & Self::MASK),
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    /// O(new items): amortised one allocation for 64 KiB of them. `Full` also
    /// when the system has no memory.
    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if len <= self.len {
            return Ok(());
        }
        if len > self.limit {
            return Err(Full);
        }
        if self.reserve(len).is_err() {
            self.drop_empty_chunks();
            return Err(Full);
        }
        while self.len < len {
            let chunk = match self.len >> Self::SHIFT {
                0 => &mut self.first,
                chunk => &mut self.more[chunk - 1],
            };
            let missing = (len - self.len).min(Self::PER_CHUNK - chunk.len());
            // Within what `reserve` made: allocates nothing.
            chunk.extend(std::iter::repeat_with(T::default).take(missing));
            self.len += missing;
        }
        Ok(())
    }

    /// O(items let go). Their chunks are freed.
    fn shrink(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.more
            .truncate(len.div_ceil(Self::PER_CHUNK).saturating_sub(1));
        let full = self.more.len() * Self::PER_CHUNK;
        match self.more.last_mut() {
            Some(last) => last.truncate(len - full),
            None if len == 0 => self.first = Vec::new(),
            None => self.first.truncate(len),
        }
        self.len = len;
    }
}

impl<T> Chunks<T> {
    /// Items that there is memory for.
    #[cfg(test)]
    fn reserved(&self) -> usize {
        self.first.capacity() + self.more.iter().map(Vec::capacity).sum::<usize>()
    }

    fn drop_empty_chunks(&mut self) {
        self.more.retain(|chunk| !chunk.is_empty());
        if self.first.is_empty() {
            self.first = Vec::new();
        }
    }
}

impl<T> fmt::Debug for Chunks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunks({} of {} items)", self.len, self.limit)
    }
}

const CHUNK_BYTES: usize = 64 << 10;
/// Items that the first allocation holds.
const SMALL: usize = 4;

#[cfg(all(test, not(loom)))]
mod tests;
