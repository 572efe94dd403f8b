//! Long messages from borrowed memory: written from where they are while their
//! sender's call lasts, and copied only when the peer does not keep pace.
//!
//! Copying what a link refused of 10 MiB cost a fifth of the throughput on one
//! core. The call waits for the peer no longer than [`drain_deadline`] says, so
//! that two peers who both send before they receive do not wait for each other. Nor
//! does it wait beyond its time-out, unless copying would take it as long.

use std::time::{Duration, Instant};

use ferromq_patterns::PeerId;

use super::core::{Core, Entered};
use super::send::{After, drain_deadline};
use super::state::State;
use super::wait::Patience;
use crate::Frame;
use crate::clock::Ticks;
use crate::link::{Flushed, Link, Parts};

/// The link that waits for the rest of a message in its sender's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loan {
    peer: PeerId,
    /// Which of the peer's links: a later one wants nothing.
    link: u64,
}

impl Core {
    /// Writes the rest of `body` as the peer takes it, for as long as the call
    /// may wait and the peer keeps pace; the rest of that is copied.
    pub(super) fn repay<'a>(
        &'a self,
        mut guard: Entered<'a>,
        loan: Loan,
        body: &[u8],
        patience: Patience,
    ) {
        let patience = within_the_call(patience, body.len());
        while guard.write_lent(self, loan, body) == Lent::Waits {
            guard = match self.wait(guard, patience) {
                Ok(guard) => guard,
                // Late, or closed: the message has begun to leave all the same.
                Err(_) => return self.enter().keep_lent(self, loan, body),
            };
        }
    }
}

/// How long the rest of a message is waited for that has begun to leave. Copying takes
/// 0.5 ns a byte in memory that is fresh (1 GiB took 0.54 s): a time-out that ends before
/// would only make the call longer.
fn within_the_call(patience: Patience, len: usize) -> Patience {
    let copied = Instant::now() + Duration::from_nanos(len as u64 / 2);
    patience.at_least(copied).at_most(drain_deadline(len))
}

/// How a loan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lent {
    /// Written, or its link is gone.
    Returned,
    Waits,
}

impl State {
    /// Puts a message into one peer's pipe, and nothing of it stays with the
    /// caller. True: output was deferred.
    ///
    /// A bit, and no [`After`], for whoever does this in a loop: an `After` goes
    /// through memory, is loaded in other pieces than it was stored in, and so waits
    /// for all stores before it, to output of which no cache holds a line. With
    /// 1,000 subscribers that took half of a publisher's time.
    #[inline]
    pub(super) fn push_whole<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        id: PeerId,
        message: &M,
        now: Ticks,
    ) -> bool {
        match self.push(core, id, &[], message, 0, now) {
            After::Lent(loan) => {
                self.keep_lent(core, loan, message.last());
                false
            }
            After::Settled => false,
            After::Deferred => true,
        }
    }

    /// Begins to write a message whose last part is long from the caller's memory.
    #[cold]
    pub(super) fn write_through<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        id: PeerId,
        envelope: &[Frame],
        message: &M,
        skip: usize,
    ) -> After {
        let Self { pipes, pools, .. } = self;
        let pipe = pipes.get_mut(id.index()).and_then(Option::as_deref_mut);
        let Some(pipe) = pipe else {
            return After::Settled;
        };
        let loan = Loan {
            peer: id,
            link: pipe.links,
        };
        let Some(link) = pipe.link.as_deref_mut() else {
            return After::Settled;
        };
        let was_lent = link.output.lent() > 0;
        let result = link.output.write_through(
            &mut link.transmitter,
            &mut *link.transport,
            &pools.buffers,
            envelope,
            message,
            skip,
        );
        let lent = link.output.lent() > 0 && !was_lent;
        self.pace.ended(Ticks::now());
        self.flushed(core, id, result);
        match lent {
            true => After::Lent(loan),
            false => After::Settled,
        }
    }

    /// Before a message that is to be written from its sender's memory to the only peer:
    /// has its link count as blocked if that takes nothing. The message would begin with
    /// a header that is refused, and so be copied whole, though the peer keeps pace: the
    /// last one had left to its end, which told nothing of the room behind it.
    pub(super) fn look_for_room(&mut self, core: &Core) {
        let pipes = self.pipes.iter_mut().flatten();
        let mut linked = pipes.filter_map(|pipe| Some((pipe.id, pipe.link.as_deref_mut()?)));
        let Some((id, link)) = linked.next() else {
            return;
        };
        let output = &mut link.output;
        let tells = output.is_empty() && !output.blocked && !output.hands_over;
        if tells && !link.transport.has_room() {
            output.blocked = true;
            self.flushed(core, id, Flushed::Blocked);
        }
    }

    fn write_lent(&mut self, core: &Core, loan: Loan, body: &[u8]) -> Lent {
        let Some(link) = self.borrower(loan) else {
            return Lent::Returned;
        };
        let result = link.output.write_lent(&mut *link.transport, body);
        let waits = matches!(result, Flushed::Blocked) && link.output.lent() > 0;
        let done = matches!(result, Flushed::Done);
        self.pace.ended(Ticks::now());
        self.flushed(core, loan.peer, result);
        if done {
            // What was queued behind it meanwhile.
            self.flush(core, loan.peer);
        }
        match waits {
            true => Lent::Waits,
            false => Lent::Returned,
        }
    }

    fn keep_lent(&mut self, core: &Core, loan: Loan, body: &[u8]) {
        let pool = self.pools.buffers.clone();
        if let Some(link) = self.borrower(loan) {
            link.output.keep_lent(&pool, body);
            // Room may have come that nobody could use until now.
            self.flush(core, loan.peer);
        }
    }

    /// The link that still waits for this loan.
    fn borrower(&mut self, loan: Loan) -> Option<&mut Link> {
        let pipe = self
            .pipe(loan.peer)
            .filter(|pipe| pipe.links == loan.link)?;
        pipe.link
            .as_deref_mut()
            .filter(|link| link.output.lent() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(patience: Patience, len: usize) -> Instant {
        match within_the_call(patience, len) {
            Patience::Until(deadline) => deadline,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_rest_of_a_message_has_its_time_whatever_the_calls_is() {
        const LEN: usize = 1 << 30;
        let begun = Instant::now();
        let copied = begun + Duration::from_millis(500);
        let drained = begun + Duration::from_secs(1);
        assert!(until(Patience::Until(begun), LEN) >= copied);
        assert!(until(Patience::Until(copied), LEN) >= copied);
        let between = drained - Duration::from_millis(1);
        assert_eq!(until(Patience::Until(between), LEN), between);
        // And no longer than a peer needs that keeps pace.
        let end = drain_deadline(LEN);
        let later = begun + Duration::from_secs(3_600);
        for patience in [Patience::Until(later), Patience::Endless] {
            assert!((drained..later).contains(&until(patience, LEN)));
        }
        assert!(until(Patience::Until(begun), LEN) < end);
        assert_eq!(within_the_call(Patience::None, LEN), Patience::None);
    }
}
