//! Peers come and go.

use std::sync::Arc;

use ferromq_patterns::{AttachError, PeerId, ResendCursor, Subscription};
use ferromq_transport::Endpoint;
use ferromq_wire::{HeartbeatConfig, Heartbeats, Receiver, Transmitter, Version};

use super::core::Core;
use super::state::{Phase, State};
use crate::hand_over::Awaited;
use crate::io::{Command, ConnectorId};
use crate::link::{Link, LinkError, References, Sealing, lender_of};
use crate::monitor::EventKind;
use crate::pipe::Pipe;
use crate::security::is_exposed;
use crate::statistics::DropCause;
use crate::switching::{FabricError, Switched};
use crate::{Error, Message, Options, PeerInfo};

/// A connection whose handshake is complete.
pub(crate) struct Established {
    pub(crate) link: Box<dyn ferromq_transport::Link>,
    /// Those that its endpoint was bound or connected with.
    pub(crate) options: Arc<Options>,
    pub(crate) halves: (Receiver, Transmitter),
    /// CURVE's layer around them.
    pub(crate) sealing: Option<Sealing>,
    /// Whether both sides send payloads by reference.
    pub(crate) by_reference: bool,
    pub(crate) version: Version,
    pub(crate) peer: Arc<PeerInfo>,
    /// Whether it takes another path than its endpoint's.
    pub(crate) switched: Switched,
    /// Why it is not on the fabric that was asked for.
    pub(crate) no_fabric: Option<FabricError>,
    /// What the peer sent right behind its handshake.
    pub(crate) first_bytes: Vec<u8>,
    pub(crate) endpoint: Arc<str>,
    pub(crate) connector: Option<ConnectorId>,
}

/// Why somebody is not believed to be who he says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unauthenticated {
    /// A status of 27/ZAP says so: ours to a peer, or a peer's to us.
    Status(u16),
    /// Nobody has decided on it.
    NoVerdict,
}

impl Unauthenticated {
    pub(crate) fn status(self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status),
            Self::NoVerdict => None,
        }
    }
}

impl Core {
    /// Gives an established connection to the pattern, or sends it away.
    pub(crate) fn attach(&self, established: Established) {
        let (endpoint, peer) = (established.endpoint.clone(), established.peer.clone());
        let connector = established.connector;
        let mut guard = self.enter_foreign();
        let attached = guard.attach(self, established);
        if attached.is_err() {
            guard.handshakes_failed += 1;
        }
        let wake = self.is_heard(&mut guard);
        drop(guard);
        if let Err(cause) = attached {
            self.tell(&endpoint, Some(&peer), || EventKind::Refused { cause });
            if let Some(connector) = connector {
                self.io.reconnect(connector);
            }
        }
        if wake {
            self.wake();
        }
    }

    /// A handshake came to nothing.
    pub(crate) fn handshake_failed(&self, unauthenticated: Option<Unauthenticated>) {
        let mut guard = self.enter_foreign();
        guard.handshakes_failed += 1;
        guard.authentications_failed += u64::from(unauthenticated.is_some());
        let no_verdict = unauthenticated == Some(Unauthenticated::NoVerdict);
        guard.authentications_undecided += u64::from(no_verdict);
    }

    /// Somebody was turned away for his address.
    pub(crate) fn address_refused(&self) {
        self.enter_foreign().addresses_refused += 1;
    }

    /// Tells of an endpoint that everybody can reach and use.
    pub(crate) fn warn_if_exposed(&self, bound: &Endpoint, options: &Options) {
        if !is_exposed(bound, options) {
            return;
        }
        #[cfg(feature = "tracing")]
        tracing::warn!(endpoint = %bound, "bound without security where other machines can connect");
        self.tell(&bound.to_string(), None, || EventKind::Exposed);
    }

    /// Makes the pipe of a new connector, so that messages may wait in it.
    pub(crate) fn connecting(
        &self,
        endpoint: &str,
        connector: ConnectorId,
        options: &Options,
    ) -> Result<(), Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        guard.in_use = true;
        guard.endpoints.push((connector, endpoint.into()));
        let Options {
            connect_routing_id, ..
        } = options;
        if guard.machine.needs_identity() && connect_routing_id.is_none() {
            return Ok(());
        }
        let identity = connect_routing_id.as_deref().unwrap_or_default();
        let id = guard
            .machine
            .peer_attached(identity)
            .map_err(|cause| Error::Connect {
                endpoint: endpoint.to_owned(),
                cause,
            })?;
        let mut pipe = Pipe::new(id, endpoint.into(), Some(connector));
        pipe.identity = guard.machine.identity(id);
        pipe.named = connect_routing_id.is_some();
        guard.insert(pipe);
        guard.connectors.insert(connector, id);
        guard.wait_for_link(self, id);
        Ok(())
    }

    /// Whether a pipe to this endpoint exists that this socket would share.
    pub(crate) fn is_connected_to(&self, endpoint: &str) -> bool {
        let guard = self.enter();
        guard
            .endpoints
            .iter()
            .any(|(_, connected)| **connected == *endpoint)
    }

    /// Ends the connection that `connect(endpoint)` made, once what is queued
    /// for it has left or lingered long enough.
    pub(crate) fn disconnect(&self, endpoint: &str) -> Result<bool, Error> {
        let mut guard = self.enter();
        guard.check_open()?;
        let found = guard
            .endpoints
            .iter()
            .position(|(_, connected)| **connected == *endpoint);
        let Some(index) = found else {
            return Ok(false);
        };
        let (connector, _) = guard.endpoints.swap_remove(index);
        match guard.connectors.get(&connector).copied() {
            Some(id) => guard.depart(self, id),
            None => self.io.send(Command::Disconnect(connector)),
        }
        Ok(true)
    }
}

