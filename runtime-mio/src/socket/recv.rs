//! Receiving: the pattern names a pipe, its block is decoded; if it holds
//! nothing the link is read; if that finds nothing the caller sleeps.

use super::Readiness;
use super::core::{Core, Entered};
use super::silence::{Search, only_link};
use super::spin::Turn;
use super::state::State;
use super::wait::Patience;
use crate::hand_over::{Awaited, Looker};
use crate::{Error, Message};
use ferromq_patterns::{PeerId, Subscription};

/// A receiver looks for its next message.
const MESSAGES: Search = Search {
    spin: |state| &mut state.spin,
    look: State::look_for_message,
};

impl Core {
    /// Takes the next message.
    #[inline]
    pub(crate) fn receive(&self, patience: Patience) -> Result<Message, Error> {
        let mut guard = self.enter();
        if let Some(frame) = guard.pop_short(self) {
            return Ok(Message::from(frame));
        }
        self.receive_slow(guard, patience).map_err(|error| *error)
    }

    /// The clock is read only now that there may be something to wait for.
    #[cold]
    fn receive_waiting(&self, guard: Entered<'_>) -> Result<Message, Box<Error>> {
        self.receive_slow(guard, Patience::of(self.settings.receive_timeout()))
    }

    /// The error is boxed so that the short way's result is not built where this
    /// one's is: it stays in registers then.
    #[cold]
    fn receive_slow<'a>(
        &'a self,
        mut guard: Entered<'a>,
        patience: Patience,
    ) -> Result<Message, Box<Error>> {
        guard.check_open()?;
        if let Some(message) = guard.pop(self) {
            return Ok(message);
        }
        // Whoever finds nothing has answered everything: what he sends next
        // is awaited, so it leaves at once.
        guard.pace.begins_burst();
        // A link that breaks in the attempt is read to its end.
        if self.write_deferred(&mut guard)
            && let Some(message) = guard.pop(self)
        {
            return Ok(message);
        }
        guard.machine.check_receive()?;
        if matches!(patience, Patience::None) {
            self.service_for(&mut guard, Looker::Call);
            return Ok(guard.pop(self).ok_or(Error::WouldBlock)?);
        }
        let mut spin = guard.start_spin();
        loop {
            guard = match spin.take() {
                Some(turn) => self.spin(guard, turn, &MESSAGES),
                None => match self.wait(guard, patience) {
                    Ok(guard) => guard,
                    // There was no time to be told anything.
                    Err(Error::TimedOut) => return Ok(self.receive_at_last()?),
                    Err(error) => return Err(error.into()),
                },
            };
            if let Some(message) = guard.pop(self) {
                return Ok(message);
            }
            guard.machine.check_receive()?;
        }
    }

    /// Takes a message that is there, after a look at the epoll.
    #[cold]
    fn receive_at_last(&self) -> Result<Message, Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        self.service_for(&mut guard, Looker::Call);
        guard.pop(self).ok_or(Error::TimedOut)
    }

    /// Takes the next message within the socket's own timeout.
    #[inline(always)]
    pub(crate) fn receive_default(&self) -> Result<Message, Error> {
        let mut guard = self.enter();
        if let Some(frame) = guard.pop_short(self) {
            return Ok(Message::from(frame));
        }
        self.receive_waiting(guard).map_err(|error| *error)
    }

    /// Whether a receive or a send would wait.
    pub(crate) fn readiness(&self, looker: Looker) -> Result<Readiness, Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        guard.peek(self);
        if guard.inbound.peeked.is_none() || !guard.machine.may_send(true) {
            // Without this the descriptor would stay readable for nothing.
            self.service_for(&mut guard, looker);
            guard.peek(self);
        }
        // Before the answer: what leaves may make room, and no event tells of that.
        if self.write_deferred(&mut guard) {
            guard.peek(self);
        }
        let readable = guard.inbound.peeked.is_some();
        let writable = guard.machine.may_send(readable);
        Ok(Readiness { readable, writable })
    }

    /// Waits until `count` peers are connected.
    pub(crate) fn wait_for_peers(&self, count: usize, patience: Patience) -> Result<bool, Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        while guard.linked < count {
            guard = match self.wait(guard, patience) {
                Ok(guard) => guard,
                Err(Error::TimedOut) => return Ok(false),
                Err(error) => return Err(error),
            };
        }
        Ok(true)
    }

    /// Subscribes or unsubscribes, here and with every peer.
    pub(crate) fn subscribe(&self, what: Subscription, topic: &[u8]) -> Result<(), Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        guard.in_use = true;
        let spread = match what {
            Subscription::Subscribe => guard.machine.subscribe(topic)?,
            Subscription::Cancel => guard.machine.unsubscribe(topic)?,
        };
        if spread {
            guard.spread_subscription(self, what, topic);
        }
        Ok(())
    }

    /// Takes up to `max` messages; waits for the first only.
    pub(crate) fn receive_batch(
        &self,
        into: &mut Vec<Message>,
        max: usize,
        patience: Patience,
    ) -> Result<usize, Error> {
        if max == 0 {
            return Ok(0);
        }
        let first = self.receive(patience)?;
        into.push(first);
        let mut guard = self.enter();
        let mut count = 1;
        while count < max {
            let Some(message) = guard.pop(self) else {
                break;
            };
            into.push(message);
            count += 1;
        }
        Ok(count)
    }
}

impl State {
    /// Whether to look a little longer before a sleep: if that has paid lately,
    /// on a socket with one link.
    fn start_spin(&mut self) -> Option<Turn> {
        if !self.spin.may_start() {
            return None;
        }
        let (_, link) = only_link(&mut self.pipes)?;
        match link.awaits_body() {
            true => None,
            false => self.spin.start(|| link.transport.shares_core()),
        }
    }

    /// One read of a link, without waiting for its readiness.
    fn look_for_message(&mut self, core: &Core, peer: PeerId) -> bool {
        let Some(link) = self.pipe(peer).and_then(|pipe| pipe.link.as_mut()) else {
            return true;
        };
        link.drained = false;
        self.machine.peer_readable(peer);
        match self.pop(core) {
            Some(message) => {
                self.inbound.peeked = Some(message);
                true
            }
            None => false,
        }
    }
}
