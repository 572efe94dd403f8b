//! Storage for the pattern machines' tables.

use ferromq_patterns::{Full, Storage};
use std::collections::TryReserveError;
use std::fmt;

/// Items in chunks of 64 KiB, up to a limit.
///
/// Growing adds a chunk and moves nothing, so that no call stalls however large
/// the table is. Only the first chunk grows in place, doubling from 4 items, so
/// that a table of a few items takes a few items' memory: at most 64 KiB is ever
/// moved. Reading is two indexed loads.
pub(crate) struct Chunks<T> {
    /// All but the last are full, and none is empty.
    chunks: Vec<Vec<T>>,
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
            chunks: Vec::new(),
            len: 0,
            limit,
        }
    }

    /// Makes room for `len` items and touches none; what it reserved stays when
    /// it fails.
    fn reserve(&mut self, len: usize) -> Result<(), TryReserveError> {
        // The list first: it is what an absurd length fails at.
        let chunks = len.div_ceil(Self::PER_CHUNK);
        self.chunks
            .try_reserve(chunks.saturating_sub(self.chunks.len()))?;
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        let first = len.min(Self::PER_CHUNK);
        let small = &mut self.chunks[0];
        if small.capacity() < first {
            let doubled = first.next_power_of_two().max(SMALL).min(Self::PER_CHUNK);
            small.try_reserve_exact(doubled - small.len())?;
        }
        while self.chunks.len() < chunks {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(Self::PER_CHUNK)?;
            self.chunks.push(chunk);
        }
        Ok(())
    }
}

impl<T: Default> Storage<T> for Chunks<T> {
    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        self.chunks.get(i >> Self::SHIFT)?.get(i & Self::MASK)
    }

    #[inline]
    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        self.chunks
            .get_mut(i >> Self::SHIFT)?
            .get_mut(i & Self::MASK)
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
            let chunk = &mut self.chunks[self.len >> Self::SHIFT];
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
        self.chunks.truncate(len.div_ceil(Self::PER_CHUNK));
        let full = self.chunks.len().saturating_sub(1) * Self::PER_CHUNK;
        if let Some(last) = self.chunks.last_mut() {
            last.truncate(len - full);
        }
        self.len = len;
    }
}

impl<T> Chunks<T> {
    /// Items that there is memory for.
    #[cfg(test)]
    fn reserved(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum()
    }

    fn drop_empty_chunks(&mut self) {
        self.chunks.retain(|chunk| !chunk.is_empty());
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
