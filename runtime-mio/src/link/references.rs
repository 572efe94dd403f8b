//! Payloads beside the stream: those that we lend to the peer, and those that it
//! lends to us (docs/PROTOCOL.md, By reference).
//!
//! ```text
//!  send     a long payload is copied once into memory of the transport's lender, or
//!           lies there already (a loan); its reference goes into the output, and a
//!           handle of it stays here until the peer gives its token back
//!  receive  a reference becomes a frame that reads the peer's memory; when its last
//!           handle is dropped, on whatever thread, the token goes back by `Returns`
//! ```
//!
//! Where the carrier has to fetch a payload first, the link waits with it ([`Awaited`]):
//! nothing that came behind is decoded, or read, before it is there.

mod sending;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use ferromq_patterns::PeerId;
use ferromq_transport::{self as transport, Bytes, Lender, Place};
use ferromq_wire::Reference;
use slab::Slab;

use sending::lend_copy;
pub(crate) use sending::{LastPart, shareable};

use super::{Decoded, Link, LinkError, Pools};
use crate::machine::Machine;
use crate::memory::{LandingBuffer, ReceiveBlock};
use crate::socket::{GivenBack, Returns};
use crate::statistics::Traffic;
use crate::{Frame, Message};

/// Payloads from this length are put into memory that the peer reads, if they are
/// not there: shorter ones go through the stream, in which they are copied twice, but
/// need no answer.
pub(crate) const LEND_FROM: usize = 64 << 10;

/// Of payloads from this length the first one goes through the stream, as there may be
/// no second: 1 GiB of fresh shared memory costs 0.7 s (to make it 0.28, the faults of
/// both sides 0.4) and is kept, where the stream takes 0.25. Warm, it costs 0.05.
const HUGE: usize = 64 << 20;

/// Loans from this length go by reference.
const LOAN_FROM: usize = 4 << 10;

/// What is out on one link.
pub(crate) struct References {
    lender: Arc<dyn Lender>,
    /// What the peer may look at, by the lower half of the token.
    lent: Slab<Lent>,
    /// How often something was lent: the upper half of the next token.
    count: u32,
    bytes: usize,
    returns: Arc<Returns>,
    /// The link, as tokens that come back name it.
    peer: PeerId,
    link: u64,
    /// Whether there was a payload of [`HUGE`] bytes.
    huge: bool,
    /// What of the link's traffic went beside the stream.
    traffic: Traffic,
}

struct Lent {
    count: u32,
    frame: Frame,
}

impl References {
    pub(crate) fn new(
        lender: Arc<dyn Lender>,
        returns: Arc<Returns>,
        peer: PeerId,
        link: u64,
    ) -> Self {
        Self {
            lender,
            lent: Slab::new(),
            count: 0,
            bytes: 0,
            returns,
            peer,
            link,
            huge: false,
            traffic: Traffic::default(),
        }
    }

    /// Where memory comes from that this peer reads.
    pub(crate) fn lender(&self) -> Arc<dyn Lender> {
        self.lender.clone()
    }

    /// The link that tokens name.
    pub(crate) fn link(&self) -> u64 {
        self.link
    }

    /// A frame of memory that the peer can read; `None`: it is to be sent as it is.
    fn lendable(&mut self, bytes: &[u8], frame: Option<&Frame>) -> Option<Frame> {
        if let Some(frame) = frame.filter(|frame| frame.len() >= LOAN_FROM)
            && self.lender.lends(frame)
        {
            return Some(frame.clone());
        }
        let first_huge = bytes.len() >= HUGE && !std::mem::replace(&mut self.huge, true);
        if bytes.len() < LEND_FROM || first_huge {
            return None;
        }
        let copy = lend_copy(&*self.lender, bytes);
        self.traffic.references_refused += u64::from(copy.is_none());
        copy
    }

    fn put(&mut self, frame: Frame, place: Place) -> Reference {
        self.count = self.count.wrapping_add(1);
        let len = frame.len();
        self.bytes += len;
        let count = self.count;
        let key = self.lent.insert(Lent { count, frame });
        Reference {
            region: place.region,
            offset: place.offset,
            len: len as u64,
            key: place.key,
            token: u64::from(count) << 32 | key as u64,
        }
    }

    /// The payload of a token, which is out no more. `None`: it was not.
    pub(crate) fn take(&mut self, token: u64) -> Option<Frame> {
        let key = (token & u64::from(u32::MAX)) as usize;
        let lent = self.lent.get(key)?;
        if u64::from(lent.count) != token >> 32 {
            return None;
        }
        let lent = self.lent.remove(key);
        self.bytes -= lent.frame.len();
        Some(lent.frame)
    }

    /// Ends what is out: a peer that did not say that it is done may look at it for
    /// ever, so that memory is not lent again.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = Frame> {
        self.bytes = 0;
        let frames: Vec<_> = self.lent.drain().map(|lent| lent.frame).collect();
        for frame in &frames {
            self.lender.abandon(frame);
        }
        frames.into_iter()
    }
}

/// Memory of the peer's, given back when nobody looks at it any more.
struct Borrowed {
    bytes: Arc<dyn Bytes>,
    returns: Arc<Returns>,
    token: GivenBack,
}

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.returns.give(self.token);
    }
}

