//! PAIR (31/EXPAIR): one peer, both ways.

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::PeerId;

/// A PAIR socket's machine. It has at most one peer and needs no storage.
#[derive(Debug, Default)]
pub struct Pair {
    /// Odd while a peer is attached.
    generation: u32,
    has_room: bool,
    readable: bool,
}

impl Pair {
    /// A machine without a peer.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            generation: 0,
            has_room: false,
            readable: false,
        }
    }

    /// The peer for the next message, or `None` while there is none or it is full.
    #[inline]
    pub fn route(&mut self) -> Option<PeerId> {
        self.has_room.then(|| self.id())
    }

    /// Whether [`route`](Self::route) would name the peer.
    #[inline]
    pub fn any_has_room(&self) -> bool {
        self.has_room
    }

    /// Peers attached: 0 or 1.
    pub fn peers(&self) -> usize {
        (self.generation & 1) as usize
    }

    #[inline]
    fn id(&self) -> PeerId {
        PeerId::new(0, self.generation)
    }

    #[inline]
    fn is_peer(&self, id: PeerId) -> bool {
        self.generation & 1 == 1 && self.id() == id
    }
}

impl Pattern for Pair {
    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        if self.generation & 1 == 1 {
            return Err(AttachError::SecondPeer);
        }
        self.generation = self.generation.wrapping_add(1);
        Ok(self.id())
    }

    fn peer_detached(&mut self, id: PeerId) {
        if self.is_peer(id) {
            *self = Self {
                generation: self.generation.wrapping_add(1),
                ..Self::new()
            };
        }
    }

    fn link_lost(&mut self, _id: PeerId) {}

    #[inline]
    fn peer_at(&self, index: usize) -> Option<PeerId> {
        (index == 0 && self.generation & 1 == 1).then(|| self.id())
    }

    fn peer_slots(&self) -> usize {
        1
    }

    #[inline]
    fn peer_readable(&mut self, id: PeerId) {
        self.readable |= self.is_peer(id);
    }

    #[inline]
    fn peer_drained(&mut self, id: PeerId) {
        self.readable &= !self.is_peer(id);
    }

    #[inline]
    fn peer_full(&mut self, id: PeerId) {
        self.has_room &= !self.is_peer(id);
    }

    #[inline]
    fn peer_has_room(&mut self, id: PeerId) {
        self.has_room |= self.is_peer(id);
    }

    #[inline]
    fn next(&self) -> Option<PeerId> {
        self.readable.then(|| self.id())
    }

    #[inline]
    fn accept<P: Payload + ?Sized>(&mut self, id: PeerId, _frame: &P, _more: bool) -> Accept {
        if self.is_peer(id) {
            Accept::Deliver
        } else {
            Accept::Refuse(Reason::UnknownPeer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C87
    #[test]
    fn takes_one_peer_and_refuses_the_second() {
        let mut pair = Pair::new();
        let a = pair.peer_attached(b"").unwrap();
        assert_eq!(pair.peer_attached(b""), Err(AttachError::SecondPeer));
        pair.peer_has_room(a);
        pair.peer_readable(a);
        assert_eq!((pair.route(), pair.next()), (Some(a), Some(a)));
        pair.peer_detached(a);
        assert_eq!((pair.route(), pair.next(), pair.peers()), (None, None, 0));
        let b = pair.peer_attached(b"").unwrap();
        assert_ne!(a, b);
        pair.peer_has_room(a);
        pair.peer_readable(a);
        pair.peer_detached(a);
        assert_eq!((pair.route(), pair.next(), pair.peers()), (None, None, 1));
        assert_eq!(
            pair.accept(a, b"x", false),
            Accept::Refuse(Reason::UnknownPeer)
        );
        assert_eq!(pair.accept(b, b"x", false), Accept::Deliver);
    }
}
