//! Sending: the pattern names a pipe, the message is encoded into its link's
//! output, and `pacing` decides whether that is written at once.

use std::time::{Duration, Instant};

use ferromq_patterns::PeerId;

use super::core::{Core, Entered};
use super::lending::Loan;
use super::state::{Phase, State};
use super::wait::Patience;
use crate::clock::Ticks;
use crate::hand_over::Awaited;
use crate::link::{BY_HANDLE, LEND_FROM, LastPart, Link, Parts};
use crate::machine::Route;
use crate::statistics::DropCause;
use crate::{Error, Frame, Message};

/// Last parts from this length are written from the caller's memory; shorter ones
/// are worth the copy, for they leave together with their neighbours.
const WRITE_THROUGH: usize = 256 << 10;

/// In front of a plain request (28/REQREP).
static DELIMITER: [Frame; 1] = [Frame::from_static(b"")];

/// Peers whose unasked messages a REQ looks for before it asks.
const EAT: usize = 16;
/// Bytes of backlog from which a blocking sender is slowed to its peer's pace.
const BACKLOG: usize = 1 << 20;
/// The longest it is slowed, besides what its backlog takes at 1 GB/s.
const DRAIN: Duration = Duration::from_millis(1);

/// Until when a peer that keeps pace has taken `bytes`.
pub(super) fn drain_deadline(bytes: usize) -> Instant {
    Instant::now() + DRAIN + Duration::from_nanos(bytes as u64)
}

impl After {
    /// What messages to several peers leave to do.
    pub(super) fn of(deferred: bool) -> Self {
        match deferred {
            true => Self::Deferred,
            false => Self::Settled,
        }
    }
}

/// What a call leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum After {
    /// Nothing: what it appended was written, or waits for room.
    Settled,
    /// Output was deferred: the I/O thread sees that it leaves soon.
    Deferred,
    /// The message lies in the caller's memory still, in part.
    Lent(Loan),
}

impl Core {
    /// Sends a message of the given parts, or says why not.
    #[inline]
    pub(crate) fn send<M: Parts + ?Sized>(
        &self,
        message: &M,
        patience: Patience,
    ) -> Result<(), Error> {
        let now = Ticks::now();
        let mut guard = self.enter();
        guard.pace.begins(now);
        let long = match guard.blocked {
            0 => WRITE_THROUGH,
            _ => BY_HANDLE,
        };
        if guard.phase == Phase::Open && message.len() < long && !guard.pace.wants_service(now) {
            // PUSH and DEALER: everything stays in registers.
            if let Some(id) = guard.machine.route_in_turn(message.count()) {
                let after = guard.push(self, id, &[], message, 0, now);
                drop(guard);
                self.io.after(after);
                return Ok(());
            }
        }
        self.send_slow(guard, message, now, patience)
    }

