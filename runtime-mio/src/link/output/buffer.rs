//! Where copies gather.

use super::TAIL_KEPT;

/// Encoded bytes. The whole of `bytes` is initialised, so that appending
/// neither zeroes nor checks capacity byte by byte; `start..end` waits.
#[derive(Default)]
pub(crate) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Buffer {
    #[inline]
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// At least `room` bytes to write into.
    #[inline]
    pub(super) fn room(&mut self, room: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < room {
            self.grow(room);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    #[cold]
    pub(super) fn grow(&mut self, room: usize) {
        let len = (self.end + room).next_power_of_two().max(512);
        self.bytes.resize(len, 0);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Starts over at the front; a buffer that a burst made large is freed.
    #[inline]
    pub(super) fn rewind(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.bytes.len() > TAIL_KEPT {
            self.bytes = Vec::new();
        }
    }
}
