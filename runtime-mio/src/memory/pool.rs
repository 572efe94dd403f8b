//! Recycled receive blocks.

use super::block::ReceiveBlock;
use super::raw::{Home, OutOfMemory, Region, Ticketed};
use crate::message::PeerInfo;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock_unpoisoned};
use std::fmt;
use std::sync::Arc;

/// The receive blocks of one socket: some spare, and a count of those in use.
///
/// A block belongs to a link until that drops it; if frames still refer to it
/// then, it is *orphaned* and comes back with the last of them.
pub(crate) struct BlockPool {
    spare: Mutex<Vec<Region>>,
    /// Blocks given out and not yet back.
    live: AtomicUsize,
    /// Those of them that links own; the others are orphans.
    owned: AtomicUsize,
}

impl BlockPool {
    /// Bytes of address space that one block takes, its header included.
    pub(crate) const BLOCK_SIZE: usize = 128 * 1024;
    /// Blocks kept for the next link that reads.
    const SPARE: usize = 4;
    /// Orphans from which on frames are copied instead of sliced.
    const ORPHANS: usize = 16;

    /// An empty pool: nothing is reserved before the first block.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            spare: Mutex::new(Vec::new()),
            live: AtomicUsize::new(0),
            owned: AtomicUsize::new(0),
        })
    }

    /// A block for a link to read into; frames split from it come from `origin`.
    ///
    /// About 50 ns for a spare one, else one system call.
    pub(crate) fn block(
        self: &Arc<Self>,
        origin: Option<Arc<PeerInfo>>,
    ) -> Result<ReceiveBlock, OutOfMemory> {
        let spare = lock_unpoisoned(&self.spare).pop();
        let region = match spare {
            Some(region) => region,
            None => Region::map(Self::BLOCK_SIZE)?,
        };
        // Relaxed, here and below: a count to steer by, nothing depends on it.
        self.live.fetch_add(1, Ordering::Relaxed);
        self.owned.fetch_add(1, Ordering::Relaxed);
        Ok(ReceiveBlock::new(Ticketed::new(
            region,
            Arc::clone(self),
            origin,
        )))
    }

    /// Blocks in use: owned by links, or orphaned.
    pub(crate) fn live_blocks(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn spare_blocks(&self) -> usize {
        lock_unpoisoned(&self.spare).len()
    }

    /// Whether frames that users hold pin so many blocks that new frames should
    /// be copies.
    pub(super) fn is_crowded(&self) -> bool {
        let owned = self.owned.load(Ordering::Relaxed);
        self.live_blocks().saturating_sub(owned) >= Self::ORPHANS
    }

    /// A link has dropped a block of ours.
    pub(super) fn abandoned(&self) {
        self.owned.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Home for BlockPool {
    fn take_back(&self, region: Region) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        let mut spare = lock_unpoisoned(&self.spare);
        if spare.len() < Self::SPARE {
            spare.push(region);
        } else {
            // Unmapping takes a system call: not under the lock.
            drop(spare);
            drop(region);
        }
    }
}

impl fmt::Debug for BlockPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockPool")
            .field("live", &self.live)
            .field("owned", &self.owned)
            .finish_non_exhaustive()
    }
}
