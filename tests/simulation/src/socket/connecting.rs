//! Dialling, accepting, shaking hands, and dialling again.

use ferromq_patterns::{AttachError, PeerId, ResendCursor};
use ferromq_wire::{Command, HeartbeatAction, SocketType};

use super::{Phase, Socket};
use crate::Plant;
use crate::context::{Context, Event};
use crate::drops::Cause;
use crate::link::{Link, Shaken};
use crate::network::{ConnectionId, Minor, Sends, Wire};
use crate::pipe::Pipe;
use crate::trace::{Lost, Step};

/// A connection that is kept: made, and made again when it is lost.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) target: u8,
    pub(crate) stage: Stage,
    /// Its pipe, if that outlives a link.
    pub(crate) peer: Option<PeerId>,
    delay: u64,
}

/// Where a connector is between two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    /// It dials at that time.
    Waiting(u64),
    Shaking(ConnectionId),
    Linked,
}

impl Connector {
    pub(super) fn new(target: u8) -> Self {
        Self {
            target,
            stage: Stage::Idle,
            peer: None,
            delay: 0,
        }
    }

    pub(super) fn due(&self) -> Option<u64> {
        match self.stage {
            Stage::Waiting(at) => Some(at),
            _ => None,
        }
    }
}

impl Socket {
    /// Begins to connect. A pipe that messages may wait in exists from now on,
    /// but for a ROUTER, which has to know its peer's name.
    pub(crate) fn open(&mut self, context: &mut Context) {
        self.phase = Phase::Open;
        for index in 0..self.connectors.len() {
            self.connectors[index].stage = Stage::Waiting(context.now);
            if self.place.kind != SocketType::Router
                && let Ok(id) = self.machine.peer_attached(b"")
            {
                let mut pipe = Pipe::new(id, Some(index));
                pipe.identity = self.machine.identity(id);
                self.insert(pipe);
                self.connectors[index].peer = Some(id);
                self.update_room(id, context);
            }
        }
        self.arm(context);
    }

    pub(super) fn dial_if_due(&mut self, index: usize, context: &mut Context) {
        let connector = &self.connectors[index];
        if connector.due().is_none_or(|due| due > context.now) {
            return;
        }
        let (place, target) = (self.place, connector.target);
        let path = context.paths[usize::from(target)];
        let wire = Wire {
            checksums: self.options.checksums && path.wire.checksums,
            version: match context.random.one_in(6) {
                true => Minor::Zero,
                false => Minor::AsSent,
            },
            sends: [sends(place.kind), path.wire.sends[1]],
            ..path.wire
        };
        let from = (place.node, place.index);
        let to = (path.node, target);
        let id = context.network.dial(from, to, wire);
        context.note(Step::Dial {
            socket: place.index,
            target,
            connection: id,
        });
        self.connectors[index].stage = Stage::Shaking(id);
        let delay = context.random.between(1, wire.latency);
        context.after(delay, Event::Accept(id));
        self.shake_hands(id, 0, Some(index), context);
    }

    /// Starts a handshake on one end of a connection.
    pub(crate) fn shake_hands(
        &mut self,
        id: ConnectionId,
        side: u8,
        connector: Option<usize>,
        context: &mut Context,
    ) {
        let now = context.clock(self.place.node);
        let kind = self.place.kind;
        let link = Link::new(id, side, kind, &self.options, &self.identity, now);
        self.handshakes.push((link, connector));
        self.shake(id, context);
        self.arm(context);
    }

    /// Goes on with a handshake.
    pub(crate) fn shake(&mut self, id: ConnectionId, context: &mut Context) {
        let now = context.clock(self.place.node);
        let Some(at) = self
            .handshakes
            .iter()
            .position(|(link, _)| link.connection == id)
        else {
            return;
        };
        let link = &mut self.handshakes[at].0;
        let side = link.side;
        let shaken = link.shake(&self.options, now, |bytes| {
            let taken = context.network.write(id, side, bytes, &mut context.random);
            context.transfer(id, side);
            taken
        });
        match shaken {
            Shaken::Going => {}
            Shaken::Failed => self.handshake_lost(at, Lost::Handshake, context),
            Shaken::Done(identity) => {
                let (link, connector) = self.handshakes.swap_remove(at);
                self.attach(link, connector, &identity, context);
            }
        }
    }

    pub(super) fn check_handshakes(&mut self, context: &mut Context) {
        let now = context.clock(self.place.node);
        let late = |(link, _): &(Link, _)| link.due().is_some_and(|due| due <= now);
        while let Some(at) = self.handshakes.iter().position(late) {
            let id = self.handshakes[at].0.connection;
            self.shake(id, context);
        }
    }

    /// A connection ended before it was established.
    pub(super) fn handshake_lost(&mut self, at: usize, cause: Lost, context: &mut Context) {
        let (link, connector) = self.handshakes.swap_remove(at);
        context.note(Step::LinkLost {
            socket: self.place.index,
            connection: link.connection,
            cause,
            requeued: 0,
            cut: 0,
        });
        context.model.late_handshakes += u64::from(cause == Lost::Handshake);
        self.discard(&link, context);
        if let Some(connector) = connector {
            self.retry(connector, context);
        }
    }