    /// Every other type, and whoever finds no peer with room.
    #[inline(never)]
    fn send_slow<'a, M: Parts + ?Sized>(
        &'a self,
        mut guard: Entered<'a>,
        message: &M,
        mut now: Ticks,
        patience: Patience,
    ) -> Result<(), Error> {
        guard.check_open()?;
        if guard.pace.wants_service(now) {
            guard.pace.serviced(now);
            self.service(&mut guard);
            now = Ticks::now();
        }
        // In this order for a REQ, whose short message comes by here.
        if (guard.blocked == 1 || message.len() >= WRITE_THROUGH)
            && guard.linked == 1
            && !matches!(patience, Patience::None)
        {
            guard = self.keep_pace(guard, message.lies_with_sender(WRITE_THROUGH))?;
            now = Ticks::now();
        }
        if message.len() >= LEND_FROM {
            self.look_for_warm_memory(&mut guard);
        }
        // Only who may wait looks twice.
        let mut looked = guard.by_reference == 0 || matches!(patience, Patience::None);
        let mut serviced = false;
        loop {
            match guard.send(self, message, now) {
                Ok(After::Lent(loan)) => {
                    self.repay(guard, loan, message.last(), patience);
                    return Ok(());
                }
                Ok(after) => {
                    drop(guard);
                    self.io.after(after);
                    return Ok(());
                }
                Err(Error::WouldBlock) if !std::mem::replace(&mut looked, true) => {
                    guard = self.await_returns(guard)?;
                }
                // What has come meanwhile, or what leaves now, may make room.
                Err(Error::WouldBlock) if !std::mem::replace(&mut serviced, true) => {
                    self.service(&mut guard);
                    guard.look_for_returns(self, |_| true);
                }
                Err(Error::WouldBlock) if !guard.deferred.is_empty() => {
                    guard.flush_deferred(self);
                }
                Err(Error::WouldBlock) => {
                    if matches!(patience, Patience::None) {
                        return Err(Error::WouldBlock);
                    }
                    guard = self.wait(guard, patience)?;
                    guard.pace.begins_burst();
                }
                Err(refused) => return Err(refused),
            }
            now = Ticks::now();
        }
    }

    /// Before a blocking send to the only peer, of a message that lies with its sender or
    /// not: waits while that peer is behind.
    #[cold]
    fn keep_pace<'a>(&'a self, mut guard: Entered<'a>, lent: bool) -> Result<Entered<'a>, Error> {
        if lent {
            guard.look_for_room(self);
        }
        match guard.blocked {
            1 => self.let_drain(guard, if lent { 1 } else { BACKLOG }),
            _ => Ok(guard),
        }
    }

    /// Before a blocking send adds to a backlog of the only peer that is as long as
    /// `bytes`, gives it the time that it should take to drain: what is queued deep
    /// leaves the caches, and is read back from memory when it is written. And a
    /// body that is written from its sender's memory is copied behind anything at
    /// all, which then makes a backlog for the next.
    ///
    /// Only a pace, no limit. And whoever was waited for in vain has none: until
    /// it takes something, its queue grows as fast as it is filled.
    fn let_drain<'a>(&'a self, mut guard: Entered<'a>, bytes: usize) -> Result<Entered<'a>, Error> {
        let (backlog, taken) = guard.backlog();
        if guard.pace.is_waited_for_in_vain(taken) {
            return Ok(guard);
        }
        let deadline = drain_deadline(backlog);
        while guard.blocked == 1 && guard.linked == 1 && guard.backlog().0 >= bytes {
            guard = match self.wait(guard, Patience::Until(deadline)) {
                Ok(guard) => guard,
                Err(Error::TimedOut) => {
                    let mut guard = self.enter();
                    let vain = guard.backlog().1 == taken;
                    guard.pace.waited_in_vain(vain.then_some(taken));
                    return Ok(guard);
                }
                Err(error) => return Err(error),
            };
        }
        Ok(guard)
    }

    /// Writes everything that is deferred, as far as the transports take it. True: there
    /// was something, so that there may be room now, and no event tells of that.
    pub(crate) fn flush(&self) -> Result<bool, Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        Ok(self.write_deferred(&mut guard))
    }
}

