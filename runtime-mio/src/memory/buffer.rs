//! Buffers for long bodies, and the pool that keeps them warm.

use super::raw::{self, HEAD_ROOM, Home, OutOfMemory, Region};
use crate::frame::Frame;
use crate::message::PeerInfo;
use crate::sync::{Mutex, lock_unpoisoned};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Memory for one long body, while the link reads it.
///
/// Aligned to 64 bytes. A body of up to [`AT_ONCE`] is mapped at once, which
/// reserves address space only: pages are taken as they are written. A longer
/// one starts with [`PIECE`] and doubles as its bytes arrive, so that announcing
/// a gigabyte costs a megabyte. Growing moves page tables, not bytes. From the
/// second megabyte on a long buffer takes huge pages, not from the first byte:
/// what a peer makes us hold stays within 3 MiB of what it has sent.
pub(crate) struct PayloadBuffer {
    /// None once frozen.
    region: Option<Region>,
    pool: Arc<BufferPool>,
    /// Length that the frame's header announced.
    len: usize,
    /// `filled <= len`, and `filled <= capacity`.
    filled: usize,
    /// Whether huge pages were asked for.
    huge: bool,
}

/// Longest body that is mapped before its bytes arrive.
const AT_ONCE: usize = 16 << 20;
/// Most that one `space_mut` offers, and where a growing buffer starts: the
/// checksum runs over each piece while it is in the cache.
const PIECE: usize = 1 << 20;
/// Length from which huge pages are worth asking for.
const HUGE_FROM: usize = 4 << 20;

impl PayloadBuffer {
    /// Where to read next: at most 1 MiB, empty when nothing is missing. May
    /// grow the buffer; an error leaves it as it was.
    pub(crate) fn space_mut(&mut self) -> Result<&mut [u8], OutOfMemory> {
        let Some(region) = &mut self.region else {
            return Ok(&mut []);
        };
        if self.filled < self.len && HEAD_ROOM + self.filled == region.len() {
            region.grow(needed(self.len)?.min(2 * region.len()))?;
        }
        if !self.huge && self.filled >= PIECE && region.len() >= HUGE_FROM {
            region.prefer_huge_pages();
            self.huge = true;
        }
        let start = HEAD_ROOM + self.filled;
        let end = region.len().min(HEAD_ROOM + self.len).min(start + PIECE);
        Ok(region.bytes_mut(start..end))
    }

    /// `n` bytes were read into the front of `space_mut`. They come back for the
    /// checksum.
    ///
    /// # Panics
    ///
    /// If there was less space than that.
    pub(crate) fn filled(&mut self, n: usize) -> &mut [u8] {
        assert!(n <= self.missing());
        let start = HEAD_ROOM + self.filled;
        self.filled += n;
        match &mut self.region {
            Some(region) => region.bytes_mut(start..start + n),
            None => &mut [],
        }
    }

    /// The whole body, once nothing is missing.
    pub(crate) fn whole_mut(&mut self) -> &mut [u8] {
        match &mut self.region {
            Some(region) => region.bytes_mut(HEAD_ROOM..HEAD_ROOM + self.filled),
            None => &mut [],
        }
    }

    /// The same, to look at.
    pub(crate) fn whole(&self) -> &[u8] {
        match &self.region {
            Some(region) => region.bytes(HEAD_ROOM..HEAD_ROOM + self.filled),
            None => &[],
        }
    }

    /// Drops the first `n` bytes and moves the rest there, so that the body
    /// stays aligned. O(body).
    pub(crate) fn drop_front(&mut self, n: usize) {
        let n = n.min(self.filled);
        self.whole_mut().copy_within(n.., 0);
        self.filled -= n;
        self.len -= n;
    }

    /// Bytes of the body that are still to come.
    pub(crate) fn missing(&self) -> usize {
        self.len - self.filled
    }

    /// Bytes of the body that have come.
    pub(crate) fn filled_len(&self) -> usize {
        self.filled
    }

    /// Bytes of address space taken so far.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.region.as_ref().map_or(0, Region::len)
    }

    /// Makes a frame of what was filled, which is the body if nothing is
    /// missing. Copies nothing; the last handle gives the memory back.
    pub(crate) fn freeze(mut self, origin: Option<Arc<PeerInfo>>) -> Frame {
        debug_assert_eq!(self.missing(), 0, "a body that is not whole");
        match self.region.take() {
            Some(region) => {
                let pool = Arc::clone(&self.pool);
                Frame::from_shared(raw::freeze(region, self.filled, pool, origin))
            }
            None => Frame::default(),
        }
    }
}

impl Drop for PayloadBuffer {
    fn drop(&mut self) {
        if let Some(region) = self.region.take() {
            self.pool.take_back(region);
        }
    }
}

impl fmt::Debug for PayloadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadBuffer({} of {} bytes)", self.filled, self.len)
    }
}

/// Buffers that have been used: their pages are mapped, which makes them up to
/// six times as fast to fill as fresh memory.
///
/// Lengths are rounded up to four classes an octave, so that a buffer fits more
/// than one length of body. What is kept is bounded; the oldest goes first.
pub(crate) struct BufferPool {
    kept: Mutex<Kept>,
    limit: usize,
}

impl BufferPool {
    /// What a context keeps unless told otherwise.
    pub(crate) const DEFAULT_LIMIT: usize = 64 << 20;

