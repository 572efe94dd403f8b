//! Memory that is lent to payloads, which any number of peers then read in place.
//!
//! ```text
//!  region: a sealed file         class: blocks of one length that are free
//!  ┌───────┬───────┬───────┐      4 KiB  ▸ block, block, …
//!  │ block │ block │ …     │     64 KiB  ▸ block          last in, first out:
//!  └───────┴───────┴───────┘     10 MiB  ▸ block          its pages are warm
//!  loan: a block, away ──────── back ──▶
//! ```
//!
//! A region has blocks of one class, and a new one is made when none is free: 1 MiB
//! of short ones, or a single long one. Fresh pages cost many times what warm ones
//! cost, so nothing is given back to the system before the limit is reached, and then
//! only what lies idle.
//!
//! A block comes back with the count of what had been lent when it went away. As much as
//! was lent since then has probably pushed its bytes out of the caches: where that is more
//! than they hold, it is filled past them.
//!
//! A region of which a block was [abandoned](Arena::abandon) is never lent from again:
//! a peer that cannot be asked may still read it. What is away of it comes back, then
//! all of it is given to the system, which keeps the pages for as long as that peer
//! has them mapped.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ferromq_transport::{Lender, Lent, Loan, NoMemory};

use crate::kill_point::{KillPoint, passing};
use crate::mapping::Block;
use crate::memory;

/// The shortest class.
const CLASS_MIN: usize = 4 << 10;
/// Regions of short blocks are that long.
const REGION: usize = 1 << 20;
/// Most blocks of a region.
const BLOCKS_MAX: usize = 64;
/// Most regions: each keeps a descriptor.
const REGIONS_MAX: usize = 256;
/// So many bytes are lent from one loan of a block to its next, that one included, when the
/// caches have probably lost it: half of a common last one. With 8 MiB, 4 MiB messages got
/// slower on one core; with 24 MiB, 10 MiB messages gain nothing there.
const COLD: u64 = 16 << 20;

/// What all links of a transport lend from.
pub(crate) struct Arena {
    /// The one that loans come back to.
    this: Weak<Self>,
    limit: usize,
    regions: Mutex<Regions>,
    /// How many regions were given up, ever.
    ended: AtomicU64,
}

#[derive(Default)]
struct Regions {
    /// By the address of their first byte.
    all: BTreeMap<usize, Region>,
    /// By the class of their blocks.
    free: BTreeMap<usize, Vec<Free>>,
    /// Bytes of all of them.
    bytes: usize,
    /// How many bytes were lent, ever.
    lent_ever: u64,
    /// The number of the last one.
    last: u64,
}

/// A block that may be lent.
struct Free {
    block: Block,
    /// [`Regions::lent_ever`] when it was last.
    at: u64,
    /// Whether none of its pages was touched before.
    is_new: bool,
}

struct Region {
    number: u64,
    len: usize,
    file: Arc<OwnedFd>,
    /// Blocks of it that are lent.
    away: usize,
    abandoned: bool,
}

/// Where bytes lie, for a peer to be told.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) region: u64,
    pub(crate) offset: u64,
    /// The region's length and its file.
    pub(crate) len: u64,
    pub(crate) file: Arc<OwnedFd>,
}

