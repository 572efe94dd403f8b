//! ROUTER (28/REQREP): messages are addressed by the peer's identity. SERVER
//! (41/CLISRV) and PEER (51/P2P): by a number that the socket gives it.

use crate::hash::Seed;
use crate::identity::{Identities, IdentitySlot, MAX_IDENTITY_LEN, Named};
use crate::pattern::{AttachError, Pattern};
use crate::peer::{Peer, PeerId};
use crate::sides::{Both, Frames, Sides};
use crate::storage::{Array, Storage};
use crate::table::Bucket;

/// A ROUTER socket's machine.
///
/// A peer keeps the identity that it announced, or gets one: a zero byte and a
/// 32-bit number. Inbound messages are delivered with
/// [`identity`](Self::identity) in front; outbound ones name their peer in the
/// first frame, which [`route`](Self::route) takes off.
///
/// ```
/// use ferromq_patterns::{Array, Bucket, IdentitySlot, Named, Pattern, Peer, Route, Router, Seed};
///
/// let mut router = Router::new(
///     Array::<Peer<Named>, 8>::new(),
///     Array::<IdentitySlot, 16>::new(),
///     Array::<Bucket, 8>::new(),
///     Seed::new(1, 2), // from a random source
/// );
/// let worker = router.peer_attached(b"worker")?;
/// router.peer_has_room(worker);
/// assert_eq!(router.route(b"worker"), Route::Peer(worker));
/// assert_eq!(router.route(b"nobody"), Route::Unknown);
/// # Ok::<(), ferromq_patterns::AttachError>(())
/// ```
///
/// A [`Server`] is the same with names that are always made up: 32-bit numbers,
/// never zero, and four bytes big-endian where a ROUTER has an identity.
#[derive(Debug)]
pub struct Router<P, I, B> {
    sides: Both<P, Named>,
    identities: Identities<I, B>,
    addressing: Addressing,
}

/// A SERVER or PEER socket's machine, made by [`Router::server`].
///
/// ```
/// use ferromq_patterns::{Array, Bucket, Named, Pattern, Peer, Route, Router, Seed};
///
/// let mut server = Router::server(
///     Array::<Peer<Named>, 8>::new(),
///     Array::<Bucket, 8>::new(),
///     Seed::new(1, 2), // from a random source
/// );
/// let client = server.peer_attached(b"what it calls itself does not matter")?;
/// server.peer_has_room(client);
/// let mut out = [0; 255];
/// let routing_id = server.identity(client, &mut out).expect("attached above");
/// assert_eq!(routing_id.len(), 4);
/// assert_eq!(server.route(routing_id), Route::Peer(client));
/// assert_eq!(server.route(&[0; 4]), Route::Unknown);
/// # Ok::<(), ferromq_patterns::AttachError>(())
/// ```
pub type Server<P, B> = Router<P, Array<IdentitySlot, 0>, B>;

/// What the application calls a peer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addressing {
    /// ROUTER: its identity.
    Identity,
    /// SERVER, PEER: the number of a generated identity, without the zero byte.
    RoutingId,
}

/// Where a ROUTER's outbound message goes.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this peer.
    Peer(PeerId),
    /// Nobody has this identity: drop and count; host unreachable if mandatory,
    /// and always from a SERVER.
    Unknown,
    /// The peer has no room: drop and count; would block if mandatory, and
    /// always from a SERVER.
    Full(PeerId),
}

/// What [`Router::takeover`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The new peer, which has the identity.
    pub peer: PeerId,
    /// The peer that had it; it is detached, close its link.
    pub replaced: Option<PeerId>,
}

