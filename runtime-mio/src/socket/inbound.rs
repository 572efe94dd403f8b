//! What a socket has for its application, and in which order it is given out.

use std::collections::VecDeque;

use ferromq_patterns::{PeerId, TopicStep};

use super::core::Core;
use super::reading::{KEEP_BUFFERS, Step};
use super::share::{self, Share};
use super::state::{Phase, State};
use crate::pipe::Pipe;
use crate::statistics::DropCause;
use crate::{Frame, Message};

/// Peers whose shares one call uses up before it looks at nobody else.
const SHARES: usize = 4;

/// What is to be received besides what lies in the pipes and their links.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    /// A message that a readiness query had to decode.
    pub(crate) peeked: Option<Message>,
    /// XPUB: what its application is to see, in the order in which it became
    /// true, whichever peers it is about. Bounded as the pipes are, in which the
    /// messages wait: a cancellation takes the place of what was taken before it.
    order: VecDeque<Shown>,
    /// Peers that went have left subscriptions to remove.
    pub(super) stale: bool,
}

/// What an XPUB's application sees next.
#[derive(Debug)]
enum Shown {
    /// The next message in this peer's pipe.
    From(PeerId),
    /// A cancellation that a peer which went did not send.
    Cancelled(Message),
}

impl Inbound {
    /// A message was put into this peer's pipe, to be shown after all others.
    pub(super) fn show(&mut self, id: PeerId) {
        self.order.push_back(Shown::From(id));
    }

    /// What lies in a peer's pipe goes unseen.
    pub(super) fn forget(&mut self, gone: PeerId) {
        self.order
            .retain(|shown| !matches!(shown, Shown::From(id) if *id == gone));
    }
}

impl State {
    /// The next message if it is one short frame that lies decoded but for its
    /// header, as almost every small message does.
    ///
    /// A way round [`pop`](Self::pop): nothing here is written to memory and
    /// read back before the caller has the frame.
    #[inline(always)]
    pub(crate) fn pop_short(&mut self, core: &Core) -> Option<Frame> {
        if self.phase != Phase::Open || self.inbound.peeked.is_some() || core.settings.conflate() {
            return None;
        }
        let id = self.machine.next()?;
        let frame = self.take_short(id)?;
        self.received = true;
        Some(frame)
    }

    /// A peer's next message, if it is of that kind.
    #[inline(always)]
    fn take_short(&mut self, id: PeerId) -> Option<Frame> {
        let pipe = self.pipes.get_mut(id.index())?.as_deref_mut()?;
        if !pipe.inbound.is_empty() {
            return None;
        }
        let link = pipe.link.as_deref_mut()?;
        let (frame, delimited) = match link.decode_short(&self.machine) {
            Some(frame) => (frame, false),
            None => (link.decode_delimited(id, &mut self.machine)?, true),
        };
        if self.linked > KEEP_BUFFERS {
            link.rest_if_read(&mut self.pools);
        }
        if delimited && self.machine.keeps_envelopes() {
            pipe.keep_delimiter();
        }
        pipe.traffic.messages_received += 1;
        pipe.traffic.bytes_received += frame.len() as u64;
        self.pace.received();
        self.machine.delivered(id);
        Some(frame)
    }

    /// The next message, in the order that the pattern asks for.
    ///
    /// `None` holds until an event comes: nothing that the look itself brought
    /// about is left out, such as the end of a peer and what it was subscribed
    /// to. So a caller may sleep after one look. (A look that the flood of some
    /// peers cut short has raised an event.)
    #[inline]
    pub(crate) fn pop(&mut self, core: &Core) -> Option<Message> {
        self.received = true;
        if self.inbound.peeked.is_some() {
            return self.inbound.peeked.take();
        }
        let mut shares = 0;
        loop {
            if !self.inbound.order.is_empty()
                && let Some(shown) = self.next_shown(core)
            {
                return Some(shown);
            }
            let Some(id) = self.machine.next() else {
                return self.next_cancellation();
            };
            let mut share = Share::new();
            let message = loop {
                if let Some(waiting) = self.pipe(id).and_then(Pipe::take_inbound) {
                    break Some(waiting);
                }
                if self.machine.takes_short()
                    && !core.settings.conflate()
                    && let Some(frame) = self.take_short(id)
                {
                    return Some(Message::from(frame));
                }
                match self.step(core, id) {
                    Step::Message(message) => break Some(message),
                    // What it brought has its place in the order.
                    Step::Again(_) if !self.inbound.order.is_empty() => break None,
                    Step::Again(cost) if share.spend(cost) => {}
                    Step::Again(_) => {
                        shares += 1;
                        if self.pass_over(core, id, shares) {
                            return None;
                        }
                        break None;
                    }
                    Step::Empty => {
                        self.machine.peer_drained(id);
                        break None;
                    }
                }
            };
            if let Some(message) = message {
                self.machine.delivered(id);
                return Some(self.delivered(core, id, message));
            }
        }
    }

