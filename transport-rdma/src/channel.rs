//! A stream over a queue: slots, credits, completions, and how it ends.

mod looking;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::counters::{Count, Tally};
use crate::credit::{CONTROL_SLOTS, Credits, Kind};
use crate::error::{LinkError, Work};
use crate::gather::Gathered;
use crate::hello::Hello;
use crate::ring::{ReceiveRing, SendRing, work};
use crate::verbs::{
    Access, Fetch, Limits, Notify, Part, Queue, Region, Registered, Sizes, Status, Store,
};

/// Reads of a peer's memory that are under way at a time.
pub(crate) const READS: u8 = 4;
/// Writes into a peer's memory that are under way at a time.
const WRITES: u8 = 16;

/// How much room a link has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// For the peer's messages: what it is told.
    pub(crate) receive: Hello,
    /// Messages of ours that are under way.
    pub(crate) send_slots: u16,
}

impl Room {
    pub(crate) fn sizes(self) -> Sizes {
        Sizes {
            sends: u32::from(self.send_slots + CONTROL_SLOTS) + u32::from(READS + WRITES),
            receives: u32::from(self.receive.slots + CONTROL_SLOTS),
            reads: READS,
            inline: INLINE,
            pieces: PIECES,
        }
    }
}

/// Bytes that are worth going with the request itself: what a small message has.
const INLINE: u32 = 220;
/// Pieces that a write is gathered from: a request with this many is as long as one with
/// that many bytes, so that queues take no more memory for it.
const PIECES: u32 = 12;

pub(crate) struct Channel {
    // Before the memory that it reads and writes: dropped first.
    queue: Box<dyn Queue>,
    sending: SendRing,
    receiving: ReceiveRing,
    /// `None` until the peer's greeting is known.
    credits: Option<Credits>,
    room: Room,
    /// Sends may be posted.
    stands: bool,
    over: Option<Over>,
    armed: Option<Notify>,
    /// Reads that are under way, and what became of others.
    reading: usize,
    read: VecDeque<(u64, Result<(), Status>)>,
    /// Writes that are under way, and how many others have arrived.
    writing: usize,
    written: usize,
    pub(crate) tally: Arc<Tally>,
}

/// How the peer's side of a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// It said so.
    InOrder,
    Failed(LinkError),
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    Input,
    Room,
    Read,
    Written,
}

