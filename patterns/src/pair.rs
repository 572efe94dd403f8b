//! PAIR (31/EXPAIR) and CHANNEL (52/CHANNEL): one peer, both ways.

use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::{Both, Frames};
use crate::storage::Array;

/// A PAIR or CHANNEL socket's machine. It has at most one peer and brings its storage.
#[derive(Debug)]
pub struct Pair {
    sides: Both<Array<Peer, 1>>,
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// A PAIR without a peer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sides: Both::new(Array::new(), Frames::Any),
        }
    }

    /// A CHANNEL without a peer: a PAIR that refuses multipart messages
    /// (52/CHANNEL). That it sends none is the caller's part.
    #[must_use]
    pub fn channel() -> Self {
        Self {
            sides: Both::new(Array::new(), Frames::One),
        }
    }

    /// The peer for the next message, or `None` while there is none or it is full.
    #[inline]
    pub fn route(&mut self) -> Option<PeerId> {
        self.sides.route()
    }

    /// Whether [`route`](Self::route) would name the peer.
    #[inline]
    pub fn any_has_room(&self) -> bool {
        self.sides.any_has_room()
    }

    /// Peers attached: 0 or 1.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }
}

impl Pattern for Pair {
    type Sides = Both<Array<Peer, 1>>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.sides
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.sides
    }

    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        // The storage's only slot is taken.
        self.sides.attach(()).map_err(|_| AttachError::SecondPeer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Accept, Reason};

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
