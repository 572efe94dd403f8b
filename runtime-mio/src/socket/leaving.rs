//! Peers leave: what they sent is read, what was queued for them is kept or
//! counted, and a publisher forgets what they were subscribed to.

use std::io;

use ferromq_patterns::PeerId;

use super::core::Core;
use super::state::{Phase, State};
use crate::Message;
use crate::io::Command;
use crate::link::LinkError;
use crate::monitor::EventKind;
use crate::pipe::Pipe;
use crate::statistics::DropCause;

/// Turns of 64 subscriptions that a publisher removes at once.
const STALE_STEPS: usize = 16;

impl State {
    /// The transport refused to write. What the peer sent before is still to
    /// be had, so the pipe is read to its end before the link is given up.
    pub(super) fn link_broken(&mut self, core: &Core, id: PeerId, cause: &LinkError) {
        let Some(pipe) = self.pipe(id) else { return };
        pipe.broken = true;
        pipe.full = true;
        if let Some(link) = &mut pipe.link {
            link.drained = false;
            link.hangup = true;
        }
        self.machine.peer_full(id);
        self.pump_to_the_end(core, id);
        // What is still being fetched was sent before.
        let read = |pipe: &mut Pipe| {
            let link = pipe.link.as_deref();
            link.is_some_and(|link| !link.awaits_payload()) && !pipe.is_inbound_full(&core.settings)
        };
        if self.pipe(id).is_some_and(read) {
            self.link_lost(core, id, cause);
        }
    }

    /// The connection is over: its output is taken apart, the pattern and the
    /// connector are told.
    #[cold]
    pub(crate) fn link_lost(&mut self, core: &Core, id: PeerId, cause: &LinkError) {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
            .filter(|pipe| pipe.id == id)
        else {
            return;
        };
        let Some(mut link) = pipe.link.take() else {
            return;
        };
        pipe.broken = false;
        pipe.envelope.clear();
        // REP: a reply must not go over the next connection, to whoever asks there.
        let unanswered = match pipe.connector.is_some() && self.machine.keeps_envelopes() {
            true => pipe.take_requests(),
            false => Vec::new(),
        };
        core.deregister_link(&*link.transport);
        let payloads = link.shut_down();
        pipe.traffic.add(&link.traffic());
        self.by_reference -= usize::from(link.references.is_some());
        let (messages, cut, mut lent) = link.recover();
        pipe.requeue(messages);
        let (endpoint, connector) = (pipe.endpoint.clone(), pipe.connector);
        // ROUTER: a peer may come back under another identity, so its pipe ends
        // with the connection, unless the application gave it its identity.
        let (named, departing) = (pipe.named, pipe.departing);
        self.finished.extend(payloads);
        self.finished.append(&mut lent);
        self.linked -= 1;
        self.blocked -= usize::from(link.write_interest);
        self.drop_messages(Some(id), DropCause::LinkLost, cut);
        self.drop_messages(Some(id), DropCause::Refused, unanswered.len() as u64);
        self.finished
            .extend(unanswered.into_iter().flat_map(Message::into_frames));
        self.violations += u64::from(is_violation(cause));
        core.tell(&endpoint, Some(&link.peer), || EventKind::Disconnected {
            cause: cause.to_string(),
        });
        // What a publisher was told last is read before what it was not told:
        // the cancellations of a peer that left messages wait for its end.
        if !self.machine.publishes() || connector.is_some() {
            self.machine.link_lost(id);
            self.leaves_subscriptions();
        }
        match connector {
            Some(_) if departing && self.has_left(id) => self.departed(core, id),
            Some(connector) if named || !self.machine.needs_identity() => {
                self.wait_for_link(core, id);
                core.io.reconnect(connector);
            }
            connector => {
                if let Some(connector) = connector {
                    self.connectors.remove(&connector);
                    match departing {
                        true => core.io.send(Command::Disconnect(connector)),
                        false => core.io.reconnect(connector),
                    }
                }
                self.end(core, id);
            }
        }
    }

