//! What the I/O thread does for a socket: the tail of a burst, a caller's work
//! while the caller is away, heartbeats, and the end.

use std::time::Duration;

use ferromq_wire::{Command as WireCommand, HeartbeatAction, Instant as WireInstant};

use super::core::Core;
use super::reading::Step;
use super::state::{Phase, State};
use crate::Message;
use crate::clock::Ticks;
use crate::hand_over::Awaited;
use crate::io::Command;
use crate::link::LinkError;
use crate::monitor::EventKind;

/// Peers whose heartbeats are looked at under one hold of the lock.
const HEARTBEATS_A_TURN: usize = 64;
/// Least and longest time between two looks at all of a socket's heartbeats,
/// each of which may be late by that.
const HEARTBEAT_PAUSE: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_millis(100));
/// Looks an interval at most, however evenly the links are spread over it.
const LOOKS_AN_INTERVAL: u32 = 16;
/// Batches of events that one turn takes from a socket's epoll.
const ROUNDS: usize = 8;
/// Steps a turn in which a closed socket reads what a peer gives back.
const LAST_TURNS: usize = 64;
/// Peers that are read in one turn when a socket is taken over.
const FIRST_LOOK: usize = 1024;

/// Which of its looks the I/O thread takes at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The first after taking it over: what lies in blocks is decoded too, for
    /// no event tells of that.
    First,
    /// A later one.
    Next,
}

impl Core {
    /// Writes what was deferred, unless a caller came and did, or defers more: has
    /// done so within `quiet_ticks`. True: nothing is left that the transports would
    /// take.
    pub(crate) fn flush_tail(&self, quiet_ticks: u64) -> bool {
        let mut guard = self.enter_foreign();
        // The caller may have gone on while we waited for the lock.
        let quiet = Ticks::now().since(self.flags.last_deferral()) > quiet_ticks;
        if self.flags.deferred() && quiet {
            guard.flush_deferred(self);
        }
        // There may be room now that somebody waits for.
        let notify = self.is_heard(&mut guard) && std::mem::take(&mut guard.news);
        drop(guard);
        if notify {
            self.wake();
        }
        !self.flags.deferred()
    }

    /// Does what a caller would do in its wait: reads up to the high-water
    /// mark, answers commands, writes what waits.
    pub(crate) fn work(&self, turn: Turn) {
        Awaited::work(self, |guard, sleeper| {
            if turn == Turn::First {
                guard.looked_at = 0;
            }
            guard.look_at_more(self);
            let mut rounds = 0;
            let finished = loop {
                sleeper.sleep(Some(Duration::ZERO));
                guard.handle_events(self, sleeper);
                guard.pump_readable(self, sleeper);
                rounds += 1;
                if !sleeper.is_full() || rounds == ROUNDS || !guard.unread.is_empty() {
                    break !sleeper.is_full();
                }
            };
            guard.flush_deferred(self);
            let seen = guard.looked_at >= guard.pipes.len();
            (
                finished && seen && !guard.has_more_to_do(),
                std::mem::take(&mut guard.news),
            )
        });
    }

    /// Looks at every link's heartbeat; the time until the next look, if any
    /// link has one.
    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        let now = crate::clock::wire_now();
        let ids = self.enter_foreign().ids();
        let mut next: Option<WireInstant> = None;
        for ids in ids.chunks(HEARTBEATS_A_TURN) {
            let mut guard = self.enter_foreign();
            for &id in ids {
                if let Some(due) = guard.heartbeat(self, id, now) {
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
            }
        }
        // Those that are due soon after this one are seen to together.
        let (least, longest) = HEARTBEAT_PAUSE;
        let interval = self
            .settings
            .current()
            .heartbeat
            .interval
            .unwrap_or_default();
        let pause = (interval / LOOKS_AN_INTERVAL).clamp(least, longest);
        next.map(|next| next.saturating_since(now).max(pause))
    }

    /// Ends all calls and endpoints; the I/O thread sends what waits.
    pub(crate) fn close(&self, phase: Phase) {
        let guard = self.enter();
        if guard.phase != Phase::Open {
            return;
        }
        self.end_waits(guard, |guard| {
            guard.phase = phase;
            guard.flush_deferred(self);
        });
        self.io.send(Command::Close(self.id));
    }

