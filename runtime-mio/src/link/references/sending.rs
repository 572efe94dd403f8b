//! What of a message goes beside the stream, and how it is appended.

use ferromq_transport::Lender;
use ferromq_wire::Reference;

use super::{LEND_FROM, LOAN_FROM};
use crate::link::{Link, Parts};
use crate::{Frame, Message};

/// What is known of a message's last part before the others are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastPart {
    Lent(Reference),
    /// It goes through the stream.
    Streamed,
    Untried,
}

impl Link {
    /// Appends one whole message: `envelope` frames first, then the parts of
    /// `message` from `skip` on; by reference where that is on and worth it.
    #[inline]
    pub(crate) fn append<M: Parts + ?Sized>(
        &mut self,
        envelope: &[Frame],
        message: &M,
        skip: usize,
    ) {
        match self.references {
            None => self
                .output
                .append(&mut self.transmitter, envelope, message, skip),
            Some(_) => self.append_by_reference(envelope, message, skip, LastPart::Untried),
        }
    }

    /// Makes the last part readable to the peer, before anything is appended: where it
    /// is not, it can be written from its sender's memory. Not if others are to be lent
    /// before it, for the peer is told of memory in the order of its payloads.
    #[inline]
    pub(crate) fn lend_last<M: Parts + ?Sized>(&mut self, message: &M, skip: usize) -> LastPart {
        let Some(last) = message.count().checked_sub(1).filter(|last| *last >= skip) else {
            return LastPart::Untried;
        };
        if (skip..last).any(|index| message.bytes(index).len() >= LOAN_FROM) {
            return LastPart::Untried;
        }
        let reference = self.lend(message.bytes(last), message.frame(last));
        reference.map_or(LastPart::Streamed, LastPart::Lent)
    }

    /// The same for links that have references.
    #[inline(never)]
    pub(crate) fn append_by_reference<M: Parts + ?Sized>(
        &mut self,
        envelope: &[Frame],
        message: &M,
        skip: usize,
        last: LastPart,
    ) {
        for frame in envelope {
            self.output
                .append_part(&mut self.transmitter, true, frame, Some(frame));
        }
        let count = message.count();
        for index in skip..count {
            let more = index + 1 < count;
            let (bytes, frame) = (message.bytes(index), message.frame(index));
            let reference = match last {
                LastPart::Lent(reference) if !more => Some(reference),
                LastPart::Streamed if !more => None,
                _ => self.lend(bytes, frame),
            };
            match reference {
                Some(reference) => {
                    self.output
                        .append_reference(&mut self.transmitter, more, reference);
                }
                None => self
                    .output
                    .append_part(&mut self.transmitter, more, bytes, frame),
            }
        }
        self.output.end_message();
    }

    /// Makes a payload readable to the peer. `None`: it goes through the stream.
    #[inline]
    fn lend(&mut self, bytes: &[u8], frame: Option<&Frame>) -> Option<Reference> {
        if bytes.len() < LOAN_FROM {
            return None;
        }
        let references = self.references.as_deref_mut()?;
        let frame = references.lendable(bytes, frame)?;
        let place = self.transport.memory()?.export(&frame);
        references.traffic.references_sent += u64::from(place.is_some());
        references.traffic.references_refused += u64::from(place.is_none());
        Some(references.put(frame, place?))
    }
}

/// A copy of `bytes` in memory of a lender's, if it has some.
pub(super) fn lend_copy(lender: &dyn Lender, bytes: &[u8]) -> Option<Frame> {
    let mut loan = lender.loan(bytes.len()).ok()?;
    loan.copy_from_slice(bytes);
    Some(Frame::from_owner(loan))
}

/// The message with its long parts in memory that the peers of a link can read, so
/// that one copy serves them all. `None`: nothing of it is long, or they are there.
pub(crate) fn shareable<M: Parts + ?Sized>(link: &Link, message: &M) -> Option<Message> {
    let lender = &link.references.as_ref()?.lender;
    let copied = |index| {
        let (bytes, frame) = (message.bytes(index), message.frame(index));
        let lies_there = frame.is_some_and(|frame| lender.lends(frame));
        match bytes.len() >= LEND_FROM && !lies_there {
            true => lend_copy(&**lender, bytes),
            false => None,
        }
    };
    let copies: Vec<_> = (0..message.count()).map(copied).collect();
    if copies.iter().all(Option::is_none) {
        return None;
    }
    let parts = copies.into_iter().enumerate().map(|(index, copy)| {
        let kept = || message.frame(index).cloned();
        copy.or_else(kept)
            .unwrap_or_else(|| Frame::from(message.bytes(index)))
    });
    Some(parts.collect())
}