    /// A connecting pipe goes on queueing, unless `immediate` forbids it.
    pub(crate) fn wait_for_link(&mut self, core: &Core, id: PeerId) {
        let Some(pipe) = self.pipe(id) else { return };
        let full = pipe.departing || core.settings.immediate() || pipe.over(&core.settings);
        pipe.full = full;
        if full {
            self.machine.peer_full(id)
        } else {
            self.machine.peer_has_room(id)
        }
    }

    /// Nothing brings this peer back: it ends when its messages are read.
    pub(super) fn end(&mut self, core: &Core, id: PeerId) {
        self.machine.peer_full(id);
        let Some(pipe) = self.pipe(id) else { return };
        pipe.ending = true;
        pipe.full = true;
        if pipe.inbound.is_empty() {
            self.detach(core, id);
        }
    }

    /// Forgets a peer and counts what was queued for it.
    pub(crate) fn detach(&mut self, core: &Core, id: PeerId) {
        let Some(mut pipe) = self.pipes.get_mut(id.index()).and_then(Option::take) else {
            return;
        };
        let waiting = pipe.waiting_messages() as u64;
        if let Some(mut link) = pipe.link.take() {
            pipe.traffic.add(&link.traffic());
            self.by_reference -= usize::from(link.references.is_some());
            core.deregister_link(&*link.transport);
            self.finished.append(&mut link.shut_down());
            let (messages, _, mut lent) = link.recover();
            let frames = messages.into_iter().flat_map(Message::into_frames);
            self.finished.extend(frames);
            self.finished.append(&mut lent);
            self.linked -= 1;
            self.blocked -= usize::from(link.write_interest);
        }
        if !pipe.inbound.is_empty() {
            self.inbound.forget(id);
        }
        self.totals.add(&pipe.traffic);
        self.drops.add_all(&pipe.drops);
        self.finished.extend(
            pipe.queue
                .iter()
                .chain(&pipe.inbound)
                .flat_map(|message| message.iter().cloned()),
        );
        let cause = match self.phase {
            Phase::Open if !pipe.departing => DropCause::PeerGone,
            _ => DropCause::Linger,
        };
        self.drops.add(cause, waiting);
        self.machine.peer_detached(id);
        self.leaves_subscriptions();
    }

    /// Notes that a connection of a publisher is gone, and starts to remove
    /// what it was subscribed to.
    pub(super) fn leaves_subscriptions(&mut self) {
        self.inbound.stale = self.machine.publishes();
        if self.has_stale() {
            self.remove_stale();
        } else if self.inbound.stale {
            self.news = true;
        }
    }

    /// Whether a PUB has more of that to do, without being called. (An XPUB's
    /// application takes the rest as messages.)
    pub(crate) fn has_stale(&self) -> bool {
        self.inbound.stale && !self.machine.receives()
    }

    /// Whether there is more to do without being called, or told by an event.
    pub(crate) fn has_more_to_do(&self) -> bool {
        self.has_stale() || !self.unread.is_empty()
    }

    /// PUB: removes some of what peers that went were subscribed to; whoever
    /// waits for the socket's events goes on with it.
    pub(crate) fn remove_stale(&mut self) {
        for _ in 0..STALE_STEPS {
            if self.machine.poll_unsubscribed(&mut Vec::new()).is_none() {
                self.inbound.stale = false;
                return;
            }
        }
    }
}

/// Whether the peer is to blame, and not the way to it.
fn is_violation(cause: &LinkError) -> bool {
    match cause {
        LinkError::Protocol(_)
        | LinkError::Subscriptions(_)
        | LinkError::UnknownToken { .. }
        | LinkError::Unreachable => true,
        // A transport that could not make sense of what its peer did.
        LinkError::Io(cause) => cause.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}
