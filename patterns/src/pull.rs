//! PULL (30/PIPELINE): whole messages from the readable peers, in turn.

use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::ReceiveOnly;
use crate::storage::Storage;

/// A PULL socket's machine.
#[derive(Debug)]
pub struct Pull<S> {
    sides: ReceiveOnly<S>,
}

impl<S: Storage<Peer>> Pull<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            sides: ReceiveOnly::new(peers),
        }
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }
}

impl<S: Storage<Peer>> Pattern for Pull<S> {
    type Sides = ReceiveOnly<S>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.sides
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.sides
    }

    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.sides.attach(())?)
    }
}
