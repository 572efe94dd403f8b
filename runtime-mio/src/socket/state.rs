//! What a socket's lock protects: the pattern, the pipes, and how messages
//! come out of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ferromq_patterns::{PeerId, Subscription};

use super::core::Core;
use super::pacing::Pace;
use super::share::{self, Share};
use super::spin::Spin;
use crate::hand_over::Seat;
use crate::io::{Command, ConnectorId};
use crate::link::{Decoded, LinkError, Pools};
use crate::machine::Machine;
use crate::memory::{BlockPool, BufferPool};
use crate::pipe::Pipe;
use crate::statistics::{DropCause, Drops, Statistics, Traffic};
use crate::{Error, Frame, Message};

/// With more peers than this, idle links give their buffers back: with fewer,
/// keeping them saves a turn through the pool on every round trip.
const KEEP_BUFFERS: usize = 16;

/// Whether calls still work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Closed,
    Terminated,
}

/// The socket behind its lock.
pub(crate) struct State {
    pub(crate) machine: Machine,
    /// By the index of the pattern's [`PeerId`].
    pub(crate) pipes: Vec<Option<Box<Pipe>>>,
    pub(crate) connectors: HashMap<ConnectorId, PeerId>,
    pub(crate) pools: Pools,
    /// Links whose output waits although the transport would take it.
    pub(crate) deferred: Vec<PeerId>,
    /// A message that a readiness query had to decode.
    pub(crate) peeked: Option<Message>,
    /// Frames to drop when the lock is released; see [`Entered`](super::core::Entered).
    pub(crate) finished: Vec<Frame>,
    /// Who waits for the socket's events.
    pub(crate) seat: Seat,
    pub(crate) spin: Spin,
    pub(crate) phase: Phase,
    /// An endpoint was bound or connected, or a topic subscribed to: options of
    /// the pattern are settled.
    pub(crate) in_use: bool,
    pub(crate) pace: Pace,
    /// Links that want to be told before somebody sleeps.
    pub(crate) armed: Vec<PeerId>,
    /// Something came or has room that the application was not told of.
    pub(crate) news: bool,
    /// The application has received since a sender last looked at the epoll.
    pub(crate) received: bool,
    /// What was connected, whether or not a pipe stands for it now.
    pub(crate) endpoints: Vec<(ConnectorId, Arc<str>)>,
    /// Peers that went have left subscriptions to remove.
    pub(crate) stale: bool,
    /// Peers whose share of a turn was over before they were read to their end.
    pub(crate) unread: Vec<PeerId>,
    /// Pipes before this one were looked at since the I/O thread took over.
    pub(crate) looked_at: usize,
    /// Pipes with a link.
    pub(crate) linked: usize,
    /// Links registered for writability: their transport is full, or was.
    pub(crate) blocked: usize,
    /// Of the peers that are gone.
    pub(crate) totals: Traffic,
    pub(crate) drops: Drops,
    pub(crate) handshakes_failed: u64,
    pub(crate) authentications_failed: u64,
    pub(crate) authentications_undecided: u64,
    pub(crate) addresses_refused: u64,
    pub(crate) untyped_peers: u64,
    pub(crate) violations: u64,
}

/// Peers whose shares one call uses up before it looks at nobody else.
const SHARES: usize = 4;

/// What one step of reading a pipe gave.
enum Step {
    Message(Message),
    /// Something else came, at this cost of the peer's share; go on.
    Again(u32),
    /// Nothing more for now.
    Empty,
}

impl State {
    pub(crate) fn new(machine: Machine, spin: Spin) -> Self {
        Self {
            machine,
            pipes: Vec::new(),
            connectors: HashMap::new(),
            pools: Pools {
                blocks: BlockPool::new(),
                buffers: BufferPool::new(BufferPool::DEFAULT_LIMIT),
                output: Default::default(),
            },
            deferred: Vec::new(),
            peeked: None,
            finished: Vec::new(),
            seat: Seat::default(),
            spin,
            phase: Phase::Open,
            in_use: false,
            pace: Pace::new(),
            armed: Vec::new(),
            news: false,
            received: false,
            endpoints: Vec::new(),
            stale: false,
            unread: Vec::new(),
            looked_at: usize::MAX,
            linked: 0,
            blocked: 0,
            totals: Traffic::default(),
            drops: Drops::default(),
            handshakes_failed: 0,
            authentications_failed: 0,
            authentications_undecided: 0,
            addresses_refused: 0,
            untyped_peers: 0,
            violations: 0,
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Closed => Err(Error::Closed),
            Phase::Terminated => Err(Error::Terminated),
        }
    }

