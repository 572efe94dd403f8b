//! A lock that costs its usual user next to nothing.
//!
//! A socket is used by one thread nearly always, and by the I/O thread now and
//! then. A mutex would cost that one thread two interlocked operations a call,
//! as much as encoding a message. So the lock is biased: the *owner* enters with
//! a plain store and a load, everybody else pays for it.
//!
//! ```text
//!          bias: owner and slot, or 0          inside[slot]
//!  owner   load: is it me? ───────────────────▶ store 1
//!          load again after light_barrier() ◀── still me: inside
//!                                               store 0 when leaving
//!  foreign lock inner, store 0,
//!          heavy_barrier() ───────────────────▶ wait until the owner's is 0: inside
//!          store the bias back, unlock inner
//! ```
//!
//! Invariants:
//! 1. `bias` changes only under `inner`.
//! 2. A thread is inside either with its flag set, having seen `bias` name it
//!    *after* the barrier, or holding `inner` while `bias` is 0.
//! 3. A flag is written by one thread for the lock's whole life. A thread that
//!    read `bias`, slept, and lost the bias meanwhile may still set its own flag
//!    for a moment, but nobody else's.
//!
//! By the barriers, of an owner that sets its flag and a foreigner that clears
//! `bias` at least one sees the other; by 2. the owner then backs out or the
//! foreigner waits. It waits for the flag of the owner that it displaces only:
//! earlier owners had left when they were displaced, and back out since.
//!
//! Who owns: the first user thread. After [`FOREIGN_ENTRIES`] entries by other
//! user threads the bias is dropped, and all use `inner`. A thread that then
//! enters [`LONG_RUN`] times in a row gets it, each drop doubling that number.
//! The lock knows at most [`SLOTS`] owners in its life.

use crate::sync::{
    AtomicBool, AtomicU64, Fault, Mutex, MutexGuard, Ordering, ThreadId, heavy_barrier,
    light_barrier, lock_unpoisoned, planted, thread,
};
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

use policy::{Policy, Verdict};

mod policy;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

/// A mutual exclusion lock around `T`, biased to one user thread.
///
/// The owner's `lock` and unlock cost 1 to 2 ns together, an unbiased lock what
/// a mutex costs, a foreigner's entry into a biased lock a [`heavy_barrier`]
/// (1 to 20 us). Not re-entrant: a thread that holds it and locks it again
/// panics, whichever way it came in, or waits for ever if a foreigner waits for
/// it at that moment; it never gets a second guard.
pub(crate) struct BiasedLock<T> {
    gate: Gate,
    inner: Mutex<Policy>,
    /// Thread that holds `inner` as its way in, 0 if none. Only compared with
    /// the reader's own id, so a stale value can do no harm.
    holder: AtomicU64,
    value: UnsafeCell<T>,
}

/// What the owner touches, on a cache line of its own.
#[repr(align(64))]
struct Gate {
    /// A [`Bias`]: whom the lock belongs to. 0: nobody, or revoked.
    bias: AtomicU64,
    inside: [AtomicBool; SLOTS],
}

// SAFETY: the lock hands out the value to one thread at a time (invariants 1-3
// of the module), and a guard cannot leave its thread, so sharing the lock moves
// `T` between threads and no more: what `Mutex<T>` asks for.
unsafe impl<T: Send> Sync for BiasedLock<T> {}

impl<T> BiasedLock<T> {
    /// An unlocked lock without an owner.
    pub(crate) fn new(value: T) -> Self {
        Self {
            gate: Gate {
                bias: AtomicU64::new(Bias::NOBODY.0),
                inside: std::array::from_fn(|_| AtomicBool::new(false)),
            },
            inner: Mutex::new(Policy::new()),
            holder: AtomicU64::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// Enters as a user thread: may become the owner, or end another's bias.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.lock_as(ThreadId::current(), Role::User)
    }

    /// Enters as the I/O thread: never becomes the owner, and does not count
    /// when the lock decides whose it should be.
    pub(crate) fn lock_foreign(&self) -> Guard<'_, T> {
        self.lock_as(ThreadId::current(), Role::Foreign)
    }