    /// An empty pool that will keep at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::new(Kept::default()),
            limit,
        })
    }

    /// A buffer for a body of `len` bytes: a warm one if there is any.
    pub(crate) fn buffer(self: &Arc<Self>, len: u64) -> Result<PayloadBuffer, OutOfMemory> {
        let len = usize::try_from(len).map_err(|_| OutOfMemory { bytes: usize::MAX })?;
        let needed = needed(len)?;
        let warm = lock_unpoisoned(&self.kept).take(needed);
        let region = match warm {
            Some(region) => region,
            None if len <= AT_ONCE => Region::map(needed)?,
            None => Region::map(PIECE)?,
        };
        Ok(PayloadBuffer {
            region: Some(region),
            pool: Arc::clone(self),
            len,
            filled: 0,
            huge: false,
        })
    }

    /// A buffer of which nothing is missing, though nobody knows what is in it.
    pub(crate) fn whole(self: &Arc<Self>, len: usize) -> Result<PayloadBuffer, OutOfMemory> {
        let mut buffer = self.buffer(len as u64)?;
        while buffer.missing() > 0 {
            let len = buffer.space_mut()?.len();
            buffer.filled(len);
        }
        Ok(buffer)
    }

    /// A frame with a copy of `bytes`, in warm memory if there is any.
    pub(crate) fn copy(self: &Arc<Self>, bytes: &[u8]) -> Result<Frame, OutOfMemory> {
        let mut buffer = self.buffer(bytes.len() as u64)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = buffer.space_mut()?;
            let len = space.len().min(rest.len());
            space[..len].copy_from_slice(&rest[..len]);
            buffer.filled(len);
            rest = &rest[len..];
        }
        Ok(buffer.freeze(None))
    }

    /// Bytes that are kept and not in use.
    pub(crate) fn kept_bytes(&self) -> usize {
        lock_unpoisoned(&self.kept).bytes
    }
}

impl Home for BufferPool {
    fn take_back(&self, region: Region) {
        if region.len() > self.limit {
            return;
        }
        let mut surplus = Vec::new();
        {
            let mut kept = lock_unpoisoned(&self.kept);
            kept.put(region);
            while kept.bytes > self.limit {
                surplus.extend(kept.take_oldest());
            }
        }
        // Unmapping takes a system call: not under the lock.
        drop(surplus);
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BufferPool({} of {} bytes)",
            self.kept_bytes(),
            self.limit
        )
    }
}

#[derive(Default)]
struct Kept {
    /// By class, oldest in front. As long as the largest class seen.
    classes: Vec<VecDeque<Aged>>,
    bytes: usize,
    /// Counts what was ever kept, to tell ages.
    clock: u64,
}

struct Aged {
    since: u64,
    region: Region,
}

impl Kept {
    /// The last used buffer of the class of `len`, or of the next two.
    fn take(&mut self, len: usize) -> Option<Region> {
        let class = class(len);
        let fitting = self.classes.iter_mut().skip(class).take(3);
        let region = fitting.filter_map(VecDeque::pop_back).next()?.region;
        self.bytes -= region.len();
        Some(region)
    }

    fn put(&mut self, region: Region) {
        let class = class(region.len());
        if self.classes.len() <= class {
            self.classes.resize_with(class + 1, VecDeque::new);
        }
        self.clock += 1;
        self.bytes += region.len();
        self.classes[class].push_back(Aged {
            since: self.clock,
            region,
        });
    }

    /// O(classes), which are about 40.
    fn take_oldest(&mut self) -> Option<Region> {
        let oldest = self
            .classes
            .iter_mut()
            .filter(|class| !class.is_empty())
            .min_by_key(|class| class.front().map(|aged| aged.since))?;
        let region = oldest.pop_front()?.region;
        self.bytes -= region.len();
        Some(region)
    }
}

/// Length of the region for a body of `len` bytes: a whole class.
fn needed(len: usize) -> Result<usize, OutOfMemory> {
    let with_header = len
        .checked_add(HEAD_ROOM)
        .filter(|&len| len <= isize::MAX as usize);
    let with_header = with_header.ok_or(OutOfMemory { bytes: len })?;
    Ok(class_size(class(with_header)))
}

/// Classes are 64 KiB, then each power of two and the three quarters between.
const SMALLEST: usize = 64 << 10;

/// Index of the smallest class of `len` bytes or more.
fn class(len: usize) -> usize {
    if len <= SMALLEST {
        return 0;
    }
    let octave = ((len - 1) / SMALLEST).ilog2() as usize;
    let quarter = (SMALLEST << octave) / 4;
    4 * octave + (len - 1) / quarter - 3
}

/// Bytes of a region of that class.
fn class_size(class: usize) -> usize {
    let quarter = (SMALLEST << (class / 4)) / 4;
    (4 + class % 4) * quarter
}

#[cfg(test)]
mod class_tests {
    use super::{class, class_size};

    #[test]
    fn each_length_gets_the_smallest_class_that_holds_it() {
        for exponent in 0..30 {
            for near in [-1_i64, 0, 1, 77] {
                for quarter in 4..8_i64 {
                    let len = ((1_i64 << exponent) * quarter / 4 + near).max(0) as usize;
                    let class = class(len);
                    assert!(class_size(class) >= len, "{len}");
                    assert!(class == 0 || class_size(class - 1) < len, "{len}");
                }
            }
        }
    }
}
