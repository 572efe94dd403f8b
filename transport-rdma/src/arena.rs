//! Memory for payloads: those that are lent to be sent, and those that are fetched.
//!
//! Blocks come in classes, from regions of one class, and a block that came back is the
//! next one to be lent: its pages are there, and perhaps it is registered. A block whose
//! payload a peer may still read is not lent again before that has ended
//! ([`Arena::hold`]); it waits apart.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ferromq_transport::{Lender, Lent, Loan, NoMemory};

use crate::error::errno_of;
use crate::sys::{Pages, Slot};
use crate::verbs::Part;

/// The shortest class.
const CLASS_MIN: usize = 4 << 10;
/// Regions of short blocks are that long.
const REGION: usize = 1 << 20;
/// Most blocks of a region.
const BLOCKS_MAX: usize = 64;

/// What all links of a transport have payloads in.
pub(crate) struct Arena {
    /// The one that blocks come back to.
    this: Weak<Self>,
    limit: usize,
    regions: Mutex<Regions>,
}

#[derive(Default)]
struct Regions {
    /// By the address of their first byte.
    all: BTreeMap<usize, Region>,
    /// By the class of their blocks.
    free: BTreeMap<usize, Vec<Slot>>,
    /// By address: blocks that peers may read, and how many do.
    held: HashMap<usize, Held>,
    /// Bytes of all of them.
    bytes: usize,
}

struct Region {
    pages: Arc<Pages>,
    len: usize,
    class: usize,
    /// Blocks of it that are lent, or held.
    away: usize,
}

#[derive(Default)]
struct Held {
    times: usize,
    /// It came back meanwhile.
    slot: Option<Slot>,
}

impl Arena {
    /// One that makes `limit` bytes of memory at most, beside what is fetched.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            limit,
            regions: Mutex::default(),
        })
    }

    /// A block for so many bytes of a peer's: from the arena, or, where that has reached its
    /// limit, for this once. What a peer may send is limited elsewhere.
    pub(crate) fn landing(&self, len: usize) -> io::Result<Block> {
        let class = class_of(len).ok_or(io::ErrorKind::OutOfMemory)?;
        if let Ok(slot) = self.take(class) {
            return Ok(self.block(slot, len));
        }
        let slot = Slot::cut(class, 1)?.pop();
        Ok(Block {
            slot,
            len,
            arena: Weak::new(),
        })
    }

    /// The address of the block that these bytes lie in, if it is one.
    pub(crate) fn block_of(&self, bytes: &[u8]) -> Option<usize> {
        let regions = self.regions();
        let (start, region) = regions.around(bytes)?;
        let offset = bytes.as_ptr().addr() - start;
        Some(start + offset / region.class * region.class)
    }

    /// The same, with all of that block for a device.
    pub(crate) fn whole_of(&self, bytes: &[u8]) -> Option<(usize, Part)> {
        let address = self.block_of(bytes)?;
        let regions = self.regions();
        let (&start, region) = regions.all.range(..=address).next_back()?;
        let part = Part {
            pages: region.pages.clone(),
            offset: address - start,
            len: region.class,
        };
        Some((address, part))
    }

    /// Does not lend the block at `address` again before it was let go as often.
    pub(crate) fn hold(&self, address: usize) {
        self.regions().held.entry(address).or_default().times += 1;
    }

    /// Takes a hold back.
    pub(crate) fn let_go(&self, address: usize) {
        let mut regions = self.regions();
        let Some(held) = regions.held.get_mut(&address) else {
            return;
        };
        held.times -= 1;
        if held.times == 0 {
            let held = regions.held.remove(&address);
            if let Some(slot) = held.and_then(|held| held.slot) {
                regions.give_back(slot);
            }
        }
    }

    fn regions(&self) -> MutexGuard<'_, Regions> {
        // Nothing in here panics half-way.
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn block(&self, slot: Slot, len: usize) -> Block {
        Block {
            slot: Some(slot),
            len,
            arena: self.this.clone(),
        }
    }

    /// A free block of this class, or one of a region that is made for it.
    fn take(&self, class: usize) -> Result<Slot, NoMemory> {
        let mut regions = self.regions();
        if let Some(slot) = regions.take_free(class) {
            return Ok(slot);
        }
        let count = (REGION / class).clamp(1, BLOCKS_MAX);
        let len = class * count;
        let idle = regions.end_idle(self.limit.saturating_sub(len));
        let lent = regions.bytes;
        if lent.checked_add(len).is_none_or(|sum| sum > self.limit) {
            return Err(NoMemory::Limit {
                wanted: len,
                lent,
                limit: self.limit,
            });
        }
        let slots = Slot::cut(class, count).map_err(|error| NoMemory::System {
            wanted: len,
            errno: errno_of(&error),
        })?;
        regions.add(slots, len, class);
        let slot = regions.take_free(class);
        drop(regions);
        // Unmapped where no lock is held.
        drop(idle);
        slot.ok_or(NoMemory::Limit {
            wanted: len,
            lent,
            limit: self.limit,
        })
    }

    fn take_back(&self, slot: Slot) {
        let mut regions = self.regions();
        match regions.held.get_mut(&slot.address()) {
            Some(held) => held.slot = Some(slot),
            None => regions.give_back(slot),
        }
    }
}

