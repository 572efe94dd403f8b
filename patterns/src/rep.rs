//! REP (28/REQREP): takes one request at a time and answers whoever asked.

use core::fmt;

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId};
use crate::sides::{Both, Frames, Sides};
use crate::storage::Storage;

/// A REP socket's machine.
///
/// ```text
///                delivered(peer)
///   Receiving ────────────────────► Replying(peer)
///       ▲                               │
///       └──────────── route() ──────────┘
/// ```
///
/// The envelope, any number of frames up to and with the empty delimiter, is
/// answered with [`Accept::Stage`]: the runtime keeps those frames with the
/// request and puts them in front of the reply. A runtime whose room for them
/// ends refuses the request.
#[derive(Debug)]
pub struct Rep<S> {
    sides: Both<S, Requester>,
    state: RepState,
}

/// Where a REP is in its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepState {
    /// May receive.
    Receiving,
    /// A request was delivered and a reply is due to this peer, or to nobody if
    /// the asking connection is gone.
    Replying(Option<PeerId>),
}

/// What a REP knows of a peer: which part of a request comes next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requester {
    part: Part,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Envelope,
    Body,
}

impl<S: Storage<Peer<Requester>>> Rep<S> {
    /// A machine without peers.
    pub fn new(peers: S) -> Self {
        Self {
            sides: Both::new(peers, Frames::Any),
            state: RepState::Receiving,
        }
    }

    /// Names the peer that the reply goes to; the next request may be received.
    ///
    /// The reply is the staged envelope, then the application's frames. O(1),
    /// never a reason to wait.
    ///
    /// # Errors
    ///
    /// [`RepError::NoRequest`] without a request (EFSM). With
    /// [`RepError::PeerGone`] or [`RepError::PeerFull`] the reply is to be
    /// dropped, and the machine goes on as if it had been sent: a requester that
    /// does not read must not hold up the others.
    #[inline]
    pub fn route(&mut self) -> Result<PeerId, RepError> {
        let RepState::Replying(asker) = self.state else {
            return Err(RepError::NoRequest);
        };
        self.state = RepState::Receiving;
        let id = asker.ok_or(RepError::PeerGone)?;
        if self.sides.has_room(id) {
            Ok(id)
        } else {
            Err(RepError::PeerFull)
        }
    }

    /// Whether a request may be received now.
    ///
    /// # Errors
    ///
    /// [`RepError::AwaitingReply`] while the last one is unanswered (EFSM).
    #[inline]
    pub fn check_receive(&self) -> Result<(), RepError> {
        match self.state {
            RepState::Receiving => Ok(()),
            RepState::Replying(_) => Err(RepError::AwaitingReply),
        }
    }

    /// As [`accept`](Pattern::accept) of an empty frame and of the one that ends
    /// the request: true if the first is staged and the second delivered. False:
    /// nothing has changed, ask frame by frame. O(1).
    #[inline]
    pub fn accept_delimited(&mut self, id: PeerId) -> bool {
        let peer = self.sides.peers.get(id);
        peer.is_some_and(|peer| peer.part == Part::Envelope)
    }

    /// Where in the cycle this machine is.
    #[inline]
    pub fn state(&self) -> RepState {
        self.state
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }

    fn forget_request(&mut self, id: PeerId) {
        if self.state == RepState::Replying(Some(id)) {
            self.state = RepState::Replying(None);
        }
    }
}

impl<S: Storage<Peer<Requester>>> Pattern for Rep<S> {
    type Sides = Both<S, Requester>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.sides
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.sides
    }

    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.sides.attach(Requester::default())?)
    }

    fn peer_detached(&mut self, id: PeerId) {
        self.forget_request(id);
        self.sides.peer_detached(id);
    }

    /// The half-read request is forgotten, and a reply that was due is not: the
    /// next connection did not ask for it.
    fn link_lost(&mut self, id: PeerId) {
        self.forget_request(id);
        if let Some(peer) = self.sides.peers.get_mut(id) {
            peer.part = Part::Envelope;
        }
    }

    #[inline]
    fn next(&self) -> Option<PeerId> {
        self.check_receive().ok()?;
        self.sides.next()
    }

    #[inline]
    fn delivered(&mut self, id: PeerId) {
        if self.state == RepState::Receiving && self.sides.peers.contains(id) {
            self.sides.delivered(id);
            self.state = RepState::Replying(Some(id));
        }
    }

    #[inline]
    fn accept<P: Payload + ?Sized>(&mut self, id: PeerId, frame: &P, more: bool) -> Accept {
        let Some(peer) = self.sides.peers.get_mut(id) else {
            return Accept::Refuse(Reason::UnknownPeer);
        };
        let (part, accept) = match (peer.part, more) {
            (Part::Envelope, true) if frame.is_empty() => (Part::Body, Accept::Stage),
            (Part::Envelope, true) => (Part::Envelope, Accept::Stage),
            (Part::Envelope, false) => (Part::Envelope, Accept::Refuse(Reason::MalformedRequest)),
            (Part::Body, true) => (Part::Body, Accept::Deliver),
            (Part::Body, false) => (Part::Envelope, Accept::Deliver),
        };
        peer.part = part;
        accept
    }
}

/// A REP cannot do that now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepError {
    /// Send: no request is waiting for a reply.
    NoRequest,
    /// Send: the requester's connection is gone, the reply is dropped.
    PeerGone,
    /// Send: the requester does not read, the reply is dropped.
    PeerFull,
    /// Receive: the last request is unanswered.
    AwaitingReply,
}

impl fmt::Display for RepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRequest => "no request was received, so no reply is due",
            Self::PeerGone => "the peer that asked is gone",
            Self::PeerFull => "the peer that asked has no room for the reply",
            Self::AwaitingReply => "the last request was not answered yet",
        })
    }
}

impl core::error::Error for RepError {}

#[cfg(test)]
mod tests;
