//! NULL: each side says READY (37/ZMTP, The NULL Security Mechanism).

use core::ops::Range;

use super::{Mechanism, Outbox, READY, Role, Step, unexpected};
use crate::{HandshakeError, MechanismName};

/// The NULL mechanism: no authentication, no confidentiality.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Mechanism for Null {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn role(&self) -> Role {
        Role::Either
    }

    fn start(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        let metadata = out.metadata();
        out.command(READY, &[metadata])?;
        Ok(Step::Continue)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        _out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        if name == READY.as_bytes() {
            Ok(Step::Metadata(0..data.len()))
        } else {
            Err(unexpected(name))
        }
    }

    fn authenticated(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        Err(HandshakeError::NoDecisionAwaited)
    }

    fn metadata_accepted(&mut self, _out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        Ok(())
    }
}

/// NULL, the side that lets nobody in by itself: it waits for the peer's READY,
/// is [`Step::Pending`] until somebody has decided on the peer (27/ZAP decides
/// by its address), and says its own READY then.
///
/// Not for both sides of a connection: neither would speak first.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullServer {
    state: ServerState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ServerState {
    #[default]
    AwaitingReady,
    AwaitingDecision {
        /// Bytes of the peer's metadata.
        len: usize,
    },
    Decided,
}

impl NullServer {
    /// A server that has not heard of its peer yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Mechanism for NullServer {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn role(&self) -> Role {
        Role::Either
    }

    fn start(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        Ok(Step::Continue)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        _out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        match (self.state, name) {
            (ServerState::AwaitingReady, b"READY") => {
                self.state = ServerState::AwaitingDecision { len: data.len() };
                Ok(Step::Pending)
            }
            _ => Err(unexpected(name)),
        }
    }

    fn pending_metadata(&self) -> Option<Range<usize>> {
        match self.state {
            ServerState::AwaitingDecision { len } => Some(0..len),
            _ => None,
        }
    }

    fn authenticated(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        let ServerState::AwaitingDecision { len } = self.state else {
            return Err(HandshakeError::NoDecisionAwaited);
        };
        self.state = ServerState::Decided;
        Ok(Step::Metadata(0..len))
    }

    fn metadata_accepted(&mut self, out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        let metadata = out.metadata();
        out.command(READY, &[metadata])
    }
}

const NAME: MechanismName = MechanismName::new("NULL");
