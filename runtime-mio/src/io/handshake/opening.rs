//! The first word of a handshake: which mechanism, and what we say of ourselves.

use ferromq_wire::{
    Config, Connection, CurveClient, CurveServer, Features, Null, NullServer, Offer, PlainClient,
    PlainServer, Scratch, SocketType,
};

use super::Security;
use crate::Options;
use crate::options::Credentials;
use crate::security::NaCl;

/// What decides how a handshake begins.
pub(super) struct Beginning<'a> {
    pub(super) socket_type: SocketType,
    pub(super) options: &'a Options,
    /// Whether the options' mechanism is to be used.
    pub(super) secured: bool,
    /// Whether the peer came to us.
    pub(super) accepted: bool,
    /// Whether to offer extensions.
    pub(super) offered: bool,
    /// Those that a shorter path takes.
    pub(super) switches: Features,
    /// Whether payloads can go by reference.
    pub(super) reaches_memory: bool,
}

impl Beginning<'_> {
    pub(super) fn connection(&self, scratch: &mut Scratch) -> Result<Connection<Security>, String> {
        let Options {
            identity,
            properties,
            crc,
            by_reference,
            handshake_timeout,
            ..
        } = self.options;
        let security = self.security()?;
        let properties: Vec<(&str, &[u8])> = properties
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        let bit = |on, feature| if on { feature } else { Features::NONE };
        let features = bit(*crc, Features::CRC)
            | self.switches
            | bit(self.reaches_memory && *by_reference, Features::BY_REFERENCE);
        let config = Config {
            identity,
            properties: &properties,
            offer: self.offered.then(|| Offer::new(features)),
            handshake_timeout: *handshake_timeout,
            ..Config::new(self.socket_type)
        };
        Connection::new(&config, security, scratch, crate::clock::wire_now())
            .map_err(|cause| cause.to_string())
    }

    fn security(&self) -> Result<Security, String> {
        let credentials = match self.secured {
            true => &self.options.credentials,
            false => return Ok(Security::Null(Null)),
        };
        Ok(match credentials {
            // Of two sides that ask before they speak, neither would.
            Credentials::Null if self.accepted && self.options.asks_authority() => {
                Security::NullServer(NullServer::new())
            }
            Credentials::Null => Security::Null(Null),
            Credentials::PlainClient { username, password } => {
                let client = PlainClient::new(username.as_bytes(), password.expose());
                Security::PlainClient(client.map_err(|cause| cause.to_string())?)
            }
            Credentials::PlainServer { .. } => Security::PlainServer(PlainServer::new()),
            Credentials::CurveClient { server, keys } => {
                let (public, secret) = (keys.public, keys.secret.clone());
                Security::CurveClient(CurveClient::new(NaCl, *server, public, secret))
            }
            Credentials::CurveServer { keys, .. } => {
                let (public, secret) = (keys.public, keys.secret.clone());
                Security::CurveServer(CurveServer::new(NaCl, public, secret))
            }
        })
    }
}
