//! Mapped memory. The one module that is `unsafe`.
//!
//! What is mapped here stays mapped until its owner is dropped, and cannot be cut
//! short: the file is sealed before anybody touches it ([`memory`](crate::memory)
//! checks that of a peer's). So an access to a mapping never faults.
//!
//! The bytes of another process's ring may change at any time: they are copied as raw
//! memory, never lent out as a slice, and whoever checks them checks the copy. What a
//! peer lends ([`Foreign`]) is another matter: it is read in place, so that it can be
//! read without a copy, and a peer that breaks its word and changes it makes our reads
//! see other bytes than were sent, or torn ones. No length, address or index of ours
//! ever comes from there. (For the language such a read is a data race, as it is for
//! every mapping of a file; only processes of our own user are believed that far.)

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{NonNull, copy_nonoverlapping, null_mut};
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::Arc;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::ring::Words;

mod past_caches;

/// Where [`Words`] lie, in bytes from the start: not beside the greeting, so that
/// nobody who reads that takes their cache line.
const WORDS: usize = 128;
/// Where the ring begins: a page for everything else.
pub(crate) const RING: usize = 4096;

/// A mapping, from the first byte of its file.
#[derive(Debug)]
struct Area {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to no thread, and the area itself is but an address;
// whoever makes something of that says why it may.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// Maps a file of `len` bytes that nobody can shorten.
    fn new(file: &OwnedFd, len: usize, access: ProtFlags) -> io::Result<Self> {
        // SAFETY: a fresh place of the kernel's choice, so nothing of ours is
        // replaced; the file is as long as that and stays so, as callers see to.
        let start = unsafe { mmap(null_mut(), len, access, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// The address of a byte, or of the end.
    fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset <= self.len);
        // SAFETY: within the mapping or one past it, as just checked.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, once; nothing borrows from it any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok());
    }
}

/// A part of our own memory that nobody else in this process has.
#[derive(Debug)]
pub(crate) struct Block {
    area: Arc<Area>,
    offset: usize,
    len: usize,
}

impl Block {
    /// Maps a file of ours of `count` blocks, of `len` bytes each, that nobody can
    /// shorten: all of them, in their order.
    pub(crate) fn map(file: &OwnedFd, len: usize, count: usize) -> io::Result<Vec<Self>> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let area = Arc::new(Area::new(file, len * count, access)?);
        let block = |index| Self {
            area: area.clone(),
            offset: len * index,
            len,
        };
        Ok((0..count).map(block).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where it begins, as a number.
    pub(crate) fn address(&self) -> usize {
        self.area.at(self.offset).addr().get()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: within the area, which `self` keeps mapped. Blocks are made side by
        // side and never cloned, so only `self` leads here, and nobody else may write
        // to the file, which is sealed; pages of the kernel's are initialised.
        unsafe { from_raw_parts(self.area.at(self.offset).as_ptr(), self.len) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and writable, as `map` made it. Peers may read it, to
        // whom that is a breach of a promise which their side never relies on.
        unsafe { from_raw_parts_mut(self.area.at(self.offset).as_ptr(), self.len) }
    }

    /// Fills the first bytes with all of `from`, past the caches.
    ///
    /// # Panics
    /// Where that is longer than the block.
    pub(crate) fn copy_past_caches(&mut self, from: &[u8]) {
        past_caches::copy(&mut self.bytes_mut()[..from.len()], from);
    }

    /// Has the system map the pages of the first `len` bytes, all at once: a fault for
    /// each takes two thirds longer. Where it cannot (before 5.14), they come when they are
    /// touched.
    pub(crate) fn populate(&mut self, len: usize) {
        let start = self.area.at(self.offset).as_ptr().cast();
        // SAFETY: the range lies within a block of ours, which is mapped and writable; what
        // is in it stays.
        let _ = unsafe { madvise(start, len.min(self.len), Advice::LinuxPopulateWrite) };
    }
}

/// Memory that a peer lends.
#[derive(Debug)]
pub(crate) struct Foreign(Arc<Area>);

impl Foreign {
    /// Maps a file of `len` bytes that nobody can shorten.
    pub(crate) fn map(file: &OwnedFd, len: usize) -> io::Result<Self> {
        Ok(Self(Arc::new(Area::new(file, len, ProtFlags::READ)?)))
    }

    /// A part of it; `None` if it is not within.
    pub(crate) fn part(&self, offset: u64, len: u64) -> Option<Part> {
        let (offset, len) = (usize::try_from(offset).ok()?, usize::try_from(len).ok()?);
        let within = offset.checked_add(len)? <= self.0.len;
        within.then(|| Part {
            area: self.0.clone(),
            offset,
            len,
        })
    }
}

/// Bytes that a peer lends. They stay mapped as long as this lives.
#[derive(Debug)]
pub(crate) struct Part {
    area: Arc<Area>,
    offset: usize,
    len: usize,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: within the area, as `part` checked, which `self` keeps mapped. That
        // its owner leaves it as it is while we look is the protocol's promise; the
        // module says what a broken one does.
        unsafe { from_raw_parts(self.area.at(self.offset).as_ptr(), self.len) }
    }
}

/// A side's memory: a page, then a ring.
#[derive(Debug)]
pub(crate) struct Mapping {
    area: Area,
    ring_len: usize,
}

impl Mapping {
    /// Maps a file of [`RING`]` + ring_len` bytes that nobody can shorten.
    pub(crate) fn new(file: &OwnedFd, ring_len: usize, access: ProtFlags) -> io::Result<Self> {
        let area = Area::new(file, RING + ring_len, access)?;
        Ok(Self { area, ring_len })
    }

