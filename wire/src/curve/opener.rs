//! Incoming traffic: each MESSAGE becomes the frame that it wraps.

use zerocopy::FromBytes;

use super::layout::{INNER_COMMAND, INNER_MORE, MESSAGE_NAME, MESSAGE_OVERHEAD, Message};
use super::{Crypto, Session, SharedKey, Side, short_nonce};
use crate::frame::{FrameFlags, FrameHeader, Header, References, read_header};
use crate::{Limits, ProtocolError, Receiver};

/// Unwraps the frames of one direction, in place.
///
/// It stands in front of a [`Receiver`](crate::Receiver), and works on the same
/// buffer: after [`Opening::Plain`] the caller drops `skip` bytes and gives the
/// receiver the `len` bytes that follow, and nothing beyond, until they are
/// consumed. A body too long to wait for in the buffer is gathered elsewhere
/// and opened there, see [`open_long`](Self::open_long).
#[derive(Debug)]
pub struct Opener<C> {
    crypto: C,
    key: SharedKey,
    peer: Side,
    received: u64,
    frame_max: u64,
    inline_max: u64,
}

/// What the bytes at the front of the input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Not yet a whole frame.
    Incomplete,
    /// Opened: `skip` bytes that are nothing any more, then a plain frame.
    Plain {
        /// Bytes to drop.
        skip: usize,
        /// Bytes of the plain frame behind them, header included.
        len: usize,
    },
    /// A frame whose body is over `inline_max`: drop the header, gather the
    /// body, then [`Opener::open_long`].
    Long {
        /// Bytes of the header.
        header_len: usize,
        /// Bytes of the body: 33 more than the payload.
        body_len: u64,
    },
}

/// A long body, opened where it was gathered: the payload begins at
/// [`Opener::PAYLOAD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The header of the plain frame, for the receiver.
    pub header: Header,
}

impl<C: Crypto> Opener<C> {
    /// Where the payload begins in a body that was opened.
    pub const PAYLOAD: usize = MESSAGE_OVERHEAD;

    /// The receiving half of a session. Bodies of commands, which may have
    /// `limits.command` bytes, are always waited for in the caller's buffer, and so
    /// are those of up to [`Receiver::INLINE_MIN`].
    pub fn new(crypto: C, session: &Session, limits: &Limits, inline_max: usize) -> Self {
        Self {
            crypto,
            key: session.key.clone(),
            peer: session.side.peer(),
            received: session.received,
            // A message of one frame; of several, the receiver keeps count.
            frame_max: limits
                .frame
                .min(limits.message.saturating_sub(Limits::FRAME_COST)),
            // The receiver raises it, too: each says of the same bodies that they are long.
            inline_max: limits
                .command
                .max(inline_max.max(Receiver::INLINE_MIN) as u64),
        }
    }

    /// Looks at the frame at the front of `input`, and opens it if it is whole.
    ///
    /// # Errors
    /// The peer broke the protocol or a limit, or the frame is not the peer's.
    pub fn handle_input(&mut self, input: &mut [u8]) -> Result<Opening, ProtocolError> {
        let Some(header) = read_header(input, References::Off)? else {
            return Ok(Opening::Incomplete);
        };
        let FrameHeader {
            header_len,
            body_len,
            ..
        } = header;
        let payload_len = self.check(header)?;
        if payload_len > self.inline_max {
            return Ok(Opening::Long {
                header_len,
                body_len,
            });
        }
        let body_len = usize::try_from(body_len).unwrap_or(usize::MAX);
        let end = header_len.saturating_add(body_len);
        let Some(body) = input.get_mut(header_len..end) else {
            return Ok(Opening::Incomplete);
        };
        let plain = self.open(body)?;
        let plain = plain.as_ref();
        // The plain header goes right in front of the payload.
        let payload_at = header_len.saturating_add(MESSAGE_OVERHEAD);
        let skip = payload_at.saturating_sub(plain.len());
        if let Some(slot) = input.get_mut(skip..payload_at) {
            slot.copy_from_slice(plain);
        }
        Ok(Opening::Plain {
            skip,
            len: end.saturating_sub(skip),
        })
    }

    /// Opens the whole body of an [`Opening::Long`] in place. The caller gives
    /// [`Opened::header`] to the receiver, and calls
    /// [`body_handed_over`](crate::Receiver::body_handed_over).
    ///
    /// # Errors
    /// The frame is not the peer's, or a command.
    pub fn open_long(&mut self, body: &mut [u8]) -> Result<Opened, ProtocolError> {
        let header = self.open(body)?;
        let is_command = header
            .as_ref()
            .first()
            .is_some_and(|flags| flags & FrameFlags::COMMAND.bits() != 0);
        if is_command {
            return Err(ProtocolError::CommandTooLarge {
                len: body.len().saturating_sub(MESSAGE_OVERHEAD) as u64,
                limit: self.inline_max,
            });
        }
        Ok(Opened { header })
    }

    /// Bytes of the payload, within the limit before any of it has come.
    fn check(&self, header: FrameHeader) -> Result<u64, ProtocolError> {
        let malformed = ProtocolError::MalformedMessage {
            len: header.body_len,
        };
        if header.flags.is_more() {
            return Err(malformed);
        }
        let overhead = MESSAGE_OVERHEAD as u64;
        let len = header.body_len.checked_sub(overhead).ok_or(malformed)?;
        if len > self.frame_max {
            return Err(ProtocolError::FrameTooLarge {
                len,
                limit: self.frame_max,
            });
        }
        Ok(len)
    }

    /// Opens a MESSAGE; gives the header of the frame in it.
    fn open(&mut self, body: &mut [u8]) -> Result<Header, ProtocolError> {
        let malformed = ProtocolError::MalformedMessage {
            len: body.len() as u64,
        };
        let (message, sealed) = Message::mut_from_prefix(body).map_err(|_| malformed)?;
        if message.name != MESSAGE_NAME {
            return Err(malformed);
        }
        let counter = message.nonce.get();
        if counter <= self.received {
            return Err(ProtocolError::NonceReused { nonce: counter });
        }
        let nonce = short_nonce(self.peer.message_nonce(), counter);
        self.crypto
            .open(&self.key, &nonce, &message.tag, sealed)
            .map_err(|_| ProtocolError::Forged)?;
        self.received = counter;
        let (inner, payload) = sealed.split_first().ok_or(malformed)?;
        let flags = match *inner {
            0 => FrameFlags::LAST,
            INNER_MORE => FrameFlags::MORE,
            INNER_COMMAND => FrameFlags::COMMAND,
            flags => return Err(ProtocolError::ReservedFlags { flags }),
        };
        Ok(Header::new(flags, payload.len() as u64))
    }
}
