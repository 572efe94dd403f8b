//! REQ (28/REQREP): one request, one reply, in turn.

use core::fmt;

use crate::pattern::{Accept, AttachError, Pattern, Reason};
use crate::payload::Payload;
use crate::peer::{Peer, PeerId};
use crate::sides::{Both, Frames, Sides};
use crate::storage::Storage;

/// A REQ socket's machine.
///
/// ```text
///            route()              accept() of the reply's last frame
///   Ready ───────────► Awaiting ─────────────────────────────────► Answered
///     ▲                   │ peer_detached(asked)                        │
///     │                   ▼                                             │
///     │ route() ◄───── Orphaned ◄───────── peer_detached(asked) ────────┤
///     └──────────────────────────── delivered(asked) ───────────────────┘
/// ```
/// With [`Resend::Relaxed`], `route` goes to `Awaiting` from anywhere.
///
/// `accept` may run when frames arrive or when they are taken from the pipe. In
/// the latter case [`next`](Pattern::next) also names peers whose messages will
/// all be refused, so that they do not clog their pipes.
#[derive(Debug)]
pub struct Req<S> {
    sides: Both<S, Replier>,
    correlation: Correlation,
    resend: Resend,
    state: ReqState,
    /// Id of the last request; also counts them.
    request: u32,
    abandoned: Option<PeerId>,
}

/// ZMQ_REQ_CORRELATE: whether requests and replies carry an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Correlation {
    /// The envelope is the delimiter only.
    #[default]
    Off,
    /// A 4-byte request id precedes the delimiter; replies with another are refused.
    On,
}

/// ZMQ_REQ_RELAXED: whether a request may follow an unanswered one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resend {
    /// Not before the reply was received.
    #[default]
    Strict,
    /// At any time; it goes to the next peer and the old request is abandoned.
    Relaxed,
}

/// Where a REQ is in its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReqState {
    /// May send.
    Ready,
    /// A request is out with this peer.
    Awaiting(PeerId),
    /// This peer's reply has been accepted whole; it is still to be delivered.
    Answered(PeerId),
    /// The asked peer is gone for good, no reply can come; may send.
    Orphaned,
}

/// What a REQ knows of a peer: how much of a message was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replier {
    progress: Progress,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// Between messages.
    #[default]
    Start,
    /// The request id was right.
    Correlated,
    /// The delimiter was there.
    Body,
    /// In the middle of a reply to a request that was since abandoned.
    Late,
}

impl<S: Storage<Peer<Replier>>> Req<S> {
    /// A machine without peers. Request ids count up from `first_request`, which
    /// should be random: then a restarted client does not take its predecessor's
    /// replies.
    pub fn new(peers: S, correlation: Correlation, resend: Resend, first_request: u32) -> Self {
        Self {
            sides: Both::new(peers, Frames::Any),
            correlation,
            resend,
            state: ReqState::Ready,
            request: first_request.wrapping_sub(1),
            abandoned: None,
        }
    }

    /// Changes both options; they hold from the next request on.
    pub fn set_options(&mut self, correlation: Correlation, resend: Resend) {
        self.correlation = correlation;
        self.resend = resend;
    }

    /// Chooses the peer for the next request, in turn, and awaits its reply.
    ///
    /// The request is [`envelope`](Self::envelope)'s frames, then the
    /// application's. O(1).
    ///
    /// # Errors
    ///
    /// [`ReqError::AwaitingReply`] while a reply is due and resending is strict
    /// (EFSM); [`ReqError::NoPeer`] when no peer has room. Nothing has changed.
    #[inline]
    pub fn route(&mut self) -> Result<PeerId, ReqError> {
        let abandoned = match (self.state, self.resend) {
            (ReqState::Ready | ReqState::Orphaned, _) => None,
            (ReqState::Awaiting(_) | ReqState::Answered(_), Resend::Strict) => {
                return Err(ReqError::AwaitingReply);
            }
            (ReqState::Awaiting(id) | ReqState::Answered(id), Resend::Relaxed) => Some(id),
        };
        let id = self.sides.route().ok_or(ReqError::NoPeer)?;
        if let Some(late) = abandoned {
            self.abandon(late);
        }
        self.state = ReqState::Awaiting(id);
        self.request = self.request.wrapping_add(1);
        Ok(id)
    }