impl Arena {
    /// One that makes `limit` bytes of memory at most.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            limit,
            regions: Mutex::default(),
            ended: AtomicU64::new(0),
        })
    }

    /// Where these bytes lie, if it is in memory of ours that may be lent.
    pub(crate) fn locate(&self, bytes: &[u8]) -> Option<Located> {
        let regions = self.regions();
        let (start, region) = regions.around(bytes)?;
        (!region.abandoned).then(|| Located {
            region: region.number,
            offset: (bytes.as_ptr().addr() - start) as u64,
            len: region.len as u64,
            file: region.file.clone(),
        })
    }

    /// How many regions have ended, to see whether one has since.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Of these numbers of regions those that have ended.
    pub(crate) fn without_region(&self, numbers: impl Iterator<Item = u64>) -> Vec<u64> {
        let regions = self.regions();
        let lives = |number| regions.all.values().any(|region| region.number == number);
        numbers.filter(|number| !lives(*number)).collect()
    }

    fn regions(&self) -> MutexGuard<'_, Regions> {
        // Nothing in here panics half-way.
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of this class, from a region that is made for it.
    fn make(&self, class: usize) -> Result<Free, NoMemory> {
        let count = (REGION / class).clamp(1, BLOCKS_MAX);
        let len = class * count;
        let mut regions = self.regions();
        let idle = regions.end_idle(self.limit.saturating_sub(len), REGIONS_MAX - 1);
        let lent = regions.bytes;
        let whole = lent.checked_add(len).is_some_and(|sum| sum <= self.limit);
        let fits = whole && regions.all.len() < REGIONS_MAX;
        if fits {
            regions.bytes += len;
        }
        // Others may have what is free while pages are unmapped and made.
        drop(regions);
        self.ended.fetch_add(idle.regions, Ordering::Relaxed);
        drop(idle);
        if !fits {
            let (wanted, limit) = (len, self.limit);
            return Err(NoMemory::Limit {
                wanted,
                lent,
                limit,
            });
        }
        let made = memory::make(len, |file| Block::map(file, class, count));
        let mut regions = self.regions();
        let (file, blocks) = match made {
            Ok(made) => made,
            Err(none) => {
                regions.bytes -= len;
                let errno = none.errno().raw_os_error();
                return Err(NoMemory::System { wanted: len, errno });
            }
        };
        let start = blocks.first().map_or(0, Block::address);
        regions.last += 1;
        let region = Region {
            number: regions.last,
            len,
            file: Arc::new(file),
            away: 1,
            abandoned: false,
        };
        regions.all.insert(start, region);
        // The system has just filled them with zeros.
        let (at, is_new) = (regions.lent_ever, true);
        let blocks = blocks.into_iter().map(|block| Free { block, at, is_new });
        let mut blocks: Vec<Free> = blocks.collect();
        // One of a region is always there: `count` is 1 at least.
        let block = blocks.swap_remove(0);
        regions.free.entry(class).or_default().extend(blocks);
        Ok(block)
    }

    /// Counts what was lent; answers how much it was, ever.
    fn count(&self, len: usize) -> u64 {
        let mut regions = self.regions();
        regions.lent_ever += len as u64;
        regions.lent_ever
    }

    fn take_back(&self, free: Free) {
        let mut regions = self.regions();
        let address = free.block.address();
        let Some((&start, region)) = regions.all.range_mut(..=address).next_back() else {
            return;
        };
        region.away -= 1;
        if !region.abandoned {
            regions.free.entry(free.block.len()).or_default().push(free);
        } else if region.away == 0 {
            regions.bytes -= region.len;
            regions.all.remove(&start);
            drop(regions);
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        // What is not lent again is unmapped with the last of its region.
    }
}

/// Regions that were given up, to be unmapped where no lock is held.
#[derive(Default)]
struct Idle {
    regions: u64,
    blocks: Vec<Free>,
}

impl Regions {
    /// The region around these bytes, and its address.
    fn around(&self, bytes: &[u8]) -> Option<(usize, &Region)> {
        let address = bytes.as_ptr().addr();
        let (&start, region) = self.all.range(..=address).next_back()?;
        let end = address.checked_add(bytes.len())?;
        (end <= start + region.len).then_some((start, region))
    }

    /// Ends regions of which nothing is lent until no more than `bytes` and `count`
    /// are left, or none of that kind; the longest ones first.
    fn end_idle(&mut self, bytes: usize, count: usize) -> Idle {
        let mut idle = Idle::default();
        while self.bytes > bytes || self.all.len() > count {
            let unused = self.all.iter().filter(|(_, region)| region.away == 0);
            let Some((&start, _)) = unused.max_by_key(|(_, region)| region.len) else {
                break;
            };
            idle.blocks.append(&mut self.take_free(start));
            if let Some(region) = self.all.remove(&start) {
                self.bytes -= region.len;
                idle.regions += 1;
            }
        }
        idle
    }

