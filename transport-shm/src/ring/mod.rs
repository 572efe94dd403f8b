//! A stream of bytes in each direction, over memory that only one side writes.
//!
//! ```text
//!   our memory (we write, the peer maps it read-only)     the peer's memory
//!  ┌───────────────────────────────────────────────┐     ┌───────────────────┐
//!  │ head          written into our ring, bytes    │     │ the same,         │
//!  │ tail          read from the peer's ring       │     │ the other way     │
//!  │ input_wanted  ring the bell at this head      │     │ round             │
//!  │ room_wanted   ring the bell at this tail      │     │                   │
//!  │ closed, cpu, listens                          │     │                   │
//!  ├───────────────────────────────────────────────┤     ├───────────────────┤
//!  │ ring: our bytes on their way to the peer      │     │ ring: bytes to us │
//!  └───────────────────────────────────────────────┘     └───────────────────┘
//! ```
//! Positions count all bytes ever, so they never wrap (2^64 bytes take centuries)
//! and `head - tail` is what lies in the ring. Nothing that the peer writes is
//! believed: a position is read once, checked against our own, and kept.
//!
//! **Sleeping.** Who found nothing stores the position that it waits for, and
//! looks again; who moved a position stores it, and looks whether somebody waits
//! for it. A sequentially consistent fence stands between store and look on both
//! sides, so one of the two sees the other. Nobody clears what the peer waits for,
//! as that is the peer's memory: the side that rings remembers for which position
//! it has done so. A waiter waits only for positions that are not reached yet, so
//! a position that was rung for is never waited for again.

// Loom's cells are read and written through pointers.
#[cfg(all(test, loom))]
#[allow(unsafe_code)]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

use thiserror::Error;

use crate::kill_point::{KillPoint, passing};
use crate::sync::{AtomicU32, AtomicU64, Fault, Ordering, fence, planted};

/// What a side tells the other one. One cache line: in a dialogue all of it
/// changes with every message.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Words {
    head: AtomicU64,
    tail: AtomicU64,
    input_wanted: AtomicU64,
    room_wanted: AtomicU64,
    closed: AtomicU32,
    cpu: AtomicU32,
    listens: AtomicU32,
}

/// A position that is never reached: nobody waits.
const NOBODY: u64 = u64::MAX;

impl Words {
    /// A side that has moved nothing and waits for the first byte.
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            input_wanted: AtomicU64::new(1),
            room_wanted: AtomicU64::new(NOBODY),
            closed: AtomicU32::new(0),
            cpu: AtomicU32::new(u32::MAX),
            listens: AtomicU32::new(0),
        }
    }
}

/// A side's memory: its words and the length of its ring, a power of two.
pub(crate) trait Side {
    fn words(&self) -> &Words;
    fn ring_len(&self) -> usize;
}

/// Memory of ours.
pub(crate) trait Own: Side {
    /// Copies into the ring. `at` and the length stay within it.
    fn copy_in(&self, at: usize, from: &[u8]);
}

/// Memory of the peer's, which may change under our eyes.
pub(crate) trait Foreign: Side {
    /// Copies out of the ring. `at` and the length stay within it.
    fn copy_out(&self, at: usize, into: &mut [u8]);
}

/// A position that cannot be: the peer's memory is damaged, or it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Corrupt {
    #[error("the peer says that it wrote {head} bytes; {read} are read, and {len} fit its ring")]
    Head { head: u64, read: u64, len: usize },
    #[error(
        "the peer says that it read {tail} bytes, of {written} that were written, after {known}"
    )]
    Tail { tail: u64, written: u64, known: u64 },
}

/// What a read or a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Moved {
    pub(crate) bytes: usize,
    /// The peer sleeps until now: the bell is to be rung.
    pub(crate) ring: bool,
}

/// Both directions, as one side sees them.
pub(crate) struct Stream<M, T> {
    mine: M,
    theirs: T,
    /// Our own positions. Not read back from shared memory: they are ours.
    head: u64,
    tail: u64,
    /// The peer's, as they were when last looked at.
    known_head: u64,
    known_tail: u64,
    /// What the peer waited for when it was last rung for.
    rung_input: u64,
    rung_room: u64,
}

/// The side that comes first, as long as it has not got the peer's memory: it may
/// write already, as far as its ring goes.
pub(crate) struct Beginning<M> {
    mine: M,
    head: u64,
}

impl<M: Own> Beginning<M> {
    pub(crate) fn new(mine: M) -> Self {
        Self { mine, head: 0 }
    }

