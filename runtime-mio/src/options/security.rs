//! The options that say who we are, and whom we let in.

use std::collections::HashMap;
use std::sync::Arc;

use super::Options;
use crate::security::{AddressRange, CurveClients, CurveKeys, Password, PublicKey};

/// Who we say we are, or whom we let in.
#[derive(Clone, Default)]
pub(crate) enum Credentials {
    #[default]
    Null,
    PlainClient {
        username: String,
        password: Password,
    },
    PlainServer {
        users: PlainUsers,
    },
    CurveClient {
        server: PublicKey,
        keys: CurveKeys,
    },
    CurveServer {
        keys: CurveKeys,
        clients: CurveClients,
    },
}

/// Whom a PLAIN server lets in.
#[derive(Clone)]
pub(crate) enum PlainUsers {
    /// These, with their passwords.
    Table(Arc<HashMap<String, Password>>),
    /// Whomever the authority of the context does.
    Zap,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::PlainClient { .. } => "PlainClient",
            Self::PlainServer { .. } => "PlainServer",
            Self::CurveClient { .. } => "CurveClient",
            Self::CurveServer { .. } => "CurveServer",
        })
    }
}

impl Options {
    /// Says who we are by name and password (24/PLAIN). Both travel in clear.
    #[must_use]
    pub fn plain_client(mut self, username: &str, password: impl Into<Password>) -> Self {
        self.credentials = Credentials::PlainClient {
            username: username.into(),
            password: password.into(),
        };
        self
    }

    /// Lets in only who knows a name and its password (24/PLAIN).
    #[must_use]
    pub fn plain_server<N: Into<String>, P: Into<Password>>(
        mut self,
        table: impl IntoIterator<Item = (N, P)>,
    ) -> Self {
        let table = table
            .into_iter()
            .map(|(name, password)| (name.into(), password.into()));
        let users = PlainUsers::Table(Arc::new(table.collect()));
        self.credentials = Credentials::PlainServer { users };
        self
    }

    /// Asks for names and passwords (24/PLAIN), and lets in whomever the
    /// context's [`Authenticator`](crate::Authenticator) or ZAP handler does
    /// (ZMQ_PLAIN_SERVER).
    #[must_use]
    pub fn plain_zap_server(mut self) -> Self {
        let users = PlainUsers::Zap;
        self.credentials = Credentials::PlainServer { users };
        self
    }

    /// Connects encrypted, to the server with this key only, as the owner of
    /// `keys` (26/CURVEZMQ; ZMQ_CURVE_SERVERKEY, _PUBLICKEY, _SECRETKEY).
    #[must_use]
    pub fn curve_client(mut self, server: PublicKey, keys: CurveKeys) -> Self {
        self.credentials = Credentials::CurveClient { server, keys };
        self
    }

    /// Accepts encrypted connections only, from `clients` (26/CURVEZMQ;
    /// ZMQ_CURVE_SERVER, _SECRETKEY).
    #[must_use]
    pub fn curve_server(mut self, keys: CurveKeys, clients: CurveClients) -> Self {
        self.credentials = Credentials::CurveServer { keys, clients };
        self
    }

    /// Has every peer that connects decided on by the context's
    /// [`Authenticator`](crate::Authenticator), or else by the ZAP handler at
    /// `inproc://zeromq.zap.01`, a REP or ROUTER of the same context, under
    /// this domain (27/ZAP; ZMQ_ZAP_DOMAIN). Under PLAIN and CURVE that is on
    /// top of a table or list of the socket's own.
    ///
    /// Without a verdict nobody is let in (libzmq's ZMQ_ZAP_ENFORCE_DOMAIN,
    /// always). Over `inproc://` nobody is asked. Default none; at most 255
    /// bytes.
    #[must_use]
    pub fn zap_domain(mut self, domain: impl Into<String>) -> Self {
        self.zap_domain = Some(domain.into());
        self
    }

    /// Accepts only peers from these IP addresses, before a byte is read of
    /// them (as ZMQ_TCP_ACCEPT_FILTER did). Peers without an IP address are not
    /// concerned. Default empty: from all.
    #[must_use]
    pub fn allow_addresses(mut self, ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        self.addresses.allowed = ranges.into_iter().collect();
        self
    }

    /// Accepts no peers from these IP addresses, be they allowed or not.
    /// Default empty.
    #[must_use]
    pub fn deny_addresses(mut self, ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        self.addresses.denied = ranges.into_iter().collect();
        self
    }

    /// Whether the context's authority decides on those who connect to us.
    pub(crate) fn asks_authority(&self) -> bool {
        let by_mechanism = match &self.credentials {
            Credentials::PlainServer { users } => matches!(users, PlainUsers::Zap),
            Credentials::CurveServer { clients, .. } => matches!(clients, CurveClients::Zap),
            _ => false,
        };
        by_mechanism || self.zap_domain.is_some()
    }
}
