//! DEALER (28/REQREP) and CLIENT (41/CLISRV): send like PUSH, receive like PULL.

use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::{Both, Frames};
use crate::storage::Storage;

/// A DEALER or CLIENT socket's machine.
#[derive(Debug)]
pub struct Dealer<S> {
    sides: Both<S>,
}

impl<S: Storage<Peer>> Dealer<S> {
    /// A DEALER without peers.
    pub fn new(peers: S) -> Self {
        Self {
            sides: Both::new(peers, Frames::Any),
        }
    }

    /// A CLIENT without peers: a DEALER that refuses multipart messages
    /// (41/CLISRV). That it sends none is the caller's part.
    pub fn client(peers: S) -> Self {
        Self {
            sides: Both::new(peers, Frames::One),
        }
    }

    /// Chooses the peer for the next message, or `None` when none has room.
    ///
    /// O(1). The peer goes to the back of the ring (28/REQREP, DEALER; 41/CLISRV).
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