    /// Copies a first part of the buffers into our ring; answers how many bytes.
    pub(crate) fn write<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]>) -> usize {
        let start = self.head;
        for buf in bufs {
            let room = self.mine.ring_len() - self.head as usize;
            put(&self.mine, &mut self.head, &buf[..room.min(buf.len())]);
        }
        passing(KillPoint::EarlyBytesCopied);
        self.mine.words().head.store(self.head, Ordering::Release);
        passing(KillPoint::EarlyHeadStored);
        (self.head - start) as usize
    }

    /// Says that nothing more is written or read.
    pub(crate) fn close(&mut self) {
        self.mine.words().closed.store(1, Ordering::Release);
        passing(KillPoint::EarlyClosedStored);
    }

    /// Goes on with the peer's memory. True: the peer waits for what was written,
    /// and is to be rung.
    pub(crate) fn meet<T: Foreign>(self, theirs: T) -> (Stream<M, T>, bool) {
        let mut stream = Stream {
            mine: self.mine,
            theirs,
            head: self.head,
            tail: 0,
            known_head: 0,
            known_tail: 0,
            rung_input: 0,
            rung_room: 0,
        };
        let ring = stream.publish_head();
        (stream, ring)
    }
}

impl<M: Own, T: Foreign> Stream<M, T> {
    /// Copies a first part of the buffers into our ring.
    pub(crate) fn write<'a>(
        &mut self,
        bufs: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Moved, Corrupt> {
        let start = self.head;
        for buf in bufs {
            let room = self.room(buf.len())?;
            let len = room.min(buf.len());
            put(&self.mine, &mut self.head, &buf[..len]);
            if len < buf.len() {
                break;
            }
        }
        let bytes = (self.head - start) as usize;
        let ring = bytes > 0 && self.publish_head();
        Ok(Moved { bytes, ring })
    }

