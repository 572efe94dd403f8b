//! Slots that messages are sent from and come into.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use crate::credit::{CONTROL_SLOTS, Credits, Kind};
use crate::hello::{HEADER, Header};
use crate::sys::Slot;
use crate::verbs::{Access, Incoming, Outgoing, Piece, Queue, Region, Signal};

/// Slots of one length, registered together.
struct Slots {
    slots: Vec<Slot>,
    len: usize,
    region: Region,
}

impl Slots {
    fn new(queue: &mut dyn Queue, len: usize, count: usize) -> io::Result<Self> {
        let slots = Slot::cut(len, count)?;
        let all = crate::verbs::Part {
            pages: slots[0].place().0.clone(),
            offset: 0,
            len: len * count,
        };
        let region = queue.register(all, Access::Local)?.region;
        Ok(Self { slots, len, region })
    }

    fn piece(&self, slot: usize, len: usize) -> Piece {
        Piece {
            region: self.region,
            offset: slot * self.len,
            len,
        }
    }
}

/// What a work request is, in the upper byte of the number that its completion has.
pub(crate) mod work {
    pub(crate) const RECEIVE: u64 = 0;
    pub(crate) const SEND: u64 = 1;
    pub(crate) const READ: u64 = 2;
    pub(crate) const WRITE: u64 = 3;

    const SHIFT: u32 = 56;

    pub(crate) fn number(kind: u64, number: u64) -> u64 {
        kind << SHIFT | number & ((1 << SHIFT) - 1)
    }

    /// The kind, and the number of that kind.
    pub(crate) fn split(work: u64) -> (u64, u64) {
        (work >> SHIFT, work & ((1 << SHIFT) - 1))
    }
}

/// Messages of ours that are under way, used in turn.
///
/// Those of the stream leave room for the others, which wait for nobody.
pub(crate) struct SendRing {
    slots: Slots,
    /// How many there are for the stream.
    stream: u64,
    /// Bytes that fit into one of the peer's slots.
    longest: usize,
    /// Messages that were posted, ever, and those that are known to be sent.
    posted: u64,
    complete: u64,
    /// Those that are to be posted together.
    batch: Vec<Outgoing>,
}

impl SendRing {
    pub(crate) fn new(queue: &mut dyn Queue, len: u32, stream: u16) -> io::Result<Self> {
        let count = usize::from(stream + CONTROL_SLOTS);
        Ok(Self {
            slots: Slots::new(queue, len as usize, count)?,
            stream: stream.into(),
            longest: len as usize,
            posted: 0,
            complete: 0,
            batch: Vec::new(),
        })
    }

    /// The peer takes messages of so many bytes.
    pub(crate) fn limit(&mut self, longest: u32) {
        self.longest = self.longest.min(longest as usize);
    }

    /// Whether there is a slot for a message of this kind.
    pub(crate) fn has_room(&self, kind: Kind) -> bool {
        let spare = match kind {
            Kind::Data => 0,
            Kind::Credits => u64::from(CONTROL_SLOTS) - 1,
            Kind::End => u64::from(CONTROL_SLOTS),
        };
        self.posted - self.complete < self.stream + spare
    }