    fn lock_as(&self, me: ThreadId, role: Role) -> Guard<'_, T> {
        match self.enter_owned(me) {
            Some(inside) => inside.guard(),
            None => self.lock_inner(me, role),
        }
    }

    /// Whether the calling thread is the one that it is quick for.
    #[cfg(not(loom))]
    pub(crate) fn belongs_to_this_thread(&self) -> bool {
        // Relaxed: nobody else can make it ours, or take it from us and give it back.
        let bias = Bias(self.gate.bias.load(Ordering::Relaxed));
        bias.belongs_to(ThreadId::current())
    }

    /// The short way of [`lock`](Self::lock): for the thread whose lock it is.
    #[inline(always)]
    pub(crate) fn lock_owned(&self) -> Option<Inside<'_, T>> {
        self.enter_owned(ThreadId::current())
    }

    #[inline(always)]
    fn enter_owned(&self, me: ThreadId) -> Option<Inside<'_, T>> {
        // Relaxed: a guess, checked again below.
        let bias = Bias(self.gate.bias.load(Ordering::Relaxed));
        if !bias.belongs_to(me) {
            return None;
        }
        let inside = &self.gate.inside[bias.slot()];
        // Relaxed: only this thread writes this flag.
        if inside.load(Ordering::Relaxed) {
            entered_twice();
        }
        inside.store(true, Ordering::Relaxed);
        if !planted(Fault::OwnerSkipsBarrier) {
            light_barrier();
        }
        // Acquire: with the Release in `Guard::leave_inner`, so that what a
        // foreigner wrote before giving the bias back is seen.
        if self.gate.bias.load(Ordering::Acquire) == bias.0 || planted(Fault::OwnerSkipsRecheck) {
            return Some(Inside {
                lock: self,
                inside,
                not_send: std::marker::PhantomData,
            });
        }
        // Release: nothing was written inside, but the order costs nothing
        // and a waiting foreigner reads this flag.
        inside.store(false, Ordering::Release);
        None
    }

    #[cold]
    fn lock_inner(&self, me: ThreadId, role: Role) -> Guard<'_, T> {
        // Relaxed: equal to `me` only if this thread stored it.
        if self.holder.load(Ordering::Relaxed) == me.get() {
            entered_twice();
        }
        let mut policy = lock_unpoisoned(&self.inner);
        let verdict = match role {
            Role::User => policy.user_entered(me),
            Role::Foreign => policy.foreign_entered(me),
        };
        match verdict {
            Verdict::Owner(bias) => return self.enter_as_owner(bias, policy),
            Verdict::Displace(owner) => self.displace(owner),
            Verdict::Unbiased => {}
        }
        self.holder.store(me.get(), Ordering::Relaxed);
        Guard::new(self, Entry::Inner(policy))
    }

    /// Turns an entry through `inner` into an ordinary owner's entry.
    ///
    /// Needs no barrier: the flag is set before `inner` is released, and a
    /// foreigner looks at it after taking `inner`.
    fn enter_as_owner<'a>(&'a self, bias: Bias, policy: MutexGuard<'a, Policy>) -> Guard<'a, T> {
        let inside = &self.gate.inside[bias.slot()];
        if inside.load(Ordering::Relaxed) {
            drop(policy);
            entered_twice();
        }
        inside.store(true, Ordering::Relaxed);
        // Release: with the Acquire in `lock_as`; also publishes the flag.
        self.gate.bias.store(bias.0, Ordering::Release);
        drop(policy);
        Guard::new(self, Entry::Owner(inside))
    }

    /// Keeps the owner out and waits until it has left. Called under `inner`.
    fn displace(&self, owner: Bias) {
        // Relaxed: the heavy barrier orders it before the loads below.
        self.gate.bias.store(Bias::NOBODY.0, Ordering::Relaxed);
        if !planted(Fault::ForeignSkipsBarrier) {
            heavy_barrier();
        }
        let inside = &self.gate.inside[owner.slot()];
        let mut patience = Patience::new();
        // Acquire: with the Release in `Guard::drop`.
        while inside.load(Ordering::Acquire) {
            patience.wait();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for BiasedLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bias = Bias(self.gate.bias.load(Ordering::Relaxed));
        f.debug_struct("BiasedLock")
            .field("bias", &bias)
            .finish_non_exhaustive()
    }
}

/// The owner is inside: a guard to be. Dropped as it is it leaves the lock taken.
///
/// It needs no clean-up and so stays in registers. A guard that is alive across a
/// call lies in memory, and to read back there what was just stored cost 6 ns.
#[must_use = "the lock is taken until `guard()` is dropped"]
pub(crate) struct Inside<'a, T> {
    lock: &'a BiasedLock<T>,
    inside: &'a AtomicBool,
    not_send: std::marker::PhantomData<*const ()>,
}