    pub(crate) fn ring_len(&self) -> usize {
        self.ring_len
    }

    /// Puts the words in their initial state. For the owner, before anybody else
    /// has the file.
    pub(crate) fn init_words(&mut self) {
        // SAFETY: `WORDS` lies in the first page, aligned to 128 bytes; the mapping
        // is writable, as its owner's is, and `&mut self` keeps others out.
        unsafe { self.area.at(WORDS).cast::<Words>().write(Words::new()) };
    }

    pub(crate) fn words(&self) -> &Words {
        // SAFETY: in the first page and aligned. Words are atomics, for which any
        // bytes are valid and which others may change at any time; in memory that
        // we may not write nobody here stores to them.
        unsafe { self.area.at(WORDS).cast::<Words>().as_ref() }
    }

    /// The first bytes, as they are now.
    pub(crate) fn preamble<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= WORDS) };
        // SAFETY: in the first page; the copy is ours.
        unsafe { self.area.start.cast::<[u8; N]>().read_volatile() }
    }

    /// Writes the first bytes. For the owner, before anybody else has the file.
    pub(crate) fn set_preamble<const N: usize>(&mut self, bytes: [u8; N]) {
        const { assert!(N <= WORDS) };
        // SAFETY: as in `init_words`; these bytes lie before the words.
        unsafe { self.area.start.cast::<[u8; N]>().write(bytes) };
    }

    /// Copies into the ring of an owner's mapping.
    ///
    /// # Panics
    /// When the bytes leave the ring.
    pub(crate) fn copy_in(&self, at: usize, from: &[u8]) {
        assert!(at <= self.ring_len && from.len() <= self.ring_len - at);
        let to = self.area.at(RING + at).as_ptr();
        // SAFETY: within the ring, as just checked. Nobody else writes there: the
        // file is sealed against it, and a link is used by one thread at a time.
        // The peer reads these bytes only once the head tells of them.
        unsafe { copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    /// Copies out of the ring.
    ///
    /// # Panics
    /// When the bytes leave the ring.
    pub(crate) fn copy_out(&self, at: usize, into: &mut [u8]) {
        assert!(at <= self.ring_len && into.len() <= self.ring_len - at);
        let from = self.area.at(RING + at).as_ptr();
        // SAFETY: within the ring, as just checked. An honest peer has written these
        // bytes before the head that told of them, and writes them again only after
        // the tail has passed them; a dishonest one gets whatever it mixes up, as
        // bytes of ours.
        unsafe { copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    }
}
