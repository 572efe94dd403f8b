//! Memory that devices reach.
//!
//! Pages are mapped for as long as anything has them: a [`Slot`] or a registration.
//! A slot is a part of pages that nobody else in this process has, as a `Box` is; it
//! may be read and, by its only owner, written as any memory.
//!
//! What a device does is not seen by the language. The rules for it:
//! - A device writes only to what was posted to it (a receive, a read). That part is
//!   not looked at from then until the completion was polled, or the queue is gone.
//! - A peer's device writes only to what was opened to it. The link has that slot until the
//!   registration has ended, and looks at nothing of it.
//! - A peer's device reads what it was told of. Nobody writes there until the peer has
//!   said that it is done, or the registration has ended; one that breaks its word sees
//!   other bytes than it was sent, and no more than that.
//!
//! Devices in software copy with [`Pages::copy`], under the same rules.

use std::io;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};
#[cfg(any(test, feature = "software"))]
use std::ptr::{copy, copy_nonoverlapping};
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::Arc;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Zeroed pages of our own.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to no thread, and this is but its address; whoever makes
// something of that says why it may.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `len` bytes, at least one. The system finds pages when they are touched.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn new(len: usize) -> io::Result<Arc<Self>> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh place of the kernel's choice, so nothing of ours is replaced.
        let start = unsafe { mmap_anonymous(null_mut(), len, access, MapFlags::PRIVATE) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Arc::new(Self { start, len }))
    }

    /// Where they begin, as a number.
    pub(crate) fn address(&self) -> usize {
        self.start.addr().get()
    }

    /// Copies `len` bytes as a device would, from `from` to `to`. Which parts, the rules
    /// of this module say.
    #[cfg(any(test, feature = "software"))]
    pub(crate) fn copy(from: (&Self, usize), to: (&Self, usize), len: usize) {
        let (source, target) = (from.0.at(from.1, len), to.0.at(to.1, len));
        // SAFETY: both are mapped, as just checked, and may overlap. By the rules of this
        // module nobody looks at the target now, nor writes to the source.
        unsafe { copy(source.as_ptr(), target.as_ptr(), len) };
    }

    /// The same from bytes that a device took before.
    #[cfg(any(test, feature = "software"))]
    pub(crate) fn write(to: (&Self, usize), bytes: &[u8]) {
        let target = to.0.at(to.1, bytes.len());
        // SAFETY: mapped, as just checked; by the rules of this module nobody looks at it
        // now, so that `bytes` lies elsewhere.
        unsafe { copy_nonoverlapping(bytes.as_ptr(), target.as_ptr(), bytes.len()) };
    }

    /// The bytes that a device takes when they are posted.
    #[cfg(any(test, feature = "software"))]
    pub(crate) fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        let source = self.at(offset, len);
        // SAFETY: mapped and initialised; whoever posts it is not writing there.
        unsafe { from_raw_parts(source.as_ptr(), len) }.to_vec()
    }

    /// The address of `len` bytes from `offset` on.
    pub(crate) fn at(&self, offset: usize, len: usize) -> NonNull<u8> {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: within the mapping or one past it, as just checked.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, once; nothing has it any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok());
    }
}

/// A part of pages that nobody else in this process has.
#[derive(Debug)]
pub(crate) struct Slot {
    pages: Arc<Pages>,
    offset: usize,
    len: usize,
}

impl Slot {
    /// Cuts fresh pages into `count` slots of `len` bytes.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn cut(len: usize, count: usize) -> io::Result<Vec<Self>> {
        let all = len.checked_mul(count).ok_or(io::ErrorKind::OutOfMemory)?;
        let pages = Pages::new(all)?;
        let slot = |index| Self {
            pages: pages.clone(),
            offset: len * index,
            len,
        };
        Ok((0..count).map(slot).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where it begins, as a number.
    pub(crate) fn address(&self) -> usize {
        self.pages.at(self.offset, self.len).addr().get()
    }

    /// The pages that it is a part of, and where in them it begins.
    pub(crate) fn place(&self) -> (&Arc<Pages>, usize) {
        (&self.pages, self.offset)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: within the pages, which `self` keeps mapped and which are initialised.
        // Slots are cut side by side and never cloned, so only `self` leads here; by the
        // rules of this module no device writes to what is looked at.
        unsafe { from_raw_parts(self.pages.at(self.offset, self.len).as_ptr(), self.len) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and writable, as `new` made it.
        unsafe { from_raw_parts_mut(self.pages.at(self.offset, self.len).as_ptr(), self.len) }
    }

    /// The slot's part of these bytes, for a device.
    pub(crate) fn part(&self, of: Range<usize>) -> crate::verbs::Part {
        assert!(of.start <= of.end && of.end <= self.len);
        crate::verbs::Part {
            pages: self.pages.clone(),
            offset: self.offset + of.start,
            len: of.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_lie_side_by_side_and_outlive_one_another() {
        let mut slots = Slot::cut(100, 3).unwrap();
        for (index, slot) in (1_u8..).zip(&mut slots) {
            assert_eq!(slot.bytes(), [0; 100]);
            slot.bytes_mut().fill(index);
        }
        let last = slots.pop().unwrap();
        assert_eq!(slots[1].address() + 100, last.address());
        drop(slots);
        assert_eq!(last.bytes(), [3; 100]);
    }

    #[test]
    fn a_device_copies_between_pages_and_within() {
        let mut slots = Slot::cut(16, 2).unwrap();
        slots[0].bytes_mut().copy_from_slice(b"0123456789abcdef");
        let pages = slots[0].place().0.clone();
        Pages::copy((&pages, 0), (&pages, 20), 10);
        assert_eq!(&slots[1].bytes()[4..14], b"0123456789");
    }

    #[test]
    #[should_panic(expected = "end <= self.len")]
    fn nothing_is_copied_from_behind_the_end() {
        let pages = Pages::new(4096).unwrap();
        Pages::copy((&pages, 4000), (&pages, 0), 97);
    }
}
