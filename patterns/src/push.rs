//! PUSH (30/PIPELINE): whole messages to the peers with room, in turn.

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId, PeerTable};
use crate::ring::LoadBalancer;
use crate::storage::Storage;

/// A PUSH socket's machine.
///
/// ```
/// use ferromq_patterns::{Array, Pattern, Peer, Push};
///
/// let mut push = Push::new(Array::<Peer, 8>::new());
/// let a = push.peer_attached(b"")?;
/// assert_eq!(push.route(), None, "a new peer has no room yet: send blocks");
/// push.peer_has_room(a);
/// assert_eq!(push.route(), Some(a));
/// # Ok::<(), ferromq_patterns::AttachError>(())
/// ```
#[derive(Debug)]
pub struct Push<S> {
    peers: PeerTable<S, ()>,
    ready: LoadBalancer,
}

impl<S: Storage<Peer>> Push<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            peers: PeerTable::new(peers),
            ready: LoadBalancer::new(),
        }
    }

    /// Chooses the peer for the next message, or `None` when none has room.
    ///
    /// O(1). The peer goes to the back of the ring (30/PIPELINE, PUSH).
    #[inline]
    pub fn route(&mut self) -> Option<PeerId> {
        self.ready.route(&self.peers)
    }

    /// Whether [`route`](Self::route) would name a peer.
    #[inline]
    pub fn any_has_room(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }
}

impl<S: Storage<Peer>> Pattern for Push<S> {
    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.peers.attach(())?)
    }

    fn peer_detached(&mut self, id: PeerId) {
        self.ready.full(&mut self.peers, id);
        self.peers.detach(id);
    }

    fn link_lost(&mut self, _id: PeerId) {}

    #[inline]
    fn peer_at(&self, index: usize) -> Option<PeerId> {
        self.peers.id_at(u32::try_from(index).ok()?)
    }

    fn peer_slots(&self) -> usize {
        self.peers.slots() as usize
    }

    #[inline]
    fn peer_full(&mut self, id: PeerId) {
        self.ready.full(&mut self.peers, id);
    }

    #[inline]
    fn peer_has_room(&mut self, id: PeerId) {
        self.ready.has_room(&mut self.peers, id);
    }

    fn accept<P: Payload + ?Sized>(&mut self, _id: PeerId, _frame: &P, _more: bool) -> Accept {
        Accept::Refuse(Reason::SendOnly)
    }
}
