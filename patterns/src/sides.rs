//! What most machines are made of: their peers, and whose turn it is on either
//! side.

use crate::peer::{Peer, PeerId, PeerTable};
use crate::ring::{FairQueue, LoadBalancer};
use crate::storage::{Full, Storage};

/// The part of a machine that [`Pattern`](crate::Pattern)'s methods of the same
/// names go to, unless the machine has its own.
///
/// Nobody outside can name it: machines are made here only.
pub trait Sides {
    /// See [`Pattern::peer_detached`](crate::Pattern::peer_detached).
    fn peer_detached(&mut self, id: PeerId);
    /// See [`Pattern::peer_at`](crate::Pattern::peer_at).
    fn peer_at(&self, index: usize) -> Option<PeerId>;
    /// See [`Pattern::peer_slots`](crate::Pattern::peer_slots).
    fn peer_slots(&self) -> usize;
    /// See [`Pattern::peer_readable`](crate::Pattern::peer_readable).
    fn peer_readable(&mut self, id: PeerId);
    /// See [`Pattern::peer_drained`](crate::Pattern::peer_drained).
    fn peer_drained(&mut self, id: PeerId);
    /// See [`Pattern::peer_full`](crate::Pattern::peer_full).
    fn peer_full(&mut self, id: PeerId);
    /// See [`Pattern::peer_has_room`](crate::Pattern::peer_has_room).
    fn peer_has_room(&mut self, id: PeerId);
    /// See [`Pattern::next`](crate::Pattern::next).
    fn next(&self) -> Option<PeerId>;
    /// See [`Pattern::delivered`](crate::Pattern::delivered).
    fn delivered(&mut self, id: PeerId);
    /// Whether the id is a peer's.
    fn contains(&self, id: PeerId) -> bool;

    /// How many frames an inbound message may have.
    #[inline]
    fn frames(&self) -> Frames {
        Frames::Any
    }
}

/// How many frames a machine's inbound messages may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// As many as the peer likes.
    Any,
    /// One, for the types that take no multipart messages (41/CLISRV,
    /// 49/SCATTERGATHER, 51/P2P, 52/CHANNEL).
    One,
}

/// Peers in two rings: those with room, and those to read from.
///
/// A machine that `SENDS` or `RECEIVES` only leaves the other ring empty,
/// whatever it is told.
#[derive(Debug)]
pub struct Rings<S, X, const SENDS: bool, const RECEIVES: bool> {
    pub(crate) peers: PeerTable<S, X>,
    ready: LoadBalancer,
    queue: FairQueue,
    frames: Frames,
}

pub(crate) type Both<S, X = ()> = Rings<S, X, true, true>;
pub(crate) type SendOnly<S, X = ()> = Rings<S, X, true, false>;
pub(crate) type ReceiveOnly<S, X = ()> = Rings<S, X, false, true>;

impl<S, X, const SENDS: bool, const RECEIVES: bool> Rings<S, X, SENDS, RECEIVES>
where
    X: Default,
    S: Storage<Peer<X>>,
{
    pub(crate) fn new(peers: S, frames: Frames) -> Self {
        Self {
            peers: PeerTable::new(peers),
            ready: LoadBalancer::new(),
            queue: FairQueue::new(),
            frames,
        }
    }

    pub(crate) fn attach(&mut self, data: X) -> Result<PeerId, Full> {
        self.peers.attach(data)
    }

    /// The peer for the next message; its turn passes.
    #[inline]
    pub(crate) fn route(&mut self) -> Option<PeerId> {
        self.ready.route(&self.peers)
    }

    #[inline]
    pub(crate) fn any_has_room(&self) -> bool {
        !self.ready.is_empty()
    }

    #[inline]
    pub(crate) fn has_room(&self, id: PeerId) -> bool {
        self.ready.is_ready(&self.peers, id)
    }
}

impl<S, X, const SENDS: bool, const RECEIVES: bool> Sides for Rings<S, X, SENDS, RECEIVES>
where
    X: Default,
    S: Storage<Peer<X>>,
{
    fn peer_detached(&mut self, id: PeerId) {
        self.ready.full(&mut self.peers, id);
        self.queue.drained(&mut self.peers, id);
        self.peers.detach(id);
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
        if RECEIVES {
            self.queue.readable(&mut self.peers, id);
        }
    }

    #[inline]
    fn peer_drained(&mut self, id: PeerId) {
        self.queue.drained(&mut self.peers, id);
    }

    #[inline]
    fn peer_full(&mut self, id: PeerId) {
        self.ready.full(&mut self.peers, id);
    }

    #[inline]
    fn peer_has_room(&mut self, id: PeerId) {
        if SENDS {
            self.ready.has_room(&mut self.peers, id);
        }
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

    #[inline]
    fn frames(&self) -> Frames {
        self.frames
    }
}