impl Regions {
    /// The region around these bytes, and its address.
    fn around(&self, bytes: &[u8]) -> Option<(usize, &Region)> {
        let address = bytes.as_ptr().addr();
        let (&start, region) = self.all.range(..=address).next_back()?;
        let end = address.checked_add(bytes.len())?;
        (end <= start + region.len).then_some((start, region))
    }

    fn add(&mut self, slots: Vec<Slot>, len: usize, class: usize) {
        let Some(first) = slots.first() else {
            return;
        };
        let region = Region {
            pages: first.place().0.clone(),
            len,
            class,
            away: 0,
        };
        self.all.insert(first.address(), region);
        self.bytes += len;
        self.free.entry(class).or_default().extend(slots);
    }

    fn region_of(&mut self, slot: &Slot) -> Option<&mut Region> {
        let before = self.all.range_mut(..=slot.address());
        before.map(|(_, region)| region).next_back()
    }

    fn take_free(&mut self, class: usize) -> Option<Slot> {
        let slot = self.free.get_mut(&class)?.pop()?;
        if let Some(region) = self.region_of(&slot) {
            region.away += 1;
        }
        Some(slot)
    }

    fn give_back(&mut self, slot: Slot) {
        if let Some(region) = self.region_of(&slot) {
            region.away -= 1;
            self.free.entry(slot.len()).or_default().push(slot);
        }
    }

    /// Ends regions of which nothing is lent until no more than `bytes` are left, or
    /// none of that kind; the longest ones first. Their blocks, to be dropped.
    fn end_idle(&mut self, bytes: usize) -> Vec<Slot> {
        let mut idle = Vec::new();
        while self.bytes > bytes {
            let unused = self.all.iter().filter(|(_, region)| region.away == 0);
            let Some((&start, region)) = unused.max_by_key(|(_, region)| region.len) else {
                break;
            };
            let range = start..start + region.len;
            self.bytes -= region.len;
            self.all.remove(&start);
            idle.append(&mut self.take_all_free(&range));
        }
        idle
    }

    fn take_all_free(&mut self, range: &Range<usize>) -> Vec<Slot> {
        let mut taken = Vec::new();
        for slots in self.free.values_mut() {
            taken.extend(slots.extract_if(.., |slot| range.contains(&slot.address())));
        }
        self.free.retain(|_, slots| !slots.is_empty());
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
        let slot = self.take(class)?;
        Ok(Loan::new(self.block(slot, len)))
    }

    fn lends(&self, bytes: &[u8]) -> bool {
        self.regions().around(bytes).is_some()
    }