    /// Closes a link that belongs to no pipe. Its peer may have sent already.
    pub(super) fn discard(&mut self, link: &Link, context: &mut Context) {
        hang_up(link, context);
        self.drop_messages(Cause::Unread, link.undecoded(), context);
    }

    pub(super) fn handshake_at(&self, id: ConnectionId) -> Option<usize> {
        let is = |(link, _): &(Link, _)| link.connection == id;
        self.handshakes.iter().position(is)
    }

    /// Dials again after a while, each time after a longer one.
    pub(super) fn retry(&mut self, index: usize, context: &mut Context) {
        let (least, most) = self.options.reconnect;
        let connector = &mut self.connectors[index];
        connector.delay = (connector.delay * 2).clamp(least, most);
        let jitter = context.random.between(connector.delay / 2, connector.delay);
        connector.stage = Stage::Waiting(context.now + jitter);
        self.arm(context);
    }

    /// Gives an established link to the pattern, or turns it away.
    fn attach(
        &mut self,
        link: Link,
        connector: Option<usize>,
        identity: &[u8],
        context: &mut Context,
    ) {
        let known = connector.and_then(|connector| self.connectors[connector].peer);
        let attached = match known {
            Some(id) => Some(id),
            None => self.new_peer(connector, identity, context),
        };
        let socket = self.place.index;
        let connection = link.connection;
        let Some(id) = attached.filter(|_| known.is_some() || self.is_open()) else {
            context.note(Step::TurnedAway { socket, connection });
            self.discard(&link, context);
            if let Some(connector) = connector {
                self.retry(connector, context);
            }
            return;
        };
        let peer = id.to_bits();
        context.note(Step::Attached {
            socket,
            connection,
            peer,
        });
        let end = &mut context.network.connection_mut(connection).ends[usize::from(link.side)];
        end.peer = Some(id);
        if let Some(connector) = connector {
            self.connectors[connector].stage = Stage::Linked;
            self.connectors[connector].delay = 0;
        }
        self.greet(id, link, context);
    }

    fn new_peer(
        &mut self,
        connector: Option<usize>,
        identity: &[u8],
        context: &mut Context,
    ) -> Option<PeerId> {
        let attached = match self.machine.peer_attached(identity) {
            Err(AttachError::DuplicateIdentity { holder }) if self.options.handover => {
                self.unlink(holder, Lost::Unwanted, context);
                self.machine.peer_attached(identity)
            }
            attached => attached,
        };
        let id = attached.ok()?;
        let mut pipe = Pipe::new(id, connector);
        pipe.identity = self.machine.identity(id);
        self.insert(pipe);
        Some(id)
    }

    fn insert(&mut self, pipe: Pipe) {
        let index = pipe.id.index();
        if self.pipes.len() <= index {
            self.pipes.resize_with(index + 1, || None);
        }
        self.pipes[index] = Some(Box::new(pipe));
    }

    /// What goes out first on a new link: every subscription; then what waited.
    fn greet(&mut self, id: PeerId, mut link: Link, context: &mut Context) {
        let subscribes = self.machine.subscribes();
        let Some(pipe) = self.pipe(id) else { return };
        if context.has(Plant::KeepPartial) {
            link.inherit(std::mem::take(&mut pipe.partial));
        }
        pipe.resend = subscribes.then(ResendCursor::new);
        pipe.link = Some(Box::new(link));
        self.flush(id, context);
        self.mark_readable(id);
        if self.reads_eagerly() {
            self.pump(id, context);
        }
        self.want_input(id, context);
        self.arm(context);
    }

    /// Heartbeats: asks, answers, gives up.
    pub(super) fn beat(&mut self, id: PeerId, context: &mut Context) {
        let now = context.clock(self.place.node);
        loop {
            let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_deref_mut()) else {
                return;
            };
            let Some(heartbeats) = &mut link.heartbeats else {
                return;
            };
            match heartbeats.handle_timeout(now) {
                HeartbeatAction::None => return,
                HeartbeatAction::SendPing { ttl } => {
                    if let Some((transmitter, output)) = link.sending() {
                        let context = b"beat";
                        output.append_command(transmitter, Command::Ping { ttl, context });
                    }
                    self.flush(id, context);
                }
                HeartbeatAction::PeerDead if context.has(Plant::DeafHeart) => {}
                HeartbeatAction::PeerDead => return self.unlink(id, Lost::Silent, context),
            }
        }
    }
}

/// What a socket of this type sends.
pub(crate) fn sends(kind: SocketType) -> Sends {
    match kind {
        SocketType::Sub | SocketType::XSub => Sends::Subscriptions,
        SocketType::Dish => Sends::Groups,
        _ => Sends::Messages,
    }
}

/// Closes our end; the other one hears of it behind the bytes.
pub(super) fn hang_up(link: &Link, context: &mut Context) {
    context.network.close(link.connection, link.side);
    context.transfer(link.connection, link.side);
}

/// Writes what the network takes. False: nothing is left.
pub(super) fn write_out(link: &mut Link, context: &mut Context) -> bool {
    let (id, side) = (link.connection, link.side);
    while !link.output.bytes().is_empty() {
        let bytes = link.output.bytes();
        let (len, random) = (bytes.len(), &mut context.random);
        let taken = context.network.write(id, side, bytes, random);
        link.output.advance(taken);
        context.transfer(id, side);
        if taken < len {
            return true;
        }
    }
    false
}
