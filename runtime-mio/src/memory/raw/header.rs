//! The header that every counted allocation starts with.

use crate::message::PeerInfo;
use crate::sync::{AtomicUsize, Fault, Ordering, fence, planted};
use std::ptr::NonNull;
use std::sync::Arc;

/// Reference count, destructor and origin of an allocation.
///
/// First field of what it heads (`repr(C)`), so a pointer to the whole is a
/// pointer to it; such pointers keep the provenance of the whole.
#[repr(C)]
pub(super) struct Header {
    /// Handles that exist, plus the tickets that a [`Ticketed`] still has.
    ///
    /// [`Ticketed`]: super::Ticketed
    refs: AtomicUsize,
    /// Frees the whole, header included. Called once, by whoever takes `refs`
    /// to 0.
    free: unsafe fn(NonNull<Header>),
    pub(super) origin: Option<Arc<PeerInfo>>,
    /// Stands for the bytes in models, which cannot watch the bytes themselves.
    #[cfg(loom)]
    witness: loom::cell::UnsafeCell<()>,
}

impl Header {
    /// # Safety
    ///
    /// `free` must be right for the allocation that this header is put into.
    pub(super) unsafe fn new(
        refs: usize,
        free: unsafe fn(NonNull<Header>),
        origin: Option<Arc<PeerInfo>>,
    ) -> Self {
        Self {
            refs: AtomicUsize::new(refs),
            free,
            origin,
            #[cfg(loom)]
            witness: loom::cell::UnsafeCell::new(()),
        }
    }

    /// One more handle. The caller has one, so the count is not 0.
    #[inline]
    pub(super) fn retain(&self) {
        // Relaxed, as in std's Arc: the new handle is made from an old one.
        let before = self.refs.fetch_add(1, Ordering::Relaxed);
        if before > MOST_REFS {
            too_many_refs();
        }
    }

    /// References that are left.
    #[inline]
    pub(super) fn refs(&self) -> usize {
        let order = if planted(Fault::UniqueLooksRelaxed) {
            Ordering::Relaxed
        } else {
            // Acquire: with the Release in `release`: whoever finds that all
            // others are gone also finds their reads done.
            Ordering::Acquire
        };
        self.refs.load(order)
    }

    /// Sets the count. Only for whoever holds all references.
    #[inline]
    pub(super) fn reset(&mut self, refs: usize) {
        // Relaxed: nobody else has a reference to read it through.
        self.refs.store(refs, Ordering::Relaxed);
    }

    /// Notes a read of the bytes, in models.
    #[cfg(loom)]
    pub(super) fn touch(&self) {
        self.witness.with(|_| ());
    }

    /// Notes a write of the bytes, or their end, in models.
    #[inline(always)]
    pub(super) fn touch_mut(&self) {
        #[cfg(loom)]
        self.witness.with_mut(|_| ());
    }
}

/// Gives up `count` references; the last one frees.
///
/// # Safety
///
/// `header` must be live, and the caller must hold `count` (1 or more) of its
/// references and not use them, or anything they protect, afterwards.
#[inline]
pub(super) unsafe fn release(header: NonNull<Header>, count: usize) {
    // A model that has failed unwinds; loom would panic again. Leaks instead.
    #[cfg(loom)]
    if std::thread::panicking() {
        return;
    }
    let order = if planted(Fault::SliceDropsRelaxed) {
        Ordering::Relaxed
    } else {
        // Release: with the fence below and with the Acquire in `refs`: reads
        // through this reference come before its end.
        Ordering::Release
    };
    // SAFETY: the caller's references keep the header alive until this
    // operation, which is the last use of them.
    let before = unsafe { header.as_ref() }.refs.fetch_sub(count, order);
    if before == count {
        // SAFETY: that were the last references, so nobody else can reach it.
        unsafe { free(header) };
    }
}

/// # Safety
///
/// `header` must be live and without references.
#[cold]
unsafe fn free(header: NonNull<Header>) {
    if !planted(Fault::LastSkipsFence) {
        fence(Ordering::Acquire);
    }
    // SAFETY: live, as the caller says; the borrow ends before the call below.
    let whole = unsafe { header.as_ref() };
    whole.touch_mut();
    let free = whole.free;
    // SAFETY: `Header::new`'s caller vouched for the function, and there are no
    // references, so it is called once.
    unsafe { free(header) };
}

#[cold]
fn too_many_refs() -> ! {
    // Not a panic: the count is already wrong for everybody.
    eprintln!("ferromq: more than {MOST_REFS} handles of one frame");
    std::process::abort();
}

/// As in std's Arc: far from overflow even if each thread adds one more.
const MOST_REFS: usize = isize::MAX as usize;

/// Room for a header and what regions keep behind it: whole cache lines.
pub(super) const HEAD_ROOM: usize =
    size_of::<super::ticketed::RegionHeader<Homeless>>().next_multiple_of(64);

/// A home, for the size of its `Arc`: the same for all.
pub(super) struct Homeless;

impl super::Home for Homeless {
    fn take_back(&self, region: super::Region) {
        drop(region);
    }
}