    #[inline]
    pub(crate) fn pipe(&mut self, id: PeerId) -> Option<&mut Pipe> {
        self.pipes
            .get_mut(id.index())?
            .as_deref_mut()
            .filter(|pipe| pipe.id == id)
    }

    /// The ids of all peers, to walk them while they change.
    pub(crate) fn ids(&self) -> Vec<PeerId> {
        self.pipes.iter().flatten().map(|pipe| pipe.id).collect()
    }

    /// The next message if it is one short frame that lies decoded but for its
    /// header, as almost every small message does.
    ///
    /// A way round [`pop`](Self::pop): nothing here is written to memory and
    /// read back before the caller has the frame.
    #[inline(always)]
    pub(crate) fn pop_short(&mut self, core: &Core) -> Option<Frame> {
        if self.phase != Phase::Open || self.peeked.is_some() || core.settings.conflate() {
            return None;
        }
        let id = self.machine.next()?;
        let pipe = self.pipes.get_mut(id.index())?.as_deref_mut()?;
        if !pipe.inbound.is_empty() {
            return None;
        }
        let link = pipe.link.as_deref_mut()?;
        let frame = link.decode_short(&self.machine)?;
        if self.linked > KEEP_BUFFERS {
            link.rest_if_read(&mut self.pools);
        }
        pipe.traffic.messages_received += 1;
        pipe.traffic.bytes_received += frame.len() as u64;
        self.received = true;
        self.pace.received();
        self.machine.delivered(id);
        Some(frame)
    }