    /// Whether all messages are known to be sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.posted == self.complete
    }

    /// Puts as much of `bufs` behind its first `skip` bytes into a message as fits, to be
    /// posted. There is room for it.
    pub(crate) fn add_data(
        &mut self,
        credits: &mut Credits,
        bufs: &[IoSlice<'_>],
        skip: usize,
    ) -> usize {
        let slot = self.next();
        let space = &mut self.slots.slots[slot].bytes_mut()[HEADER..self.longest];
        let len = gather(bufs, skip, space);
        self.add(credits, Kind::Data, len);
        len
    }

    /// Adds a message without a body, to be posted.
    pub(crate) fn add(&mut self, credits: &mut Credits, kind: Kind, len: usize) {
        let slot = self.next();
        let header = Header {
            kind,
            credits: credits.sending(kind),
            len: len as u32,
        };
        self.slots.slots[slot].bytes_mut()[..HEADER].copy_from_slice(&header.encode());
        // One completion tells of several messages. There are at least two such in a
        // ring, so that one that is full is told of.
        let each = (self.stream / 4).max(1);
        let signal = match kind == Kind::End || self.posted % each == each - 1 {
            true => Signal::Always,
            false => Signal::OnFailure,
        };
        self.batch.push(Outgoing {
            work: work::number(work::SEND, self.posted),
            from: self.slots.piece(slot, HEADER + len),
            signal,
            solicited: true,
        });
        self.posted += 1;
    }

    /// Posts what was added: how many messages.
    pub(crate) fn post(&mut self, queue: &mut dyn Queue) -> io::Result<usize> {
        let count = self.batch.len();
        if count > 0 {
            let posted = queue.post_sends(&self.batch);
            self.batch.clear();
            posted?;
        }
        Ok(count)
    }

    /// This message was sent, and so were those before it.
    pub(crate) fn completed(&mut self, number: u64) {
        self.complete = (number + 1).clamp(self.complete, self.posted);
    }

    fn next(&self) -> usize {
        (self.posted % self.slots.slots.len() as u64) as usize
    }
}

/// Copies as much as fits of `bufs` behind their first `skip` bytes.
fn gather(bufs: &[IoSlice<'_>], mut skip: usize, into: &mut [u8]) -> usize {
    let mut filled = 0;
    for buf in bufs {
        let here = skip.min(buf.len());
        skip -= here;
        let len = (buf.len() - here).min(into.len() - filled);
        into[filled..filled + len].copy_from_slice(&buf[here..here + len]);
        filled += len;
        if filled == into.len() {
            break;
        }
    }
    filled
}

/// Messages of the peer's: room for them, and those that came and are not read.
pub(crate) struct ReceiveRing {
    slots: Slots,
    filled: VecDeque<Filled>,
    /// Slots that are to be posted together.
    batch: Vec<Incoming>,
}

struct Filled {
    slot: usize,
    at: usize,
    end: usize,
}

impl ReceiveRing {
    /// All slots are to be posted.
    pub(crate) fn new(queue: &mut dyn Queue, len: u32, stream: u16) -> io::Result<Self> {
        let count = usize::from(stream + CONTROL_SLOTS);
        let mut ring = Self {
            slots: Slots::new(queue, len as usize, count)?,
            filled: VecDeque::new(),
            batch: Vec::new(),
        };
        for slot in 0..count {
            ring.free(slot);
        }
        Ok(ring)
    }

    /// What came into a slot, up to `len` bytes.
    pub(crate) fn message(&self, slot: usize) -> &[u8] {
        self.slots.slots.get(slot).map_or(&[], Slot::bytes)
    }

    /// A message of the stream lies in this slot, to be read.
    pub(crate) fn hold(&mut self, slot: usize, body: usize) {
        self.filled.push_back(Filled {
            slot,
            at: HEADER,
            end: HEADER + body,
        });
    }

    /// This slot is to be posted.
    pub(crate) fn free(&mut self, slot: usize) {
        let into = self.slots.piece(slot, self.slots.len);
        let work = work::number(work::RECEIVE, slot as u64);
        self.batch.push(Incoming { work, into });
    }

    /// Messages that came and are not read to their end.
    pub(crate) fn waiting(&self) -> usize {
        self.filled.len()
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.filled.is_empty()
    }

    /// Copies what came. Slots that are read to their end are to be posted.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> usize {
        let mut read = 0;
        while read < into.len()
            && let Some(filled) = self.filled.front_mut()
        {
            let Filled { slot, at, end } = *filled;
            let len = (end - at).min(into.len() - read);
            let bytes = &self.slots.slots[slot].bytes()[at..at + len];
            into[read..read + len].copy_from_slice(bytes);
            read += len;
            filled.at += len;
            if filled.at == end {
                self.filled.pop_front();
                self.free(slot);
            }
        }
        read
    }

    /// Posts what is to be posted: how many slots.
    pub(crate) fn post(&mut self, queue: &mut dyn Queue) -> io::Result<usize> {
        let count = self.batch.len();
        if count > 0 {
            let posted = queue.post_receives(&self.batch);
            self.batch.clear();
            posted?;
        }
        Ok(count)
    }
}
