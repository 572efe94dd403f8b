//! One direction between two sockets of a process: a stream of encoded bytes
//! in which long bodies travel as handles.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::sync::Arc;

use super::bell::Bell;
use crate::Frame;
use crate::sync::{Mutex, MutexGuard, lock_unpoisoned};

/// Bytes are gathered in pieces of about this size.
const PIECE: usize = 64 << 10;
/// Empty pieces that are kept; warm ones are worth much more than fresh ones.
const SPARES: usize = 2;
/// Bytes that may lie in a lane before it counts as full: both sides share the bodies,
/// so that this is all of what a pipe of a connection has on either side.
const LANE_BYTES: usize = 64 << 20;

/// A stretch of the stream.
struct Piece {
    content: Content,
    /// How much of it was read.
    start: usize,
    /// Messages that end in it.
    messages: usize,
}

enum Content {
    Bytes(Vec<u8>),
    Body(Frame),
}

impl Piece {
    fn new(content: Content) -> Self {
        Self {
            content,
            start: 0,
            messages: 0,
        }
    }

    fn unread(&self) -> &[u8] {
        let bytes = match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Body(frame) => &frame[..],
        };
        bytes.get(self.start..).unwrap_or_default()
    }
}

/// One direction, shared by its writer and its reader.
pub(super) struct Lane {
    state: Mutex<State>,
    /// Rung when something comes.
    reader: Arc<Bell>,
    /// Rung when there is room.
    writer: Arc<Bell>,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    spares: Vec<Vec<u8>>,
    bytes: usize,
    messages: usize,
    /// Messages that may wait here; 0 for any number.
    capacity: usize,
    /// The reader found nothing and wants to be rung for.
    reader_waits: bool,
    /// The writer found no room and wants to be rung for.
    writer_waits: bool,
    writer_gone: bool,
    reader_gone: bool,
}

impl Lane {
    pub(super) fn new(reader: Arc<Bell>, writer: Arc<Bell>) -> Self {
        Self {
            state: Mutex::default(),
            reader,
            writer,
        }
    }

    /// How many messages may wait here: the reader's high-water mark.
    pub(super) fn set_capacity(&self, messages: usize) {
        let mut state = self.lock();
        state.capacity = messages;
        self.tell_writer(state);
    }

    /// Reads as a stream, up to the next body that is to be taken whole unless
    /// that comes first. Frames that were read to their end go to `finished`.
    pub(super) fn read(
        &self,
        bufs: &mut [IoSliceMut<'_>],
        finished: &mut Vec<Frame>,
    ) -> io::Result<usize> {
        let mut state = self.lock();
        let mut read = 0;
        for buf in bufs {
            read += state.copy_into(buf, read == 0, finished);
        }
        if read > 0 {
            self.tell_writer(state);
            return Ok(read);
        }
        if state.writer_gone {
            return Ok(0);
        }
        state.reader_waits = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Takes the body of `len` bytes that comes next, if it came as a handle.
    pub(super) fn take_body(&self, len: u64) -> Option<Frame> {
        let mut state = self.lock();
        match state.pieces.front()? {
            Piece {
                content: Content::Body(frame),
                start: 0,
                ..
            } if frame.len() as u64 == len => {}
            _ => return None,
        }
        let piece = state.pieces.pop_front()?;
        state.bytes -= piece.unread().len();
        state.messages -= piece.messages;
        self.tell_writer(state);
        match piece.content {
            Content::Body(frame) => Some(frame),
            Content::Bytes(_) => None,
        }
    }

    /// Begins to write.
    pub(super) fn begin(&self) -> io::Result<Writing<'_>> {
        let state = self.lock();
        match state.reader_gone || state.writer_gone {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(Writing { lane: self, state }),
        }
    }

    /// Nothing comes any more.
    pub(super) fn end_writing(&self) {
        self.lock().writer_gone = true;
        self.reader.ring();
    }

    /// Nothing is read any more: the handles that wait.
    pub(super) fn end_reading(&self) -> Vec<Frame> {
        let mut state = self.lock();
        state.reader_gone = true;
        let pieces = std::mem::take(&mut state.pieces);
        drop(state);
        self.writer.ring();
        let bodies = pieces.into_iter().filter_map(|piece| match piece.content {
            Content::Body(frame) => Some(frame),
            Content::Bytes(_) => None,
        });
        bodies.collect()
    }

    /// Whether nothing comes any more but what waits.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().writer_gone
    }