impl<'a, T> Inside<'a, T> {
    #[inline(always)]
    pub(crate) fn guard(self) -> Guard<'a, T> {
        Guard::new(self.lock, Entry::Owner(self.inside))
    }
}

/// The right to the value, until dropped. Stays on its thread.
#[must_use = "dropping the guard unlocks"]
pub(crate) struct Guard<'a, T> {
    lock: &'a BiasedLock<T>,
    entry: Entry<'a>,
    /// The owner's flag belongs to the thread that set it.
    not_send: std::marker::PhantomData<*const ()>,
}

/// How the holder came in, and so how it leaves.
enum Entry<'a> {
    Owner(&'a AtomicBool),
    Inner(MutexGuard<'a, Policy>),
}

impl<'a, T> Guard<'a, T> {
    #[inline]
    fn new(lock: &'a BiasedLock<T>, entry: Entry<'a>) -> Self {
        Self {
            lock,
            entry,
            not_send: std::marker::PhantomData,
        }
    }

    #[cold]
    fn leave_inner(lock: &BiasedLock<T>, policy: &Policy) {
        lock.holder.store(0, Ordering::Relaxed);
        let bias = policy.bias();
        if bias != Bias::NOBODY {
            // Release: with the Acquire in `lock_as`.
            lock.gate.bias.store(bias.0, Ordering::Release);
        }
        // `inner` is unlocked when the guard's fields are dropped, next.
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        match &self.entry {
            Entry::Owner(inside) => {
                let order = if planted(Fault::OwnerLeavesRelaxed) {
                    Ordering::Relaxed
                } else {
                    // Release: with the Acquire in `displace`.
                    Ordering::Release
                };
                inside.store(false, order);
            }
            Entry::Inner(policy) => Self::leave_inner(self.lock, policy),
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists on one thread at a time (module invariants),
        // and a shared borrow of it rules out `deref_mut` for as long.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: a guard exists on one thread at a time (module invariants),
        // and the exclusive borrow of it makes this the only reference.
        unsafe { &mut *self.lock.value.get() }
    }
}

/// A thread and the flag that is its own: `id << 2 | slot`; 0 is nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bias(u64);

impl Bias {
    const NOBODY: Self = Self(0);

    fn new(owner: ThreadId, slot: usize) -> Self {
        debug_assert!(slot < SLOTS);
        Self(owner.get() << SLOT_BITS | slot as u64)
    }

    #[inline]
    fn belongs_to(self, thread: ThreadId) -> bool {
        self.0 >> SLOT_BITS == thread.get()
    }

    #[inline]
    fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }
}

impl fmt::Debug for Bias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {} in slot {}", self.0 >> SLOT_BITS, self.slot())
    }
}

#[derive(Clone, Copy)]
enum Role {
    User,
    Foreign,
}

/// Waiting for an owner that is inside: a moment if it runs, a time slice if it
/// was descheduled there. Sleeping at last, so that a real-time I/O thread does
/// not starve an owner on its own processor.
struct Patience {
    rounds: u32,
}

impl Patience {
    fn new() -> Self {
        Self { rounds: 0 }
    }

    fn wait(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        match self.rounds {
            _ if cfg!(loom) => thread::yield_now(),
            0..=100 => std::hint::spin_loop(),
            101..=200 => thread::yield_now(),
            _ => std::thread::sleep(std::time::Duration::from_micros(50)),
        }
    }
}

#[cold]
#[inline(never)]
fn entered_twice() -> ! {
    panic!("a thread entered a socket that it is already inside of");
}

const SLOT_BITS: u32 = 2;
/// Threads that can own one lock in its life; further ones use `inner`.
const SLOTS: usize = 1 << SLOT_BITS;
/// Entries by other user threads after which an owner loses the bias.
const FOREIGN_ENTRIES: u32 = if cfg!(loom) { 1 } else { 3 };
/// Entries in a row after which a thread becomes owner of an unbiased lock.
const LONG_RUN: u32 = if cfg!(loom) { 1 } else { 1_000 };
/// What [`LONG_RUN`] grows to at most, doubling at each loss of the bias.
const LONGEST_RUN: u32 = if cfg!(loom) { 1 } else { 1 << 20 };
