//! Mapped memory. The one module that is `unsafe`.
//!
//! What is mapped here stays mapped until its owner is dropped, and cannot be cut
//! short: the file is sealed before anybody touches it ([`segment`](crate::segment)
//! checks that of a peer's). So an access to a mapping never faults. The bytes of
//! another process's mapping may change at any time: they are copied as raw memory,
//! never lent out as a slice, and whoever checks them checks the copy.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{NonNull, copy_nonoverlapping, null_mut};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::ring::Words;

/// Where [`Words`] lie, in bytes from the start: not beside the greeting, so that
/// nobody who reads that takes their cache line.
const WORDS: usize = 128;
/// Where the ring begins: a page for everything else.
pub(crate) const RING: usize = 4096;

/// A file's memory: a page, then a ring.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    ring_len: usize,
}

// SAFETY: the memory belongs to no thread, and what is shared of it is atomic or
// copied through `&self` under the ring's protocol.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps a file of [`RING`]` + ring_len` bytes that nobody can shorten.
    pub(crate) fn new(file: &OwnedFd, ring_len: usize, access: ProtFlags) -> io::Result<Self> {
        // SAFETY: a fresh place of the kernel's choice, so nothing of ours is
        // replaced; the file is as long as that and stays so, as callers see to.
        let start = unsafe {
            mmap(
                null_mut(),
                RING + ring_len,
                access,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, ring_len })
    }

    pub(crate) fn ring_len(&self) -> usize {
        self.ring_len
    }

    /// The address of a byte, or of the end.
    fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset <= RING + self.ring_len);
        // SAFETY: within the mapping or one past it, as just checked.
        unsafe { self.start.add(offset) }
    }

    /// Puts the words in their initial state. For the owner, before anybody else
    /// has the file.
    pub(crate) fn init_words(&mut self) {
        // SAFETY: `WORDS` lies in the first page, aligned to 128 bytes; the mapping
        // is writable, as its owner's is, and `&mut self` keeps others out.
        unsafe { self.at(WORDS).cast::<Words>().write(Words::new()) };
    }

    pub(crate) fn words(&self) -> &Words {
        // SAFETY: in the first page and aligned. Words are atomics, for which any
        // bytes are valid and which others may change at any time; in memory that
        // we may not write nobody here stores to them.
        unsafe { self.at(WORDS).cast::<Words>().as_ref() }
    }

    /// The first bytes, as they are now.
    pub(crate) fn preamble<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= WORDS) };
        // SAFETY: in the first page; the copy is ours.
        unsafe { self.start.cast::<[u8; N]>().read_volatile() }
    }

    /// Writes the first bytes. For the owner, before anybody else has the file.
    pub(crate) fn set_preamble<const N: usize>(&mut self, bytes: [u8; N]) {
        const { assert!(N <= WORDS) };
        // SAFETY: as in `init_words`; these bytes lie before the words.
        unsafe { self.start.cast::<[u8; N]>().write(bytes) };
    }

    /// Copies into the ring of an owner's mapping.
    ///
    /// # Panics
    /// When the bytes leave the ring.
    pub(crate) fn copy_in(&self, at: usize, from: &[u8]) {
        assert!(at <= self.ring_len && from.len() <= self.ring_len - at);
        let to = self.at(RING + at).as_ptr();
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
        let from = self.at(RING + at).as_ptr();
        // SAFETY: within the ring, as just checked. An honest peer has written these
        // bytes before the head that told of them, and writes them again only after
        // the tail has passed them; a dishonest one gets whatever it mixes up, as
        // bytes of ours.
        unsafe { copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, once; nothing borrows from it any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), RING + self.ring_len) };
        debug_assert!(unmapped.is_ok());
    }
}
