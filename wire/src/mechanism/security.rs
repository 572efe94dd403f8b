//! The mechanisms of this crate behind one type, chosen at run time.

use super::{
    Mechanism, Null, NullServer, Outbox, PlainClient, PlainServer, Protection, Role, Step,
};
use core::ops::Range;

use crate::curve::{Crypto, CurveClient, CurveServer, Forged, Session};
use crate::{HandshakeError, MechanismName, PublicKey, SecretKey, SharedKey};

/// Any mechanism of this crate, with the cryptography `C` for CURVE.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // lives during the handshake only, and nothing here can box
pub enum Security<C = NoCrypto> {
    /// No security.
    Null(Null),
    /// No security, but somebody decides on the peer.
    NullServer(NullServer),
    /// PLAIN, the side with the password.
    PlainClient(PlainClient),
    /// PLAIN, the side that checks it.
    PlainServer(PlainServer),
    /// CURVE, the side that knows the other's key.
    CurveClient(CurveClient<C>),
    /// CURVE, the side that decides on the other's key.
    CurveServer(CurveServer<C>),
}

/// What a client says about itself, while a decision is awaited.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// PLAIN: not proved, to be compared.
    Plain {
        /// The user name.
        username: &'a [u8],
        /// The password.
        password: &'a [u8],
    },
    /// CURVE: the client has proved that it owns this key.
    Curve {
        /// The client's long-term key.
        key: PublicKey,
    },
}

/// No cryptography: CURVE cannot be chosen with it.
#[derive(Clone, Copy, Debug)]
pub enum NoCrypto {}

impl Crypto for NoCrypto {
    fn random(&mut self, _: &mut [u8]) {
        match *self {}
    }

    fn key_pair(&mut self) -> (PublicKey, SecretKey) {
        match *self {}
    }

    fn agree(&self, _: &PublicKey, _: &SecretKey) -> Result<SharedKey, Forged> {
        match *self {}
    }

    fn seal(&self, _: &SharedKey, _: &[u8; 24], _: &mut [u8]) -> [u8; 16] {
        match *self {}
    }

    fn open(&self, _: &SharedKey, _: &[u8; 24], _: &[u8; 16], _: &mut [u8]) -> Result<(), Forged> {
        match *self {}
    }
}

impl<C: Crypto> Security<C> {
    /// The credentials to decide on, if this is a mechanism that gets any.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials<'_>> {
        match self {
            Self::PlainServer(server) => Some(Credentials::Plain {
                username: server.username(),
                password: server.password(),
            }),
            Self::CurveServer(server) => server.client_key().map(|key| Credentials::Curve { key }),
            Self::Null(_) | Self::NullServer(_) | Self::PlainClient(_) | Self::CurveClient(_) => {
                None
            }
        }
    }

    /// The session of CURVE, once the handshake is over; once.
    pub fn take_session(&mut self) -> Option<Session> {
        match self {
            Self::CurveClient(client) => client.take_session(),
            Self::CurveServer(server) => server.take_session(),
            Self::Null(_) | Self::NullServer(_) | Self::PlainClient(_) | Self::PlainServer(_) => {
                None
            }
        }
    }

    fn inner(&self) -> &dyn Mechanism {
        match self {
            Self::Null(inner) => inner,
            Self::NullServer(inner) => inner,
            Self::PlainClient(inner) => inner,
            Self::PlainServer(inner) => inner,
            Self::CurveClient(inner) => inner,
            Self::CurveServer(inner) => inner,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Mechanism {
        match self {
            Self::Null(inner) => inner,
            Self::NullServer(inner) => inner,
            Self::PlainClient(inner) => inner,
            Self::PlainServer(inner) => inner,
            Self::CurveClient(inner) => inner,
            Self::CurveServer(inner) => inner,
        }
    }
}

impl<C: Crypto> Mechanism for Security<C> {
    fn name(&self) -> MechanismName {
        self.inner().name()
    }

    fn role(&self) -> Role {
        self.inner().role()
    }

    fn protection(&self) -> Protection {
        self.inner().protection()
    }

    fn start(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        self.inner_mut().start(out)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        self.inner_mut().handle_command(name, data, out)
    }

    fn pending_metadata(&self) -> Option<Range<usize>> {
        self.inner().pending_metadata()
    }

    fn authenticated(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        self.inner_mut().authenticated(out)
    }

    fn metadata_accepted(&mut self, out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        self.inner_mut().metadata_accepted(out)
    }
}
