//! What waits to be written on one link: encoded bytes and payload handles.
//!
//! ```text
//!  written | lent | segments: bytes, handle, bytes, handle, …   | tail: bytes |
//!          ^ total_written                                                   ^ total_appended
//! ```
//! `lent` counts bytes that are still in their sender's memory: only the sender
//! can write them, and nothing behind them leaves before.
//! `ends` holds the stream position at which each unfinished message or command
//! ends, so that messages can be counted after a partial write, and recovered
//! when the link dies.

mod buffer;
mod hand_over;
mod lent;
mod sealed;
mod walk;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use ferromq_transport as transport;
use ferromq_wire::{FRAME_OVERHEAD, Reference, Sealer, Transmitter};

pub(crate) use buffer::Buffer;

use super::parts::Parts;
use crate::Frame;
use crate::clock::Ticks;
use crate::memory::BufferPool;
use crate::security::NaCl;

/// Frames from this length travel as handles; shorter ones are copied, which
/// is cheaper than another element in the vectored write.
pub(crate) const BY_HANDLE: usize = 8 << 10;

/// Most bytes of copies that a single write call is given; of what is written from where
/// it lies, the link says how many.
const WRITE_MAX: usize = 512 << 10;

/// Elements of one vectored write.
const SLICES: usize = 64;

/// Copies are gathered in buffers of about this size, so that a long backlog
/// moves nothing when it grows.
const CHUNK: usize = 128 << 10;

/// A buffer of up to this size is kept for the next burst; one that a long
/// message made larger is freed when it is empty.
const TAIL_KEPT: usize = 256 << 10;

/// Empty buffers that a link keeps. Warm ones are worth 6 times a fresh one.
const SPARES: usize = 4;

/// A stretch of output that is complete.
enum Segment {
    Bytes(Buffer),
    Payload { frame: Frame, start: usize },
}

impl Segment {
    /// A copy of `bytes`, in warm memory where there is some.
    fn copied(pool: &Arc<BufferPool>, bytes: &[u8]) -> Self {
        let frame = pool.copy(bytes).unwrap_or_else(|_| Frame::from(bytes));
        Self::Payload { frame, start: 0 }
    }

    fn waiting(&self) -> &[u8] {
        match self {
            Self::Bytes(buffer) => buffer.waiting(),
            Self::Payload { frame, start } => frame.get(*start..).unwrap_or_default(),
        }
    }

    fn advance(&mut self, by: usize) {
        match self {
            Self::Bytes(Buffer { start, .. }) | Self::Payload { start, .. } => *start += by,
        }
    }
}

/// The stream position at which something ends.
#[derive(Clone, Copy)]
struct End(u64);

impl End {
    /// Set for commands; no stream is that long.
    const COMMAND: u64 = 1 << 63;

    fn is_command(self) -> bool {
        self.0 & Self::COMMAND != 0
    }

    fn position(self) -> u64 {
        self.0 & !Self::COMMAND
    }
}

/// How a flush ended.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Nothing is left.
    Done,
    /// The transport takes no more now.
    Blocked,
    /// The transport will never take more.
    Broken(io::Error),
}

/// The output of one link.
#[derive(Default)]
pub(crate) struct Output {
    lent: usize,
    tail: Buffer,
    segments: VecDeque<Segment>,
    spares: Vec<Buffer>,
    /// Payloads that were written; whoever holds no lock drops them.
    pub(crate) finished: Vec<Frame>,
    /// Where messages and commands end that are not wholly written.
    ends: VecDeque<End>,
    /// How many of those are commands.
    commands: usize,
    /// Where the last of them that was wholly written ended.
    boundary: u64,
    total_written: u64,
    total_appended: u64,
    /// The transport refused more and has not yet said that it has room.
    pub(crate) blocked: bool,
    /// When a message was put here last; see `socket::pacing`.
    pub(crate) last_sent: Ticks,
    /// The socket's list of deferred links names this one.
    pub(crate) listed: bool,
    /// The reader is in this process: bodies are handed over, not written.
    pub(crate) hands_over: bool,
    /// CURVE: everything is sealed, once, in its order.
    sealer: Option<Box<Sealer<NaCl>>>,
}