impl Channel {
    /// Gives a queue its slots and posts them: it may be established then.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn new(
        mut queue: Box<dyn Queue>,
        gathered: &Gathered,
        room: Room,
        tally: Arc<Tally>,
    ) -> io::Result<Self> {
        gathered.add_completions(queue.completion_fd())?;
        let Hello { slots, slot_len } = room.receive;
        let sending = SendRing::new(&mut *queue, slot_len, room.send_slots)?;
        let mut receiving = ReceiveRing::new(&mut *queue, slot_len, slots)?;
        receiving.post(&mut *queue)?;
        Ok(Self {
            queue,
            sending,
            receiving,
            credits: None,
            room,
            stands: false,
            over: None,
            armed: None,
            reading: 0,
            read: VecDeque::new(),
            writing: 0,
            written: 0,
            tally,
        })
    }

    /// Connects or accepts.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn establish(&mut self) -> io::Result<()> {
        self.queue.establish(&self.room.receive.encode())
    }

    /// The peer has said how much room it has.
    pub(crate) fn meet(&mut self, theirs: Hello) {
        self.sending.limit(theirs.slot_len);
        self.credits = Some(Credits::new(self.room.receive.slots, theirs.slots));
    }

    pub(crate) fn limits(&self) -> Limits {
        self.queue.limits()
    }

    pub(crate) fn addresses(&self) -> (std::net::SocketAddr, std::net::SocketAddr) {
        self.queue.addresses()
    }

    /// Those of completions and of events.
    pub(crate) fn descriptors(&self) -> (BorrowedFd<'_>, BorrowedFd<'_>) {
        (self.queue.completion_fd(), self.queue.connection_fd())
    }

    /// How it ended, if it has.
    pub(crate) fn over(&self) -> Option<Over> {
        self.over
    }

    pub(crate) fn fail(&mut self, error: LinkError) {
        self.over.get_or_insert(Over::Failed(error));
    }

    /// Whether a call that waits for this has something to do.
    pub(crate) fn is_ready(&self, awaited: Awaited) -> bool {
        let failed = matches!(self.over, Some(Over::Failed(_)));
        match awaited {
            Awaited::Input => self.receiving.has_input() || self.over.is_some(),
            Awaited::Room => self.may_send() || self.over.is_some(),
            // A peer that sends no more may still be read from.
            Awaited::Read => !self.read.is_empty() || failed,
            Awaited::Written => self.written > 0 || self.over.is_some(),
        }
    }

    fn may_send(&self) -> bool {
        let available = self.credits.map_or(0, |credits| credits.available());
        self.stands && available > 0 && self.sending.has_room(Kind::Data)
    }

    /// Whether everything that was posted is known to have arrived, or never will.
    pub(crate) fn is_settled(&self) -> bool {
        let failed = matches!(self.over, Some(Over::Failed(_)));
        failed || self.sending.is_idle()
    }

    /// Copies what came into `into`.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> usize {
        let before = self.receiving.waiting();
        let read = self.receiving.read(into);
        let freed = before - self.receiving.waiting();
        self.tally.add(Count::Copied, read);
        if freed > 0 {
            self.repost();
            for _ in 0..freed {
                self.credits.as_mut().map(Credits::freed);
            }
            self.pay();
        }
        read
    }

    /// Posts as much of `bufs` as there is room for.
    pub(crate) fn write(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let all: usize = bufs.iter().map(|buf| buf.len()).sum();
        let mut written = 0;
        while written < all && self.may_send() {
            let Some(credits) = &mut self.credits else {
                break;
            };
            written += self.sending.add_data(credits, bufs, written);
        }
        self.tally.add(Count::Copied, written);
        self.post_sends();
        written
    }

    /// Says that no more is coming. False: it cannot be said.
    pub(crate) fn end(&mut self) -> bool {
        let Some(credits) = &mut self.credits else {
            return false;
        };
        let failed = matches!(self.over, Some(Over::Failed(_)));
        if !self.stands || failed || !self.sending.has_room(Kind::End) {
            return false;
        }
        self.sending.add(credits, Kind::End, 0);
        self.post_sends();
        true
    }

    pub(crate) fn disconnect(&mut self) {
        self.queue.disconnect();
    }

    // Memory.

    /// # Errors
    /// Of the system.
    pub(crate) fn register(&mut self, part: Part, access: Access) -> io::Result<Registered> {
        self.tally.add(Count::Registrations, 1);
        self.queue.register(part, access)
    }

    /// # Errors
    /// Of the system: the device may have it still.
    pub(crate) fn deregister(&mut self, region: Region) -> io::Result<()> {
        self.queue.deregister(region)
    }

    /// How many reads may be posted now.
    pub(crate) fn reads_left(&self) -> usize {
        let most = self.queue.limits().reads.min(READS.into());
        most.saturating_sub(self.reading)
    }

    pub(crate) fn post_read(&mut self, number: u64, mut fetch: Fetch) {
        fetch.work = work::number(work::READ, number);
        self.reading += 1;
        self.tally.add(Count::Reads, 1);
        if let Err(error) = self.queue.post_read(fetch) {
            self.refused(Work::Read, &error);
        }
    }

    /// How many writes may be posted now.
    pub(crate) fn writes_left(&self) -> usize {
        usize::from(WRITES).saturating_sub(self.writing)
    }

    pub(crate) fn post_write(&mut self, mut store: Store) {
        store.work = work::number(work::WRITE, 0);
        self.writing += 1;
        self.tally.add(Count::Writes, 1);
        if let Err(error) = self.queue.post_write(store) {
            self.refused(Work::Write, &error);
        }
    }

    /// How many writes have arrived since this was asked last: the first ones.
    pub(crate) fn take_written(&mut self) -> usize {
        std::mem::take(&mut self.written)
    }

    /// What became of a read: its number, and whether it failed.
    pub(crate) fn take_read(&mut self) -> Option<(u64, Result<(), Status>)> {
        self.read.pop_front()
    }
}