impl<P, I, B> Router<P, I, B>
where
    P: Storage<Peer<Named>>,
    I: Storage<IdentitySlot>,
    B: Storage<Bucket>,
{
    /// A machine without peers. Identities take one 32-byte slot per 28 bytes,
    /// generated ones none. `seed` keeps peers from choosing identities that
    /// collide.
    pub fn new(peers: P, identities: I, buckets: B, seed: Seed) -> Self {
        Self {
            sides: Both::new(peers, Frames::Any),
            identities: Identities::new(identities, buckets, seed),
            addressing: Addressing::Identity,
        }
    }

    /// Attaches a peer even if another has its identity (ZMQ_ROUTER_HANDOVER):
    /// the other is detached.
    ///
    /// # Errors
    ///
    /// As [`peer_attached`](Pattern::peer_attached), except for the duplicate;
    /// nothing has changed then.
    pub fn takeover(&mut self, identity: &[u8]) -> Result<Takeover, AttachError> {
        match self.peer_attached(identity) {
            Ok(peer) => Ok(Takeover {
                peer,
                replaced: None,
            }),
            Err(AttachError::DuplicateIdentity { holder }) => {
                // Cannot fail for want of storage: the same identity has just been freed.
                self.peer_detached(holder);
                let peer = self.peer_attached(identity)?;
                Ok(Takeover {
                    peer,
                    replaced: Some(holder),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The peer's identity, or its routing id, written into `out`; `None` for a
    /// stale id.
    ///
    /// O(length of the identity).
    #[inline]
    pub fn identity<'o>(
        &self,
        id: PeerId,
        out: &'o mut [u8; MAX_IDENTITY_LEN],
    ) -> Option<&'o [u8]> {
        let name = self.identities.write(self.sides.peers.get(id)?, out);
        match self.addressing {
            Addressing::Identity => Some(name),
            Addressing::RoutingId => name.get(1..),
        }
    }

    /// Finds the peer that an outbound message names.
    ///
    /// Expected O(length of the identity), whatever identities peers choose.
    #[inline]
    pub fn route(&self, identity: &[u8]) -> Route {
        let found = match (self.addressing, identity) {
            (Addressing::Identity, _) => self.identities.find(&self.sides.peers, identity),
            (Addressing::RoutingId, &[a, b, c, d]) => {
                self.identities.find(&self.sides.peers, &[0, a, b, c, d])
            }
            (Addressing::RoutingId, _) => None,
        };
        match found {
            Some(id) if self.sides.has_room(id) => Route::Peer(id),
            Some(id) => Route::Full(id),
            None => Route::Unknown,
        }
    }

    /// Whether some peer has room: what writable means with ZMQ_ROUTER_MANDATORY.
    #[inline]
    pub fn any_has_room(&self) -> bool {
        self.sides.any_has_room()
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }
}

impl<P, B> Server<P, B>
where
    P: Storage<Peer<Named>>,
    B: Storage<Bucket>,
{
    /// A SERVER or PEER without peers. Routing ids count up from a random start,
    /// and none is used again while 2^32 others are left; peers have no say in
    /// them. Multipart messages are refused (41/CLISRV, 51/P2P).
    pub fn server(peers: P, buckets: B, seed: Seed) -> Self {
        Self {
            sides: Both::new(peers, Frames::One),
            identities: Identities::new(Array::new(), buckets, seed),
            addressing: Addressing::RoutingId,
        }
    }
}

impl<P, I, B> Pattern for Router<P, I, B>
where
    P: Storage<Peer<Named>>,
    I: Storage<IdentitySlot>,
    B: Storage<Bucket>,
{
    type Sides = Both<P, Named>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.sides
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.sides
    }

    fn peer_attached(&mut self, identity: &[u8]) -> Result<PeerId, AttachError> {
        let identity = match self.addressing {
            Addressing::Identity => identity,
            Addressing::RoutingId => &[],
        };
        self.identities.attach(&mut self.sides.peers, identity)
    }

    fn peer_detached(&mut self, id: PeerId) {
        self.identities.forget(&mut self.sides.peers, id);
        self.sides.peer_detached(id);
    }
}

#[cfg(test)]
mod tests;
