//! The counted byte slice.

use super::header::{Header, release};
use crate::message::PeerInfo;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// An immutable slice of counted memory, or of static memory.
///
/// Clone is one relaxed increment, drop one decrement.
pub(crate) struct Shared {
    data: NonNull<u8>,
    len: usize,
    /// What keeps the bytes alive; one reference of it is ours. None: static.
    header: Option<NonNull<Header>>,
}

// SAFETY: the bytes are not written while a handle exists, the count is atomic,
// and everything that `free` functions drop is `Send` (see their constructors).
unsafe impl Send for Shared {}
// SAFETY: as above: `&Shared` allows reading the bytes, the origin (Sync) and
// incrementing the count.
unsafe impl Sync for Shared {}

impl Shared {
    /// A slice that nothing needs to keep alive.
    #[inline]
    pub(crate) const fn from_static(bytes: &'static [u8]) -> Self {
        // SAFETY: a reference is not null.
        let data = unsafe { NonNull::new_unchecked(bytes.as_ptr().cast_mut()) };
        Self {
            data,
            len: bytes.len(),
            header: None,
        }
    }

    /// # Safety
    ///
    /// The caller gives away one reference of `header`; while references exist,
    /// `len` bytes at `data` must be readable and not be written.
    #[inline]
    pub(super) unsafe fn from_parts(
        data: NonNull<u8>,
        len: usize,
        header: NonNull<Header>,
    ) -> Self {
        Self {
            data,
            len,
            header: Some(header),
        }
    }

    /// The bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        #[cfg(loom)]
        if let Some(header) = self.header() {
            header.touch();
        }
        // SAFETY: `from_static` or `from_parts`: readable and unchanging for as
        // long as our reference exists, which outlives the borrow.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }

    /// The peer that the bytes came from, if they were received.
    #[inline]
    pub(crate) fn origin(&self) -> Option<&PeerInfo> {
        self.header()?.origin.as_deref()
    }

    /// The same as a handle.
    pub(crate) fn shared_origin(&self) -> Option<Arc<PeerInfo>> {
        self.header()?.origin.clone()
    }

    /// A handle of a part of the same bytes.
    ///
    /// # Panics
    ///
    /// If `range` is not inside the slice.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len);
        let mut part = self.clone();
        // SAFETY: inside our bytes, as just checked.
        part.data = unsafe { self.data.add(range.start) };
        part.len = range.len();
        part
    }

    /// A handle of what `owner` refers to, which stays alive with it.
    ///
    /// The owner is boxed first and asked for its bytes once; it is dropped on
    /// whatever thread drops the last handle, or right here if it panics.
    pub(crate) fn owned<O>(owner: O) -> Self
    where
        O: AsRef<[u8]> + Send + 'static,
    {
        Self::owned_by(owner, None)
    }

    /// The same for bytes that came from `origin`.
    pub(crate) fn owned_by<O>(owner: O, origin: Option<Arc<PeerInfo>>) -> Self
    where
        O: AsRef<[u8]> + Send + 'static,
    {
        // SAFETY: `free_owned::<O>` frees a `Box<Owned<O>>`, which follows.
        let header = unsafe { Header::new(1, free_owned::<O>, origin) };
        let owned = NonNull::from(Box::leak(Box::new(Owned { header, owner })));
        // SAFETY: gives away the one reference that the count was made with; an
        // empty slice reads nothing.
        let mut shared =
            unsafe { Self::from_parts(NonNull::dangling(), 0, owned.cast::<Header>()) };
        // SAFETY: live, and shared from now on: `owner` is only borrowed until
        // `free_owned`, which runs when no handle is left.
        let owned = unsafe { owned.as_ref() };
        let bytes = owned.owner.as_ref();
        shared.data = NonNull::from(bytes).cast();
        shared.len = bytes.len();
        shared
    }

    #[inline]
    fn header(&self) -> Option<&Header> {
        // SAFETY: our reference keeps the header alive; nobody has a unique
        // reference to it while there are counted ones.
        self.header.map(|header| unsafe { header.as_ref() })
    }
}

impl Clone for Shared {
    #[inline]
    fn clone(&self) -> Self {
        if let Some(header) = self.header() {
            header.retain();
        }
        Self {
            data: self.data,
            len: self.len,
            header: self.header,
        }
    }
}

impl Drop for Shared {
    #[inline]
    fn drop(&mut self) {
        if let Some(header) = self.header {
            // SAFETY: one reference is ours and this is its last use.
            unsafe { release(header, 1) };
        }
    }
}

/// Somebody else's memory, and what keeps it alive.
#[repr(C)]
struct Owned<O> {
    header: Header,
    owner: O,
}

/// # Safety
///
/// `header` must head an [`Owned<O>`] made by [`Shared::owned`], without
/// references.
unsafe fn free_owned<O>(header: NonNull<Header>) {
    // SAFETY: the caller says that it is one, and it was a box.
    drop(unsafe { Box::from_raw(header.cast::<Owned<O>>().as_ptr()) });
}
