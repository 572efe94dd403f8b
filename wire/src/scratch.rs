//! The memory of a handshake, lent by the caller.

use crate::HandshakeError;
use crate::frame::LONG_HEADER_LEN;
use crate::metadata::{LOCAL_METADATA_MAX, LocalMetadata, METADATA_MAX};
use heapless::Vec;

/// Bytes of the largest handshake command that is taken: the largest metadata
/// and what CURVE's INITIATE, the bulkiest command, wraps around it.
pub(crate) const COMMAND_MAX: usize = 257 + METADATA_MAX;

/// What a handshake needs to remember, at most 8 KiB.
///
/// A connection borrows it call by call and needs it until it is established
/// (and its peer's properties are read), so a few of these serve thousands of
/// connections. Lend the same one to the same connection each time; its old
/// contents are of no interest to a new one.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Our metadata, encoded.
    pub(crate) local: LocalMetadata,
    /// The greeting or command frame being read; in the end the one that
    /// carried the peer's metadata.
    pub(crate) input: Vec<u8, INPUT_MAX, u16>,
    /// What is still to be written.
    pub(crate) output: Output,
}

const INPUT_MAX: usize = LONG_HEADER_LEN + COMMAND_MAX;
const _: () = assert!(size_of::<Scratch>() <= 8192);

impl Scratch {
    /// An empty scratch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.local.clear();
        self.input.clear();
        self.output = Output::default();
    }
}

/// Bytes on their way out, of which the first few may be written already.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Invariant: `written <= bytes.len()`.
    bytes: Vec<u8, OUTPUT_MAX, u16>,
    written: usize,
}

/// A client's greeting (64), HELLO (526) and INITIATE (19 + metadata), and an
/// ERROR behind them (under 300), in case that a peer answers before it reads.
const OUTPUT_MAX: usize = 64 + 526 + 19 + LOCAL_METADATA_MAX + 300;

impl Output {
    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Notes that the first `n` pending bytes are written (at most all).
    pub(crate) fn advance(&mut self, n: usize) {
        self.written = self.written.saturating_add(n);
        if self.written >= self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
    }

    /// Appends `len` zero bytes and lends them to be filled in; all or nothing.
    pub(crate) fn reserve(&mut self, len: usize) -> Result<&mut [u8], HandshakeError> {
        let full = HandshakeError::OutputFull { len };
        self.compact();
        let start = self.bytes.len();
        let end = start.checked_add(len).ok_or(full)?;
        self.bytes.resize(end, 0).map_err(|_| full)?;
        self.bytes.get_mut(start..).ok_or(full)
    }

    /// Moves the pending bytes to the front. Bounded by the buffer's size, and
    /// called a handful of times in a handshake.
    fn compact(&mut self) {
        let pending = self.pending().len();
        self.bytes.copy_within(self.written.., 0);
        self.bytes.truncate(pending);
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a PLAIN client may have written before its first byte is taken: names and
    /// passwords have 255 bytes at most (24/ZMTP-PLAIN), and so have reasons (37/ZMTP).
    #[test]
    fn a_whole_handshake_and_an_error_behind_it_fit() {
        let hello = LONG_HEADER_LEN + b"\x05HELLO".len() + 2 * (1 + 255);
        let initiate = LONG_HEADER_LEN + b"\x08INITIATE".len() + LOCAL_METADATA_MAX;
        let error = LONG_HEADER_LEN + b"\x05ERROR".len() + 1 + 255;
        let mut output = Output::default();
        for len in [64, hello, initiate, error] {
            assert_eq!(output.reserve(len).map(|room| room.len()), Ok(len));
        }
    }

    #[test]
    fn output_is_written_piecewise_and_reuses_its_room() {
        let mut output = Output::default();
        output.reserve(3).unwrap().copy_from_slice(b"abc");
        output.advance(2);
        assert_eq!(output.pending(), b"c");
        output.reserve(OUTPUT_MAX - 1).unwrap();
        assert_eq!(output.pending().len(), OUTPUT_MAX);
        assert_eq!(output.pending()[0], b'c');
        let full = HandshakeError::OutputFull { len: 1 };
        assert_eq!(output.reserve(1).unwrap_err(), full);
        assert_eq!(output.pending().len(), OUTPUT_MAX);
        output.advance(usize::MAX);
        assert_eq!(output.pending(), b"");
    }
}