    /// Whether [`route`](Self::route) would name a peer.
    #[inline]
    pub fn may_send(&self) -> bool {
        let allowed = self.resend == Resend::Relaxed
            || matches!(self.state, ReqState::Ready | ReqState::Orphaned);
        allowed && self.sides.any_has_room()
    }

    /// Whether receiving makes sense: a reply is due or there.
    ///
    /// # Errors
    ///
    /// [`ReqError::NoRequest`] before a request (EFSM), [`ReqError::PeerGone`]
    /// when the asked peer has gone: waiting would be for ever.
    #[inline]
    pub fn check_receive(&self) -> Result<(), ReqError> {
        match self.state {
            ReqState::Awaiting(_) | ReqState::Answered(_) => Ok(()),
            ReqState::Ready => Err(ReqError::NoRequest),
            ReqState::Orphaned => Err(ReqError::PeerGone),
        }
    }

    /// The frames that go in front of the request just routed.
    #[inline]
    pub fn envelope(&self) -> ReqEnvelope {
        ReqEnvelope {
            request: self.request.to_be_bytes(),
            correlation: self.correlation,
        }
    }

    /// The peer whose outstanding request the last [`route`](Self::route)
    /// abandoned, once. Ask after each relaxed `route`, before the request is
    /// written.
    ///
    /// Whole messages in its inbound pipe are late replies: empty the pipe. And
    /// without correlation close its link, for a late reply that arrives on it
    /// could not be told from the next one's; nor could the reply to a request
    /// that is still queued, so empty its outbound pipe too. If the peer goes with
    /// its link and is the one just routed to, the request was not sent:
    /// [`state`](Self::state) is then [`ReqState::Orphaned`], route again.
    pub fn poll_abandoned(&mut self) -> Option<PeerId> {
        self.abandoned.take()
    }

    /// As [`accept`](Pattern::accept) of an empty frame and of the one that ends
    /// the reply: true if the first is consumed and the second delivered. False:
    /// nothing has changed, ask frame by frame. O(1).
    #[inline]
    pub fn accept_delimited(&mut self, id: PeerId) -> bool {
        let awaited = self.state == ReqState::Awaiting(id) && self.correlation == Correlation::Off;
        let peer = self.sides.peers.get(id).filter(|_| awaited);
        let accepted = peer.is_some_and(|peer| peer.progress == Progress::Start);
        if accepted {
            self.state = ReqState::Answered(id);
        }
        accepted
    }

    /// Where in the cycle this machine is.
    #[inline]
    pub fn state(&self) -> ReqState {
        self.state
    }

    /// Peers attached.
    pub fn peers(&self) -> usize {
        self.sides.peers.len()
    }

    fn abandon(&mut self, id: PeerId) {
        self.abandoned = Some(id);
        if let Some(peer) = self.sides.peers.get_mut(id)
            && peer.progress != Progress::Start
        {
            peer.progress = Progress::Late;
        }
    }

    /// One step along id, delimiter, body; `None` is the body's delivery.
    #[inline]
    fn step<P: Payload + ?Sized>(
        &self,
        progress: Progress,
        frame: &P,
        more: bool,
    ) -> Result<Progress, Reason> {
        match (progress, self.correlation) {
            (Progress::Body, _) => Ok(Progress::Body),
            (Progress::Late, _) => Err(Reason::NotAsked),
            (Progress::Start, Correlation::On) => {
                let same = frame.len() == 4 && frame.head() == self.request.to_be_bytes();
                if same && more {
                    Ok(Progress::Correlated)
                } else {
                    Err(Reason::NotCorrelated)
                }
            }
            (Progress::Start, Correlation::Off) | (Progress::Correlated, _) => {
                let delimiter = frame.is_empty() && more;
                if delimiter {
                    Ok(Progress::Body)
                } else {
                    Err(Reason::MalformedReply)
                }
            }
        }
    }
}