    /// Makes the reader look, whether or not anything came.
    pub(super) fn ring_reader(&self) {
        self.reader.ring();
    }

    /// Whether somebody may still read.
    pub(super) fn is_read(&self) -> bool {
        !self.lock().reader_gone
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock_unpoisoned(&self.state)
    }

    /// Rings for a writer that waits, once half is free: it then brings many.
    fn tell_writer(&self, mut state: MutexGuard<'_, State>) {
        let has_room = state.bytes <= LANE_BYTES / 2
            && (state.capacity == 0 || state.messages <= state.capacity / 2);
        let ring = state.writer_waits && has_room;
        state.writer_waits &= !ring;
        drop(state);
        if ring {
            self.writer.ring();
        }
    }
}

impl State {
    fn copy_into(&mut self, buf: &mut [u8], nothing_yet: bool, finished: &mut Vec<Frame>) -> usize {
        let mut copied = 0;
        while let Some(piece) = self.pieces.front_mut() {
            let first = nothing_yet && copied == 0;
            if buf.len() == copied || (matches!(piece.content, Content::Body(_)) && !first) {
                break;
            }
            let from = piece.unread();
            let len = from.len().min(buf.len() - copied);
            buf[copied..copied + len].copy_from_slice(&from[..len]);
            copied += len;
            piece.start += len;
            self.bytes -= len;
            if piece.unread().is_empty() {
                self.retire(finished);
            }
        }
        copied
    }

    /// The front piece was read.
    fn retire(&mut self, finished: &mut Vec<Frame>) {
        let Some(piece) = self.pieces.pop_front() else {
            return;
        };
        self.messages -= piece.messages;
        match piece.content {
            Content::Body(frame) => finished.push(frame),
            Content::Bytes(mut bytes) if self.spares.len() < SPARES => {
                bytes.clear();
                self.spares.push(bytes);
            }
            Content::Bytes(_) => {}
        }
    }

    /// The buffer that takes `len` more bytes.
    fn tail(&mut self, len: usize) -> &mut Vec<u8> {
        let fits = |piece: &Piece| matches!(&piece.content, Content::Bytes(bytes) if bytes.len() + len <= PIECE);
        if !self.pieces.back().is_some_and(fits) {
            let bytes = self.spares.pop().unwrap_or_default();
            self.pieces.push_back(Piece::new(Content::Bytes(bytes)));
        }
        match self.pieces.back_mut() {
            Some(Piece {
                content: Content::Bytes(bytes),
                ..
            }) => bytes,
            _ => unreachable!("just pushed"),
        }
    }
}

/// A turn of writing: the lane is locked, and its reader is told at the end.
pub(crate) struct Writing<'a> {
    lane: &'a Lane,
    state: MutexGuard<'a, State>,
}

impl Writing<'_> {
    /// Messages that the reader still takes.
    pub(crate) fn room(&self) -> usize {
        let State {
            bytes,
            messages,
            capacity,
            ..
        } = *self.state;
        match capacity {
            _ if bytes >= LANE_BYTES => 0,
            0 => usize::MAX,
            _ => capacity.saturating_sub(messages),
        }
    }

    /// Appends encoded bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.state.bytes += bytes.len();
        self.state.tail(bytes.len()).extend_from_slice(bytes);
    }

    /// Appends a body.
    pub(crate) fn body(&mut self, frame: Frame) {
        self.state.bytes += frame.len();
        self.state
            .pieces
            .push_back(Piece::new(Content::Body(frame)));
    }

    /// So many messages end here.
    pub(crate) fn messages_end(&mut self, messages: usize) {
        self.state.messages += messages;
        if let Some(piece) = self.state.pieces.back_mut() {
            piece.messages += messages;
        }
    }

    /// The writer has more than there is room for.
    pub(crate) fn await_room(&mut self) {
        self.state.writer_waits = true;
    }

    /// Ends the turn: whoever waits for input is told.
    pub(crate) fn finish(self) {
        let Self { lane, mut state } = self;
        let ring = state.reader_waits && !state.pieces.is_empty();
        state.reader_waits &= !ring;
        drop(state);
        if ring {
            lane.reader.ring();
        }
    }
}
