//! What waits for a link leaves: flushing, refilling, and telling the pattern
//! who has room.

use ferromq_patterns::{PeerId, Subscription, TopicStep};
use mio::Interest;

use super::core::Core;
use super::state::State;
use crate::link::{Flushed, LinkError};

/// Bytes that are encoded ahead of a link that has just come, or has room again.
const REFILL: usize = 256 << 10;

impl State {
    /// Writes what waits for one peer, and tells the pattern when it has room.
    pub(crate) fn flush(&mut self, core: &Core, id: PeerId) {
        loop {
            let more = self.refill(id);
            let Some(pipe) = self.pipe(id).filter(|pipe| !pipe.broken) else {
                return;
            };
            let Some(link) = pipe.link.as_deref_mut() else {
                return;
            };
            let result = link.output.flush(&mut *link.transport);
            let done = matches!(result, Flushed::Done);
            self.flushed(core, id, result);
            if !(more && done) {
                return self.finish_departure(core, id);
            }
        }
    }

    /// Encodes what waits for a link that takes more: first the subscriptions
    /// that a new one has not got, then the queue. True: there is more.
    pub(super) fn refill(&mut self, id: PeerId) -> bool {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return false;
        };
        let Some(link) = pipe.link.as_deref_mut() else {
            return false;
        };
        if !link.output.blocked {
            link.append_pong();
        }
        if let Some(mut cursor) = pipe.resend.take() {
            let mut topic = Vec::new();
            while let Some(step) = self.machine.poll_subscription(&mut cursor, &mut topic) {
                if let TopicStep::Topic { len } = step {
                    link.append_subscription(Subscription::Subscribe, &topic[..len]);
                }
                if link.output.bytes() >= REFILL {
                    pipe.resend = Some(cursor);
                    return true;
                }
            }
        }
        pipe.encode_queued(REFILL)
    }

    /// Draws the consequences of a flush.
    #[inline]
    pub(crate) fn flushed(&mut self, core: &Core, id: PeerId, result: Flushed) {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return;
        };
        if let Some(link) = pipe.link.as_deref_mut()
            && !link.output.finished.is_empty()
        {
            self.finished.append(&mut link.output.finished);
        }
        match result {
            Flushed::Done if !pipe.full => {}
            Flushed::Broken(cause) => self.link_broken(core, id, &LinkError::Io(cause)),
            Flushed::Done | Flushed::Blocked => self.update_room(core, id, &result),
        }
    }

    #[cold]
    pub(super) fn update_room(&mut self, core: &Core, id: PeerId, result: &Flushed) {
        let Some(pipe) = self.pipe(id) else { return };
        let full = if pipe.departing {
            true
        } else if pipe.full {
            !pipe.recovered(&core.settings)
        } else {
            pipe.over(&core.settings)
        };
        let was = std::mem::replace(&mut pipe.full, full);
        let blocked = matches!(result, Flushed::Blocked);
        if let Some(link) = pipe.link.as_mut()
            && blocked != link.write_interest
        {
            link.write_interest = blocked;
            let interest = if blocked {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            core.reregister(link.transport.fd(), id, interest);
            if blocked {
                self.blocked += 1
            } else {
                self.blocked -= 1
            }
        }
        match (was, full) {
            (false, true) => self.machine.peer_full(id),
            (true, false) => {
                self.news = true;
                self.machine.peer_has_room(id);
            }
            _ => {}
        }
    }
}