impl State {
    /// One attempt to send.
    #[inline]
    fn send<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        message: &M,
        now: Ticks,
    ) -> Result<After, Error> {
        if message.count() == 0 {
            return Err(Error::TooFewParts {
                parts: 0,
                needed: 1,
            });
        }
        if let Some(id) = self.machine.route_in_turn(message.count()) {
            return Ok(self.push(core, id, &[], message, 0, now));
        }
        if self.machine.forgets_before_asking() && self.pipes.len() <= EAT {
            // What came unasked is no reply to what is asked now.
            for index in 0..self.pipes.len() {
                if let Some(id) = self.pipes[index].as_ref().map(|pipe| pipe.id) {
                    self.eat_unasked(core, id);
                }
            }
        }
        let peeked = self.inbound.peeked.is_some();
        let route = self
            .machine
            .route(message.bytes(0), message.count(), peeked)?;
        self.send_along(core, route, message, now)
    }

    fn send_along<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        route: Route,
        message: &M,
        now: Ticks,
    ) -> Result<After, Error> {
        match route {
            Route::Skip(id) => Ok(self.push(core, id, &[], message, 1, now)),
            Route::Request {
                peer,
                envelope,
                abandoned,
            } => {
                if let Some(late) = abandoned {
                    self.abandon(core, late);
                    // The pipe may have gone with its link.
                    if self.pipe(peer).is_none() {
                        return Err(Error::WouldBlock);
                    }
                }
                if envelope.is_delimiter() {
                    return Ok(self.push(core, peer, &DELIMITER, message, 0, now));
                }
                let frames: Vec<_> = envelope.frames().map(Frame::from).collect();
                Ok(self.push(core, peer, &frames, message, 0, now))
            }
            Route::Reply(id) => {
                let envelope = self.pipe(id).map(|pipe| std::mem::take(&mut pipe.envelope));
                let envelope = envelope.unwrap_or_default();
                let after = self.push(core, id, &envelope, message, 0, now);
                if let Some(pipe) = self.pipe(id) {
                    pipe.reuse_envelope(envelope);
                }
                Ok(after)
            }
            Route::Subscribers => self.publish(core, message, now),
            Route::Upstream => self.send_upstream(core, message, now),
            Route::Nobody(cause) => {
                self.drop_messages(None, cause, 1);
                Ok(After::Settled)
            }
        }
    }

    /// REQ: reads what is known to have come; the pattern refuses it.
    fn eat_unasked(&mut self, core: &Core, id: PeerId) {
        let link = self.pipe(id).and_then(|pipe| pipe.link.as_deref());
        if link.is_some_and(|link| !link.drained || link.holds_input()) {
            self.pump(core, id);
        }
    }

    /// Puts a message into one peer's pipe.
    #[inline]
    pub(crate) fn push<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        id: PeerId,
        envelope: &[Frame],
        message: &M,
        skip: usize,
        now: Ticks,
    ) -> After {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return After::Settled;
        };
        pipe.traffic.messages_sent += 1;
        pipe.traffic.bytes_sent += message.len() as u64;
        if core.settings.conflate() && pipe.link.as_ref().is_none_or(|link| link.output.blocked) {
            return self.push_newest(id, message.to_message(envelope, skip));
        }
        let Some(link) = pipe.open_link() else {
            pipe.enqueue(message.to_message(envelope, skip));
            self.update_full(core, id);
            return After::Settled;
        };
        if link.references.is_some() {
            return self.push_by_reference(core, id, envelope, message, skip, now);
        }
        if is_written_through(link, message, skip) {
            return self.write_through(core, id, envelope, message, skip);
        }
        let waits = link.output.blocked || link.output.hands_over;
        if waits && message.len() >= BY_HANDLE && message.frame(skip).is_none() {
            // It will wait: in warm memory of its own size, not in a buffer.
            let kept = message.to_pooled_message(&self.pools.buffers, skip);
            link.output
                .append(&mut link.transmitter, envelope, &kept, 0);
        } else {
            link.output
                .append(&mut link.transmitter, envelope, message, skip);
        }
        self.leave(core, id, now)
    }

    /// The same where payloads may go by reference: what the peer keeps counts,
    /// whether or not its transport takes more.
    #[inline(never)]
    fn push_by_reference<M: Parts + ?Sized>(
        &mut self,
        core: &Core,
        id: PeerId,
        envelope: &[Frame],
        message: &M,
        skip: usize,
        now: Ticks,
    ) -> After {
        let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_deref_mut()) else {
            return After::Settled;
        };
        let last = link.lend_last(message, skip);
        let after = if last == LastPart::Streamed && is_written_through(link, message, skip) {
            self.write_through(core, id, envelope, message, skip)
        } else {
            link.append_by_reference(envelope, message, skip, last);
            self.update_full(core, id);
            self.leave(core, id, now)
        };
        self.tell_if_kept(core, id);
        after
    }

    /// Conflate: what waits gives way to what is newer.
    fn push_newest(&mut self, id: PeerId, message: Message) -> After {
        let Some(pipe) = self.pipe(id) else {
            return After::Settled;
        };
        let older: Vec<Message> = std::iter::from_fn(|| pipe.dequeue()).collect();
        pipe.enqueue(message);
        self.drop_messages(Some(id), DropCause::Conflated, older.len() as u64);
        self.finished
            .extend(older.into_iter().flat_map(Message::into_frames));
        After::Settled
    }

    /// Tells the pattern when a pipe has become full.
    #[inline]
    pub(crate) fn update_full(&mut self, core: &Core, id: PeerId) {
        let Some(pipe) = self.pipe(id) else { return };
        if !pipe.full && pipe.over(&core.settings) {
            pipe.full = true;
            self.machine.peer_full(id);
        }
    }

    /// Bytes that wait for the only peer, at least one while its link takes none, and
    /// that its link has taken.
    fn backlog(&self) -> (usize, u64) {
        let mut pipes = self.pipes.iter().flatten();
        let linked = pipes.find_map(|pipe| Some((pipe, pipe.link.as_deref()?)));
        linked.map_or((0, 0), |(pipe, link)| {
            let waiting = pipe.waiting_bytes().max(usize::from(link.output.blocked));
            (waiting, link.output.written())
        })
    }
}

/// Whether a message's last part, which goes through the stream, is long enough to be
/// written from its sender's memory.
#[inline]
fn is_written_through<M: Parts + ?Sized>(link: &Link, message: &M, skip: usize) -> bool {
    message.lies_with_sender(WRITE_THROUGH)
        && message.count() > skip
        && !link.output.hands_over
        && !link.output.seals()
}
