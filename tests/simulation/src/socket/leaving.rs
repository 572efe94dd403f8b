//! Links and peers go: what they sent is read, what was queued for them is kept
//! or counted, and a publisher forgets what they were subscribed to.

use ferromq_patterns::PeerId;
use ferromq_wire::SocketType;

use super::connecting::hang_up;
use super::{Phase, Socket, Stage};
use crate::Plant;
use crate::context::Context;
use crate::drops::Cause;
use crate::link::{Decoded, Link};
use crate::network::ConnectionId;
use crate::pipe::Origin;
use crate::topics::Counts;
use crate::trace::{Lost, Step};

impl Socket {
    /// A connection of this socket is over.
    pub(crate) fn connection_lost(
        &mut self,
        id: ConnectionId,
        side: u8,
        cause: Lost,
        context: &mut Context,
    ) {
        let end = context.network.connection(id).ends[usize::from(side)];
        match end.peer {
            Some(peer) => self.unlink(peer, cause, context),
            None => {
                if let Some(at) = self.handshake_at(id) {
                    self.handshake_lost(at, cause, context);
                }
            }
        }
    }

    /// Ends a link: what came is decoded, its output is taken apart, the
    /// machine and the connector are told.
    pub(crate) fn unlink(&mut self, id: PeerId, cause: Lost, context: &mut Context) {
        if cause != Lost::Unwanted {
            self.decode_rest(id, context);
        }
        let Some(pipe) = self.pipe(id) else { return };
        let Some(mut link) = pipe.link.take() else {
            return;
        };
        pipe.resend = None;
        pipe.envelope.clear();
        pipe.asked = Counts::default();
        pipe.partial = link.partial();
        let connector = pipe.connector;
        hang_up(&link, context);
        self.drop_messages(Cause::Unread, link.undecoded(), context);
        self.salvage(id, *link, cause, context);
        if !self.machine.publishes() || connector.is_some() {
            self.machine.link_lost(id);
            self.forget_subscriptions(context);
        }
        self.drop_unanswerable(id, context);
        match connector {
            Some(index) if self.place.kind != SocketType::Router => {
                self.update_room(id, context);
                self.retry(index, context);
            }
            connector => {
                if let Some(index) = connector {
                    self.retry(index, context);
                }
                self.end(id, context);
            }
        }
        self.finish_lingering(context);
    }

    /// What is in the link's input is decoded now, whatever the mark says: its
    /// buffer bounds it.
    fn decode_rest(&mut self, id: PeerId, context: &mut Context) {
        let moment = self.moment(context);
        loop {
            let Some(pipe) = self
                .pipes
                .get_mut(id.index())
                .and_then(Option::as_deref_mut)
            else {
                return;
            };
            let Some(link) = pipe.link.as_deref_mut() else {
                return;
            };
            match link.decode(id, &mut self.machine, moment) {
                Ok(Decoded::Starved) | Err(_) => return,
                Ok(decoded) => {
                    if let Some(inbound) = self.take_decoded(id, decoded, context)
                        && let Some(pipe) = self.pipe(id)
                    {
                        pipe.inbound.push_back(inbound);
                        self.mark_readable(id);
                    }
                }
            }
        }
    }

    /// Puts back what the link had not begun to write, and counts what it had.
    fn salvage(&mut self, id: PeerId, link: Link, cause: Lost, context: &mut Context) {
        let recovered = link.output.recover();
        let (requeued, cut) = (recovered.messages.len(), recovered.cut);
        context.note(Step::LinkLost {
            socket: self.place.index,
            connection: link.connection,
            cause,
            requeued,
            cut,
        });
        if !context.has(Plant::CutUncounted) {
            self.drop_messages(Cause::LinkLost, cut, context);
        }
        let again = recovered
            .last
            .filter(|_| context.strikes(Plant::ResendWritten));
        let Some(pipe) = self.pipe(id) else { return };
        for message in recovered.messages.into_iter().rev().chain(again) {
            pipe.queue.push_front(message);
        }
    }

    /// REP: a request that came over this link has nobody to answer to on the
    /// next one, where its reply might be taken for another's.
    fn drop_unanswerable(&mut self, id: PeerId, context: &mut Context) {
        if self.place.kind != SocketType::Rep || context.has(Plant::KeepRequests) {
            return;
        }
        let Some(pipe) = self.pipe(id) else { return };
        let requests = pipe.unread() as u64;
        pipe.inbound.clear();
        self.drop_messages(Cause::Abandoned, requests, context);
    }

    /// Nothing brings this peer back: it ends when its messages are read.
    fn end(&mut self, id: PeerId, context: &mut Context) {
        let Some(pipe) = self.pipe(id) else { return };
        pipe.ending = true;
        self.update_room(id, context);
        self.detach_if_read(id, context);
    }

