//! What one peer has waiting, in both directions. A pipe outlives its link.

use std::collections::VecDeque;
use std::sync::Arc;

use ferromq_patterns::{PeerId, ResendCursor};

use crate::io::ConnectorId;
use crate::link::Link;
use crate::options::PIPE_BYTES;
use crate::settings::Settings;
use crate::statistics::{Drops, Queued, Traffic};
use crate::{Frame, Message};

/// What a frame that waits costs beside its bytes, at least.
const FRAME_COST: usize = 64;

/// Room of an envelope's list that is kept for the next one (REP).
const ENVELOPE: usize = 8;

/// A peer's queues, and its link while there is one.
pub(crate) struct Pipe {
    pub(crate) id: PeerId,
    /// What was bound or connected, as text.
    pub(crate) endpoint: Arc<str>,
    /// Who connects again when the link is lost; `None` for accepted peers.
    pub(crate) connector: Option<ConnectorId>,
    /// The application gave the peer its identity: it keeps it from link to
    /// link (ROUTER).
    pub(crate) named: bool,
    pub(crate) link: Option<Box<Link>>,
    /// The scheme of the transport that carries it, if not the endpoint's.
    pub(crate) via: Option<&'static str>,
    /// The transport takes nothing any more; what it still holds is read.
    pub(crate) broken: bool,
    /// Decoded while the application was away.
    pub(crate) inbound: VecDeque<Message>,
    inbound_bytes: usize,
    /// Frames of these messages.
    inbound_frames: usize,
    /// Not encoded: there was no link, or it was blocked.
    pub(crate) queue: VecDeque<Message>,
    queue_bytes: usize,
    /// REP: the envelope of the request that was delivered last.
    pub(crate) envelope: Vec<Frame>,
    /// REP: those of the requests that were decoded and not delivered.
    envelopes: VecDeque<Vec<Frame>>,
    /// What these hold.
    envelope_cost: usize,
    /// ROUTER: the frame that names this peer.
    pub(crate) identity: Option<Frame>,
    /// What the pattern was last told.
    pub(crate) full: bool,
    /// The link is gone and nothing brings it back: ends with `inbound`.
    pub(crate) ending: bool,
    /// Disconnected by the application: ends when its output has left.
    pub(crate) departing: bool,
    /// SUB, XSUB: how far the subscriptions have been sent to a new link.
    pub(crate) resend: Option<ResendCursor>,
    pub(crate) traffic: Traffic,
    pub(crate) drops: Drops,
    /// Links that this pipe has had.
    pub(crate) links: u64,
}

impl Pipe {
    pub(crate) fn new(id: PeerId, endpoint: Arc<str>, connector: Option<ConnectorId>) -> Self {
        Self {
            id,
            endpoint,
            connector,
            named: false,
            link: None,
            via: None,
            broken: false,
            inbound: VecDeque::new(),
            inbound_bytes: 0,
            inbound_frames: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            envelope: Vec::new(),
            envelopes: VecDeque::new(),
            envelope_cost: 0,
            identity: None,
            full: true,
            ending: false,
            departing: false,
            resend: None,
            traffic: Traffic::default(),
            drops: Drops::default(),
            links: 0,
        }
    }

    /// The link to encode into right now, if a message may overtake nothing.
    #[inline]
    pub(crate) fn open_link(&mut self) -> Option<&mut Link> {
        match &mut self.link {
            Some(link) if link.output.seals() && link.output.blocked => None,
            Some(link) if self.queue.is_empty() && !self.broken => Some(link),
            _ => None,
        }
    }

    /// Keeps a message that was decoded before it was asked for.
    pub(crate) fn keep_inbound(&mut self, message: Message) {
        self.inbound_bytes += message.body_len();
        self.inbound_frames += message.len();
        self.inbound.push_back(message);
    }

    pub(crate) fn take_inbound(&mut self) -> Option<Message> {
        let message = self.inbound.pop_front()?;
        self.inbound_bytes -= message.body_len();
        self.inbound_frames -= message.len();
        Some(message)
    }

    /// Keeps the envelope of a request that was decoded (REP).
    pub(crate) fn keep_envelope(&mut self, envelope: Vec<Frame>) {
        self.envelope_cost += cost_of(&envelope);
        self.envelopes.push_back(envelope);
    }

    /// The request that is delivered has a delimiter only for an envelope (REP).
    pub(crate) fn keep_delimiter(&mut self) {
        self.envelope.clear();
        self.envelope.push(Frame::from_static(b""));
    }

    /// Gives the list of a reply's envelope back, for the next one.
    pub(crate) fn reuse_envelope(&mut self, mut envelope: Vec<Frame>) {
        if envelope.capacity() <= ENVELOPE {
            envelope.clear();
            self.envelope = envelope;
        }
    }

    /// Takes the requests that were decoded and not delivered, and forgets whom
    /// replies would go to (REP).
    pub(crate) fn take_requests(&mut self) -> Vec<Message> {
        self.envelopes.clear();
        self.envelope_cost = 0;
        std::iter::from_fn(|| self.take_inbound()).collect()
    }

