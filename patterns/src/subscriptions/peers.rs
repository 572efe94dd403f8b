//! The peers of a publisher: whose turn it is to be read, and who has room.

use super::Subscriptions;
use crate::entry::Entry;
use crate::peer::{Peer, PeerId};
use crate::sides::Sides;
use crate::storage::Storage;
use crate::subscriber::{Room, Subscriber};
use crate::table::Bucket;
use crate::tree::Node;

impl<P, N, E, B> Sides for Subscriptions<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    /// The slot is used again when the peer's entries are removed.
    fn peer_detached(&mut self, id: PeerId) {
        self.queue.drained(&mut self.peers, id);
        self.link_lost(id);
        // Whoever is gone is not full.
        self.set_room(id, Room::Some);
        if self.stale.contains(&self.peers, id.slot()) {
            self.peers.retire(id);
        } else {
            self.peers.detach(id);
        }
    }

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
        self.set_room(id, Room::None);
    }

    #[inline]
    fn peer_has_room(&mut self, id: PeerId) {
        self.set_room(id, Room::Some);
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
    fn contains(&self, id: PeerId) -> bool {
        self.peers.contains(id)
    }
}

impl<P, N, E, B> Subscriptions<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    #[inline]
    fn set_room(&mut self, id: PeerId, room: Room) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        match (core::mem::replace(&mut peer.room, room), room) {
            (Room::Some, Room::None) => self.full += 1,
            (Room::None, Room::Some) => self.full -= 1,
            _ => {}
        }
    }
}