    /// Whether a closed socket is done. Peers that nothing waits for are let
    /// go.
    pub(crate) fn has_sent_everything(&self) -> bool {
        let mut guard = self.enter_foreign();
        guard.flush_deferred(self);
        if self
            .settings
            .linger()
            .is_some_and(|linger| linger.is_zero())
        {
            return true;
        }
        for id in guard.ids() {
            // Unread input would make the close a reset.
            if !guard.take_last_returns(self, id) {
                guard.drain_input(id);
            }
        }
        let done: Vec<_> = guard
            .pipes
            .iter()
            .flatten()
            .filter(|pipe| pipe.waiting_messages() == 0 && pipe.unsent() == 0)
            .map(|pipe| pipe.id)
            .collect();
        for id in done {
            guard.detach(self, id);
        }
        guard.pipes.iter().flatten().next().is_none()
    }

    /// Lets go of every peer. What still waits is counted and told.
    pub(crate) fn discard(&self) {
        let mut guard = self.enter_foreign();
        let peeked = guard.inbound.peeked.take();
        guard
            .finished
            .extend(peeked.into_iter().flat_map(Message::into_frames));
        let mut messages = 0;
        for id in guard.ids() {
            messages += guard
                .pipe(id)
                .map_or(0, |pipe| pipe.waiting_messages() as u64);
            guard.drain_input(id);
            guard.detach(self, id);
        }
        drop(guard);
        if messages > 0 {
            self.tell("", None, || EventKind::LingerExpired { messages });
        }
        self.tell("", None, || EventKind::Closed);
        self.monitor.close();
    }
}

impl State {
    /// Reads the next peers of those that no event tells of.
    fn look_at_more(&mut self, core: &Core) {
        let end = self
            .looked_at
            .saturating_add(FIRST_LOOK)
            .min(self.pipes.len());
        for index in self.looked_at..end {
            if let Some(id) = self.pipes[index].as_ref().map(|pipe| pipe.id) {
                self.pump(core, id);
            }
        }
        self.looked_at = self.looked_at.max(end);
    }

    fn heartbeat(
        &mut self,
        core: &Core,
        id: ferromq_patterns::PeerId,
        now: WireInstant,
    ) -> Option<WireInstant> {
        let link = self.pipe(id)?.link.as_deref_mut()?;
        link.heartbeats.as_deref()?;
        if !link.heard {
            // Its bytes may lie unread, if the application only sends.
            self.pump(core, id);
        }
        let full = self.is_inbound_full(core, id);
        let link = self.pipe(id)?.link.as_deref_mut()?;
        // Where we do not read, silence says nothing.
        if std::mem::take(&mut link.heard) || full {
            link.heartbeats.as_deref_mut()?.heard(now);
        }
        loop {
            match link.heartbeats.as_deref_mut()?.handle_timeout(now) {
                HeartbeatAction::SendPing { ttl } => {
                    link.append_command(&WireCommand::Ping { ttl, context: b"" });
                }
                HeartbeatAction::PeerDead => {
                    self.link_lost(core, id, &LinkError::Silent);
                    return None;
                }
                HeartbeatAction::None => break,
            }
        }
        let due = link.heartbeats.as_deref()?.poll_timeout();
        if !link.output.blocked {
            self.flush(core, id);
        }
        due
    }

    /// Takes what a peer gives back that has yet to fetch it: its payloads go with us.
    /// Whatever else it sends is nobody's any more. False: it has all it was sent.
    fn take_last_returns(&mut self, core: &Core, id: ferromq_patterns::PeerId) -> bool {
        for turn in 0..LAST_TURNS {
            let Some(pipe) = self.pipe(id).filter(|pipe| pipe.unsent() > 0) else {
                return turn > 0;
            };
            let Some(link) = pipe.link.as_deref_mut().filter(|link| link.lends()) else {
                return turn > 0;
            };
            // No event is waited for here.
            link.drained &= turn > 0;
            match self.step(core, id) {
                Step::Message(message) => self.finished.extend(message.into_frames()),
                Step::Again(_) => {}
                Step::Empty => return true,
            }
        }
        true
    }

    /// Reads and throws away what has come, for a descriptor that is closed
    /// with unread bytes resets the connection, and the peer may lose what we
    /// sent last.
    pub(super) fn drain_input(&mut self, id: ferromq_patterns::PeerId) {
        let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_deref_mut()) else {
            return;
        };
        let mut waste = [0; 16 << 10];
        for _ in 0..64 {
            if !matches!(link.transport.read(&mut waste), Ok(1..)) {
                return;
            }
        }
    }
}