impl Output {
    /// Bytes that wait.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        (self.total_appended - self.total_written) as usize
    }

    /// Bytes that were written, ever.
    pub(crate) fn written(&self) -> u64 {
        self.total_written
    }

    /// Messages of which a byte waits.
    #[inline]
    pub(crate) fn messages(&self) -> usize {
        self.ends.len() - self.commands
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.total_appended == self.total_written
    }

    /// Whether what waits are long messages, for which large writes are worth
    /// more.
    #[inline]
    pub(crate) fn holds_long_messages(&self) -> bool {
        self.bytes() >= self.ends.len() * BY_HANDLE
    }

    /// Appends one whole message: `envelope` frames first, then the parts of
    /// `message` from `skip` on.
    // `inline` alone leaves a call, which costs each 55 instructions of 900 (guard).
    #[inline(always)]
    pub(crate) fn append<M: Parts + ?Sized>(
        &mut self,
        transmitter: &mut Transmitter,
        envelope: &[Frame],
        message: &M,
        skip: usize,
    ) {
        let count = message.count();
        if envelope.is_empty() && count == skip + 1 {
            // The commonest case, where the call was 25 of 435 instructions.
            self.append_inline(transmitter, false, message.bytes(skip), message.frame(skip));
        } else {
            for frame in envelope {
                self.append_part(transmitter, true, frame, Some(frame));
            }
            for index in skip..count {
                let more = index + 1 < count;
                self.append_part(
                    transmitter,
                    more,
                    message.bytes(index),
                    message.frame(index),
                );
            }
        }
        self.end_message();
    }

    /// All of a message has been appended.
    #[inline]
    pub(super) fn end_message(&mut self) {
        self.ends.push_back(End(self.total_appended));
    }

    /// Appends a frame whose payload the peer reads elsewhere.
    pub(super) fn append_reference(
        &mut self,
        tx: &mut Transmitter,
        more: bool,
        reference: Reference,
    ) {
        let room = self.tail.room(Reference::LEN + FRAME_OVERHEAD);
        let written = tx.reference(more, reference, room);
        self.tail.end += written;
        self.total_appended += written as u64;
    }

    pub(super) fn append_part(
        &mut self,
        tx: &mut Transmitter,
        more: bool,
        body: &[u8],
        frame: Option<&Frame>,
    ) {
        self.append_inline(tx, more, body, frame);
    }

    #[inline(always)]
    fn append_inline(
        &mut self,
        tx: &mut Transmitter,
        more: bool,
        body: &[u8],
        frame: Option<&Frame>,
    ) {
        if self.sealer.is_some() {
            return self.append_sealed(more, body);
        }
        match frame {
            Some(frame) if body.len() >= BY_HANDLE => self.append_handle(tx, more, frame),
            _ => {
                let needed = body.len() + FRAME_OVERHEAD;
                if self.tail.end + needed > CHUNK {
                    self.seal_tail();
                }
                let room = self.tail.room(needed);
                let written = tx.frame(more, body, room);
                self.tail.end += written;
                self.total_appended += written as u64;
            }
        }
    }

    fn append_handle(&mut self, tx: &mut Transmitter, more: bool, frame: &Frame) {
        let header = tx.header(more, frame.len() as u64);
        let trailer = tx.trailer(&header, frame);
        self.append_bytes(header.as_ref());
        self.seal_tail();
        self.total_appended += frame.len() as u64;
        self.segments.push_back(Segment::Payload {
            frame: frame.clone(),
            start: 0,
        });
        self.append_bytes(trailer.as_ref());
    }

    fn append_bytes(&mut self, bytes: &[u8]) {
        self.tail.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.tail.end += bytes.len();
        self.total_appended += bytes.len() as u64;
    }

    /// Lets `encode` write a command into at least `room` bytes; it answers
    /// how many it wrote.
    pub(crate) fn append_command(&mut self, room: usize, encode: impl FnOnce(&mut [u8]) -> usize) {
        if self.sealer.is_some() {
            self.append_sealed_command(room, encode);
        } else {
            let written = encode(self.tail.room(room));
            self.tail.end += written;
            self.total_appended += written as u64;
        }
        self.ends.push_back(End(self.total_appended | End::COMMAND));
        self.commands += 1;
    }

    /// Writes until nothing is left or the transport takes no more.
    #[inline]
    pub(crate) fn flush(&mut self, link: &mut dyn transport::Link) -> Flushed {
        if self.lent > 0 {
            return Flushed::Blocked;
        }
        if self.hands_over {
            return self.hand_over(link);
        }
        if !self.segments.is_empty() {
            return self.flush_segments(link);
        }
        while !self.tail.is_empty() {
            let bytes = self.tail.waiting();
            match link.write(&bytes[..bytes.len().min(WRITE_MAX)]) {
                Ok(written) => {
                    self.tail.start += written;
                    self.total_written += written as u64;
                }
                Err(cause) => return self.stopped(cause),
            }
        }
        self.finished()
    }

    fn flush_segments(&mut self, link: &mut dyn transport::Link) -> Flushed {
        let room = link.longest_write();
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.gather(room, &mut slices);
            match link.write_vectored(&slices[..count]) {
                Ok(written) => self.advance(written),
                Err(cause) => return self.stopped(cause),
            }
        }
        self.finished()
    }

    /// Fills `slices` with up to `room` waiting bytes.
    fn gather<'a>(&'a self, mut room: usize, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let tail = self.tail.waiting();
        let waiting = self.segments.iter().map(Segment::waiting).chain([tail]);
        let mut count = 0;
        for bytes in waiting.filter(|bytes| !bytes.is_empty()) {
            let Some(slot) = slices.get_mut(count).filter(|_| room > 0) else {
                break;
            };
            let piece = &bytes[..bytes.len().min(room)];
            room -= piece.len();
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn advance(&mut self, written: usize) {
        self.total_written += written as u64;
        let mut left = written;
        while let Some(segment) = self.segments.front_mut() {
            let here = segment.waiting().len();
            if left < here {
                segment.advance(left);
                return;
            }
            left -= here;
            match self.segments.pop_front() {
                Some(Segment::Bytes(buffer)) => self.spare(buffer),
                Some(Segment::Payload { frame, .. }) => self.finished.push(frame),
                None => {}
            }
        }
        self.tail.start += left;
        self.recycle_tail();
    }

    #[inline]
    fn finished(&mut self) -> Flushed {
        self.recycle_tail();
        self.ends.clear();
        self.commands = 0;
        self.boundary = self.total_written;
        self.blocked = false;
        Flushed::Done
    }

    fn stopped(&mut self, cause: io::Error) -> Flushed {
        self.forget_written();
        let result = refused(cause);
        self.blocked |= matches!(result, Flushed::Blocked);
        result
    }

    /// Forgets what was wholly written; answers how many messages that is.
    fn forget_written(&mut self) -> usize {
        let before = self.messages();
        let written = self.total_written;
        while let Some(&end) = self.ends.front().filter(|end| end.position() <= written) {
            self.ends.pop_front();
            self.boundary = end.position();
            self.commands -= usize::from(end.is_command());
        }
        before - self.messages()
    }

    #[inline]
    fn recycle_tail(&mut self) {
        if self.tail.is_empty() {
            self.tail.rewind();
        }
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let spare = self.spares.pop().unwrap_or_default();
            let tail = std::mem::replace(&mut self.tail, spare);
            self.segments.push_back(Segment::Bytes(tail));
        }
    }

    fn spare(&mut self, mut buffer: Buffer) {
        buffer.rewind();
        if self.spares.len() < SPARES && !buffer.bytes.is_empty() {
            self.spares.push(buffer);
        }
    }

    /// Exchanges the empty buffer of an idle link with `buffer`, so that idle
    /// links hold none.
    pub(crate) fn swap_buffer(&mut self, buffer: &mut Buffer) {
        self.spares = Vec::new();
        if self.tail.is_empty() {
            std::mem::swap(&mut self.tail, buffer);
        }
    }

    /// The payload handles that wait, for an owner that must not drop the last
    /// of them where it is.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = Frame> + '_ {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Payload { frame, .. } => Some(frame.clone()),
            Segment::Bytes(_) => None,
        })
    }
}

fn refused(cause: io::Error) -> Flushed {
    match cause.kind() {
        io::ErrorKind::WouldBlock => Flushed::Blocked,
        _ => Flushed::Broken(cause),
    }
}

#[cfg(test)]
mod tests;
