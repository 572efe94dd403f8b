//! The application disconnects: what is queued for the peer leaves first, for
//! as long as `linger` allows, also over a link that does not stand yet.

use ferromq_patterns::PeerId;

use super::core::Core;
use super::state::State;
use crate::io::{Command, ConnectorId};
use crate::monitor::EventKind;

impl Core {
    /// The time to linger of a departing peer is over.
    pub(crate) fn departure_over(&self, connector: ConnectorId) {
        let mut guard = self.enter_foreign();
        let Some(&id) = guard.connectors.get(&connector) else {
            return;
        };
        let Some(pipe) = guard.pipe(id) else { return };
        let (endpoint, messages) = (pipe.endpoint.clone(), pipe.waiting_messages() as u64);
        guard.departed(self, id);
        drop(guard);
        self.tell(&endpoint, None, || EventKind::LingerExpired { messages });
    }

    /// Whether a departing peer still has something on its way.
    pub(crate) fn is_departing(&self, connector: ConnectorId) -> bool {
        let mut guard = self.enter_foreign();
        let Some(&id) = guard.connectors.get(&connector) else {
            return false;
        };
        guard.finish_departure(self, id);
        guard.connectors.contains_key(&connector)
    }
}

impl State {
    /// Takes a peer out of routing; it ends when what is queued for it has
    /// left.
    pub(super) fn depart(&mut self, core: &Core, id: PeerId) {
        self.machine.peer_full(id);
        let Some(pipe) = self.pipe(id) else { return };
        pipe.full = true;
        pipe.departing = true;
        let connector = pipe.connector;
        self.flush(core, id);
        self.finish_departure(core, id);
        if let Some(connector) = connector
            && self.pipe(id).is_some()
        {
            core.io.send(Command::Depart(connector));
        }
    }

    /// Ends a departing peer once nothing waits for it, or nothing may linger.
    pub(crate) fn finish_departure(&mut self, core: &Core, id: PeerId) {
        if !self.pipe(id).is_some_and(|pipe| pipe.departing) {
            return;
        }
        let lingers = core
            .settings
            .linger()
            .is_none_or(|linger| !linger.is_zero());
        if !lingers || self.has_left(id) {
            self.departed(core, id);
        }
    }

    /// Whether nothing waits for this peer any more, nor is on its way.
    pub(super) fn has_left(&mut self, id: PeerId) -> bool {
        self.pipe(id)
            .is_none_or(|pipe| pipe.waiting_messages() == 0 && pipe.unsent() == 0)
    }

    pub(super) fn departed(&mut self, core: &Core, id: PeerId) {
        if let Some(connector) = self.pipe(id).and_then(|pipe| pipe.connector) {
            self.connectors.remove(&connector);
            core.io.send(Command::Disconnect(connector));
        }
        // Unread input would make the close a reset.
        self.drain_input(id);
        self.detach(core, id);
    }
}