    /// Ends a peer that will not come back, once its messages are read.
    pub(super) fn detach_if_read(&mut self, id: PeerId, context: &mut Context) {
        let done = |pipe: &mut crate::pipe::Pipe| pipe.ending && pipe.inbound.is_empty();
        if self.pipe(id).is_some_and(done) {
            self.detach(id, Cause::PeerGone, context);
        }
    }

    /// Forgets a peer and counts what was queued for it.
    pub(super) fn detach(&mut self, id: PeerId, cause: Cause, context: &mut Context) {
        let Some(pipe) = self.pipes.get_mut(id.index()).and_then(Option::take) else {
            return;
        };
        context.note(Step::Detached {
            socket: self.place.index,
            peer: id.to_bits(),
        });
        self.drop_messages(cause, pipe.waiting() as u64, context);
        self.drop_messages(Cause::Unread, pipe.unread() as u64, context);
        self.room_edges += 1;
        self.read_edges += 1;
        self.machine.peer_detached(id);
        self.forget_subscriptions(context);
        self.refuse_unasked(context);
    }

    /// REQ: with the peer that was asked gone, what others sent late is refused.
    fn refuse_unasked(&mut self, context: &mut Context) {
        if self.place.kind != SocketType::Req || !self.is_open() || !self.reads_eagerly() {
            return;
        }
        for id in self.ids() {
            self.pump(id, context);
        }
    }

    /// A publisher removes what a lost connection was subscribed to. (An XPUB's
    /// application is shown it, and so does it by receiving.)
    fn forget_subscriptions(&mut self, context: &mut Context) {
        if context.has(Plant::KeepSubscriptions) || !self.machine.publishes() {
            return;
        }
        match self.place.kind {
            SocketType::XPub => self.stale = true,
            _ => while self.machine.poll_unsubscribed(&mut []).is_some() {},
        }
    }

    /// The application closes: what is queued may leave for a while, what came
    /// is nobody's any more.
    pub(crate) fn close(&mut self, linger: u64, context: &mut Context) {
        self.phase = Phase::Lingering {
            until: context.now + linger,
        };
        for id in self.ids() {
            let Some(pipe) = self.pipe(id) else { continue };
            let unread = pipe.unread() as u64;
            pipe.inbound.clear();
            self.drop_messages(Cause::Unread, unread, context);
            self.update_room(id, context);
        }
        self.finish_lingering(context);
        self.arm(context);
    }

    /// Whether nothing waits any more, or time is up.
    pub(crate) fn has_lingered(&self, now: u64) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Lingering { until } => now >= until || self.peers().all(|it| it.waiting() == 0),
            Phase::Down => true,
        }
    }

    /// While it lingers, nobody receives: what comes is counted and dropped.
    pub(super) fn finish_lingering(&mut self, context: &mut Context) {
        if self.phase == Phase::Open {
            return;
        }
        let mut unread = 0;
        for pipe in self.pipes.iter_mut().flatten() {
            let data = |it: &&crate::pipe::Inbound| it.origin == Origin::Peer;
            unread += pipe.inbound.iter().filter(data).count() as u64;
            pipe.inbound.clear();
        }
        self.drop_messages(Cause::Unread, unread, context);
    }

    /// Ends in good order: links are closed behind what they wrote.
    pub(crate) fn shut_down(&mut self, context: &mut Context) {
        self.finish_lingering(context);
        for id in self.ids() {
            let Some(pipe) = self.pipe(id) else { continue };
            if let Some(link) = pipe.link.take() {
                hang_up(&link, context);
                self.drop_messages(Cause::Unread, link.undecoded(), context);
                let (left, cut) = {
                    let recovered = link.output.recover();
                    (recovered.messages.len() as u64, recovered.cut)
                };
                self.drop_messages(Cause::Linger, left + cut, context);
            }
            self.detach(id, Cause::Linger, context);
        }
        self.go_down(context);
    }

    /// Its process dies at once, with whatever it held.
    pub(crate) fn crash(&mut self, context: &mut Context) {
        context.model.lost.add(Cause::Crash, self.held());
        for id in self.ids() {
            if let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.take()) {
                hang_up(&link, context);
            }
        }
        self.pipes.clear();
        self.go_down(context);
    }

    fn go_down(&mut self, context: &mut Context) {
        for (link, _) in std::mem::take(&mut self.handshakes) {
            self.discard(&link, context);
        }
        for connector in &mut self.connectors {
            connector.stage = Stage::Idle;
        }
        context.model.lost.merge(&self.drops);
        self.drops = Default::default();
        self.phase = Phase::Down;
    }
}
