//! What all machines have in common.

use core::fmt;

use crate::payload::Payload;
use crate::peer::PeerId;
use crate::sides::{Frames, Sides};
use crate::storage::Full;

/// The side of a machine that is the same for all socket types, so that a
/// runtime can hold them in one enum.
///
/// Facts from outside are in the past tense. Every call is O(1) unless it says
/// otherwise, allocates nothing, and takes an id that has gone stale as a no-op.
/// A machine without a receive side never names a peer to read from and refuses
/// what arrives; one without a send side ignores room.
///
/// It is implemented by this crate's machines only.
pub trait Pattern {
    #[doc(hidden)]
    type Sides: Sides;

    #[doc(hidden)]
    fn sides(&self) -> &Self::Sides;

    #[doc(hidden)]
    fn sides_mut(&mut self) -> &mut Self::Sides;

    /// A peer's handshake is complete (or, for a connecting socket that queues
    /// before, its pipe exists). It starts without room and unreadable.
    ///
    /// `identity` is the one that the peer announced, or that the application
    /// gave the connection; empty if none. Only ROUTER looks at it.
    ///
    /// # Errors
    ///
    /// Nothing has changed after an error. PAIR refuses a second peer, ROUTER an
    /// identity that it cannot take, all of them when a storage is full.
    fn peer_attached(&mut self, identity: &[u8]) -> Result<PeerId, AttachError>;

    /// The peer and its pipe are gone. Its id is stale from now on.
    fn peer_detached(&mut self, id: PeerId) {
        self.sides_mut().peer_detached(id);
    }

    /// The peer's connection is gone, its pipe stays and waits for the next one.
    ///
    /// What a connection carries is forgotten: a half-read message or envelope,
    /// the request that a reply was due to, the peer's subscriptions. REP: drop
    /// whole requests that wait in its pipe, too. Their replies would go over the
    /// next connection, to a requester that may wait for another one.
    fn link_lost(&mut self, id: PeerId) {
        let _ = id;
    }

    /// The peer attached at a slot, if any. For walking over all peers: indices
    /// are dense, and below [`peer_slots`](Self::peer_slots).
    #[inline]
    fn peer_at(&self, index: usize) -> Option<PeerId> {
        self.sides().peer_at(index)
    }

    /// Slots ever used; every peer's index is below.
    fn peer_slots(&self) -> usize {
        self.sides().peer_slots()
    }

    /// The peer's inbound pipe may hold a message. Idempotent.
    #[inline]
    fn peer_readable(&mut self, id: PeerId) {
        self.sides_mut().peer_readable(id);
    }

    /// The peer's inbound pipe holds nothing.
    #[inline]
    fn peer_drained(&mut self, id: PeerId) {
        self.sides_mut().peer_drained(id);
    }

    /// The peer's outbound pipe takes no further message.
    #[inline]
    fn peer_full(&mut self, id: PeerId) {
        self.sides_mut().peer_full(id);
    }

    /// The peer's outbound pipe takes messages (again). Idempotent.
    #[inline]
    fn peer_has_room(&mut self, id: PeerId) {
        self.sides_mut().peer_has_room(id);
    }

    /// Whose pipe the next message is to be taken from. The answer stays the
    /// same until [`delivered`](Self::delivered) or
    /// [`peer_drained`](Self::peer_drained) is called for it.
    #[inline]
    fn next(&self) -> Option<PeerId> {
        self.sides().next()
    }

    /// A whole message was taken from the peer's pipe: the turn passes on.
    #[inline]
    fn delivered(&mut self, id: PeerId) {
        self.sides_mut().delivered(id);
    }

    /// Says what is to become of one inbound frame.
    ///
    /// Call it for each frame of a message in order, `more` saying whether
    /// another one follows, either when frames arrive or when they are taken
    /// from the pipe. After [`Accept::Refuse`] the rest of that message is
    /// skipped: the next call is for the first frame of the next one.
    ///
    /// O(1); O(length of the topic) for SUB.
    #[inline]
    fn accept<P: Payload + ?Sized>(&mut self, id: PeerId, frame: &P, more: bool) -> Accept {
        let _ = frame;
        if !self.sides().contains(id) {
            Accept::Refuse(Reason::UnknownPeer)
        } else if more && self.sides().frames() == Frames::One {
            Accept::Refuse(Reason::WrongParts)
        } else {
            Accept::Deliver
        }
    }
}

/// What is to become of an inbound frame.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// The application gets it.
    Deliver,
    /// Keep it, in order, as a frame of the envelope that goes in front of the
    /// reply. The delimiter is staged too: the reply is the staged frames, then
    /// the application's.
    Stage,
    /// Drop this frame, the message goes on.
    Consume,
    /// The whole message is a subscription in its ZMTP 3.0 form: one byte, then
    /// the topic. Hand the topic to `subscription`.
    Subscription(Subscription),
    /// Drop the whole message, what came of it before too, and count it.
    Refuse(Reason),
}

/// Why a message was refused. None of them is a reason to close the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The socket only sends.
    SendOnly,
    /// The peer is not, or no longer, one of the machine's.
    UnknownPeer,
    /// REQ: no reply is due from this peer (28/REQREP).
    NotAsked,
    /// REQ: a reply to another request than the last one.
    NotCorrelated,
    /// REQ: a reply without delimiter, or with nothing after it.
    MalformedReply,
    /// REP: a request without delimiter, or with nothing after it.
    MalformedRequest,
    /// SUB: no local subscription matches the topic; DISH: the group is not
    /// joined.
    NotSubscribed,
    /// PUB: upstream data that is no subscription; RADIO: any at all.
    UpstreamData,
    /// Not the number of frames that the type takes: one, or for DISH a group
    /// and one (41, 48, 49, 51, 52).
    WrongParts,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SendOnly => "the socket only sends",
            Self::UnknownPeer => "the peer is unknown",
            Self::NotAsked => "no reply is due from this peer",
            Self::NotCorrelated => "the reply is to another request",
            Self::MalformedReply => "the reply has no delimiter with a body after it",
            Self::MalformedRequest => "the request has no delimiter with a body after it",
            Self::NotSubscribed => "no subscription matches",
            Self::UpstreamData => "upstream data is no subscription",
            Self::WrongParts => "the message has another number of frames than this type takes",
        })
    }
}

/// The two things that a subscriber can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Messages whose first frame starts with the topic; for a DISH, that is
    /// the group.
    Subscribe,
    /// No longer.
    Cancel,
}

/// A peer could not be attached; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// A storage is full.
    Full,
    /// PAIR or CHANNEL has its peer (31/EXPAIR).
    SecondPeer,
    /// ROUTER: another peer has the identity.
    DuplicateIdentity {
        /// Who has it.
        holder: PeerId,
    },
    /// ROUTER: an identity has at most 255 bytes.
    IdentityTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// ROUTER: identities that start with a zero byte are generated ones.
    ReservedIdentity,
}

impl From<Full> for AttachError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("peer storage is full"),
            Self::SecondPeer => f.write_str("the pair already has its 1 peer"),
            Self::DuplicateIdentity { holder } => {
                write!(f, "identity is in use by peer {}", holder.index())
            }
            Self::IdentityTooLong { len } => {
                write!(f, "identity of {len} bytes exceeds the limit of 255")
            }
            Self::ReservedIdentity => f.write_str("identity starts with byte 0"),
        }
    }
}

impl core::error::Error for AttachError {}
