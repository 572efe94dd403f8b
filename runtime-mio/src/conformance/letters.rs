//! Messages that can be recognised.

use ferromq_transport::Random;
use ferromq_transport::conformance::{Finding, ensure};

use crate::Message;

/// Messages of which each tells who sent it and as which, in a number of parts
/// and bytes that these determine. Nothing can be missing or mixed unnoticed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letters {
    seed: u64,
    longest: usize,
    parts: Parts,
}

#[derive(Debug, Clone, Copy)]
enum Parts {
    /// One to five, of every magnitude of lengths.
    Varied,
    /// One beside the first, of exactly the longest length.
    One,
}

impl Letters {
    pub(super) fn new(seed: u64, longest: usize) -> Self {
        Self {
            seed,
            longest,
            parts: Parts::Varied,
        }
    }

    /// The same with a single part of the full length behind the first.
    pub(super) fn uniform(self) -> Self {
        Self {
            parts: Parts::One,
            ..self
        }
    }

    /// A sender's message of this number.
    pub(super) fn write(self, sender: u32, number: u32) -> Message {
        let mut random = Random::new(self.seed ^ u64::from(sender) << 32 ^ u64::from(number));
        let mut head = [sender.to_le_bytes(), number.to_le_bytes()].concat();
        head.extend(random.number().to_le_bytes());
        let mut parts = vec![head];
        let more = match self.parts {
            Parts::Varied => random.below(5),
            Parts::One => 1,
        };
        for _ in 0..more {
            let len = match self.parts {
                // Empty parts are parts.
                Parts::Varied => random.length(self.longest) - 1,
                Parts::One => self.longest,
            };
            parts.push(body(random.number(), len));
        }
        parts.into()
    }

    /// Who sent a message, and as which, if it is as it was written.
    pub(super) fn read(self, message: &Message) -> Result<(u32, u32), Finding> {
        let seen: Vec<_> = message.iter().map(|part| part.len()).collect();
        let head = message.frame(0).and_then(|head| head.first_chunk());
        let Some(&[s0, s1, s2, s3, n0, n1, n2, n3]) = head else {
            let text = format!("a message with parts of {seen:?} bytes, which nobody sent");
            return Err(Finding::new(text));
        };
        let sender = u32::from_le_bytes([s0, s1, s2, s3]);
        let number = u32::from_le_bytes([n0, n1, n2, n3]);
        let written = self.write(sender, number);
        let sent: Vec<_> = written.iter().map(|part| part.len()).collect();
        ensure(seen == sent, || {
            format!(
                "message {number} of sender {sender} was sent with parts of {sent:?} bytes and \
                 came with {seen:?}"
            )
        })?;
        ensure(*message == written, || {
            format!("message {number} of sender {sender} came with other bytes than were sent")
        })?;
        Ok((sender, number))
    }
}

/// `len` bytes that depend on the key, each block on its place.
fn body(key: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (place, block) in (1..).zip(bytes.chunks_mut(8)) {
        let word = (key ^ place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        block.copy_from_slice(&word.to_le_bytes()[..block.len()]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_as_it_was_written_and_not_otherwise() {
        let letters = Letters::new(3, 1000);
        for number in 0..50 {
            let letter = letters.write(7, number);
            assert_eq!(letters.read(&letter), Ok((7, number)));
            let mut longer = letter.clone();
            longer.push_back("");
            assert!(letters.read(&longer).is_err());
            assert!(Letters::new(4, 1000).read(&letter).is_err());
        }
        assert!(letters.read(&Message::from("nobody's")).is_err());
    }

    #[test]
    fn uniform_letters_have_the_length_asked_for() {
        let letter = Letters::new(3, 1000).uniform().write(0, 0);
        assert_eq!(letter.len(), 2);
        assert_eq!(letter.frame(1).map(|part| part.len()), Some(1000));
    }
}
