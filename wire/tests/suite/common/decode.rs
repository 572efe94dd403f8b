//! Drives a `Receiver` the way a runtime does, and notes what it saw.

use ferromq_wire::{Event, ProtocolError, Receiver, Reference};

/// What came, with the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Frame { more: bool, body: Vec<u8> },
    Ping { tenths: u16, context: Vec<u8> },
    Pong,
    Subscribe(Vec<u8>),
    Cancel(Vec<u8>),
    Join(Vec<u8>),
    Leave(Vec<u8>),
    Reference { more: bool, reference: Reference },
    Release(u64),
}

/// A reader with a buffer of its own, as a runtime has one.
pub struct Reader {
    receiver: Receiver,
    buffer: Vec<u8>,
    /// The long body being read, and whether more frames follow it.
    body: Option<(bool, Vec<u8>)>,
    pub seen: Vec<Seen>,
}

impl Reader {
    pub fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            buffer: Vec::new(),
            body: None,
            seen: Vec::new(),
        }
    }

    pub fn ignored(&self) -> u32 {
        self.receiver.ignored()
    }

    /// Reads `piece`, checking that every answer is within bounds.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        self.buffer.extend_from_slice(piece);
        loop {
            self.read_body();
            let progress = self.receiver.handle_input(&mut self.buffer)?;
            assert!(progress.consumed <= self.buffer.len());
            if let Some(event) = &progress.event {
                self.note(event, progress.consumed);
            }
            self.buffer.drain(..progress.consumed);
            if progress.event.is_none() {
                return Ok(());
            }
        }
    }

    /// Moves what the buffer has of a long body out of it.
    fn read_body(&mut self) {
        let Some((_, body)) = &mut self.body else {
            return;
        };
        let missing = self.receiver.body_missing();
        let taken = self.buffer.len().min(missing.try_into().unwrap());
        let mut piece: Vec<u8> = self.buffer.drain(..taken).collect();
        self.receiver.body_received(&mut piece);
        assert_eq!(self.receiver.body_missing(), missing - taken as u64);
        body.extend_from_slice(&piece);
    }

    fn note(&mut self, event: &Event, consumed: usize) {
        let bytes = |range: &std::ops::Range<usize>| {
            assert!(range.end <= consumed);
            self.buffer[range.clone()].to_vec()
        };
        let seen = match event {
            Event::Frame { more, body } => Seen::Frame {
                more: *more,
                body: bytes(body),
            },
            Event::Ping { ttl, context } => Seen::Ping {
                tenths: u16::try_from(ttl.as_millis() / 100).unwrap(),
                context: bytes(context),
            },
            Event::Pong => Seen::Pong,
            Event::Subscribe { topic } => Seen::Subscribe(bytes(topic)),
            Event::Cancel { topic } => Seen::Cancel(bytes(topic)),
            Event::Join { group } => Seen::Join(bytes(group)),
            Event::Leave { group } => Seen::Leave(bytes(group)),
            Event::Reference { more, body } => Seen::Reference {
                more: *more,
                reference: Reference::decode(&bytes(body)).unwrap(),
            },
            &Event::Release { token } => Seen::Release(token),
            Event::Body { more, len, head } => {
                assert_eq!((*head, *len), (0, self.receiver.body_missing()));
                assert!(self.body.is_none());
                self.body = Some((*more, Vec::new()));
                return;
            }
            Event::BodyDone { more } => {
                let (announced, body) = self.body.take().unwrap();
                assert_eq!(announced, *more);
                Seen::Frame { more: *more, body }
            }
        };
        self.seen.push(seen);
    }
}
