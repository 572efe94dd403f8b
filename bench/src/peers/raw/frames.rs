//! Frames over blocking streams, as ZMTP has them.

use std::io::{self, IoSlice, Read, Write};

use super::ends::End;
use crate::peers::Failure;
use crate::plain::Stream;

/// Short messages are gathered up to this many bytes a write.
pub(super) const BATCH: usize = 64 << 10;
/// Long messages are read and written in pieces of this many bytes.
const PIECE: usize = 1 << 20;
/// Copying a body of at least this length costs more than a write of its own.
const LONG: usize = 16 << 10;

/// Sends frames: short ones gathered, long ones from where they are.
pub(crate) struct FrameWriter {
    pub(super) stream: Stream,
    batch: Vec<u8>,
}

impl FrameWriter {
    pub(super) fn new(stream: Stream) -> Self {
        let batch = Vec::with_capacity(BATCH);
        Self { stream, batch }
    }

    #[inline]
    pub(super) fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        let header = Header::new(body.len());
        let header = header.bytes();
        if body.len() >= LONG {
            return Ok(write_frame(&mut self.stream, header, body)?);
        }
        if self.batch.len() + header.len() + body.len() > BATCH {
            self.flush()?;
        }
        self.batch.extend_from_slice(header);
        self.batch.extend_from_slice(body);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.batch)?;
        self.batch.clear();
        Ok(())
    }
}

/// Receives frames into one reused buffer.
///
/// Short frames are looked at where they lie. A long body is read to the front
/// of the buffer, together with the header that follows it.
pub(crate) struct FrameReader {
    pub(super) end: End,
    buffer: Vec<u8>,
    /// What was read and not looked at: `start..end_of_data` of the buffer.
    start: usize,
    end_of_data: usize,
}

impl FrameReader {
    pub(super) fn new(end: End, size: usize) -> Self {
        let capacity = BATCH.max(size + Header::MAX);
        Self {
            end,
            buffer: vec![0; capacity],
            start: 0,
            end_of_data: 0,
        }
    }

    /// Reads more behind what is there, after moving that to the front.
    #[cold]
    fn fill(&mut self) -> io::Result<()> {
        self.move_to_front();
        let limit = self.buffer.len().min(self.end_of_data + PIECE);
        let room = &mut self.buffer[self.end_of_data..limit];
        self.end_of_data += read_some(self.end.stream()?, room)?;
        Ok(())
    }

    /// Reads the rest of a long body, and no further than the next header.
    #[cold]
    fn read_long(&mut self, len: usize) -> io::Result<()> {
        self.move_to_front();
        let stream = self.end.stream()?;
        let whole = self
            .buffer
            .get_mut(..len + Header::MAX)
            .ok_or(io::ErrorKind::InvalidData)?;
        while self.end_of_data < len {
            let limit = whole.len().min(self.end_of_data + PIECE);
            self.end_of_data += read_some(stream, &mut whole[self.end_of_data..limit])?;
        }
        self.start = len;
        Ok(())
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end_of_data, 0);
        self.end_of_data -= self.start;
        self.start = 0;
    }
}

impl FrameReader {
    /// Whether a whole short frame was read already.
    #[inline]
    pub(super) fn has_frame(&self) -> io::Result<bool> {
        let data = &self.buffer[self.start..self.end_of_data];
        let frame = Header::parse(data)?;
        Ok(frame.is_some_and(|(header, body)| data.len() >= header + body))
    }

    #[inline]
    pub(super) fn recv(&mut self) -> Result<usize, Failure> {
        loop {
            let data = &self.buffer[self.start..self.end_of_data];
            if let Some((header_len, body_len)) = Header::parse(data)? {
                if data.len() - header_len >= body_len {
                    self.start += header_len + body_len;
                    return Ok(body_len);
                }
                if body_len >= LONG {
                    self.start += header_len;
                    self.read_long(body_len)?;
                    return Ok(body_len);
                }
            }
            self.fill()?;
        }
    }
}

/// A ZMTP frame header: flags and a length of one byte or of eight.
struct Header {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Header {
    /// The longest header in bytes.
    const MAX: usize = 9;
    const LONG_FLAG: u8 = 2;

    #[inline]
    fn new(body_len: usize) -> Self {
        let mut bytes = [0; Self::MAX];
        if let Ok(short) = u8::try_from(body_len) {
            bytes[1] = short;
            return Self { bytes, len: 2 };
        }
        bytes[0] = Self::LONG_FLAG;
        bytes[1..].copy_from_slice(&(body_len as u64).to_be_bytes());
        Self {
            bytes,
            len: Self::MAX,
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The lengths of the header and of the body, once the header is whole.
    #[inline]
    fn parse(data: &[u8]) -> io::Result<Option<(usize, usize)>> {
        match data {
            [0, short, ..] => Ok(Some((2, usize::from(*short)))),
            [Self::LONG_FLAG, rest @ ..] => {
                let len = rest
                    .first_chunk()
                    .map(|len| u64::from_be_bytes(*len) as usize);
                Ok(len.map(|len| (Self::MAX, len)))
            }
            [] | [0] => Ok(None),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Writes header and body, at most a piece of the body a call.
fn write_frame(stream: &mut Stream, header: &[u8], body: &[u8]) -> io::Result<()> {
    let first = &body[..body.len().min(PIECE)];
    let mut slices: &mut [IoSlice<'_>] = &mut [IoSlice::new(header), IoSlice::new(first)];
    while !slices.is_empty() {
        let written = stream.write_vectored(slices)?;
        IoSlice::advance_slices(&mut slices, written);
    }
    body[first.len()..]
        .chunks(PIECE)
        .try_for_each(|piece| stream.write_all(piece))
}

/// Reads at least a byte: the peer never closes before the last message.
pub(super) fn read_some(stream: &mut Stream, room: &mut [u8]) -> io::Result<usize> {
    match stream.read(room)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}
