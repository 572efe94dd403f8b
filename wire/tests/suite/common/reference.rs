//! The protocol once more, slowly: a decoder that takes one byte at a time,
//! owns everything and shares no line with the crate. What the two disagree
//! on is a mistake in one of them.

use super::decode::Seen;
use std::collections::VecDeque;

/// Why the reference gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Flags,
    CommandMore,
    Size,
    FrameLimit,
    MessageLimit,
    PartLimit,
    CommandLimit,
    Malformed,
    LateReady,
    Context,
    Group,
    Ignored,
    Checksum,
    Reference,
}

#[derive(Clone, Debug)]
pub struct Rules {
    pub frame: u64,
    pub message: u64,
    pub parts: u32,
    pub longest_command: u64,
    pub checksums: bool,
    /// Frames may travel by reference.
    pub references: bool,
}

pub struct Reference {
    rules: Rules,
    /// The bytes of the frame being read, header and trailer included.
    bytes: Vec<u8>,
    /// Lengths of the earlier frames of this message.
    message: Vec<u64>,
    pub ignored: u32,
    pub seen: Vec<Seen>,
}

impl Reference {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            bytes: Vec::new(),
            message: Vec::new(),
            ignored: 0,
            seen: Vec::new(),
        }
    }

    pub fn read(&mut self, stream: &[u8]) -> Result<(), Fault> {
        let mut stream: VecDeque<u8> = stream.iter().copied().collect();
        while let Some(byte) = stream.pop_front() {
            self.bytes.push(byte);
            self.look()?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), Fault> {
        let flags = self.bytes[0];
        let [more, long, command, reference] = [1, 2, 4, 8].map(|bit| flags & bit == bit);
        if flags >= 16 || reference && (command || !self.rules.references) {
            return Err(Fault::Flags);
        }
        if command && more {
            return Err(Fault::CommandMore);
        }
        let size_at = 1;
        let body_at = if long { 9 } else { 2 };
        if self.bytes.len() < body_at {
            return Ok(());
        }
        let mut size: u128 = 0;
        for digit in &self.bytes[size_at..body_at] {
            size = size * 256 + u128::from(*digit);
        }
        if size >= 1 << 63 {
            return Err(Fault::Size);
        }
        let size = size as u64;
        if command {
            if size > self.rules.longest_command {
                return Err(Fault::CommandLimit);
            }
        } else if reference {
            if size != 64 {
                return Err(Fault::Reference);
            }
        } else {
            self.within_limits(size)?;
        }
        let trailer = if self.rules.checksums { 4 } else { 0 };
        if (self.bytes.len() as u64) < body_at as u64 + size + trailer {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.rules.checksums {
            let trailer = bytes.split_off(bytes.len() - 4);
            if crc32(&bytes).to_le_bytes().to_vec() != trailer {
                return Err(Fault::Checksum);
            }
        }
        let body = bytes.split_off(body_at);
        if command {
            return self.command(body);
        }
        if reference {
            return self.elsewhere(more, &body);
        }
        self.message.push(size);
        if !more {
            self.message.clear();
        }
        self.seen.push(Seen::Frame { more, body });
        Ok(())
    }

    fn elsewhere(&mut self, more: bool, body: &[u8]) -> Result<(), Fault> {
        let word = |at: usize| {
            body[8 * at..][..8]
                .iter()
                .fold(0, |sum, it| sum * 256 + u64::from(*it))
        };
        self.within_limits(word(2))?;
        self.message.push(word(2));
        if !more {
            self.message.clear();
        }
        let [region, offset, len, key, token] = [0, 1, 2, 3, 4].map(word);
        let reference = ferromq_wire::Reference {
            region,
            offset,
            len,
            key,
            token,
        };
        self.seen.push(Seen::Reference { more, reference });
        Ok(())
    }

    fn within_limits(&self, size: u64) -> Result<(), Fault> {
        if size > self.rules.frame {
            return Err(Fault::FrameLimit);
        }
        let lengths = self.message.iter().chain([&size]);
        let cost: u128 = lengths.map(|len| u128::from(*len) + 16).sum();
        if cost > u128::from(self.rules.message) {
            return Err(Fault::MessageLimit);
        }
        if self.message.len() as u64 + 1 > u64::from(self.rules.parts) {
            return Err(Fault::PartLimit);
        }
        Ok(())
    }

    fn command(&mut self, body: Vec<u8>) -> Result<(), Fault> {
        let mut rest: VecDeque<u8> = body.into();
        let Some(len) = rest.pop_front() else {
            return Err(Fault::Malformed);
        };
        let mut name = String::new();
        for _ in 0..len {
            name.push(char::from(rest.pop_front().ok_or(Fault::Malformed)?));
        }
        let data: Vec<u8> = rest.into();
        match name.as_str() {
            "" => return Err(Fault::Malformed),
            "READY" => return Err(Fault::LateReady),
            "SUBSCRIBE" => self.seen.push(Seen::Subscribe(data)),
            "CANCEL" => self.seen.push(Seen::Cancel(data)),
            "JOIN" | "LEAVE" if data.len() > 255 || data.contains(&0) => {
                return Err(Fault::Group);
            }
            "JOIN" => self.seen.push(Seen::Join(data)),
            "LEAVE" => self.seen.push(Seen::Leave(data)),
            "PING" => {
                if data.len() < 2 {
                    return Err(Fault::Malformed);
                }
                if data.len() > 18 {
                    return Err(Fault::Context);
                }
                self.seen.push(Seen::Ping {
                    tenths: u16::from(data[0]) * 256 + u16::from(data[1]),
                    context: data[2..].to_vec(),
                });
            }
            "PONG" if data.len() > 16 => return Err(Fault::Context),
            "PONG" => self.seen.push(Seen::Pong),
            "ERROR" if data.is_empty() || data.len() - 1 < usize::from(data[0]) => {
                return Err(Fault::Malformed);
            }
            "RELEASE" if self.rules.references => match <[u8; 8]>::try_from(data) {
                Ok(token) => self.seen.push(Seen::Release(u64::from_be_bytes(token))),
                Err(_) => return Err(Fault::Malformed),
            },
            _ if self.ignored == 16 => return Err(Fault::Ignored),
            _ => self.ignored += 1,
        }
        Ok(())
    }
}

/// CRC-32, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum >>= 1;
            if low == 1 {
                sum ^= 0xEDB8_8320;
            }
        }
    }
    !sum
}