    /// Copies what is in the peer's ring into the buffers, one after another.
    pub(crate) fn read<'a>(
        &mut self,
        bufs: impl Iterator<Item = &'a mut [u8]>,
    ) -> Result<Moved, Corrupt> {
        let start = self.tail;
        for buf in bufs {
            let waiting = self.waiting(buf.len())?;
            let len = waiting.min(buf.len());
            let full = len == buf.len();
            self.take(&mut buf[..len]);
            if !full {
                break;
            }
        }
        let bytes = (self.tail - start) as usize;
        let ring = bytes > 0 && self.publish_tail();
        Ok(Moved { bytes, ring })
    }

    /// Asks to be rung once there is more than was read. True: there is already, or
    /// the peer closed; then nobody may ring.
    pub(crate) fn await_input(&mut self) -> Result<bool, Corrupt> {
        let wanted = self.tail + 1;
        self.words().input_wanted.store(wanted, Ordering::Relaxed);
        passing(KillPoint::InputWanted);
        let ready = self.look_again(Self::has_input)?;
        if ready {
            self.stop_awaiting_input();
        }
        Ok(ready)
    }

    /// Takes that back: we look again and again.
    pub(crate) fn stop_awaiting_input(&self) {
        self.words().input_wanted.store(NOBODY, Ordering::Relaxed);
        passing(KillPoint::InputUnwanted);
    }

    /// Asks to be rung once half of our ring is free. True: some room is there
    /// already, or the peer closed; then nobody may ring.
    pub(crate) fn await_room(&mut self) -> Result<bool, Corrupt> {
        let len = self.mine.ring_len() as u64;
        // The ring is full: at least so much was written.
        let wanted = self.head.saturating_sub(len / 2).max(1);
        self.words().room_wanted.store(wanted, Ordering::Relaxed);
        passing(KillPoint::RoomWanted);
        let ready = self.look_again(Self::has_room)?;
        if ready {
            self.words().room_wanted.store(NOBODY, Ordering::Relaxed);
        }
        Ok(ready)
    }

    /// What everybody does who has said what it waits for.
    fn look_again(
        &mut self,
        look: fn(&mut Self) -> Result<bool, Corrupt>,
    ) -> Result<bool, Corrupt> {
        if !planted(Fault::SleeperSkipsFence) {
            fence(Ordering::SeqCst);
        }
        let over = self.is_closed_by_peer() && !planted(Fault::SleeperOverlooksEnd);
        Ok(over || (look(self)? && !planted(Fault::SleeperSkipsLook)))
    }

    /// Whether anything fits into our ring.
    fn has_room(&mut self) -> Result<bool, Corrupt> {
        Ok(self.room(usize::MAX)? > 0)
    }

    /// Whether bytes are there to be read.
    pub(crate) fn has_input(&mut self) -> Result<bool, Corrupt> {
        Ok(self.waiting(usize::MAX)? > 0)
    }

    /// Says that nothing more is written or read. The peer is to be rung.
    pub(crate) fn close(&mut self) {
        self.words().closed.store(1, Ordering::Release);
        passing(KillPoint::ClosedStored);
    }

    /// Whether the peer has said so. What it wrote before is seen by a look that
    /// comes after.
    pub(crate) fn is_closed_by_peer(&self) -> bool {
        self.theirs.words().closed.load(Ordering::Acquire) != 0
    }

    /// Tells the peer where we run, as it may run there too.
    pub(crate) fn tell_cpu(&self, cpu: u32) {
        self.words().cpu.store(cpu, Ordering::Relaxed);
        passing(KillPoint::CpuTold);
    }

    /// Tells the peer that its doorbell wakes us, for good.
    pub(crate) fn listen(&self) {
        // Relaxed: who reads it too late rings by the socket.
        self.words().listens.store(1, Ordering::Relaxed);
    }

    /// Whether our doorbell wakes the peer.
    pub(crate) fn is_listened_to(&self) -> bool {
        self.theirs.words().listens.load(Ordering::Relaxed) != 0
    }

    /// Where the peer ran when it last told.
    pub(crate) fn cpu_of_peer(&self) -> u32 {
        self.theirs.words().cpu.load(Ordering::Relaxed)
    }

    fn words(&self) -> &Words {
        self.mine.words()
    }

    /// Bytes that fit into our ring. Looks at the peer only for `wanted` of them.
    fn room(&mut self, wanted: usize) -> Result<usize, Corrupt> {
        let len = self.mine.ring_len();
        let room = |head: u64, tail: u64| len - (head - tail) as usize;
        if room(self.head, self.known_tail) < wanted {
            // Acquire: the peer's copies out of the ring come before ours into it.
            let tail = self.theirs.words().tail.load(Ordering::Acquire);
            if tail < self.known_tail || tail > self.head {
                let (written, known) = (self.head, self.known_tail);
                return Err(Corrupt::Tail {
                    tail,
                    written,
                    known,
                });
            }
            self.known_tail = tail;
        }
        Ok(room(self.head, self.known_tail))
    }

    /// Bytes that wait in the peer's ring. Looks at the peer only for `wanted`.
    fn waiting(&mut self, wanted: usize) -> Result<usize, Corrupt> {
        if ((self.known_head - self.tail) as usize) < wanted {
            // Acquire: the bytes come before the position that tells of them.
            let head = self.theirs.words().head.load(Ordering::Acquire);
            let len = self.theirs.ring_len();
            if head < self.known_head || head - self.tail > len as u64 {
                let read = self.tail;
                return Err(Corrupt::Head { head, read, len });
            }
            self.known_head = head;
        }
        Ok((self.known_head - self.tail) as usize)
    }

    /// Copies out of the peer's ring, what waits there.
    fn take(&mut self, buf: &mut [u8]) {
        let len = self.theirs.ring_len();
        let at = (self.tail % len as u64) as usize;
        self.tail += buf.len() as u64;
        let (first, second) = buf.split_at_mut(buf.len().min(len - at));
        self.theirs.copy_out(at, first);
        passing(KillPoint::BytesTakenInPart);
        self.theirs.copy_out(0, second);
    }

    /// Shows the peer what was written. True: it waits for that.
    fn publish_head(&mut self) -> bool {
        passing(KillPoint::BytesCopied);
        let order = match planted(Fault::HeadIsRelaxed) {
            true => Ordering::Relaxed,
            false => Ordering::Release,
        };
        self.words().head.store(self.head, order);
        passing(KillPoint::HeadStored);
        let wanted = &self.theirs.words().input_wanted;
        is_awaited(self.head, wanted, &mut self.rung_input)
    }

    /// Gives the peer the room of what was read. True: it waits for that.
    fn publish_tail(&mut self) -> bool {
        passing(KillPoint::BytesTaken);
        let order = match planted(Fault::TailIsRelaxed) {
            true => Ordering::Relaxed,
            false => Ordering::Release,
        };
        self.words().tail.store(self.tail, order);
        passing(KillPoint::TailStored);
        let wanted = &self.theirs.words().room_wanted;
        let awaited = is_awaited(self.tail, wanted, &mut self.rung_room);
        awaited && !planted(Fault::RoomIsNotTold)
    }
}

/// Whether the peer waits for `position`, which it can see now, and was not rung for
/// that yet.
fn is_awaited(position: u64, wanted: &AtomicU64, rung: &mut u64) -> bool {
    if !planted(Fault::MoverSkipsFence) {
        fence(Ordering::SeqCst);
    }
    let wanted = wanted.load(Ordering::Relaxed);
    let stale = wanted == *rung || (planted(Fault::RingsOnce) && *rung > 0);
    let awaited = wanted <= position && !stale;
    *rung = if awaited { wanted } else { *rung };
    awaited
}

/// Copies into a ring of ours, where there is room.
fn put(mine: &impl Own, head: &mut u64, buf: &[u8]) {
    let len = mine.ring_len();
    let at = (*head % len as u64) as usize;
    let (first, second) = buf.split_at(buf.len().min(len - at));
    mine.copy_in(at, first);
    passing(KillPoint::BytesCopiedInPart);
    mine.copy_in(0, second);
    *head += buf.len() as u64;
}
