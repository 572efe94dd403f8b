//! A naive reader of ZMTP that counts the whole messages in a stream: the
//! network's own word on what was sent and what arrived, beside the codec's.

use super::Sends;

/// Where one direction of a connection stands.
#[derive(Clone, Debug)]
pub(super) struct Tap {
    /// Every frame but the first command ends with a checksum.
    checksums: bool,
    sends: Sends,
    at: At,
    /// Bytes of the greeting, a body or a trailer that are still to come.
    left: u64,
    header: [u8; 9],
    messages: u64,
    /// Commands behind the handshake.
    commands: u64,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Greeting,
    Header { have: usize, first: bool },
    Body { ends_message: bool },
}

impl Tap {
    pub(super) fn new(checksums: bool, sends: Sends) -> Self {
        Self {
            checksums,
            sends,
            at: At::Greeting,
            left: 64,
            header: [0; 9],
            messages: 0,
            commands: 0,
        }
    }

    /// Messages whose last byte has passed.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether a peer of 3.0 would wonder: it knows no commands in traffic. (A
    /// group has no other form.)
    pub(super) fn has_new_commands(&self) -> bool {
        self.commands > 0 && self.sends != Sends::Groups
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.at {
                At::Greeting | At::Body { .. } => {
                    let skipped = bytes.len().min(self.left as usize);
                    self.left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    self.finish();
                }
                At::Header { have, first } => {
                    self.header[have] = bytes[0];
                    bytes = &bytes[1..];
                    self.header_byte(have + 1, first);
                }
            }
        }
    }

    fn header_byte(&mut self, have: usize, first: bool) {
        let flags = self.header[0];
        let needed = if flags & 2 == 0 { 2 } else { 9 };
        if have < needed {
            self.at = At::Header { have, first };
            return;
        }
        let size = self.header[1..needed]
            .iter()
            .fold(0, |size, byte| size << 8 | u64::from(*byte));
        let trailer = if self.checksums && !first { 4 } else { 0 };
        self.left = size + trailer;
        let ends_message = flags & 5 == 0;
        self.commands += u64::from(flags & 4 != 0 && !first);
        self.at = At::Body { ends_message };
        self.finish();
    }

    /// Goes on to the next header when nothing is left of what came before it.
    fn finish(&mut self) {
        if self.left > 0 {
            return;
        }
        let first = matches!(self.at, At::Greeting);
        if let (At::Body { ends_message: true }, Sends::Messages) = (self.at, self.sends) {
            self.messages += 1;
        }
        self.at = At::Header { have: 0, first };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_last_frames_that_are_whole_at_any_split() {
        let mut stream = vec![0; 64];
        stream.extend(b"\x04\x03\x02AB\x00\x02hi\x01\x00\x02\0\0\0\0\0\0\0\x01x\x04\x01c\x00");
        for split in 1..20 {
            let mut tap = Tap::new(false, Sends::Messages);
            for piece in stream.chunks(split) {
                tap.feed(piece);
            }
            assert_eq!(tap.messages(), 2);
            tap.feed(&[0]);
            assert_eq!(tap.messages(), 3, "an empty body ends with its header");
        }
    }
}
