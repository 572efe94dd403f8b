//! The ready ring, and the two ways to go around it.

use crate::peer::{Link, Peer, PeerId, PeerTable};
use crate::slab::NIL;
use crate::storage::Storage;

/// The ring of peers that a message can go to.
pub(crate) const SEND: usize = 0;
/// The ring of peers that a message can be taken from.
pub(crate) const RECEIVE: usize = 1;

/// A circular doubly linked list through the peers' slots.
///
/// The front is whose turn it is; the back is just before it. So "to the back"
/// is one step of `front`, and a peer leaves from anywhere in O(1).
#[derive(Debug)]
pub(crate) struct Ring<const SIDE: usize> {
    front: u32,
}

impl<const SIDE: usize> Ring<SIDE> {
    pub(crate) const fn new() -> Self {
        Self { front: NIL }
    }

    #[inline]
    pub(crate) fn front(&self) -> u32 {
        self.front
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.front == NIL
    }

    #[inline]
    pub(crate) fn contains<X: Default, S: Storage<Peer<X>>>(
        &self,
        peers: &PeerTable<S, X>,
        index: u32,
    ) -> bool {
        peers.link(index, SIDE).is_some_and(|link| link.next != NIL)
    }

    /// Puts a slot at the back, unless it is in the ring already.
    #[inline]
    pub(crate) fn insert<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &mut PeerTable<S, X>,
        index: u32,
    ) {
        if self.contains(peers, index) {
            return;
        }
        let (next, prev) = match peers.link(self.front, SIDE) {
            Some(front) => (self.front, front.prev),
            None => {
                self.front = index;
                (index, index)
            }
        };
        // Alone, both neighbours are the slot itself and the last line settles it.
        Self::set(peers, prev, |link| link.next = index);
        Self::set(peers, next, |link| link.prev = index);
        Self::set(peers, index, |link| *link = Link { next, prev });
    }

    /// Takes a slot out; a slot that is not in the ring stays out.
    #[inline]
    pub(crate) fn remove<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &mut PeerTable<S, X>,
        index: u32,
    ) {
        let Some(Link { next, prev }) = peers.link(index, SIDE) else {
            return;
        };
        if next == NIL {
            return;
        }
        Self::set(peers, prev, |link| link.next = next);
        Self::set(peers, next, |link| link.prev = prev);
        Self::set(peers, index, |link| *link = Link::default());
        if self.front == index {
            self.front = if next == index { NIL } else { next };
        }
    }

    #[inline]
    fn set<X: Default, S: Storage<Peer<X>>>(
        peers: &mut PeerTable<S, X>,
        index: u32,
        change: impl FnOnce(&mut Link),
    ) {
        if let Some(link) = peers.link_mut(index, SIDE) {
            change(link);
        }
    }
}

/// Spreads messages over the peers that have room, one after the other.
#[derive(Debug)]
pub(crate) struct LoadBalancer {
    ring: Ring<SEND>,
}

impl LoadBalancer {
    pub(crate) const fn new() -> Self {
        Self { ring: Ring::new() }
    }

    /// The peer for the next message; its turn passes.
    #[inline]
    pub(crate) fn route<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &PeerTable<S, X>,
    ) -> Option<PeerId> {
        let (id, next) = peers.id_and_next(self.ring.front, SEND)?;
        self.ring.front = next;
        Some(id)
    }

    #[inline]
    pub(crate) fn has_room<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &mut PeerTable<S, X>,
        id: PeerId,
    ) {
        if peers.contains(id) {
            self.ring.insert(peers, id.slot());
        }
    }

    #[inline]
    pub(crate) fn full<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &mut PeerTable<S, X>,
        id: PeerId,
    ) {
        if peers.contains(id) {
            self.ring.remove(peers, id.slot());
        }
    }

    #[inline]
    pub(crate) fn is_ready<X: Default, S: Storage<Peer<X>>>(
        &self,
        peers: &PeerTable<S, X>,
        id: PeerId,
    ) -> bool {
        peers.contains(id) && self.ring.contains(peers, id.slot())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

/// Takes whole messages from the readable peers, one after the other.
#[derive(Debug)]
pub(crate) struct FairQueue {
    ring: Ring<RECEIVE>,
}

impl FairQueue {
    pub(crate) const fn new() -> Self {
        Self { ring: Ring::new() }
    }

    /// Whose turn it is.
    #[inline]
    pub(crate) fn next<X: Default, S: Storage<Peer<X>>>(
        &self,
        peers: &PeerTable<S, X>,
    ) -> Option<PeerId> {
        peers
            .id_and_next(self.ring.front, RECEIVE)
            .map(|(id, _)| id)
    }

    /// A whole message of `id` was taken: the turn passes on.
    #[inline]
    pub(crate) fn delivered<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &PeerTable<S, X>,
        id: PeerId,
    ) {
        if let Some((front, next)) = peers.id_and_next(self.ring.front, RECEIVE)
            && front == id
        {
            self.ring.front = next;
        }
    }

    #[inline]
    pub(crate) fn readable<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &mut PeerTable<S, X>,
        id: PeerId,
    ) {
        if peers.contains(id) {
            self.ring.insert(peers, id.slot());
        }
    }

    #[inline]
    pub(crate) fn drained<X: Default, S: Storage<Peer<X>>>(
        &mut self,
        peers: &mut PeerTable<S, X>,
        id: PeerId,
    ) {
        if peers.contains(id) {
            self.ring.remove(peers, id.slot());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Array;

    #[test]
    fn a_ring_is_left_from_anywhere() {
        let mut peers = PeerTable::new(Array::<Peer, 4>::new());
        let mut ring = Ring::<SEND>::new();
        let ids = [(); 4].map(|()| peers.attach(()).unwrap().slot());
        for leaving in ids {
            for id in ids {
                ring.insert(&mut peers, id);
                ring.insert(&mut peers, id);
            }
            ring.remove(&mut peers, leaving);
            ring.remove(&mut peers, leaving);
            let mut seen = [ring.front(), NIL, NIL];
            for i in 1..3 {
                seen[i] = peers.link(seen[i - 1], SEND).unwrap().next;
            }
            assert!(!seen.contains(&leaving));
            assert_eq!(
                peers.link(seen[2], SEND).unwrap().next,
                seen[0],
                "three in a circle"
            );
            for id in ids {
                ring.remove(&mut peers, id);
            }
            assert!(ring.is_empty());
        }
    }
}
