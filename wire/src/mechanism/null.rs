//! NULL: each side says READY (37/ZMTP, The NULL Security Mechanism).

use super::{Mechanism, Outbox, READY, Role, Step, unexpected};
use crate::{HandshakeError, MechanismName};

/// The NULL mechanism: no authentication, no confidentiality.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Mechanism for Null {
    fn name(&self) -> MechanismName {
        const { MechanismName::new("NULL") }
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
