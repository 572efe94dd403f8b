//! Registrations of a link's, and those that are kept for later.
//!
//! To register memory takes longer than to send it: pages are pinned, and the device is
//! told of each. So what the device alone reaches stays registered when nobody uses it,
//! up to a limit, and the one that was used longest ago goes first. What a peer reads is
//! another matter: see [`Keys`](crate::Keys).

use std::collections::HashMap;
use std::io;

use crate::channel::Channel;
use crate::verbs::{Access, Part, Registered};

/// Bytes that a link keeps registered that nobody uses.
const IDLE_BYTES: usize = 64 << 20;
/// Pieces of memory that a link keeps registered that nobody uses.
///
/// More than all writes that are under way can be gathered from: who writes from the same
/// pieces again finds them.
const IDLE_PIECES: usize = 256;

/// What is registered: where it begins, how long it is, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Extent {
    pub(crate) address: usize,
    pub(crate) len: usize,
    pub(crate) access: Access,
}

impl Extent {
    pub(crate) fn of(part: &Part, access: Access) -> Self {
        Self {
            address: part.pages.address() + part.offset,
            len: part.len,
            access,
        }
    }
}

/// What becomes of a registration that nobody uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Kept,
    Ended,
}

/// What gives way to a registration that the system refuses at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivingWay {
    /// One idle registration after the other, down to the last.
    AllIdle,
    /// As many as are as long together, and none where all are shorter: what is refused
    /// then waits for others, who are to find theirs.
    AsMuch,
}

#[derive(Default)]
pub(crate) struct Registry {
    entries: HashMap<Extent, Entry>,
    idle: usize,
    idle_bytes: usize,
    /// Counts uses, to tell which was the last.
    clock: u64,
}

struct Entry {
    registered: Registered,
    users: usize,
    used: u64,
}

impl Registry {
    /// A registration of this part, which may be there. It is used until
    /// [`release`](Self::release) was called as often.
    ///
    /// # Errors
    /// Of the system, when there is nothing left to give up for it.
    pub(crate) fn acquire(
        &mut self,
        channel: &mut Channel,
        part: &Part,
        access: Access,
        giving_way: GivingWay,
    ) -> io::Result<Registered> {
        self.clock += 1;
        let extent = Extent::of(part, access);
        if let Some(entry) = self.entries.get_mut(&extent) {
            if entry.users == 0 {
                self.idle -= 1;
                self.idle_bytes -= extent.len;
            }
            entry.users += 1;
            entry.used = self.clock;
            return Ok(entry.registered);
        }
        let registered = self.register(channel, part, access, giving_way)?;
        let entry = Entry {
            registered,
            users: 1,
            used: self.clock,
        };
        self.entries.insert(extent, entry);
        Ok(registered)
    }

    /// Whether this is registered.
    pub(crate) fn has(&self, extent: &Extent) -> bool {
        self.entries.contains_key(extent)
    }

    /// A registration that nobody else uses, and that whoever asked for it ends.
    ///
    /// # Errors
    /// Of the system, when there is nothing left to give up for it.
    pub(crate) fn register(
        &mut self,
        channel: &mut Channel,
        part: &Part,
        access: Access,
        giving_way: GivingWay,
    ) -> io::Result<Registered> {
        let enough = match giving_way {
            GivingWay::AllIdle => usize::MAX,
            GivingWay::AsMuch if self.idle_bytes < part.len => 0,
            GivingWay::AsMuch => part.len,
        };
        let before = self.idle_bytes;
        loop {
            let registered = channel.register(part.clone(), access);
            let given = before - self.idle_bytes;
            if registered.is_ok() || given >= enough || !self.end_oldest(channel) {
                return registered;
            }
        }
    }

    /// Somebody uses it no more.
    ///
    /// # Errors
    /// Of the system, when it was to end: whoever had its key has it still. That of
    /// another one, which only gave up its place, is none of the caller's.
    pub(crate) fn release(
        &mut self,
        channel: &mut Channel,
        extent: Extent,
        afterwards: Afterwards,
    ) -> io::Result<()> {
        let Some(entry) = self.entries.get_mut(&extent) else {
            return Ok(());
        };
        entry.users -= 1;
        if entry.users > 0 {
            return Ok(());
        }
        self.idle += 1;
        self.idle_bytes += extent.len;
        let ended = match afterwards {
            Afterwards::Ended => self.end(channel, extent),
            Afterwards::Kept => Ok(()),
        };
        while (self.idle > IDLE_PIECES || self.idle_bytes > IDLE_BYTES) && self.end_oldest(channel)
        {
        }
        ended
    }

    /// Ends the one that nobody uses for longest. False: there is none.
    fn end_oldest(&mut self, channel: &mut Channel) -> bool {
        let idle = self.entries.iter().filter(|(_, entry)| entry.users == 0);
        let oldest = idle.min_by_key(|(_, entry)| entry.used);
        let Some(extent) = oldest.map(|(extent, _)| *extent) else {
            return false;
        };
        // What is idle is for our own device, which touches nothing unasked, or for a peer
        // who may read that block for as long as the link stands. Where this fails both can
        // still, and the memory stays mapped: no more than before.
        let _ = self.end(channel, extent);
        true
    }

    /// # Errors
    /// Of the system. The memory stays mapped, and whoever has a key to it reaches it,
    /// whatever is put there next.
    fn end(&mut self, channel: &mut Channel, extent: Extent) -> io::Result<()> {
        let Some(entry) = self.entries.remove(&extent) else {
            return Ok(());
        };
        self.idle -= 1;
        self.idle_bytes -= extent.len;
        channel.deregister(entry.registered.region)
    }
}
