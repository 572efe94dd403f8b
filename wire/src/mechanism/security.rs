//! The mechanisms of this crate behind one type, chosen at run time.

use super::{Mechanism, Null, Outbox, PlainClient, PlainServer, Protection, Role, Step};
use crate::{HandshakeError, MechanismName};

/// Any mechanism of this crate.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // lives during the handshake only, and nothing here can box
pub enum Security {
    /// No security.
    Null(Null),
    /// PLAIN, the side with the password.
    PlainClient(PlainClient),
    /// PLAIN, the side that checks it.
    PlainServer(PlainServer),
}

/// What a client says about itself, while a decision is awaited.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user name.
    pub username: &'a [u8],
    /// The password.
    pub password: &'a [u8],
}

impl Security {
    /// The credentials to decide on, if this is a mechanism that gets any.
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials<'_>> {
        match self {
            Self::PlainServer(server) => Some(Credentials {
                username: server.username(),
                password: server.password(),
            }),
            Self::Null(_) | Self::PlainClient(_) => None,
        }
    }

    fn inner(&self) -> &dyn Mechanism {
        match self {
            Self::Null(inner) => inner,
            Self::PlainClient(inner) => inner,
            Self::PlainServer(inner) => inner,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Mechanism {
        match self {
            Self::Null(inner) => inner,
            Self::PlainClient(inner) => inner,
            Self::PlainServer(inner) => inner,
        }
    }
}

impl Mechanism for Security {
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

    fn authenticated(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        self.inner_mut().authenticated(out)
    }

    fn metadata_accepted(&mut self, out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        self.inner_mut().metadata_accepted(out)
    }
}
