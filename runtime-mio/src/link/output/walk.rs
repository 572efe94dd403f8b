//! Taking the output of a dead link apart.

use std::collections::VecDeque;

use ferromq_wire::peek_header;

use super::Segment;
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

    pub(super) fn message(&mut self, trailer_len: usize) -> Option<Message> {
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
            message.push_back(body);
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
