//! ZMTP's bytes, written from the RFC and independently of `ferromq-wire`.

/// Flag: more frames of the message follow.
pub const MORE: u8 = 0x01;
/// Flag: the length has eight bytes.
pub const LONG: u8 = 0x02;
/// Flag: a command, not part of a message.
pub const COMMAND: u8 = 0x04;

/// What the 64 bytes of a greeting say (37/ZMTP, Greeting).
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The bytes between FF and 7F.
    pub padding: [u8; 8],
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Mechanism, filled up with zeros.
    pub mechanism: [u8; 20],
    /// The as-server flag.
    pub as_server: u8,
}

impl Default for Greeting {
    fn default() -> Self {
        let padding = [0, 0, 0, 0, 0, 0, 0, 1];
        Self {
            padding,
            major: 3,
            minor: 1,
            mechanism: mechanism(b"NULL"),
            as_server: 0,
        }
    }
}

impl Greeting {
    /// A greeting of this mechanism.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self {
            mechanism: mechanism(name.as_bytes()),
            ..Self::default()
        }
    }

    /// As on the wire.
    #[must_use]
    pub fn bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0] = 0xFF;
        bytes[1..9].copy_from_slice(&self.padding);
        bytes[9] = 0x7F;
        bytes[10] = self.major;
        bytes[11] = self.minor;
        bytes[12..32].copy_from_slice(&self.mechanism);
        bytes[32] = self.as_server;
        bytes
    }
}

fn mechanism(name: &[u8]) -> [u8; 20] {
    let mut field = [0; 20];
    field[..name.len()].copy_from_slice(name);
    field
}

/// A frame as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    /// The flags byte.
    pub flags: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl RawFrame {
    /// Whether it is a command.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.flags & COMMAND != 0
    }

    /// Its name and data, if it is a command.
    #[must_use]
    pub fn command(&self) -> (String, Vec<u8>) {
        let (len, rest) = self.body.split_first().expect("a command has a name");
        let (name, data) = rest.split_at(usize::from(*len));
        (
            String::from_utf8(name.to_vec()).expect("a readable name"),
            data.to_vec(),
        )
    }
}

/// The header of a frame, long only if it must be.
pub(crate) fn header(flags: u8, len: usize) -> Vec<u8> {
    match u8::try_from(len) {
        Ok(short) if flags & LONG == 0 => vec![flags, short],
        _ => {
            let mut long = vec![flags | LONG];
            long.extend_from_slice(&(len as u64).to_be_bytes());
            long
        }
    }
}

/// The body of a command: its name with the length before it, and its data.
#[must_use]
pub fn command_body(name: &str, data: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).expect("a command's name is short");
    [&[len], name.as_bytes(), data].concat()
}

/// Properties as READY carries them.
#[must_use]
pub fn metadata(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in properties {
        bytes.push(u8::try_from(name.len()).expect("a property's name is short"));
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&u32::try_from(value.len()).expect("a value").to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Takes metadata apart.
pub(crate) fn properties(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((len, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at(usize::from(*len));
        let (len, rest) = rest.split_first_chunk::<4>().expect("a value's length");
        let (value, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        found.push((
            String::from_utf8(name.to_vec()).expect("a readable name"),
            value.to_vec(),
        ));
        bytes = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_taken_apart_as_it_was_put_together() {
        let bytes = metadata(&[("Socket-Type", b"PUSH"), ("Identity", b"")]);
        assert_eq!(&bytes[..12], b"\x0bSocket-Type");
        assert_eq!(&bytes[12..20], b"\0\0\0\x04PUSH");
        let expected = [
            ("Socket-Type".into(), b"PUSH".to_vec()),
            ("Identity".into(), Vec::new()),
        ];
        assert_eq!(properties(&bytes), expected);
    }

    #[test]
    fn a_length_of_256_needs_the_long_form() {
        assert_eq!(header(MORE, 255), [1, 255]);
        assert_eq!(header(0, 256), [2, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(header(LONG, 1), [2, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
