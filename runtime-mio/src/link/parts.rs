//! What an outgoing message is made of.

use std::sync::Arc;

use super::output::BY_HANDLE;
use crate::memory::BufferPool;
use crate::{Frame, Message};

/// The parts of an outgoing message, wherever they are kept.
pub(crate) trait Parts {
    fn count(&self) -> usize;
    /// The bytes of part `index`; empty past the end.
    fn bytes(&self, index: usize) -> &[u8];
    /// The handle of part `index`, where there is one to share.
    fn frame(&self, index: usize) -> Option<&Frame>;

    fn len(&self) -> usize {
        (0..self.count()).map(|index| self.bytes(index).len()).sum()
    }

    /// The bytes of the last part.
    fn last(&self) -> &[u8] {
        self.bytes(self.count().saturating_sub(1))
    }

    /// Whether the last part lies in its sender's memory, with nobody to share it, and
    /// is as long as `bytes`.
    #[inline]
    fn lies_with_sender(&self, bytes: usize) -> bool {
        let last = self.count().saturating_sub(1);
        self.bytes(last).len() >= bytes && self.frame(last).is_none()
    }

    /// The message as an owned one, behind an envelope and without the first
    /// `skip` parts.
    fn to_message(&self, envelope: &[Frame], skip: usize) -> Message {
        let parts = (skip..self.count()).map(|index| match self.frame(index) {
            Some(frame) => frame.clone(),
            None => Frame::from(self.bytes(index)),
        });
        envelope.iter().cloned().chain(parts).collect()
    }

    /// The same in memory from `pool`, where it is worth it.
    fn to_pooled_message(&self, pool: &Arc<BufferPool>, skip: usize) -> Message {
        let copy = |bytes: &[u8]| match bytes.len() {
            0..BY_HANDLE => Frame::from(bytes),
            _ => pool.copy(bytes).unwrap_or_else(|_| Frame::from(bytes)),
        };
        (skip..self.count())
            .map(|index| copy(self.bytes(index)))
            .collect()
    }
}

impl Parts for Message {
    #[inline]
    fn count(&self) -> usize {
        Message::len(self)
    }
    #[inline]
    fn bytes(&self, index: usize) -> &[u8] {
        self.frame(index).map_or(&[], |frame| frame)
    }
    #[inline]
    fn frame(&self, index: usize) -> Option<&Frame> {
        Message::frame(self, index)
    }
}

impl Parts for [u8] {
    #[inline]
    fn count(&self) -> usize {
        1
    }
    #[inline]
    fn bytes(&self, _: usize) -> &[u8] {
        self
    }
    #[inline]
    fn frame(&self, _: usize) -> Option<&Frame> {
        None
    }
}

impl Parts for [&[u8]] {
    fn count(&self) -> usize {
        <[&[u8]]>::len(self)
    }
    fn bytes(&self, index: usize) -> &[u8] {
        self.get(index).copied().unwrap_or_default()
    }
    fn frame(&self, _: usize) -> Option<&Frame> {
        None
    }
}