    /// Decodes the next message, if there is one, without giving it out.
    pub(super) fn peek(&mut self, core: &Core) {
        if self.inbound.peeked.is_none() && self.machine.check_receive().is_ok() {
            self.inbound.peeked = self.pop(core);
        }
    }

    /// XPUB: the next of what is to be seen in order.
    #[cold]
    fn next_shown(&mut self, core: &Core) -> Option<Message> {
        while let Some(shown) = self.inbound.order.pop_front() {
            // A peer that is never silent does not keep those that went alive.
            if let Some(cancellation) = self.next_cancellation() {
                self.inbound.order.push_back(Shown::Cancelled(cancellation));
            }
            let id = match shown {
                Shown::Cancelled(message) => return Some(message),
                Shown::From(id) => id,
            };
            let Some(message) = self.pipe(id).and_then(Pipe::take_inbound) else {
                continue;
            };
            self.machine.delivered(id);
            let message = self.delivered(core, id, message);
            // Its mark may have held up what it sends next, or its end.
            if self.pipe(id).is_some_and(|pipe| pipe.inbound.is_empty()) {
                self.pump(core, id);
            }
            return Some(message);
        }
        None
    }

    /// XPUB: the next cancellation that a peer that went did not send.
    #[inline]
    fn next_cancellation(&mut self) -> Option<Message> {
        match self.inbound.stale && self.machine.receives() {
            true => self.find_cancellation(),
            false => None,
        }
    }

    #[cold]
    fn find_cancellation(&mut self) -> Option<Message> {
        let mut topic = Vec::new();
        loop {
            match self.machine.poll_unsubscribed(&mut topic) {
                Some(TopicStep::Topic { len }) => {
                    let shown: Vec<u8> = std::iter::once(0)
                        .chain(topic.into_iter().take(len))
                        .collect();
                    return Some(Message::from(shown));
                }
                Some(_) => {}
                None => {
                    self.inbound.stale = false;
                    return None;
                }
            }
        }
    }

    /// A peer's share is over, and there was no message in it: the next one's
    /// turn. True: enough was done for one call, and there is more to do.
    #[cold]
    fn pass_over(&mut self, core: &Core, id: PeerId, shares: usize) -> bool {
        self.machine.peer_drained(id);
        self.machine.peer_readable(id);
        let enough = shares >= SHARES;
        if enough {
            // Who waits for an event is to come again: there may be none.
            core.wake();
        }
        enough
    }

    /// Accounts for a message that the application takes.
    #[inline]
    fn delivered(&mut self, core: &Core, id: PeerId, message: Message) -> Message {
        self.pace.received();
        if core.returns.any() {
            self.give_back(core);
        }
        if let Some(pipe) = self.pipe(id) {
            pipe.traffic.messages_received += 1;
            pipe.traffic.bytes_received += message.body_len() as u64;
            pipe.use_envelope();
        }
        if core.settings.conflate() {
            self.newest(core, id, message)
        } else {
            message
        }
    }

    /// Conflate: all but the newest message that has come are dropped.
    fn newest(&mut self, core: &Core, id: PeerId, mut newest: Message) -> Message {
        let mut share = Share::new();
        loop {
            let cost = match self.step(core, id) {
                Step::Message(message) => {
                    let older = std::mem::replace(&mut newest, message);
                    self.finished.extend(older.into_frames());
                    self.drop_messages(Some(id), DropCause::Conflated, 1);
                    share::ITEM
                }
                Step::Again(cost) => cost,
                Step::Empty => return newest,
            };
            if !share.spend(cost) {
                return newest;
            }
        }
    }
}
