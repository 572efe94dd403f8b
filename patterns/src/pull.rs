//! PULL (30/PIPELINE): whole messages from the readable peers, in turn.

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId, PeerTable};
use crate::ring::FairQueue;
use crate::storage::Storage;

/// A PULL socket's machine.
#[derive(Debug)]
pub struct Pull<S> {
    peers: PeerTable<S, ()>,
    queue: FairQueue,
}

impl<S: Storage<Peer>> Pull<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            peers: PeerTable::new(peers),
            queue: FairQueue::new(),
        }
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }
}

impl<S: Storage<Peer>> Pattern for Pull<S> {
    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.peers.attach(())?)
    }

    fn peer_detached(&mut self, id: PeerId) {
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