/// A payload that is on its way from the peer's memory.
pub(super) struct Awaited {
    reference: Reference,
    more: bool,
    /// What came behind it, kept from the decoder.
    pub(super) block: ReceiveBlock,
}

impl Link {
    /// Decodes nothing more before this payload is there.
    pub(super) fn await_payload(&mut self, reference: Reference, more: bool) -> Option<Decoded> {
        let block = self.block.take()?;
        self.awaited = Some(Box::new(Awaited {
            reference,
            more,
            block,
        }));
        // An event tells when it is worth another look: nothing is read until then.
        self.drained = true;
        Some(Decoded::Starved)
    }

    /// Whether a payload is being fetched that came before anything that is there.
    pub(crate) fn awaits_payload(&self) -> bool {
        self.awaited.is_some()
    }

    /// Goes on with what is awaited, if it is there, and with what came behind it.
    #[cold]
    pub(super) fn decode_awaited(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        pools: &Pools,
    ) -> Result<Decoded, LinkError> {
        let Some(awaited) = self.awaited.take() else {
            return Ok(Decoded::Starved);
        };
        let Awaited {
            reference,
            more,
            block,
        } = *awaited;
        self.block = Some(block);
        // A link that fails would say so: a long fetch is a sign of life.
        self.heard = true;
        let Some(frame) = self.borrow(reference, pools)? else {
            self.await_payload(reference, more);
            return Ok(Decoded::Starved);
        };
        match self.assembly.add(id, machine, frame, more) {
            Some(decoded) => Ok(decoded),
            None => self.decode(id, machine, pools),
        }
    }

    /// The frame that a reference of the peer's stands for. `None`: it is being fetched.
    pub(super) fn borrow(
        &mut self,
        reference: Reference,
        pools: &Pools,
    ) -> Result<Option<Frame>, LinkError> {
        let (Some(references), Some(memory)) = (&mut self.references, self.transport.memory())
        else {
            return Err(LinkError::Unreachable);
        };
        let place = Place {
            region: reference.region,
            offset: reference.offset,
            key: reference.key,
        };
        let bytes = match memory.import(place, reference.len) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            bytes => bytes?,
        };
        let borrowed = Borrowed {
            bytes,
            returns: references.returns.clone(),
            token: GivenBack {
                peer: references.peer,
                link: references.link,
                token: reference.token,
            },
        };
        references.traffic.references_received += 1;
        // Whoever told us of memory may have taken an event with him.
        self.drained = false;
        let landing = match self.assembly.skipping {
            true => None,
            false => pools.offer.take(reference.len, &self.assembly.frames),
        };
        let origin = Some(self.peer.clone());
        Ok(Some(match landing {
            Some(landing) => landed(landing, borrowed.as_ref()).received_from(origin),
            None => Frame::received(borrowed, origin),
        }))
    }

    /// The payload that the peer gives back.
    pub(super) fn given_back(&mut self, token: u64) -> Result<Frame, LinkError> {
        let references = self.references.as_deref_mut();
        let frame = references
            .and_then(|references| references.take(token))
            .ok_or(LinkError::UnknownToken { token })?;
        if let Some(memory) = self.transport.memory() {
            memory.returned(&frame);
        }
        Ok(frame)
    }

    /// Payloads that the peer was lent and has not given back, and their bytes.
    #[inline]
    pub(crate) fn lent(&self) -> (usize, usize) {
        let references = self.references.as_ref();
        references.map_or((0, 0), |all| (all.lent.len(), all.bytes))
    }

    /// Whether the peer has payloads to give back.
    pub(crate) fn lends(&self) -> bool {
        self.lent().0 > 0
    }

    /// What of the traffic went beside the stream.
    pub(crate) fn traffic(&self) -> Traffic {
        let references = self.references.as_ref();
        references.map_or_else(Traffic::default, |references| references.traffic)
    }

    /// What of this link's output can go over another one: see
    /// [`Output::recover`](super::Output::recover). All the peer may have seen of
    /// what is out is abandoned, and comes back to be dropped.
    pub(crate) fn recover(&mut self) -> (VecDeque<Message>, u64, Vec<Frame>) {
        let trailer = self.transmitter.trailer_len();
        let output = std::mem::take(&mut self.output);
        let references = &mut self.references;
        let (messages, cut) = output.recover(trailer, |token| references.as_mut()?.take(token));
        let left = references.as_mut().map(|references| references.abandon());
        (messages, cut, left.into_iter().flatten().collect())
    }
}

/// A landing with all of a payload in it.
fn landed(mut landing: LandingBuffer, bytes: &[u8]) -> Frame {
    let mut rest = bytes;
    while !rest.is_empty() && landing.missing() > 0 {
        let space = landing.space_mut();
        let len = space.len().min(rest.len());
        space[..len].copy_from_slice(&rest[..len]);
        landing.filled(len);
        rest = &rest[len..];
    }
    landing.into_frame()
}

/// Where payloads come from that go by reference on such a link, if any can.
pub(crate) fn lender_of(link: &mut dyn transport::Link) -> Option<Arc<dyn Lender>> {
    link.memory().map(|memory| memory.lender())
}
