//! Messages: frames in one piece of memory, and what their bodies hold.

use crate::random::mix;

/// Most frames that a message of the scenarios has: an envelope of three, a
/// topic, and three of its own.
const FRAMES: usize = 12;

/// A multipart message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: heapless::Vec<u16, FRAMES>,
}

impl Message {
    pub(crate) fn of(frames: &[&[u8]]) -> Self {
        let mut message = Self::default();
        for frame in frames {
            message.push(frame);
        }
        message
    }

    pub(crate) fn push(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        // Nothing here comes from a hostile peer: more frames are a broken scenario.
        self.ends
            .push(self.bytes.len() as u16)
            .expect("no scenario has messages of more frames");
    }

    pub(crate) fn append(&mut self, other: &Self) {
        for frame in other.frames() {
            self.push(frame);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn frame(&self, index: usize) -> &[u8] {
        let start = match index {
            0 => 0,
            _ => self.ends.get(index - 1).map_or(0, |end| usize::from(*end)),
        };
        let end = self.ends.get(index).map_or(start, |end| usize::from(*end));
        self.bytes.get(start..end).unwrap_or_default()
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.frame(index))
    }

    /// The message without its first `count` frames.
    pub(crate) fn without(&self, count: usize) -> Self {
        let mut rest = Self::default();
        for frame in self.frames().skip(count) {
            rest.push(frame);
        }
        rest
    }
}

/// The number of a message in the ledger.
pub(crate) type Number = u32;

/// Bytes that a body frame begins with: number, place, count.
const HEAD: usize = 6;

/// Writes the frames of message `number` behind what is in `message`.
pub(crate) fn write_body(message: &mut Message, number: Number, parts: u8) {
    let mut frame = [0; BODY_MAX];
    for part in 0..parts {
        let len = body_len(number, part);
        fill(&mut frame[..len], number, part, parts);
        message.push(&frame[..len]);
    }
}

/// The number of the message whose frames these are, if they are exactly the
/// frames that [`write_body`] wrote.
pub(crate) fn read_body(message: &Message, from: usize) -> Result<Number, Damage> {
    let first = message.frame(from);
    let head: [u8; HEAD] = first
        .get(..HEAD)
        .and_then(|head| head.try_into().ok())
        .ok_or(Damage::NoHead)?;
    let number = Number::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let parts = head[5];
    if message.len() - from != usize::from(parts) {
        return Err(Damage::Parts(number));
    }
    let mut expected = [0; BODY_MAX];
    for part in 0..parts {
        let frame = message.frame(from + usize::from(part));
        let len = body_len(number, part);
        fill(&mut expected[..len], number, part, parts);
        if frame != &expected[..len] {
            return Err(Damage::Bytes(number));
        }
    }
    Ok(number)
}

/// What is wrong with a message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// It does not begin like one of ours.
    NoHead,
    /// It has not as many frames as it was sent with.
    Parts(Number),
    /// A frame is not the one that was sent.
    Bytes(Number),
}

const BODY_MAX: usize = 720;

/// Mostly short; some need the long form of a header, some do not fit the
/// receiver's buffer.
fn body_len(number: Number, part: u8) -> usize {
    let word = mix(u64::from(number) << 8 | u64::from(part));
    let choice = (word >> 32) as usize;
    match word % 16 {
        0..13 => HEAD + choice % 20,
        13 | 14 => 250 + choice % 20,
        _ => 505 + choice % 200,
    }
}

fn fill(frame: &mut [u8], number: Number, part: u8, parts: u8) {
    let head = number.to_le_bytes().into_iter().chain([part, parts]);
    let tail = (0..=u8::MAX).cycle().map(|at| at ^ number as u8 ^ part);
    for (slot, byte) in frame.iter_mut().zip(head.chain(tail)) {
        *slot = byte;
    }
}