    /// The free blocks of the region at `start`, which are no longer that.
    fn take_free(&mut self, start: usize) -> Vec<Free> {
        let end = start + self.all.get(&start).map_or(0, |region| region.len);
        let mut taken = Vec::new();
        for blocks in self.free.values_mut() {
            taken.extend(blocks.extract_if(.., |it| (start..end).contains(&it.block.address())));
        }
        self.free.retain(|_, blocks| !blocks.is_empty());
        taken
    }
}

impl Lender for Arena {
    fn loan(&self, len: usize) -> Result<Loan, NoMemory> {
        let class = class_of(len).ok_or(NoMemory::Limit {
            wanted: len,
            lent: 0,
            limit: self.limit,
        })?;
        let warm = {
            let mut regions = self.regions();
            let free = regions.free.get_mut(&class).and_then(Vec::pop);
            if let Some(free) = &free
                && let Some((_, region)) =
                    regions.all.range_mut(..=free.block.address()).next_back()
            {
                region.away += 1;
            }
            free
        };
        let Free { block, at, is_new } = match warm {
            Some(free) => free,
            None => self.make(class)?,
        };
        let lent_ever = self.count(len);
        passing(KillPoint::BlockLent);
        Ok(Loan::new(Away {
            block: Some(block),
            len,
            is_new,
            cold: lent_ever - at >= COLD,
            at: lent_ever,
            arena: self.this.clone(),
        }))
    }

    fn lends(&self, bytes: &[u8]) -> bool {
        self.locate(bytes).is_some()
    }

    fn abandon(&self, bytes: &[u8]) {
        let mut regions = self.regions();
        let Some((start, _)) = regions.around(bytes) else {
            return;
        };
        let unmapped = regions.take_free(start);
        if let Some(region) = regions.all.get_mut(&start) {
            region.abandoned = true;
        }
        drop(regions);
        drop(unmapped);
    }
}

/// A block that is lent.
struct Away {
    /// `None` once it is on its way back.
    block: Option<Block>,
    len: usize,
    /// [`Regions::lent_ever`] with it.
    at: u64,
    /// Whether none of its pages was touched before.
    is_new: bool,
    /// Whether the caches have probably lost what it had in them.
    cold: bool,
    arena: Weak<Arena>,
}

impl Lent for Away {
    fn bytes(&self) -> &[u8] {
        self.block
            .as_ref()
            .map_or(&[], |block| &block.bytes()[..self.len])
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        self.block
            .as_mut()
            .map_or(&mut [], |block| &mut block.bytes_mut()[..len])
    }

    fn copy_from_slice(&mut self, from: &[u8]) {
        assert_eq!(self.len, from.len());
        let Some(block) = &mut self.block else {
            return;
        };
        if self.is_new {
            block.populate(from.len());
        }
        match self.cold {
            true => block.copy_past_caches(from),
            false => block.bytes_mut()[..from.len()].copy_from_slice(from),
        }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if let (Some(block), Some(arena)) = (self.block.take(), self.arena.upgrade()) {
            let (at, is_new) = (self.at, false);
            arena.take_back(Free { block, at, is_new });
            passing(KillPoint::BlockReturned);
        }
    }
}

/// The length of the blocks for so many bytes: four steps between two powers of two,
/// so that less than a fifth is wasted, of whole pages. `None`: longer than any
/// memory.
fn class_of(len: usize) -> Option<usize> {
    if len <= CLASS_MIN {
        return Some(CLASS_MIN);
    }
    let step = (len.checked_next_power_of_two()? / 8).max(CLASS_MIN);
    len.checked_next_multiple_of(step)
}

#[cfg(all(test, not(loom)))]
mod tests;
