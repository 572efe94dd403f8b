//! Anonymous mappings.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;

/// Readable and writable memory of this process, page aligned, owned.
///
/// The kernel hands it out zeroed, so all of it is initialised from the start
/// and nobody writes zeroes; a page costs nothing before it is first touched.
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a region is the only owner of its mapping, and has no thread affinity.
unsafe impl Send for Region {}
// SAFETY: `&Region` gives out no reference to the bytes.
unsafe impl Sync for Region {}

/// The system has no memory for a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct OutOfMemory {
    /// Bytes that were asked for; `usize::MAX` if more than can be addressed.
    pub(crate) bytes: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no memory for a buffer of {} bytes", self.bytes)
    }
}

impl std::error::Error for OutOfMemory {}

impl Region {
    /// Maps `len` bytes, rounded up to whole pages of 4 KiB.
    pub(crate) fn map(len: usize) -> Result<Self, OutOfMemory> {
        let len = round_up(len)?;
        // SAFETY: no address is asked for, so no mapping in use is replaced; the
        // arguments ask for private memory without a file.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        Self::checked(base, len)
    }

    /// Makes the region at least `len` bytes long, keeping what is in it. May
    /// move it; moves page tables, not bytes, on Linux.
    #[cfg(target_os = "linux")]
    pub(crate) fn grow(&mut self, len: usize) -> Result<(), OutOfMemory> {
        let len = round_up(len)?;
        if len <= self.len {
            return Ok(());
        }
        // SAFETY: base and len are a mapping of ours, and `&mut self` rules out
        // references into it. On failure it stays as it was.
        let base = unsafe {
            libc::mremap(
                self.base.as_ptr().cast(),
                self.len,
                len,
                libc::MREMAP_MAYMOVE,
            )
        };
        let grown = Self::checked(base, len)?;
        // The old mapping is gone: it must not be unmapped again.
        std::mem::forget(std::mem::replace(self, grown));
        Ok(())
    }

    /// Makes the region at least `len` bytes long, keeping what is in it.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn grow(&mut self, len: usize) -> Result<(), OutOfMemory> {
        if len <= self.len {
            return Ok(());
        }
        let mut grown = Self::map(len)?;
        let old = self.len;
        grown
            .bytes_mut(0..old)
            .copy_from_slice(self.bytes_mut(0..old));
        *self = grown;
        Ok(())
    }

    /// Asks for huge pages where nothing has been written yet. They are taken
    /// whole, 2 MiB at the first byte, but fill five times as fast.
    pub(crate) fn prefer_huge_pages(&mut self) {
        #[cfg(target_os = "linux")]
        {
            let base = self.base.as_ptr().cast();
            // SAFETY: our own mapping; the advice changes no byte. A kernel
            // without huge pages refuses it, which is as good.
            let _ = unsafe { libc::madvise(base, self.len, libc::MADV_HUGEPAGE) };
        }
    }

    fn checked(base: *mut libc::c_void, len: usize) -> Result<Self, OutOfMemory> {
        match NonNull::new(base.cast::<u8>()) {
            Some(base) if base.as_ptr().cast() != libc::MAP_FAILED => Ok(Self { base, len }),
            _ => Err(OutOfMemory { bytes: len }),
        }
    }

    /// Length in bytes, whole pages.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the region, to write.
    ///
    /// # Panics
    ///
    /// If `range` is not inside the region.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: start is within the mapping.
        let start = unsafe { self.base.add(range.start) };
        // SAFETY: the range is inside our mapping (checked above), initialised by
        // the kernel, and borrowed through `&mut self`.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), range.len()) }
    }

    /// Bytes of the region.
    ///
    /// # Panics
    ///
    /// If `range` is not inside the region.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: start is within the mapping.
        let start = unsafe { self.base.add(range.start) };
        // SAFETY: as in `bytes_mut`, and borrowed through `&self`.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), range.len()) }
    }

    /// Start of the region; good for its whole length.
    #[inline]
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: base and len are a mapping of ours, and whoever drops a region
        // has given up all references into it.
        let result = unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert_eq!(result, 0, "munmap of {} bytes", self.len);
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({} bytes)", self.len)
    }
}

fn round_up(len: usize) -> Result<usize, OutOfMemory> {
    const PAGE: usize = 4096;
    len.max(1)
        .checked_next_multiple_of(PAGE)
        .filter(|&len| len <= isize::MAX as usize)
        .ok_or(OutOfMemory { bytes: len })
}
