//! Outgoing traffic: each frame becomes a MESSAGE.

use zerocopy::FromBytes;

use super::layout::{INNER_COMMAND, INNER_MORE, MESSAGE_NAME, MESSAGE_OVERHEAD, Message};
use super::{Crypto, Session, SharedKey, Side, short_nonce};
use crate::frame::{FRAME_OVERHEAD, FrameFlags, Header};

/// Wraps the frames of one direction.
///
/// Nonces count up, so what is sealed must be sent in that order, and only once.
#[derive(Debug)]
pub struct Sealer<C> {
    crypto: C,
    key: SharedKey,
    side: Side,
    sent: u64,
}

impl<C: Crypto> Sealer<C> {
    /// The most that a sealed frame is longer than its body.
    pub const OVERHEAD: usize = MESSAGE_OVERHEAD + FRAME_OVERHEAD;

    /// The sending half of a session.
    pub fn new(crypto: C, session: &Session) -> Self {
        Self {
            crypto,
            key: session.key.clone(),
            side: session.side,
            sent: session.sent,
        }
    }

    /// Writes the frame with these flags and this body, sealed, to the start of
    /// `out` and says how long it is; 0, and `out` is as before, if it has less
    /// than `body.len() + OVERHEAD` bytes. O(body).
    pub fn seal(&mut self, flags: FrameFlags, body: &[u8], out: &mut [u8]) -> usize {
        if out.len() < body.len().saturating_add(Self::OVERHEAD) {
            return 0;
        }
        let len = body.len().saturating_add(MESSAGE_OVERHEAD);
        // A MESSAGE travels as a message frame (libzmq's practice).
        let header = Header::new(FrameFlags::LAST, len as u64);
        let header = header.as_ref();
        let Some((head, rest)) = out.split_at_mut_checked(header.len()) else {
            return 0;
        };
        head.copy_from_slice(header);
        let Some(rest) = rest.get_mut(..len) else {
            return 0;
        };
        let Ok((message, sealed)) = Message::mut_from_prefix(rest) else {
            return 0;
        };
        let Some((inner, payload)) = sealed.split_first_mut() else {
            return 0;
        };
        *inner = inner_flags(flags);
        payload.copy_from_slice(body);
        self.sent = self.sent.saturating_add(1);
        message.name = MESSAGE_NAME;
        message.nonce = self.sent.into();
        let nonce = short_nonce(self.side.message_nonce(), self.sent);
        message.tag = self.crypto.seal(&self.key, &nonce, sealed);
        len.saturating_add(header.len())
    }
}

fn inner_flags(flags: FrameFlags) -> u8 {
    match (flags.is_command(), flags.is_more()) {
        (true, _) => INNER_COMMAND,
        (false, true) => INNER_MORE,
        (false, false) => 0,
    }
}