impl State {
    fn attach(&mut self, core: &Core, established: Established) -> Result<(), String> {
        let Established {
            link,
            options,
            halves,
            sealing,
            by_reference,
            version,
            peer,
            first_bytes,
            switched,
            no_fabric,
            endpoint,
            connector,
        } = established;
        let known = connector.and_then(|connector| self.connectors.get(&connector).copied());
        let id = match known {
            Some(id) => id,
            None if self.phase != Phase::Open => return Err("the socket is closed".into()),
            None if connector.is_some_and(|given_up| !self.is_kept(given_up)) => {
                return Err("the connection was given up".into());
            }
            None => self
                .new_peer(core, &options, &peer, endpoint, connector)
                .map_err(|e| e.to_string())?,
        };
        let heartbeats = heartbeats(&options, version);
        let mut link = Link::new(link, halves, heartbeats, peer);
        if let Some(sealing) = sealing {
            link.seal(sealing);
        }
        if link.output.hands_over {
            // A peer in this process cannot fall silent.
            link.heartbeats = None;
            link.set_capacity(core.settings.receive_high_water_mark());
        }
        if by_reference && let Some(lender) = lender_of(&mut *link.transport) {
            let links = self.pipe(id).map_or(0, |pipe| pipe.links + 1);
            let references = References::new(lender, core.returns.clone(), id, links);
            link.references = Some(Box::new(references));
        }
        link.preload(&first_bytes, &self.pools)
            .map_err(|cause| cause.to_string())?;
        if link.transport.needs_prepare() {
            self.armed.push(id);
        }
        let (fd, end_fd) = (link.transport.fd(), link.transport.end_fd());
        let needs_timer = link.heartbeats.is_some();
        let Some(pipe) = self.pipe(id) else {
            return Err("the connection was given up".into());
        };
        // Where this is refused, `fd` wakes too.
        let wake_fd = link.transport.wake_fd();
        if wake_fd.is_some_and(|wake_fd| core.register(wake_fd, id).is_ok()) {
            link.transport.wake_by_it();
        }
        let (endpoint, peer) = (pipe.endpoint.clone(), link.peer.clone());
        let by_reference = link.references.is_some();
        pipe.link = Some(Box::new(link));
        pipe.links += 1;
        pipe.via = switched.path();
        self.linked += 1;
        self.by_reference += usize::from(by_reference);
        self.untyped_peers += u64::from(peer.socket_type().is_empty());
        core.tell(&endpoint, Some(&peer), || EventKind::HandshakeSucceeded);
        self.count_switch(core, switched, &endpoint, &peer);
        if let Some(cause) = no_fabric {
            core.tell(&endpoint, Some(&peer), || EventKind::FabricUnavailable {
                cause,
            });
        }
        let end = || end_fd.map_or(Ok(()), |fd| core.register_end(fd, id));
        if let Err(cause) = core.register(fd, id).and_then(|()| end()) {
            self.link_lost(core, id, &LinkError::Io(cause));
            return Ok(());
        }
        if needs_timer {
            core.io.send(Command::Heartbeat(core.id));
        }
        self.greet(core, &options, id);
        self.machine.peer_readable(id);
        // What came with the handshake raises no event: while the I/O thread
        // has the socket, nobody else would look at it.
        let unseen = !first_bytes.is_empty() && core.flags.is_taken();
        if unseen || self.machine.reads_eagerly() {
            self.pump(core, id);
        }
        Ok(())
    }

    /// Counts and tells which path a new link takes. Nothing is told of those that
    /// there is no memory for: one would be like the other.
    fn count_switch(&mut self, core: &Core, switched: Switched, endpoint: &str, peer: &PeerInfo) {
        self.switched += u64::from(switched.path().is_some());
        self.switches_refused += u64::from(switched.is_refused());
        match switched {
            Switched::No | Switched::Full => {}
            Switched::To(path) => core.tell(endpoint, Some(peer), || EventKind::Switched {
                path: path.to_owned(),
            }),
            Switched::Refused(reason) => {
                core.tell(endpoint, Some(peer), || EventKind::SwitchRefused {
                    cause: reason.to_string(),
                });
            }
        }
    }

