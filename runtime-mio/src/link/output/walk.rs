//! Taking the output of a dead link apart.

use std::collections::VecDeque;

use ferromq_wire::{Reference, peek_header};

use super::{Output, Segment};
use crate::{Frame, Message};

/// Reads back what we encoded ourselves. Headers, and bodies that were copied,
/// are never split over segments; a body by handle is a segment of its own.
pub(super) struct Walk {
    pub(super) segments: VecDeque<Segment>,
}

impl Walk {
    pub(super) fn skip(&mut self, mut bytes: usize) {
        while let Some(segment) = self.segments.front_mut().filter(|_| bytes > 0) {
            let here = segment.waiting().len().min(bytes);
            segment.advance(here);
            bytes -= here;
            self.drop_empty();
        }
    }

    fn drop_empty(&mut self) {
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.waiting().is_empty())
        {
            self.segments.pop_front();
        }
    }

    pub(super) fn message(
        &mut self,
        trailer_len: usize,
        mut lent: impl FnMut(u64) -> Option<Frame>,
    ) -> Option<Message> {
        let mut message = Message::new();
        loop {
            self.drop_empty();
            let header = peek_header(self.segments.front()?.waiting())?;
            self.skip(header.header_len);
            let body = self.body(usize::try_from(header.body_len).ok()?)?;
            self.skip(trailer_len);
            if header.flags.is_command() {
                continue;
            }
            message.push_back(match header.flags.is_reference() {
                true => lent(Reference::decode(&body)?.token)?,
                false => body,
            });
            if !header.flags.is_more() {
                return Some(message);
            }
        }
    }

    fn body(&mut self, len: usize) -> Option<Frame> {
        if len == 0 {
            return Some(Frame::default());
        }
        let body = match self.segments.front()? {
            Segment::Payload { frame, start: 0 } if frame.len() == len => frame.clone(),
            segment => Frame::from(segment.waiting().get(..len)?),
        };
        self.skip(len);
        Some(body)
    }
}

impl Output {
    /// Takes apart the output of a link that died: the messages of which
    /// nothing was written, and the number of those that were cut.
    ///
    /// What was sealed for one link means nothing on the next: it is cut too. `lent`
    /// has the payloads that went by reference, by their tokens.
    pub(crate) fn recover(
        mut self,
        trailer_len: usize,
        mut lent: impl FnMut(u64) -> Option<Frame>,
    ) -> (VecDeque<Message>, u64) {
        self.forget_written();
        if self.sealer.is_some() {
            return (VecDeque::new(), self.messages() as u64);
        }
        self.seal_tail();
        let mut walk = Walk {
            segments: self.segments,
        };
        let unfinished = self.ends.len() - self.commands;
        let first = self.ends.front();
        let begun = first.filter(|_| self.total_written > self.boundary);
        if let Some(end) = begun {
            // What is lent was not here, and belongs to what is cut.
            walk.skip((end.position() - self.total_written) as usize - self.lent);
        }
        let cut = usize::from(begun.is_some_and(|end| !end.is_command()));
        let messages: VecDeque<_> = (cut..unfinished)
            .map_while(|_| walk.message(trailer_len, &mut lent))
            .collect();
        let lost = unfinished - messages.len();
        (messages, lost as u64)
    }
}
