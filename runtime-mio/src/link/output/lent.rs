//! Long parts that are written from their sender's memory.

use std::io::IoSlice;
use std::sync::Arc;

use ferromq_transport as transport;
use ferromq_wire::Transmitter;

use super::{End, Flushed, Output, Segment, refused};
use crate::Frame;
use crate::link::Parts;
use crate::memory::BufferPool;

impl Output {
    /// Writes a message's last part, which is long, straight from the caller's
    /// memory, behind copies of the parts before it. What the transport refused of
    /// it stays there: [`lent`](Self::lent) says how much, and the caller goes on
    /// with [`write_lent`](Self::write_lent), or gives up with
    /// [`keep_lent`](Self::keep_lent). Behind other output it is copied.
    pub(crate) fn write_through<M: Parts + ?Sized>(
        &mut self,
        tx: &mut Transmitter,
        link: &mut dyn transport::Link,
        pool: &Arc<BufferPool>,
        envelope: &[Frame],
        message: &M,
        skip: usize,
    ) -> Flushed {
        for frame in envelope {
            self.append_part(tx, true, frame, Some(frame));
        }
        for index in skip..message.count().saturating_sub(1) {
            self.append_part(tx, true, message.bytes(index), message.frame(index));
        }
        let body = message.last();
        let header = tx.header(false, body.len() as u64);
        let trailer = tx.trailer(&header, body);
        self.append_bytes(header.as_ref());
        let longest = link.longest_write();
        let (mut done, mut result) = (0, Flushed::Done);
        while done < body.len() && self.lent == 0 && self.segments.is_empty() {
            let head = self.tail.waiting();
            let piece = &body[done..body.len().min(done + longest)];
            match link.write_vectored(&[IoSlice::new(head), IoSlice::new(piece)]) {
                Ok(written) => {
                    let of_head = written.min(head.len());
                    self.tail.start += of_head;
                    self.total_written += of_head as u64;
                    done += written - of_head;
                }
                Err(cause) => {
                    result = refused(cause);
                    break;
                }
            }
        }
        // The part of the body that left was never in the queue.
        self.total_written += done as u64;
        self.total_appended += body.len() as u64;
        self.recycle_tail();
        let rest = body.get(done..).unwrap_or_default();
        if matches!(result, Flushed::Blocked) && self.tail.is_empty() {
            self.lent = rest.len();
        } else if !rest.is_empty() {
            self.seal_tail();
            self.segments.push_back(Segment::copied(pool, rest));
        }
        self.append_bytes(trailer.as_ref());
        self.ends.push_back(End(self.total_appended));
        match result {
            Flushed::Done => self.flush(link),
            _ => {
                self.forget_written();
                self.blocked |= matches!(result, Flushed::Blocked);
                result
            }
        }
    }

    /// Bytes at the end of the sender's `body` that are to be written first.
    pub(crate) fn lent(&self) -> usize {
        self.lent
    }

    /// Goes on writing what [`write_through`](Self::write_through) had to leave
    /// in `body`, then what waits behind it.
    pub(crate) fn write_lent(&mut self, link: &mut dyn transport::Link, body: &[u8]) -> Flushed {
        let longest = link.longest_write();
        while self.lent > 0 {
            let rest = &body[body.len() - self.lent..];
            match link.write(&rest[..rest.len().min(longest)]) {
                Ok(written) => {
                    self.lent -= written;
                    self.total_written += written as u64;
                }
                Err(cause) => return self.stopped(cause),
            }
        }
        self.flush(link)
    }

    /// Copies what is left of `body`: its sender waits no longer.
    pub(crate) fn keep_lent(&mut self, pool: &Arc<BufferPool>, body: &[u8]) {
        let rest = &body[body.len() - std::mem::take(&mut self.lent)..];
        self.segments.push_front(Segment::copied(pool, rest));
    }
}
