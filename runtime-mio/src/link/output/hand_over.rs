//! Output for a reader in the same process: bytes are copied into its lane,
//! bodies go as handles.

use ferromq_transport as transport;

use super::{Flushed, Output, Segment};
use crate::inproc::{End, Writing};

impl Output {
    /// Gives the reader as many messages as it takes.
    pub(super) fn hand_over(&mut self, link: &mut dyn transport::Link) -> Flushed {
        let end = End::of(link).ok_or(std::io::ErrorKind::BrokenPipe.into());
        let mut writing = match end.and_then(|end| end.begin()) {
            Ok(writing) => writing,
            Err(cause) => return self.stopped(cause),
        };
        let limit = self.position_behind(writing.room());
        while self.total_written < limit {
            let left = (limit - self.total_written) as usize;
            let given = self.give_front(&mut writing, left);
            self.advance(given);
            writing.messages_end(self.forget_written());
        }
        if !self.is_empty() {
            writing.await_room();
        }
        writing.finish();
        match self.is_empty() {
            true => self.finished(),
            false => self.stopped(std::io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Gives at most `left` bytes of what comes first; answers how many.
    fn give_front(&self, writing: &mut Writing<'_>, left: usize) -> usize {
        match self.segments.front() {
            Some(Segment::Payload { frame, start: 0 }) => {
                writing.body(frame.clone());
                frame.len()
            }
            front => {
                let waiting = front.map_or(self.tail.waiting(), Segment::waiting);
                let bytes = &waiting[..waiting.len().min(left)];
                writing.bytes(bytes);
                bytes.len()
            }
        }
    }

    /// The stream position behind the first `room` messages, and behind the
    /// commands among and after them: those count towards no limit.
    fn position_behind(&self, room: usize) -> u64 {
        if self.messages() <= room {
            return self.total_appended;
        }
        let mut room = room;
        let fits = self.ends.iter().take_while(|end| {
            let fits = end.is_command() || room > 0;
            room -= usize::from(!end.is_command() && room > 0);
            fits
        });
        fits.last().map_or(self.total_written, |end| end.position())
    }
}
