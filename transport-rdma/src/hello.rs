//! What the two sides tell each other before the first message, and before each.
//!
//! Private data of a connection, which comes padded with zeros, so it says how long it
//! is. All numbers are little-endian.
//!
//! | Offset | Bytes | Greeting |
//! |---|---|---|
//! | 0 | 4 | `FMQR` |
//! | 4 | 1 | version: 1 |
//! | 5 | 1 | bytes of all of this: 16; a later version may say more behind |
//! | 6 | 2 | slots for messages of the stream |
//! | 8 | 4 | bytes of a slot: the longest message, with its header |
//! | 12 | 4 | zero |
//!
//! | Offset | Bytes | Header of a message |
//! |---|---|---|
//! | 0 | 1 | kind: 1 data, 2 credits, 3 the end |
//! | 1 | 1 | zero |
//! | 2 | 2 | credits that come with it |
//! | 4 | 4 | bytes that follow: at least one of data, none of the others |

use crate::credit::Kind;
use crate::error::LinkError;

/// Bytes of a greeting.
pub(crate) const HELLO: usize = 16;
/// Bytes of a header.
pub(crate) const HEADER: usize = 8;

/// Slots that a link may have.
pub(crate) const SLOTS_MIN: u16 = 8;
pub(crate) const SLOTS_MAX: u16 = 4096;
/// Bytes that a slot may have.
pub(crate) const SLOT_LEN_MIN: u32 = 512;
pub(crate) const SLOT_LEN_MAX: u32 = 1 << 20;

const MAGIC: &[u8; 4] = b"FMQR";
const VERSION: u8 = 1;

/// The room that one side has for messages of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) slots: u16,
    pub(crate) slot_len: u32,
}

impl Hello {
    pub(crate) fn encode(self) -> [u8; HELLO] {
        let mut bytes = [0; HELLO];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = VERSION;
        bytes[5] = HELLO as u8;
        bytes[6..8].copy_from_slice(&self.slots.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.slot_len.to_le_bytes());
        bytes
    }

    /// The same as somebody takes it who sends so many messages more.
    pub(crate) fn presuming(self, messages: u16) -> Self {
        Self {
            slots: self.slots.saturating_add(messages),
            ..self
        }
    }

    /// The greeting in what came, whatever follows it.
    ///
    /// # Errors
    /// [`LinkError::Greeting`], [`LinkError::Room`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, LinkError> {
        let none = LinkError::Greeting { len: bytes.len() };
        let (head, _) = bytes.split_first_chunk::<HELLO>().ok_or(none)?;
        let [m0, m1, m2, m3, version, len, s0, s1, l0, l1, l2, l3, ..] = *head;
        let known = &[m0, m1, m2, m3] == MAGIC && version == VERSION;
        if !known || usize::from(len) < HELLO || usize::from(len) > bytes.len() {
            return Err(none);
        }
        let slots = u16::from_le_bytes([s0, s1]);
        let slot_len = u32::from_le_bytes([l0, l1, l2, l3]);
        let usable = (SLOTS_MIN..=SLOTS_MAX).contains(&slots)
            && (SLOT_LEN_MIN..=SLOT_LEN_MAX).contains(&slot_len);
        match usable {
            true => Ok(Self { slots, slot_len }),
            false => Err(LinkError::Room { slots, slot_len }),
        }
    }
}

/// What stands before each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) credits: u16,
    pub(crate) len: u32,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let kind = match self.kind {
            Kind::Data => 1,
            Kind::Credits => 2,
            Kind::End => 3,
        };
        let ([c0, c1], [l0, l1, l2, l3]) = (self.credits.to_le_bytes(), self.len.to_le_bytes());
        [kind, 0, c0, c1, l0, l1, l2, l3]
    }

    /// The header of a message of `len` bytes.
    ///
    /// # Errors
    /// [`LinkError::Kind`], [`LinkError::Length`].
    pub(crate) fn decode(message: &[u8], len: u32) -> Result<Self, LinkError> {
        let message = message.get(..len as usize).unwrap_or_default();
        let wrong = |claimed| LinkError::Length { len, claimed };
        let (head, body) = message.split_first_chunk::<HEADER>().ok_or(wrong(0))?;
        let [kind, _, c0, c1, l0, l1, l2, l3] = *head;
        let kind = match kind {
            1 => Kind::Data,
            2 => Kind::Credits,
            3 => Kind::End,
            kind => return Err(LinkError::Kind { kind }),
        };
        let claimed = u32::from_le_bytes([l0, l1, l2, l3]);
        let has_body = kind == Kind::Data;
        if claimed as usize != body.len() || has_body == body.is_empty() {
            return Err(wrong(claimed));
        }
        Ok(Self {
            kind,
            credits: u16::from_le_bytes([c0, c1]),
            len: claimed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HELLO_OURS: Hello = Hello {
        slots: 32,
        slot_len: 8192,
    };

    #[test]
    fn a_greeting_is_found_in_what_is_padded_and_has_these_bytes() {
        let bytes = HELLO_OURS.encode();
        assert_eq!(&bytes, b"FMQR\x01\x10\x20\0\0\x20\0\0\0\0\0\0");
        let mut padded = bytes.to_vec();
        padded.resize(196, 0);
        assert_eq!(Hello::decode(&padded), Ok(HELLO_OURS));
    }

    #[test]
    fn a_greeting_without_sense_is_refused() {
        let with = |at: usize, byte: u8| {
            let mut bytes = HELLO_OURS.encode();
            bytes[at] = byte;
            Hello::decode(&bytes)
        };
        let none = Err(LinkError::Greeting { len: HELLO });
        for (at, byte) in [(0, b'X'), (4, 2), (5, 15), (5, 17)] {
            assert_eq!(with(at, byte), none, "byte {at}");
        }
        for (at, byte) in [(6, 7), (7, 0x80), (9, 1), (11, 1)] {
            assert!(
                matches!(with(at, byte), Err(LinkError::Room { .. })),
                "byte {at}"
            );
        }
        assert_eq!(Hello::decode(&[]), Err(LinkError::Greeting { len: 0 }));
    }

    #[test]
    fn a_header_tells_of_what_follows_and_nothing_else() {
        let header = Header {
            kind: Kind::Data,
            credits: 3,
            len: 2,
        };
        let mut message = header.encode().to_vec();
        message.extend(b"ab");
        assert_eq!(Header::decode(&message, 10), Ok(header));
        let wrong = |claimed, len| Err(LinkError::Length { len, claimed });
        assert_eq!(Header::decode(&message, 9), wrong(2, 9));
        assert_eq!(Header::decode(&message, 7), wrong(0, 7));
        assert_eq!(Header::decode(&message, 11), wrong(0, 11));
        message[0] = 2;
        assert_eq!(Header::decode(&message, 10), wrong(2, 10));
        message[0] = 9;
        assert_eq!(
            Header::decode(&message, 10),
            Err(LinkError::Kind { kind: 9 })
        );
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics(bytes: Vec<u8>, len in 0_u32..100) {
            let _ = Hello::decode(&bytes);
            let _ = Header::decode(&bytes, len);
        }
    }
}
