//! Receiving: the pattern names a pipe, its block is decoded; if it holds
//! nothing the link is read; if that finds nothing the caller sleeps.

use super::Readiness;
use super::core::{Core, Entered};
use super::spin::Turn;
use super::state::State;
use super::wait::Patience;
use crate::hand_over::{Awaited, Looker};
use crate::{Error, Message};
use ferromq_patterns::{PeerId, Subscription};
use ferromq_transport::Wait;

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
                Some(turn) => self.spin(guard, turn),
                None => self.wait(guard, patience)?,
            };
            if let Some(message) = guard.pop(self) {
                return Ok(message);
            }
            guard.machine.check_receive()?;
        }
    }

    /// Looks a little longer. The lock is free between two looks.
    #[cold]
    fn spin<'a>(&'a self, mut guard: Entered<'a>, mut turn: Turn) -> Entered<'a> {
        // Not while somebody sleeps: that thread counts on being woken.
        if guard.seat.is_taken() {
            return guard;
        }
        let Some(polled) = guard.begin_polling() else {
            return guard;
        };
        let found = loop {
            if guard.look(self, polled) {
                guard.end_polling_beside_others(polled);
                break true;
            }
            let sleeper = guard.seat.is_taken();
            if sleeper || !guard.spin.goes_on(&mut turn) {
                break guard.end_polling(polled) || sleeper;
            }
            drop(guard);
            for _ in 0..4 {
                std::hint::spin_loop();
            }
            guard = self.enter();
        };
        guard.spin.finish(&turn, found);
        guard
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
        if guard.inbound.peeked.is_none() || !guard.machine.may_send(false) {
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
        let Self { spin, pipes, .. } = self;
        if !spin.may_start() {
            return None;
        }
        let mut links = pipes.iter().flatten().filter_map(|pipe| pipe.link.as_ref());
        let (Some(link), None) = (links.next(), links.next()) else {
            return None;
        };
        match link.awaits_body() {
            true => None,
            false => spin.start(|| link.transport.shares_core()),
        }
    }

    /// Lets the peer of the only link off waking us. It is to be this one's also at the
    /// end: others may come meanwhile, and be in front of it.
    fn begin_polling(&mut self) -> Option<PeerId> {
        let mut pipes = self.pipes.iter_mut().flatten();
        pipes.find_map(|pipe| {
            pipe.link.as_mut()?.transport.begin_polling();
            Some(pipe.id)
        })
    }

    /// Has us woken again. True: there is something already.
    fn end_polling(&mut self, polled: PeerId) -> bool {
        let Some(link) = self.pipe(polled).and_then(|pipe| pipe.link.as_mut()) else {
            return true;
        };
        let ready = matches!(link.transport.prepare_wait(), Wait::Ready);
        link.drained &= !ready;
        if ready {
            self.machine.peer_readable(polled);
        }
        ready
    }

    /// The same once something was found. What came over the polled link ended that by
    /// itself; what came from another peer did not.
    fn end_polling_beside_others(&mut self, polled: PeerId) {
        if self.pipes.iter().flatten().nth(1).is_some() {
            self.end_polling(polled);
        }
    }

    /// One read of the polled link, without waiting for its readiness.
    fn look(&mut self, core: &Core, polled: PeerId) -> bool {
        let Some(link) = self.pipe(polled).and_then(|pipe| pipe.link.as_mut()) else {
            return true;
        };
        link.drained = false;
        self.machine.peer_readable(polled);
        match self.pop(core) {
            Some(message) => {
                self.inbound.peeked = Some(message);
                true
            }
            None => false,
        }
    }
}
