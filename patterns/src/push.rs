//! PUSH (30/PIPELINE) and SCATTER (49/SCATTERGATHER): whole messages to the peers with room, in turn.

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId};
use crate::sides::{Frames, SendOnly};
use crate::storage::Storage;

/// A PUSH or SCATTER socket's machine. That a SCATTER's messages have one frame
/// is the caller's part: the machine sees none of them.
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
    sides: SendOnly<S>,
}

impl<S: Storage<Peer>> Push<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            sides: SendOnly::new(peers, Frames::Any),
        }
    }

    /// Chooses the peer for the next message, or `None` when none has room.
    ///
    /// O(1). The peer goes to the back of the ring (30/PIPELINE, PUSH).
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

impl<S: Storage<Peer>> Pattern for Push<S> {
    type Sides = SendOnly<S>;

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

    fn accept<P: Payload + ?Sized>(&mut self, _id: PeerId, _frame: &P, _more: bool) -> Accept {
        Accept::Refuse(Reason::SendOnly)
    }
}
