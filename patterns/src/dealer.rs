//! DEALER (28/REQREP): sends like PUSH, receives like PULL.

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId, PeerTable};
use crate::ring::{FairQueue, LoadBalancer};
use crate::storage::Storage;

/// A DEALER socket's machine.
#[derive(Debug)]
pub struct Dealer<S> {
    peers: PeerTable<S, ()>,
    ready: LoadBalancer,
    queue: FairQueue,
}

impl<S: Storage<Peer>> Dealer<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            peers: PeerTable::new(peers),
            ready: LoadBalancer::new(),
            queue: FairQueue::new(),
        }
    }

    /// Chooses the peer for the next message, or `None` when none has room.
    ///
    /// O(1). The peer goes to the back of the ring (28/REQREP, DEALER).
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

impl<S: Storage<Peer>> Pattern for Dealer<S> {
    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.peers.attach(())?)
    }

    fn peer_detached(&mut self, id: PeerId) {
        self.ready.full(&mut self.peers, id);
        self.queue.drained(&mut self.peers, id);
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
    fn peer_readable(&mut self, id: PeerId) {
        self.queue.readable(&mut self.peers, id);
    }

    #[inline]
    fn peer_drained(&mut self, id: PeerId) {
        self.queue.drained(&mut self.peers, id);
    }

    #[inline]
    fn peer_full(&mut self, id: PeerId) {
        self.ready.full(&mut self.peers, id);
    }

    #[inline]
    fn peer_has_room(&mut self, id: PeerId) {
        self.ready.has_room(&mut self.peers, id);
    }

    #[inline]
    fn next(&self) -> Option<PeerId> {
        self.queue.next(&self.peers)
    }

    #[inline]
    fn delivered(&mut self, id: PeerId) {
        self.queue.delivered(&self.peers, id);
    }

    #[inline]
    fn accept<P: Payload + ?Sized>(&mut self, id: PeerId, _frame: &P, _more: bool) -> Accept {
        if self.peers.contains(id) {
            Accept::Deliver
        } else {
            Accept::Refuse(Reason::UnknownPeer)
        }
    }
}
