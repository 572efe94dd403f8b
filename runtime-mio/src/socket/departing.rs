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
        let Some(pipe) = self.pipe(id).filter(|pipe| pipe.departing) else {
            return;
        };
        let lingers = core
            .settings
            .linger()
            .is_none_or(|linger| !linger.is_zero());
        if pipe.waiting_messages() == 0 || !lingers {
            self.departed(core, id);
        }
    }

    fn departed(&mut self, core: &Core, id: PeerId) {
        if let Some(connector) = self.pipe(id).and_then(|pipe| pipe.connector) {
            self.connectors.remove(&connector);
            core.io.send(Command::Disconnect(connector));
        }
        self.detach(core, id);
    }
}
