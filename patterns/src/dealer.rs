//! DEALER (28/REQREP): sends like PUSH, receives like PULL.

use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::Both;
use crate::storage::Storage;

/// A DEALER socket's machine.
#[derive(Debug)]
pub struct Dealer<S> {
    sides: Both<S>,
}

impl<S: Storage<Peer>> Dealer<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            sides: Both::new(peers),
        }
    }

    /// Chooses the peer for the next message, or `None` when none has room.
    ///
    /// O(1). The peer goes to the back of the ring (28/REQREP, DEALER).
    #[inline]
    pub fn route(&mut self) -> Option<PeerId> {
        self.sides.route()
    }

    /// Whether [`route`](Self::route) would name a peer.
    #[inline]
    pub fn any_has_room(&self) -> bool {
        self.sides.any_has_room()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }
}

impl<S: Storage<Peer>> Pattern for Dealer<S> {
    type Sides = Both<S>;

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
