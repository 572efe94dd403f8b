//! Copies: header and bytes in one heap allocation.

use super::header::Header;
use super::shared::Shared;
use crate::message::PeerInfo;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

/// From this length on, bytes start at a multiple of 64.
pub(crate) const ALIGNED_FROM: usize = 4096;

#[repr(C)]
struct HeapHeader {
    header: Header,
    /// Length of the bytes: the layout follows from it.
    len: usize,
}

impl Shared {
    /// A copy of `bytes`, in memory of its own: one allocation, freed with the
    /// last handle. From 4 KiB on the copy is aligned to 64 bytes.
    ///
    /// Aborts when there is no memory, as `Vec` does.
    pub(crate) fn copied(bytes: &[u8], origin: Option<Arc<PeerInfo>>) -> Self {
        let (layout, offset) = layout(bytes.len());
        // SAFETY: the size is not 0, there is a header.
        let Some(base) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: `free_copied` is right for a `HeapHeader` at the start of an
        // allocation laid out for `len`.
        let header = unsafe { Header::new(1, free_copied, origin) };
        let whole = HeapHeader {
            header,
            len: bytes.len(),
        };
        // SAFETY: fresh memory, aligned and large enough by its layout.
        unsafe { base.cast::<HeapHeader>().write(whole) };
        // SAFETY: the layout has `offset + len` bytes.
        let data = unsafe { base.add(offset) };
        // SAFETY: `len` bytes of fresh memory, so they overlap nothing.
        unsafe { data.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        // SAFETY: gives away the one reference that the count was made with. The
        // bytes were just written, and are not again.
        unsafe { Self::from_parts(data, bytes.len(), base.cast()) }
    }
}

/// Layout of a copy of `len` bytes, and where in it they start.
fn layout(len: usize) -> (Layout, usize) {
    let align = if len < ALIGNED_FROM {
        align_of::<HeapHeader>()
    } else {
        64
    };
    let offset = size_of::<HeapHeader>().next_multiple_of(align);
    match Layout::from_size_align(offset.saturating_add(len), align) {
        Ok(layout) => (layout, offset),
        // A slice is never that long.
        Err(_) => unreachable!("a slice of {len} bytes"),
    }
}

/// # Safety
///
/// `header` must head an allocation of [`Shared::copied`], without references.
unsafe fn free_copied(header: NonNull<Header>) {
    let whole = header.cast::<HeapHeader>();
    // SAFETY: live and ours alone; moved out, so it is not read again.
    let HeapHeader { header, len } = unsafe { whole.read() };
    drop(header);
    let (layout, _) = layout(len);
    // SAFETY: allocated by `copied` with the layout of this length.
    unsafe { dealloc(whole.as_ptr().cast(), layout) };
}