    /// The request that is delivered has this envelope (REP).
    pub(crate) fn use_envelope(&mut self) {
        if let Some(envelope) = self.envelopes.pop_front() {
            self.envelope_cost -= cost_of(&envelope);
            self.envelope = envelope;
        }
    }

    /// Whether no more is to be decoded before the application takes some: by
    /// the high-water mark, and by bytes, which a mark does not bound. Frames
    /// without bytes are not free: a peer could send any number of them.
    pub(crate) fn is_inbound_full(&self, settings: &Settings) -> bool {
        let limit = settings.receive_high_water_mark();
        let held = self.inbound_bytes + self.inbound_frames * FRAME_COST + self.envelope_cost;
        (limit > 0 && self.inbound.len() >= limit) || held >= PIPE_BYTES
    }

    pub(crate) fn enqueue(&mut self, message: Message) {
        self.queue_bytes += message.body_len();
        self.queue.push_back(message);
    }

    /// Puts messages back in front of the queue, in their order.
    pub(crate) fn requeue(&mut self, messages: VecDeque<Message>) {
        for message in messages.into_iter().rev() {
            self.queue_bytes += message.body_len();
            self.queue.push_front(message);
        }
    }

    pub(crate) fn dequeue(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.queue_bytes -= message.body_len();
        Some(message)
    }

    /// Encodes queued messages until `limit` bytes wait in the link's output.
    /// True: the queue holds more.
    pub(crate) fn encode_queued(&mut self, limit: usize) -> bool {
        let Some(mut link) = self.link.take() else {
            return false;
        };
        while link.output.bytes() < limit
            && let Some(message) = self.dequeue()
        {
            link.append(&[], &message, 0);
        }
        self.link = Some(link);
        !self.queue.is_empty()
    }

    /// Messages that wait to be written.
    #[inline]
    pub(crate) fn waiting_messages(&self) -> usize {
        self.queue.len() + self.link.as_ref().map_or(0, |link| link.output.messages())
    }

    /// Bytes that wait to be written.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.queue_bytes + self.link.as_ref().map_or(0, |link| link.output.bytes())
    }

    /// Whether the limits forbid another message. An empty pipe takes one of
    /// any size.
    #[inline]
    pub(crate) fn over(&self, settings: &Settings) -> bool {
        let (kept, kept_bytes) = self.kept();
        let (messages, bytes) = (self.waiting_messages(), self.waiting_bytes() + kept_bytes);
        (messages > 0 || kept > 0) && reaches(settings, messages, bytes)
    }

    /// Of a full pipe, what its peer was lent and keeps, if it is full for that: how
    /// many payloads, and their bytes.
    pub(crate) fn full_of_kept(&self, settings: &Settings) -> Option<(usize, usize)> {
        let kept = Some(self.kept()).filter(|(payloads, _)| *payloads > 0)?;
        let waiting = reaches(settings, self.waiting_messages(), self.waiting_bytes());
        (!waiting).then_some(kept)
    }

    /// Whether a full pipe has emptied enough to be offered again: below half,
    /// so that a sender wakes for a batch and not for each message.
    pub(crate) fn recovered(&self, settings: &Settings) -> bool {
        let (kept, kept_bytes) = self.kept();
        let (messages, bytes) = (self.waiting_messages(), self.waiting_bytes() + kept_bytes);
        let limit = settings.send_high_water_mark();
        (messages == 0 && kept == 0)
            || ((limit == 0 || messages <= limit / 2) && bytes <= settings.send_bytes_limit() / 2)
    }

    /// Payloads that the peer was lent and keeps, and their bytes. The bytes count
    /// towards the limit; the payloads are no messages: what a peer that keeps pace has
    /// is on its way back, and a publisher would drop for it what it has room for.
    #[inline]
    fn kept(&self) -> (usize, usize) {
        let link = self.link.as_ref();
        link.map_or((0, 0), |link| link.lent())
    }

    /// Bytes that were written and that the peer has not taken.
    pub(crate) fn unsent(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.transport.unsent())
    }

    /// What waits, each way.
    pub(crate) fn queued(&self) -> Queued {
        Queued {
            messages_out: self.waiting_messages(),
            bytes_out: self.waiting_bytes(),
            messages_in: self.inbound.len(),
            bytes_in: self.inbound_bytes + self.link.as_ref().map_or(0, |link| link.unreceived()),
        }
    }
}

/// Whether that many messages, or their bytes, are all that a pipe may have.
fn reaches(settings: &Settings, messages: usize, bytes: usize) -> bool {
    let limit = settings.send_high_water_mark();
    (limit > 0 && messages >= limit) || bytes >= settings.send_bytes_limit()
}

/// What an envelope holds: its frames, and the list of them.
fn cost_of(envelope: &[Frame]) -> usize {
    let bytes: usize = envelope.iter().map(|frame| frame.len()).sum();
    bytes + (envelope.len() + 1) * FRAME_COST
}