    /// Whether the application still wants this connection.
    fn is_kept(&self, connector: ConnectorId) -> bool {
        self.endpoints.iter().any(|(kept, _)| *kept == connector)
    }

    fn new_peer(
        &mut self,
        core: &Core,
        options: &Options,
        peer: &PeerInfo,
        endpoint: Arc<str>,
        connector: Option<ConnectorId>,
    ) -> Result<PeerId, AttachError> {
        let handover = options.router_handover;
        let attached = self.machine.peer_attached(peer.identity());
        let id = match attached {
            Err(AttachError::DuplicateIdentity { holder }) if handover => {
                self.machine.peer_full(holder);
                if let Some(pipe) = self.pipe(holder) {
                    let peer = pipe.link.as_ref().map(|link| &*link.peer);
                    let cause = "another peer took over the identity".to_string();
                    core.tell(&pipe.endpoint, peer, || EventKind::Disconnected { cause });
                }
                self.detach(core, holder);
                self.machine.peer_attached(peer.identity())?
            }
            attached => attached?,
        };
        let mut pipe = Pipe::new(id, endpoint, connector);
        pipe.identity = self.machine.identity(id);
        self.insert(pipe);
        if let Some(connector) = connector {
            self.connectors.insert(connector, id);
        }
        Ok(id)
    }

    fn insert(&mut self, pipe: Pipe) {
        let index = pipe.id.index();
        if self.pipes.len() <= index {
            self.pipes.resize_with(index + 1, || None);
        }
        self.pipes[index] = Some(Box::new(pipe));
    }

    /// What goes out first on a new link: subscriptions, a probe, a welcome;
    /// then what has waited for it.
    fn greet(&mut self, core: &Core, options: &Options, id: PeerId) {
        if self.machine.subscribes()
            && let Some(pipe) = self.pipe(id)
        {
            pipe.resend = Some(ResendCursor::new());
        }
        let probe = options.probe_router && self.machine.probes_routers();
        let welcome = options
            .welcome_message
            .as_ref()
            .filter(|_| self.machine.publishes() && !self.machine.has_groups());
        if let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_deref_mut()) {
            if probe {
                link.append(&[], &b""[..], 0);
            }
            if let Some(welcome) = welcome {
                link.append(&[], &welcome[..], 0);
            }
        }
        self.flush(core, id);
        if let Some(pipe) = self.pipe(id)
            && !pipe.broken
            && !pipe.departing
        {
            let full = pipe.over(&core.settings);
            pipe.full = full;
            if full {
                self.machine.peer_full(id)
            } else {
                self.machine.peer_has_room(id)
            }
        }
    }

    /// REQ, relaxed: nobody wants this peer's reply any more. What came of it
    /// is dropped; without correlation so is the link, for a late reply could
    /// not be told from the next.
    pub(crate) fn abandon(&mut self, core: &Core, id: PeerId) {
        let Some(pipe) = self.pipe(id) else { return };
        let late: Vec<_> = std::iter::from_fn(|| pipe.take_inbound()).collect();
        self.drop_messages(Some(id), DropCause::Refused, late.len() as u64);
        self.finished
            .extend(late.into_iter().flat_map(Message::into_frames));
        if !core.settings.current().req_correlate {
            self.link_lost(core, id, &LinkError::Refused("its request was abandoned"));
            self.unsend(core, id);
        }
    }

    /// Drops what waits for a connection: the next one would carry it.
    fn unsend(&mut self, core: &Core, id: PeerId) {
        let Some(pipe) = self.pipe(id) else { return };
        let unsent: Vec<_> = std::iter::from_fn(|| pipe.dequeue()).collect();
        self.drop_messages(Some(id), DropCause::Refused, unsent.len() as u64);
        self.finished
            .extend(unsent.into_iter().flat_map(Message::into_frames));
        self.wait_for_link(core, id);
    }

    /// Sends a subscription, or its end, to every peer. Exempt from high-water
    /// marks: they bound messages.
    pub(crate) fn spread_subscription(
        &mut self,
        core: &Core,
        subscription: Subscription,
        topic: &[u8],
    ) {
        for id in self.ids() {
            let Some(pipe) = self
                .pipes
                .get_mut(id.index())
                .and_then(Option::as_deref_mut)
            else {
                continue;
            };
            let comes = pipe
                .resend
                .is_some_and(|cursor| self.machine.comes_to(&cursor));
            let Some(link) = pipe.link.as_deref_mut().filter(|_| !comes) else {
                continue;
            };
            link.append_subscription(subscription, topic);
            if !link.output.blocked {
                self.flush(core, id);
            }
        }
    }
}

fn heartbeats(options: &Options, version: Version) -> Option<Box<Heartbeats>> {
    let interval = options.heartbeat.interval?;
    let config = HeartbeatConfig {
        interval,
        timeout: options.heartbeat.timeout,
        ttl: options.heartbeat.ttl,
    };
    Some(Box::new(Heartbeats::new(
        config,
        version,
        crate::clock::wire_now(),
    )))
}
