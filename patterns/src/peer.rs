//! The peer table: dense slots with generations.

use core::fmt;

use crate::slab::{NIL, Slab, Slot};
use crate::storage::{Full, Storage};

/// Names a peer of one machine.
///
/// The index is dense (freed slots are used again first), so that a runtime can
/// keep the peer's pipe in a vector at the same index. The generation tells one
/// user of a slot from the next: an id that outlived its peer is a miss, never
/// someone else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId {
    index: u32,
    generation: u32,
}

impl PeerId {
    #[inline]
    pub(crate) const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The slot, dense from 0.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// Index and generation in one number, for a token in an event loop.
    #[inline]
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The inverse of [`to_bits`](Self::to_bits). Any number makes an id; one
    /// that no machine gave out is as harmless as a stale one.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }

    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        self.index
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({}.{})", self.index, self.generation)
    }
}

/// A peer's slot in a machine's storage: generation, ring links, and what the
/// pattern knows of the peer.
///
/// Opaque; it is public so that a storage can be named: `Array<Peer, 8>`.
#[derive(Clone, Debug, Default)]
pub struct Peer<X = ()> {
    /// Odd while a peer is attached; one more at each attach and each detach.
    generation: u32,
    links: [Link; 2],
    pub(crate) data: X,
}

/// Neighbours in a ring; `NIL` both while the peer is in none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) next: u32,
    pub(crate) prev: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            next: NIL,
            prev: NIL,
        }
    }
}

impl<X: Default> Slot for Peer<X> {
    fn free_next(&self) -> u32 {
        self.links[0].next
    }

    fn set_free(&mut self, next: u32) {
        self.links = [Link { next, prev: NIL }, Link::default()];
        self.data = X::default();
    }
}

/// The peers of one machine.
#[derive(Debug)]
pub(crate) struct PeerTable<S, X> {
    slab: Slab<S, Peer<X>>,
    attached: u32,
}

impl<X: Default, S: Storage<Peer<X>>> PeerTable<S, X> {
    pub(crate) fn new(slots: S) -> Self {
        Self {
            slab: Slab::new(slots),
            attached: 0,
        }
    }

    /// Makes sure that the next [`attach`](Self::attach) succeeds.
    pub(crate) fn reserve(&mut self) -> Result<(), Full> {
        self.slab.reserve(1)
    }

    /// A slot for a new peer, in no ring.
    pub(crate) fn attach(&mut self, data: X) -> Result<PeerId, Full> {
        self.slab.reserve(1)?;
        let index = self.slab.take().ok_or(Full)?;
        let peer = self.slab.get_mut(index).ok_or(Full)?;
        peer.generation = peer.generation.wrapping_add(1) | 1;
        peer.links = [Link::default(); 2];
        peer.data = data;
        self.attached += 1;
        Ok(PeerId::new(index, peer.generation))
    }

    /// Ends the peer; its id is stale from now on. The caller has taken it out
    /// of every ring, and calls [`release`](Self::release) when the slot may be
    /// used again.
    pub(crate) fn retire(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peer_mut(id) else {
            return false;
        };
        peer.generation = peer.generation.wrapping_add(1);
        self.attached -= 1;
        true
    }

    /// Puts a retired peer's slot on the free list.
    pub(crate) fn release(&mut self, index: u32) {
        self.slab.free(index);
    }

    /// [`retire`](Self::retire) and [`release`](Self::release).
    pub(crate) fn detach(&mut self, id: PeerId) {
        if self.retire(id) {
            self.release(id.slot());
        }
    }

    /// Peers attached.
    pub(crate) fn len(&self) -> usize {
        self.attached as usize
    }

    /// Slots ever used; every peer's index is below.
    pub(crate) fn slots(&self) -> u32 {
        self.slab.used()
    }

    #[inline]
    pub(crate) fn get(&self, id: PeerId) -> Option<&X> {
        let peer = self.slab.get(id.slot())?;
        // Ids that were given out are odd; a made-up even one must not match a free slot.
        (peer.generation == id.generation && id.generation & 1 == 1).then_some(&peer.data)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PeerId) -> Option<&mut X> {
        self.peer_mut(id).map(|peer| &mut peer.data)
    }

    #[inline]
    pub(crate) fn contains(&self, id: PeerId) -> bool {
        self.get(id).is_some()
    }

    /// The peer attached at `index`.
    #[inline]
    pub(crate) fn id_at(&self, index: u32) -> Option<PeerId> {
        let generation = self.slab.get(index)?.generation;
        (generation & 1 == 1).then_some(PeerId::new(index, generation))
    }

    /// What is known at a slot, attached or retired.
    #[inline]
    pub(crate) fn data_at(&self, index: u32) -> Option<&X> {
        self.slab.get(index).map(|peer| &peer.data)
    }

    #[inline]
    pub(crate) fn data_at_mut(&mut self, index: u32) -> Option<&mut X> {
        self.slab.get_mut(index).map(|peer| &mut peer.data)
    }

    /// Id and data of the peer attached at `index`, in one look.
    #[inline]
    pub(crate) fn attached_at_mut(&mut self, index: u32) -> Option<(PeerId, &mut X)> {
        let peer = self.slab.get_mut(index)?;
        let id = PeerId::new(index, peer.generation);
        (peer.generation & 1 == 1).then_some((id, &mut peer.data))
    }

    /// Id of the peer at a ring's front and its neighbour, in one look.
    #[inline]
    pub(crate) fn id_and_next(&self, index: u32, side: usize) -> Option<(PeerId, u32)> {
        let peer = self.slab.get(index)?;
        Some((
            PeerId::new(index, peer.generation),
            peer.links.get(side)?.next,
        ))
    }

    #[inline]
    pub(crate) fn link(&self, index: u32, side: usize) -> Option<Link> {
        self.slab.get(index)?.links.get(side).copied()
    }

    #[inline]
    pub(crate) fn link_mut(&mut self, index: u32, side: usize) -> Option<&mut Link> {
        self.slab.get_mut(index)?.links.get_mut(side)
    }

    #[inline]
    fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer<X>> {
        let peer = self.slab.get_mut(id.slot())?;
        (peer.generation == id.generation && id.generation & 1 == 1).then_some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Array;

    #[test]
    fn a_slot_is_used_again_under_another_generation() {
        let mut peers = PeerTable::new(Array::<Peer<u8>, 2>::new());
        let a = peers.attach(1).unwrap();
        let b = peers.attach(2).unwrap();
        assert_eq!(peers.attach(3), Err(Full));
        peers.detach(a);
        peers.detach(a);
        assert_eq!(
            (peers.len(), peers.get(a), peers.get(b)),
            (1, None, Some(&2))
        );
        let c = peers.attach(3).unwrap();
        assert_eq!(c.index(), a.index());
        assert_ne!(c, a);
        assert_eq!((peers.get(a), peers.get(c)), (None, Some(&3)));
    }

    #[test]
    fn made_up_ids_are_misses() {
        let mut peers = PeerTable::new(Array::<Peer<u8>, 2>::new());
        for bits in [0, 1, u64::MAX, 1 << 32] {
            let id = PeerId::from_bits(bits);
            assert_eq!(id.to_bits(), bits);
            assert!(!peers.contains(id));
            assert!(!peers.retire(id));
        }
    }
}
