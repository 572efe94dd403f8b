//! Connecting: to an endpoint, or to a peer that has a number from the start.

use ferromq_transport::Endpoint;
use ferromq_wire::SocketType;

use super::AnySocket;
use crate::Error;
use crate::io::{Command, ConnectorId};
use crate::security::Role;

impl AnySocket {
    /// PEER: as [`connect`](Self::connect), and answers the routing id that
    /// messages to and from this peer carry, before there is a connection. It
    /// stays the same over reconnections (51/P2P).
    ///
    /// # Errors
    /// As [`connect`](Self::connect); [`Error::Unsupported`] on other types.
    pub fn connect_peer(&self, endpoint: &str) -> Result<u32, Error> {
        let socket_type = self.socket_type();
        if socket_type != SocketType::Peer {
            return Err(Error::Unsupported {
                operation: "connect to a peer by routing id",
                socket_type,
            });
        }
        let connector = self.connect_to(endpoint)?;
        let core = self.core();
        let mut guard = core.enter();
        connector
            .and_then(|connector| guard.connectors.get(&connector).copied())
            .and_then(|id| guard.pipe(id)?.identity.as_deref()?.first_chunk().copied())
            .map(u32::from_be_bytes)
            // Another thread has disconnected it meanwhile.
            .ok_or_else(|| Error::NoSuchEndpoint {
                endpoint: endpoint.to_owned(),
            })
    }

    /// Connects; who does it, or nobody if a connection is shared.
    pub(super) fn connect_to(&self, endpoint: &str) -> Result<Option<ConnectorId>, Error> {
        let core = self.core();
        core.enter().check_open()?;
        let endpoint: Endpoint = endpoint.parse()?;
        let transport = self.handle.context.transports().of(&endpoint)?.clone();
        let text = endpoint.to_string();
        let shares = matches!(
            core.socket_type,
            SocketType::Req | SocketType::Dealer | SocketType::Pub | SocketType::Sub
        );
        if shares && core.is_connected_to(&text) {
            return Ok(None);
        }
        let options = core.settings.current();
        self.handle
            .context
            .check(&endpoint, &options, Role::Connected)?;
        let id = self.handle.context.next_connector();
        core.connecting(&text, id, &options)?;
        core.io.send(Command::Connect {
            core: core.clone(),
            options,
            id,
            endpoint,
            transport,
        });
        Ok(Some(id))
    }
}
