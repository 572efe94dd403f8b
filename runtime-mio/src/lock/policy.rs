//! Whom a lock should belong to. Plain data under the lock's inner mutex.

use super::{Bias, FOREIGN_ENTRIES, LONG_RUN, LONGEST_RUN, SLOTS};
use crate::sync::{ThreadId, asymmetric_available};

/// The bias in force, and what was counted towards changing it.
pub(super) struct Policy {
    bias: Bias,
    /// Threads that have been owners, by slot. Never forgotten: a thread that
    /// lost the bias may be about to set its flag still.
    owners: [Option<ThreadId>; SLOTS],
    /// Entries by other user threads since `bias` was given.
    foreign: u32,
    /// While unbiased: who entered last, and how often in a row.
    runner: Option<ThreadId>,
    run: u32,
    /// Length of a run that earns the bias. The first user needs no run.
    needed: u32,
}

/// What an entry through the inner mutex finds.
pub(super) enum Verdict {
    /// The thread owns the lock, from now on or already.
    Owner(Bias),
    /// Another thread may be inside by its bias.
    Displace(Bias),
    /// Nobody is.
    Unbiased,
}

impl Policy {
    pub(super) fn new() -> Self {
        Self {
            bias: Bias::NOBODY,
            owners: [None; SLOTS],
            foreign: 0,
            runner: None,
            run: 0,
            needed: 1,
        }
    }

    /// The bias to leave behind when unlocking.
    pub(super) fn bias(&self) -> Bias {
        self.bias
    }

    /// A user thread came in. O([`SLOTS`]).
    pub(super) fn user_entered(&mut self, me: ThreadId) -> Verdict {
        if self.bias.belongs_to(me) {
            return Verdict::Owner(self.bias);
        }
        if self.bias != Bias::NOBODY {
            let owner = self.bias;
            self.foreign += 1;
            if self.foreign >= FOREIGN_ENTRIES {
                self.drop_bias();
            }
            return Verdict::Displace(owner);
        }
        self.run = if self.runner == Some(me) {
            self.run.saturating_add(1)
        } else {
            1
        };
        self.runner = Some(me);
        if self.run < self.needed {
            return Verdict::Unbiased;
        }
        match self.slot_for(me) {
            Some(slot) => {
                self.bias = Bias::new(me, slot);
                self.foreign = 0;
                Verdict::Owner(self.bias)
            }
            None => Verdict::Unbiased,
        }
    }

    /// The I/O thread came in: nothing is counted.
    pub(super) fn foreign_entered(&self, me: ThreadId) -> Verdict {
        if self.bias == Bias::NOBODY {
            Verdict::Unbiased
        } else if self.bias.belongs_to(me) {
            // A reactor without threads does both parts on one thread.
            Verdict::Owner(self.bias)
        } else {
            Verdict::Displace(self.bias)
        }
    }

    fn drop_bias(&mut self) {
        self.bias = Bias::NOBODY;
        self.runner = None;
        self.run = 0;
        self.needed = (self.needed * 2).clamp(LONG_RUN, LONGEST_RUN);
    }

    /// The thread's own slot, or a fresh one. None when all are other threads',
    /// or when there is no barrier to make a bias worth having.
    fn slot_for(&mut self, me: ThreadId) -> Option<usize> {
        if !asymmetric_available() {
            return None;
        }
        let slot = self
            .owners
            .iter()
            .position(|&owner| owner == Some(me) || owner.is_none())?;
        self.owners[slot] = Some(me);
        Some(slot)
    }
}
