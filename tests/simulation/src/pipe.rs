//! What one peer has waiting, in both directions. A pipe outlives its link.

use std::collections::VecDeque;

use ferromq_patterns::{PeerId, ResendCursor};

use crate::link::Link;
use crate::message::Message;
use crate::topics::Counts;

/// A peer's queues, and its link while there is one.
pub(crate) struct Pipe {
    pub(crate) id: PeerId,
    /// Who connects again when the link is lost; none for accepted peers.
    pub(crate) connector: Option<usize>,
    pub(crate) link: Option<Box<Link>>,
    /// Not encoded yet.
    pub(crate) queue: VecDeque<Message>,
    /// Decoded, and not received yet.
    pub(crate) inbound: VecDeque<Inbound>,
    /// REP: the envelope of the request that was delivered last.
    pub(crate) envelope: Message,
    /// ROUTER: the frame that names this peer.
    pub(crate) identity: Option<Vec<u8>>,
    /// What the machine was last told of room, and of messages to read.
    pub(crate) full: bool,
    /// Whether it was told that this pipe is full, ever.
    pub(crate) told_full: bool,
    pub(crate) readable: bool,
    /// The link is gone for good: ends with `inbound`.
    pub(crate) ending: bool,
    /// How far the subscriptions have been sent to a new link.
    pub(crate) resend: Option<ResendCursor>,
    /// What a naive reader of its commands knows the peer to be subscribed to.
    pub(crate) asked: Counts,
    /// A planted bug: what the last link left of a message.
    pub(crate) partial: Message,
}

/// A message that was decoded.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    pub(crate) envelope: Message,
    pub(crate) message: Message,
    pub(crate) origin: Origin,
}

/// Who made an inbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The peer's application.
    Peer,
    /// This socket: somebody subscribed (XPUB).
    Subscription,
}

impl Pipe {
    pub(crate) fn new(id: PeerId, connector: Option<usize>) -> Self {
        Self {
            id,
            connector,
            link: None,
            queue: VecDeque::new(),
            inbound: VecDeque::new(),
            envelope: Message::default(),
            identity: None,
            full: true,
            told_full: false,
            readable: false,
            ending: false,
            resend: None,
            asked: Counts::default(),
            partial: Message::default(),
        }
    }

    /// Messages that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len() + self.link.as_ref().map_or(0, |link| link.output.messages())
    }

    /// Messages of the peer's that wait to be received.
    pub(crate) fn unread(&self) -> usize {
        let ours = |inbound: &&Inbound| inbound.origin == Origin::Peer;
        self.inbound.iter().filter(ours).count()
    }
}
