//! What the I/O thread is asked for, and by when it looks.

use super::flags::Flags;
use super::presence::Presence;
use crate::sync::{AtomicU8, Fault, Ordering, heavy_barrier, light_barrier, planted};

/// Values of a [`Mode`], from lax to strict.
pub(crate) mod level {
    /// Asleep until something happens.
    pub(crate) const PARKED: u8 = 0;
    /// Looks every 5 ms whether a caller has gone away.
    pub(crate) const COARSE: u8 = 1;
    /// Looks every 100 us to 1 ms for output that was deferred.
    pub(crate) const FINE: u8 = 2;
    /// A caller asked for FINE; the thread has not seen it yet.
    pub(crate) const FINE_ASKED: u8 = 3;
}

/// How closely the I/O thread watches the sockets.
pub(crate) struct Mode(AtomicU8);

impl Mode {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(level::PARKED))
    }

    /// A call was made, and the socket's epoch says so already.
    #[inline]
    pub(crate) fn call_made(&self, wake: impl FnOnce()) {
        self.ask(level::PARKED, level::COARSE, wake);
    }

    /// A call has deferred output, and the socket's flag says so already.
    #[inline]
    pub(crate) fn deferred(&self, wake: impl FnOnce()) {
        self.ask(level::COARSE, level::FINE_ASKED, wake);
    }

    /// Raises the mode to `to` if it is `lax` or laxer.
    #[inline]
    fn ask(&self, lax: u8, to: u8, wake: impl FnOnce()) {
        if !planted(Fault::CallerSkipsBarrier) {
            // Orders the flag's store before the load: see the module.
            light_barrier();
        }
        if self.0.load(Ordering::Relaxed) <= lax {
            self.raise(to, wake);
        }
    }

    #[cold]
    fn raise(&self, to: u8, wake: impl FnOnce()) {
        let before = if planted(Fault::RaiseOverwrites) {
            self.0.swap(to, Ordering::Relaxed)
        } else {
            // Relaxed: what the thread does about it, it does after a barrier.
            self.0.fetch_max(to, Ordering::Relaxed)
        };
        // Who raised it before has woken the thread.
        if before < to && before < level::FINE {
            wake();
        }
    }

    /// The I/O thread goes over to `next`, which is not stricter than what it
    /// has just looked for; or to a stricter one, if a socket asked for that
    /// before it could see the change. Returns what it came to.
    pub(crate) fn set<'a>(
        &self,
        next: u8,
        sockets: impl Iterator<Item = (&'a Presence, &'a Flags)>,
    ) -> u8 {
        // A store would do. A swap is ordered among the raises where loom, too,
        // can see it, and costs nothing beside the barrier.
        self.0.swap(next, Ordering::Relaxed);
        if next >= level::FINE || planted(Fault::ThreadSkipsRecheck) {
            return next;
        }
        if !planted(Fault::ThreadSkipsBarrier) {
            heavy_barrier();
        }
        let needed = sockets
            .map(|(presence, flags)| presence.needs(flags))
            .max()
            .unwrap_or(level::PARKED);
        if needed <= next {
            return next;
        }
        if planted(Fault::RecheckOverwrites) {
            self.0.store(needed, Ordering::Relaxed);
        } else {
            self.0.fetch_max(needed, Ordering::Relaxed);
        }
        needed
    }

    /// Whether a caller has raised the mode since the thread set it to `known`.
    pub(crate) fn was_raised(&self, known: u8) -> bool {
        self.0.load(Ordering::Relaxed) != known
    }
}