    /// The next message, in the order that the pattern asks for.
    #[inline]
    pub(crate) fn pop(&mut self, core: &Core) -> Option<Message> {
        self.received = true;
        if self.peeked.is_some() {
            return self.peeked.take();
        }
        if self.stale
            && let Some(unsubscription) = self.next_unsubscription()
        {
            return Some(unsubscription);
        }
        let mut shares = 0;
        loop {
            let id = self.machine.next()?;
            let mut share = Share::new();
            let message = loop {
                if let Some(waiting) = self.pipe(id).and_then(Pipe::take_inbound) {
                    break Some(waiting);
                }
                match self.step(core, id) {
                    Step::Message(message) => break Some(message),
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

    /// Decodes or reads once from one peer.
    #[inline]
    fn step(&mut self, core: &Core, id: PeerId) -> Step {
        let Some(pipe) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
        else {
            return Step::Empty;
        };
        let Some(link) = &mut pipe.link else {
            if pipe.ending && pipe.inbound.is_empty() {
                self.detach(core, id);
            }
            return Step::Empty;
        };
        let decoded = link.decode(id, &mut self.machine, &self.pools);
        if link.has_refused() {
            link.take_refused(&mut self.finished);
        }
        let found = match decoded {
            Ok(Decoded::Message(mut message)) => {
                if self.linked > KEEP_BUFFERS {
                    link.rest_if_read(&mut self.pools);
                }
                if self.machine.keeps_envelopes() {
                    let envelope = link.take_envelope();
                    pipe.keep_envelope(envelope);
                }
                if let Some(identity) = &pipe.identity {
                    message.push_front(identity.clone());
                }
                return Step::Message(message);
            }
            Ok(Decoded::Starved) if link.drained => {
                if self.linked > KEEP_BUFFERS {
                    link.rest(&mut self.pools);
                }
                return Step::Empty;
            }
            Ok(Decoded::Starved) => {
                let cost = match link.is_within_body() {
                    true => share::PIECE,
                    false => share::BLOCK,
                };
                match link.fill(&self.pools) {
                    Ok(true) => return Step::Again(cost),
                    Ok(false) => {
                        if self.linked > KEEP_BUFFERS {
                            link.rest(&mut self.pools);
                        }
                        return Step::Empty;
                    }
                    Err(cause) => Err(cause),
                }
            }
            other => other,
        };
        self.control(core, id, found);
        Step::Again(share::ITEM)
    }

    #[cold]
    fn control(&mut self, core: &Core, id: PeerId, found: Result<Decoded, LinkError>) {
        match found {
            Ok(Decoded::Ping { ttl }) => self.answer_ping(core, id, ttl),
            Ok(Decoded::Subscription {
                subscription,
                topic,
            }) => {
                self.subscription(core, id, subscription, topic);
            }
            Ok(Decoded::Refused(cause)) => self.drop_messages(Some(id), cause, 1),
            Ok(Decoded::Message(_) | Decoded::Starved) => {}
            Err(cause) => self.link_lost(core, id, &cause),
        }
    }

    fn answer_ping(&mut self, core: &Core, id: PeerId, ttl: Duration) {
        if !ttl.is_zero() {
            // The peer wants us to miss it: that needs a timer.
            core.io.send(Command::Heartbeat(core.id));
        }
        // One PONG at most is pending: while the link is blocked it stays so.
        if self
            .pipe(id)
            .and_then(|pipe| pipe.link.as_ref())
            .is_some_and(|link| !link.output.blocked)
        {
            self.flush(core, id);
        }
    }

    fn subscription(&mut self, core: &Core, id: PeerId, subscription: Subscription, topic: Frame) {
        let vain = self.machine.vain_cancellations();
        match self.machine.subscription(id, subscription, &topic) {
            Ok(true) => {
                let mut upstream = Vec::with_capacity(1 + topic.len());
                upstream.push(u8::from(subscription == Subscription::Subscribe));
                upstream.extend_from_slice(&topic);
                if let Some(pipe) = self.pipe(id) {
                    pipe.keep_inbound(Message::from(upstream));
                    self.machine.peer_readable(id);
                }
            }
            Ok(false) if self.machine.vain_cancellations() != vain => {
                self.drop_messages(Some(id), DropCause::Refused, 1);
            }
            Ok(false) => {}
            Err(limit) => self.link_lost(core, id, &LinkError::Subscriptions(limit)),
        }
    }

    /// Reads what has come from a peer into its inbound queue, at most up to
    /// the receive high-water mark, and for no longer than its share of the turn:
    /// then it is one of the unread.
    ///
    /// For publishers, for peers whose transport broke, and while the
    /// application is away.
    pub(crate) fn pump(&mut self, core: &Core, id: PeerId) {
        let mut share = Share::new();
        if !self.pump_while(core, id, |cost| share.spend(cost)) && !self.unread.contains(&id) {
            self.unread.push(id);
            // Its event is taken, and a poller or a loop may be about to sleep.
            core.wake_epoll();
        }
    }

    /// The same of a peer whose connection is over: what it sent has an end.
    pub(super) fn pump_to_the_end(&mut self, core: &Core, id: PeerId) {
        self.pump_while(core, id, |_| true);
    }

    /// Goes on with the peers that were not read to their end. Whoever waits
    /// for the socket's events does so again and again.
    pub(crate) fn pump_unread(&mut self, core: &Core) {
        for id in std::mem::take(&mut self.unread) {
            self.pump(core, id);
        }
    }

    /// False: there may be more, and `may_go_on` said no.
    fn pump_while(
        &mut self,
        core: &Core,
        id: PeerId,
        mut may_go_on: impl FnMut(u32) -> bool,
    ) -> bool {
        if self.leaves_unread(id) {
            self.news = true;
            return true;
        }
        while !self.is_inbound_full(core, id) {
            let cost = match self.step(core, id) {
                Step::Message(message) => {
                    self.keep(core, id, message);
                    share::ITEM
                }
                Step::Again(cost) => cost,
                Step::Empty => return true,
            };
            if !may_go_on(cost) {
                return false;
            }
        }
        true
    }

    /// Whether what a peer sent stays with it until it is asked for. A peer in
    /// this process has a queue that is bounded already, and sends nothing that
    /// must be seen before, but to publishers, and to a REQ, which forgets what
    /// came unasked; unless it is about to go.
    fn leaves_unread(&mut self, id: PeerId) -> bool {
        let eager = self.machine.reads_eagerly() || self.machine.forgets_before_asking();
        let link = self.pipe(id).and_then(|pipe| pipe.link.as_deref());
        link.is_some_and(|link| link.output.hands_over && !link.hangup && !link.drained) && !eager
    }

    /// Whether no more may be decoded for this peer before the application
    /// takes some. True for a peer that is gone.
    pub(crate) fn is_inbound_full(&mut self, core: &Core, id: PeerId) -> bool {
        self.pipe(id)
            .is_none_or(|pipe| pipe.is_inbound_full(&core.settings))
    }

    fn keep(&mut self, core: &Core, id: PeerId, message: Message) {
        if !self.machine.receives() {
            self.finished.extend(message.into_frames());
            return self.drop_messages(Some(id), DropCause::Refused, 1);
        }
        let Some(pipe) = self.pipe(id) else { return };
        pipe.keep_inbound(message);
        if core.settings.conflate() && pipe.inbound.len() > 1 {
            let older = pipe.take_inbound();
            self.finished
                .extend(older.into_iter().flat_map(Message::into_frames));
            self.drop_messages(Some(id), DropCause::Conflated, 1);
        }
        self.news = true;
        self.machine.peer_readable(id);
    }

    /// Counts dropped messages, at their peer where there is one.
    pub(crate) fn drop_messages(&mut self, id: Option<PeerId>, cause: DropCause, messages: u64) {
        match id.and_then(|id| self.pipe(id)) {
            Some(pipe) => pipe.drops.add(cause, messages),
            None => self.drops.add(cause, messages),
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.observe().into_statistics()
    }
}
