//! The block that a link reads into.

use super::pool::BlockPool;
use super::raw::{ALIGNED_FROM, HEAD_ROOM, OutOfMemory, Shared, Ticketed};
use crate::frame::Frame;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// 128 KiB that one link fills, decodes and splits into frames.
///
/// ```text
///  0          start              end                CAPACITY
///  ├────────────┼──────────────────┼──────────────────┤
///   frames, or   undecoded          space
///   done with    (`undecoded_mut`)  (`space_mut`)
/// ```
///
/// `0 <= frozen <= start <= end <= CAPACITY`, `frozen` being what [`Ticketed`]
/// keeps off `&mut` while slices are alive; `start` goes back only when none is.
///
/// # What a held frame pins
///
/// A frame is a slice of the block when that is cheaper, which is when frames
/// come in numbers. It is a copy, in an allocation of its own,
///
/// - when it has 4 KiB or more (aligned to 64 bytes then);
/// - when the block is sparse: less than [`SPARSE`] bytes came since it was last
///   empty and unshared, as with messages that come one by one;
/// - when 16 orphaned blocks of the socket are alive already.
///
/// So whatever a user keeps, the slices of one socket pin at most 16 blocks and
/// one a link beyond the bytes held: 2 MiB and 128 KiB a link.
///
/// A link that has decoded everything and waits should drop its block: it goes
/// back to the pool warm, and an idle link costs none.
pub(crate) struct ReceiveBlock {
    block: Ticketed<BlockPool>,
    start: usize,
    end: usize,
    /// Whether the pool was crowded at the last [`prepare_fill`], or at first.
    ///
    /// [`prepare_fill`]: Self::prepare_fill
    crowded: bool,
}

impl ReceiveBlock {
    /// Bytes that fit into an empty block. A frame that is to be decoded in
    /// place must fit into half of it, header included.
    pub(crate) const CAPACITY: usize = BlockPool::BLOCK_SIZE - HEAD_ROOM;
    /// Filled bytes below which frames are copied.
    const SPARSE: usize = 2048;
    /// Space below which `prepare_fill` makes more.
    const LOW_SPACE: usize = Self::CAPACITY / 4;

    pub(super) fn new(block: Ticketed<BlockPool>) -> Self {
        debug_assert_eq!(block.capacity(), Self::CAPACITY);
        let crowded = block.home().is_crowded();
        Self {
            block,
            start: 0,
            end: 0,
            crowded,
        }
    }

    /// What has been read and not consumed.
    #[inline]
    pub(crate) fn undecoded_mut(&mut self) -> &mut [u8] {
        self.block.bytes_mut(self.start..self.end)
    }

    /// Where to read next. Empty only when a whole block is undecoded.
    #[inline]
    pub(crate) fn space_mut(&mut self) -> &mut [u8] {
        self.block.bytes_mut(self.end..Self::CAPACITY)
    }

    /// `n` bytes were read into the front of `space_mut`.
    ///
    /// # Panics
    ///
    /// If there was less space than that.
    #[inline]
    pub(crate) fn filled(&mut self, n: usize) {
        assert!(n <= Self::CAPACITY - self.end);
        self.end += n;
    }

    /// The first `n` undecoded bytes are done with.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        assert!(n <= self.end - self.start);
        self.start += n;
    }

    /// Consumes `consumed` bytes and makes a frame of `body` among them; both
    /// are relative to the undecoded bytes.
    ///
    /// A slice costs a local subtraction, a copy an allocation.
    ///
    /// # Panics
    ///
    /// Unless `body` is within `consumed`, and that within what is undecoded.
    #[inline]
    pub(crate) fn split_frame(&mut self, body: Range<usize>, consumed: usize) -> Frame {
        assert!(body.start <= body.end && body.end <= consumed);
        assert!(consumed <= self.end - self.start);
        let range = self.start + body.start..self.start + body.end;
        self.start += consumed;
        let sliced = range.len() < ALIGNED_FROM && self.end >= Self::SPARSE && !self.crowded;
        let bytes = if sliced {
            self.block.split(range)
        } else {
            self.copy(range)
        };
        Frame::from_shared(bytes)
    }

    #[cold]
    fn copy(&mut self, range: Range<usize>) -> Shared {
        match range.is_empty() {
            // The delimiter of every request and reply: nothing to allocate.
            true => Shared::from_static(b""),
            false => self.block.copy(range),
        }
    }

    /// Makes room for the next read. Call it before each; usually one load.
    ///
    /// An empty block that no frame refers to starts over. With a quarter or
    /// less of space left, the undecoded rest moves to the front; if frames
    /// refer to this block, to the front of another one, and this one is
    /// orphaned.
    pub(crate) fn prepare_fill(&mut self) -> Result<(), OutOfMemory> {
        self.crowded = self.pool().is_crowded();
        if self.is_empty() && self.block.thaw() {
            self.start = 0;
            self.end = 0;
            return Ok(());
        }
        if Self::CAPACITY - self.end >= Self::LOW_SPACE {
            return Ok(());
        }
        if self.block.thaw() {
            self.block
                .bytes_mut(0..self.end)
                .copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            return Ok(());
        }
        self.move_to_fresh()
    }

    fn move_to_fresh(&mut self) -> Result<(), OutOfMemory> {
        let mut fresh = self.pool().block(self.block.origin().cloned())?;
        let rest = self.undecoded_mut();
        fresh.space_mut()[..rest.len()].copy_from_slice(rest);
        fresh.filled(rest.len());
        *self = fresh;
        Ok(())
    }

    /// Bytes that were read and not consumed.
    pub(crate) fn undecoded_len(&self) -> usize {
        self.end - self.start
    }

    /// Whether everything read has been consumed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether no frame refers to the block.
    pub(crate) fn is_unique(&self) -> bool {
        self.block.is_unique()
    }

    fn pool(&self) -> &Arc<BlockPool> {
        self.block.home()
    }
}

impl Drop for ReceiveBlock {
    fn drop(&mut self) {
        self.pool().abandoned();
    }
}

impl fmt::Debug for ReceiveBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBlock")
            .field("start", &self.start)
            .field("end", &self.end)
            .field("unique", &self.is_unique())
            .finish_non_exhaustive()
    }
}
