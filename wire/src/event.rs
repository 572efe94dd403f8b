//! What the decoder reports.

use core::ops::Range;
use core::time::Duration;

/// What one call of [`Receiver::handle_input`](crate::Receiver::handle_input) did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes at the start of the input are done with, once the
    /// event's range has been looked at.
    pub consumed: usize,
    /// What came; `None` when more input is needed. (`consumed` may be above
    /// zero even so: an ignored command.)
    pub event: Option<Event>,
}

impl Progress {
    #[inline]
    pub(crate) const fn frame(more: bool, body: Range<usize>, consumed: usize) -> Self {
        Self {
            consumed,
            event: Some(Event::Frame { more, body }),
        }
    }

    pub(crate) const fn incomplete(consumed: usize) -> Self {
        Self {
            consumed,
            event: None,
        }
    }
}

/// What a peer sent. Ranges are relative to the input of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A frame that lies in the input whole.
    Frame {
        /// Whether another frame of the same message follows.
        more: bool,
        /// Where its body lies.
        body: Range<usize>,
    },
    /// The header of a frame too long to be waited for. `consumed` ends with
    /// it: the caller reads the body itself, also what of it follows
    /// `consumed` in the input, and calls [`Receiver::body_received`](crate::Receiver::body_received).
    Body {
        /// Whether another frame of the same message follows.
        more: bool,
        /// Bytes in the body.
        len: u64,
        /// How many bytes at the body's start are not payload: place the body
        /// so that the one after them is aligned. Zero unless frames travel
        /// sealed.
        head: usize,
    },
    /// A frame by reference: its payload lies elsewhere. The peer keeps it there
    /// until it gets RELEASE with the token.
    Reference {
        /// Whether another frame of the same message follows.
        more: bool,
        /// Where the body lies that says where: see
        /// [`Reference::decode`](crate::Reference::decode).
        body: Range<usize>,
    },
    /// The peer is done with a payload that we sent by reference.
    Release {
        /// The token of its reference, as the peer says.
        token: u64,
    },
    /// The long body is complete and, where checksums are on, right.
    BodyDone {
        /// Whether another frame of the same message follows.
        more: bool,
    },
    /// The peer asks for a PONG.
    Ping {
        /// How long the peer may be silent from now on; zero for ever.
        ttl: Duration,
        /// What the PONG is to bring back, up to 16 bytes.
        context: Range<usize>,
    },
    /// The peer answered a PING.
    Pong,
    /// The peer asks for a topic, by command. (A 3.0 peer's data frames are
    /// frames.)
    Subscribe {
        /// Where the topic lies.
        topic: Range<usize>,
    },
    /// The peer no longer asks for a topic, by command.
    Cancel {
        /// Where the topic lies.
        topic: Range<usize>,
    },
    /// The peer joins a group (48/RADIO-DISH).
    Join {
        /// Where the group lies: up to 255 bytes, none of them zero.
        group: Range<usize>,
    },
    /// The peer leaves a group.
    Leave {
        /// Where the group lies.
        group: Range<usize>,
    },
}