    /// Nothing: what a peer may read of a block ends with the link that told it, and the
    /// block is held until then.
    fn abandon(&self, _bytes: &[u8]) {}
}

/// A block with a payload.
pub(crate) struct Block {
    /// `None` once it is on its way back.
    slot: Option<Slot>,
    len: usize,
    arena: Weak<Arena>,
}

impl Block {
    /// Bytes of the whole block, the payload's and those behind it.
    pub(crate) fn capacity(&self) -> usize {
        self.slot.as_ref().map_or(0, Slot::len)
    }

    /// A part of the whole block, for a device.
    pub(crate) fn part(&self, of: Range<usize>) -> Option<Part> {
        self.slot.as_ref().map(|slot| slot.part(of))
    }

    /// Whether it comes back to the arena, and so may be used again.
    pub(crate) fn is_kept(&self) -> bool {
        self.arena.strong_count() > 0
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        let bytes = self.slot.as_ref().map_or(&[][..], Slot::bytes);
        &bytes[..self.len]
    }
}

impl Lent for Block {
    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        let slot = self.slot.as_mut();
        slot.map_or(&mut [], |slot| &mut slot.bytes_mut()[..len])
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let (Some(slot), Some(arena)) = (self.slot.take(), self.arena.upgrade()) {
            arena.take_back(slot);
        }
    }
}

/// The length of the blocks for so many bytes: four steps between two powers of two,
/// so that less than a fifth is wasted, of whole pages. `None`: longer than any memory.
fn class_of(len: usize) -> Option<usize> {
    if len <= CLASS_MIN {
        return Some(CLASS_MIN);
    }
    let step = (len.checked_next_power_of_two()? / 8).max(CLASS_MIN);
    len.checked_next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_a_peer_may_read_is_not_lent_again() {
        let arena = Arena::new(1 << 20);
        let loan = arena.loan(100_000).unwrap();
        let address = arena.block_of(&loan.as_ref()[10..20]).unwrap();
        assert_eq!(address, loan.as_ref().as_ptr().addr());
        arena.hold(address);
        arena.hold(address);
        drop(loan);
        arena.let_go(address);
        let other = arena.loan(100_000).unwrap();
        assert_ne!(other.as_ref().as_ptr().addr(), address);
        arena.let_go(address);
        let again = arena.loan(100_000).unwrap();
        assert_eq!(again.as_ref().as_ptr().addr(), address);
    }

    #[test]
    fn a_block_that_was_let_go_first_comes_back_as_any() {
        let arena = Arena::new(1 << 20);
        let loan = arena.loan(9000).unwrap();
        let address = arena.block_of(loan.as_ref()).unwrap();
        arena.hold(address);
        arena.let_go(address);
        drop(loan);
        let again = arena.loan(9000).unwrap();
        assert_eq!(again.as_ref().as_ptr().addr(), address);
    }

    #[test]
    fn the_limit_holds_for_loans_and_idle_memory_makes_room() {
        let arena = Arena::new(3 << 20);
        let loans: Vec<_> = (0..3).map(|_| arena.loan(1 << 20).unwrap()).collect();
        assert!(matches!(
            arena.loan(1 << 20),
            Err(NoMemory::Limit { lent, .. }) if lent == 3 << 20
        ));
        // What is fetched has to go somewhere.
        let landing = arena.landing(1 << 20).unwrap();
        assert!(!landing.is_kept() && !arena.lends(landing.as_ref()));
        drop(loans);
        assert_eq!(arena.loan(3 << 20).unwrap().as_ref().len(), 3 << 20);
        assert!(arena.loan(usize::MAX).is_err());
    }

    #[test]
    fn blocks_are_told_from_other_memory() {
        let arena = Arena::new(1 << 20);
        let loan = arena.loan(5000).unwrap();
        assert!(arena.lends(loan.as_ref()) && arena.lends(&loan.as_ref()[1..]));
        assert!(!arena.lends(&[0; 16]) && arena.block_of(&[0; 16]).is_none());
    }
}
