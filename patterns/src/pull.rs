//! PULL (30/PIPELINE) and GATHER (49/SCATTERGATHER): whole messages from the readable peers, in turn.

use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::{Frames, ReceiveOnly};
use crate::storage::Storage;

/// A PULL or GATHER socket's machine.
#[derive(Debug)]
pub struct Pull<S> {
    sides: ReceiveOnly<S>,
}

impl<S: Storage<Peer>> Pull<S> {
    /// A PULL without peers.
    pub fn new(peers: S) -> Self {
        Self {
            sides: ReceiveOnly::new(peers, Frames::Any),
        }
    }

    /// A GATHER without peers: a PULL that refuses multipart messages
    /// (49/SCATTERGATHER).
    pub fn gather(peers: S) -> Self {
        Self {
            sides: ReceiveOnly::new(peers, Frames::One),
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
