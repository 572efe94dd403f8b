//! A region that is filled by one owner and read by many.

use super::header::{Header, release};
use super::shared::Shared;
use super::{HEAD_ROOM, Home, Region};
use crate::message::PeerInfo;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// A region with one owner that writes, and slices of what it has written.
///
/// The count in the header is not incremented for a slice: the owner starts with
/// [`TICKETS`] references and gives one of them to each slice, so that handing
/// one out is a local subtraction and dropping it one atomic decrement.
///
/// ```text
///  header.refs = tickets (the owner's) + slices that are alive
///
///  0            frozen                          capacity
///  ├──────────────┼──────────────────────────────┤
///   never written    the owner's: `bytes_mut`
///   while a slice
///   is alive
/// ```
pub(crate) struct Ticketed<H: Home> {
    whole: NonNull<RegionHeader<H>>,
    /// References that are ours. 1 or more: of 2^61, a slice costs one, and each
    /// rewind restores them.
    tickets: usize,
    /// End of the furthest slice handed out since all were last gone.
    frozen: usize,
    capacity: usize,
}

/// What a region with slices starts with. The region contains its own owner.
#[repr(C)]
pub(super) struct RegionHeader<H: Home> {
    header: Header,
    region: Region,
    home: Arc<H>,
}

// SAFETY: owns the unfrozen part, shares the rest as `Shared` does; the home is
// Send and Sync.
unsafe impl<H: Home> Send for Ticketed<H> {}
// SAFETY: `&Ticketed` allows reading the count and nothing else.
unsafe impl<H: Home> Sync for Ticketed<H> {}

impl<H: Home> Ticketed<H> {
    /// Takes a region; its first [`HEAD_ROOM`] bytes become the header.
    ///
    /// # Panics
    ///
    /// If the region is no longer than the header.
    pub(crate) fn new(region: Region, home: Arc<H>, origin: Option<Arc<PeerInfo>>) -> Self {
        const { assert!(size_of::<RegionHeader<H>>() <= HEAD_ROOM) };
        assert!(region.len() > HEAD_ROOM);
        let capacity = region.len() - HEAD_ROOM;
        let whole = region.base().cast::<RegionHeader<H>>();
        // SAFETY: `free_region::<H>` is right for a `RegionHeader<H>` at the
        // start of its own region, which follows.
        let header = unsafe { Header::new(TICKETS, free_region::<H>, origin) };
        // SAFETY: inside the region (first assertion), page aligned, and nothing
        // else refers to it: the region is owned.
        unsafe {
            whole.write(RegionHeader {
                header,
                region,
                home,
            })
        };
        Self {
            whole,
            tickets: TICKETS,
            frozen: 0,
            capacity,
        }
    }

    /// Bytes behind the header.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that no slice has been made of.
    ///
    /// # Panics
    ///
    /// If `range` starts before the end of a slice handed out earlier, or ends
    /// outside the region.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(self.frozen <= range.start, "writing frozen bytes");
        assert!(range.start <= range.end && range.end <= self.capacity);
        // SAFETY: start is inside the region.
        let start = unsafe { self.at(range.start) };
        // SAFETY: inside the region; initialised memory, as all of a region;
        // behind everything frozen, so no slice overlaps it, and `&mut self`
        // rules out another call meanwhile.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), range.len()) }
    }

    /// Makes a slice, and freezes everything up to its end.
    ///
    /// # Panics
    ///
    /// If `range` ends outside the region.
    #[inline]
    pub(crate) fn split(&mut self, range: Range<usize>) -> Shared {
        assert!(range.start <= range.end && range.end <= self.capacity);
        assert!(self.tickets > 1);
        self.frozen = self.frozen.max(range.end);
        self.tickets -= 1;
        // SAFETY: start is inside the region.
        let start = unsafe { self.at(range.start) };
        // SAFETY: one of our references goes into the slice. Its bytes are
        // initialised, and frozen now: `bytes_mut` keeps off them until `thaw`
        // has found no slice alive.
        unsafe { Shared::from_parts(start, range.len(), self.whole.cast()) }
    }

    /// A copy of bytes behind everything frozen, with this region's origin.
    #[inline]
    pub(crate) fn copy(&mut self, range: Range<usize>) -> Shared {
        let origin = self.header().origin.clone();
        Shared::copied(self.bytes_mut(range), origin)
    }

    /// Whether no slice is alive. One atomic load.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        self.tickets == TICKETS || self.header().refs() == self.tickets
    }

    /// If no slice is alive, lifts the freeze: all bytes are the owner's again.
    #[inline]
    #[must_use]
    pub(crate) fn thaw(&mut self) -> bool {
        if self.tickets == TICKETS {
            return true;
        }
        let Some(header) = self.header_mut() else {
            return false;
        };
        header.touch_mut();
        header.reset(TICKETS);
        self.tickets = TICKETS;
        self.frozen = 0;
        true
    }

    /// The peer that the bytes come from.
    pub(crate) fn origin(&self) -> Option<&Arc<PeerInfo>> {
        self.header().origin.as_ref()
    }

    /// Where the region will go.
    pub(crate) fn home(&self) -> &Arc<H> {
        // SAFETY: our tickets keep it alive, and nobody writes the home.
        unsafe { &self.whole.as_ref().home }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: our tickets keep it alive, and only `header_mut` makes a
        // unique reference, through `&mut self`.
        unsafe { self.whole.cast::<Header>().as_ref() }
    }

    /// The header, if all its references are ours.
    #[inline]
    fn header_mut(&mut self) -> Option<&mut Header> {
        if self.header().refs() != self.tickets {
            return None;
        }
        // SAFETY: live, and no slice has a reference through which to read it;
        // new ones come from `&mut self` only.
        Some(unsafe { self.whole.cast::<Header>().as_mut() })
    }

    /// # Safety
    ///
    /// `offset` must be at most the capacity.
    #[inline]
    unsafe fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: header room and capacity are the region's length.
        unsafe { self.whole.cast::<u8>().add(HEAD_ROOM + offset) }
    }
}

impl<H: Home> Drop for Ticketed<H> {
    fn drop(&mut self) {
        // SAFETY: the tickets are ours, and this is their last use.
        unsafe { release(self.whole.cast::<Header>(), self.tickets) };
    }
}

/// # Safety
///
/// `header` must head a region set up by [`Ticketed::new`] for the same `H`,
/// without references.
unsafe fn free_region<H: Home>(header: NonNull<Header>) {
    // SAFETY: live and ours alone; moved out of the region before that goes.
    let RegionHeader {
        header,
        region,
        home,
    } = unsafe { header.cast::<RegionHeader<H>>().read() };
    drop(header);
    home.take_back(region);
}

/// References that an owner starts with: enough for every slice that fits into
/// a region, and as far from overflow as can be.
const TICKETS: usize = 1 << (usize::BITS - 3);
