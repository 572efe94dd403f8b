//! What a link is to write: bytes, and which messages they are.

use std::collections::VecDeque;

use ferromq_patterns::Subscription;
use ferromq_wire::{Command, FRAME_OVERHEAD, Transmitter};

use crate::message::Message;

/// Encoded bytes, with the messages that they come from until these are written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// Bytes written before those.
    written: u64,
    messages: VecDeque<Encoded>,
    /// A message that was written last, for a planted bug.
    last: Option<Message>,
}

#[derive(Debug)]
struct Encoded {
    start: u64,
    end: u64,
    message: Message,
}

impl Output {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Messages of which some byte is still to be written.
    pub(crate) fn messages(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn append(&mut self, transmitter: &mut Transmitter, message: Message) {
        let start = self.end();
        for (index, frame) in message.frames().enumerate() {
            let more = index + 1 < message.len();
            self.encode(frame.len() + FRAME_OVERHEAD, |room| {
                transmitter.frame(more, frame, room)
            });
        }
        let end = self.end();
        self.messages.push_back(Encoded {
            start,
            end,
            message,
        });
    }

    /// A planted bug: the first frame goes out twice.
    pub(crate) fn append_stutter(&mut self, transmitter: &mut Transmitter, message: &Message) {
        let frame = message.frame(0);
        self.encode(frame.len() + FRAME_OVERHEAD, |room| {
            transmitter.frame(true, frame, room)
        });
    }

    pub(crate) fn append_command(&mut self, transmitter: &mut Transmitter, command: Command<'_>) {
        self.encode(Transmitter::command_len(&command), |room| {
            transmitter.command(command, room).unwrap_or(0)
        });
    }

    pub(crate) fn append_subscription(
        &mut self,
        transmitter: &mut Transmitter,
        subscription: Subscription,
        topic: &[u8],
    ) {
        let subscription = match subscription {
            Subscription::Subscribe => ferromq_wire::Subscription::Subscribe,
            Subscription::Cancel => ferromq_wire::Subscription::Cancel,
        };
        self.encode(Transmitter::subscription_len(topic.len()), |room| {
            transmitter
                .subscription(subscription, topic, room)
                .unwrap_or(0)
        });
    }

    /// The first `count` bytes are with the network.
    pub(crate) fn advance(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.written += count as u64;
        while self
            .messages
            .front()
            .is_some_and(|front| front.end <= self.written)
        {
            self.last = self.messages.pop_front().map(|front| front.message);
        }
    }

    /// Takes it apart when its link is lost: the messages of which no byte was
    /// written, and how many were written in part.
    pub(crate) fn recover(self) -> Recovered {
        let (mut messages, mut cut) = (VecDeque::new(), 0);
        for encoded in self.messages {
            match encoded.start < self.written {
                true => cut += 1,
                false => messages.push_back(encoded.message),
            }
        }
        Recovered {
            messages,
            cut,
            last: self.last,
        }
    }

    fn end(&self) -> u64 {
        self.written + self.bytes.len() as u64
    }

    fn encode(&mut self, room: usize, encode: impl FnOnce(&mut [u8]) -> usize) {
        let start = self.bytes.len();
        self.bytes.resize(start + room, 0);
        let len = encode(&mut self.bytes[start..]);
        self.bytes.truncate(start + len);
    }
}

/// What a lost link leaves of its output.
pub(crate) struct Recovered {
    pub(crate) messages: VecDeque<Message>,
    pub(crate) cut: u64,
    pub(crate) last: Option<Message>,
}
