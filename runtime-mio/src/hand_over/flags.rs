//! What the I/O thread may read of a socket without its lock.
//!
//! A caller stores here what it leaves to the I/O thread, and then asks for it
//! through the [`Mode`]; the I/O thread lowers its mode and then looks here.
//! The module above has the argument, `models` the proof.

use super::mode::Mode;
use crate::clock::Ticks;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Fault, Ordering, planted};

/// A socket's flags, on a cache line of their own.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Flags {
    /// Bumped by every call, under the lock.
    epoch: AtomicU64,
    /// When output was last deferred, in ticks.
    last_deferral: AtomicU64,
    /// Callers that sleep in the socket's epoll, or in a poller that nests it.
    waiting: AtomicU32,
    /// Output waits although its transport would take it.
    deferred: AtomicBool,
    /// The I/O thread does the caller's work.
    taken: AtomicBool,
    /// The application has the readiness descriptor.
    exported: AtomicBool,
}

impl Flags {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// A call is made: the I/O thread is to watch whether its caller goes away.
    /// Under the lock, so that plain stores do.
    #[inline]
    pub(crate) fn call_made(&self, mode: &Mode, wake: impl FnOnce()) {
        let next = self.epoch.load(Ordering::Relaxed).wrapping_add(1);
        self.epoch.store(next, Ordering::Relaxed);
        mode.call_made(wake);
    }

    /// Whether output is deferred. Relaxed, as everything here: whoever acts
    /// on it does so under the lock, and whoever rests because of it has had a
    /// heavy barrier before.
    #[inline]
    pub(crate) fn deferred(&self) -> bool {
        self.deferred.load(Ordering::Relaxed)
    }

    /// Under the lock. Whoever sets it calls [`Mode::deferred`] next.
    #[inline]
    pub(crate) fn set_deferred(&self, deferred: bool) {
        if self.deferred.load(Ordering::Relaxed) != deferred {
            self.deferred.store(deferred, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn note_deferral(&self, now: Ticks) {
        self.last_deferral.store(now.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn last_deferral(&self) -> Ticks {
        Ticks::from_bits(self.last_deferral.load(Ordering::Relaxed))
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn wait_begins(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Whoever waited makes a call next, or nobody would look after the socket.
    pub(crate) fn wait_ends(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The I/O thread does the caller's work from now on.
    pub(crate) fn set_taken(&self) {
        // Release: a caller that sees `taken` sees the registration before it.
        self.taken.store(true, Ordering::Release);
    }

    /// Takes the socket back, if it is taken: true for one caller, who ends the
    /// I/O thread's registration. He makes a call afterwards, for the thread may
    /// be about to take it at that moment.
    pub(crate) fn take_back(&self) -> bool {
        if planted(Fault::TakesBackTwice) {
            let taken = self.taken.load(Ordering::Acquire);
            self.taken.store(false, Ordering::Relaxed);
            return taken;
        }
        // Acquire: pairs with `set_taken`.
        self.taken.load(Ordering::Relaxed) && self.taken.swap(false, Ordering::Acquire)
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }

    pub(crate) fn set_exported(&self) {
        self.exported.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_exported(&self) -> bool {
        self.exported.load(Ordering::Relaxed)
    }
}