impl<S: Storage<Peer<Replier>>> Pattern for Req<S> {
    type Sides = Both<S, Replier>;

    #[inline]
    fn sides(&self) -> &Self::Sides {
        &self.sides
    }

    #[inline]
    fn sides_mut(&mut self) -> &mut Self::Sides {
        &mut self.sides
    }

    fn peer_attached(&mut self, _identity: &[u8]) -> Result<PeerId, AttachError> {
        Ok(self.sides.attach(Replier::default())?)
    }

    fn peer_detached(&mut self, id: PeerId) {
        self.sides.peer_detached(id);
        if matches!(self.state, ReqState::Awaiting(asked) | ReqState::Answered(asked) if asked == id)
        {
            self.state = ReqState::Orphaned;
        }
        if self.abandoned == Some(id) {
            self.abandoned = None;
        }
    }

    /// A half-read reply is forgotten. The request stays out: it may still be in
    /// the pipe, or be answered after a reconnect; a relaxed REQ may send again.
    fn link_lost(&mut self, id: PeerId) {
        if let Some(peer) = self.sides.peers.get_mut(id) {
            peer.progress = Progress::Start;
        }
    }

    #[inline]
    fn next(&self) -> Option<PeerId> {
        self.check_receive().ok()?;
        self.sides.next()
    }

    #[inline]
    fn delivered(&mut self, id: PeerId) {
        self.sides.delivered(id);
        if self.state == ReqState::Answered(id) {
            self.state = ReqState::Ready;
        }
    }

    #[inline]
    fn accept<P: Payload + ?Sized>(&mut self, id: PeerId, frame: &P, more: bool) -> Accept {
        let Some(peer) = self.sides.peers.get(id).copied() else {
            return Accept::Refuse(Reason::UnknownPeer);
        };
        let step = match self.state {
            ReqState::Awaiting(asked) if asked == id => self.step(peer.progress, frame, more),
            _ => Err(Reason::NotAsked),
        };
        let (progress, accept) = match step {
            Err(reason) => (Progress::Start, Accept::Refuse(reason)),
            Ok(Progress::Body) if peer.progress == Progress::Body => {
                let progress = if more {
                    Progress::Body
                } else {
                    Progress::Start
                };
                (progress, Accept::Deliver)
            }
            Ok(progress) => (progress, Accept::Consume),
        };
        if let Some(peer) = self.sides.peers.get_mut(id) {
            peer.progress = progress;
        }
        if accept == Accept::Deliver && !more {
            self.state = ReqState::Answered(id);
        }
        accept
    }
}

/// The frames in front of a request: perhaps its id, then the delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReqEnvelope {
    request: [u8; 4],
    correlation: Correlation,
}

impl ReqEnvelope {
    /// Whether it is the delimiter only.
    #[inline]
    pub fn is_delimiter(&self) -> bool {
        self.correlation == Correlation::Off
    }

    /// The frames' bodies, in order; each has MORE set on the wire.
    #[inline]
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let id = match self.correlation {
            Correlation::On => Some(&self.request[..]),
            Correlation::Off => None,
        };
        id.into_iter().chain(core::iter::once(&[][..]))
    }
}

/// A REQ cannot do that now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReqError {
    /// Send: the reply to the last request is still to be received.
    AwaitingReply,
    /// Send: no peer has room; try again when one has.
    NoPeer,
    /// Receive: no request was sent.
    NoRequest,
    /// Receive: the asked peer is gone and its reply with it.
    PeerGone,
}

impl fmt::Display for ReqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitingReply => "the reply to the last request was not received yet",
            Self::NoPeer => "no peer has room for the request",
            Self::NoRequest => "no request was sent, so no reply is due",
            Self::PeerGone => "the peer that was asked is gone",
        })
    }
}

impl core::error::Error for ReqError {}

#[cfg(test)]
mod tests;
