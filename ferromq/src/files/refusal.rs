//! Why a receiver does not take a file.

use std::fmt;

use super::name::cut;

/// Longest explanation that is sent or believed, in bytes.
const LONGEST: usize = 512;

/// A receiver's no to one file, as it is told to the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind, which programs go by.
    pub code: RefusalCode,
    /// The explanation, for people. From a peer: up to 512 bytes of any
    /// characters.
    pub cause: String,
}

/// The kinds of refusals, each a word on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalCode {
    /// `version`: the offer is of a version that the receiver does not speak.
    Version,
    /// `malformed`: a message has not the layout of its command.
    Malformed,
    /// `name`: no file can be received under the name.
    Name,
    /// `exists`: there is something else under the name.
    Exists,
    /// `busy`: too many files are open, or this one is; try again later.
    Busy,
    /// `superseded`: a newer offer of the same file has taken over.
    Superseded,
    /// `order`: a message came out of turn, or a chunk with a gap before it.
    Order,
    /// `credit`: more was sent than the receiver had allowed.
    Credit,
    /// `length`: a chunk is empty, too long, or ends beyond the file.
    Length,
    /// `digest`: what arrived does not have the announced SHA-256.
    Digest,
    /// `storage`: the receiver's system refuses: no room, no permission.
    Storage,
    /// A word that this version does not know.
    Other,
}

impl Refusal {
    /// A refusal with its explanation, which is cut after 512 bytes.
    #[must_use]
    pub fn new(code: RefusalCode, cause: impl AsRef<str>) -> Self {
        let cause = cut(cause.as_ref(), LONGEST).to_owned();
        Self { code, cause }
    }

    pub(crate) fn storage(what: &str, cause: &std::io::Error) -> Self {
        Self::new(RefusalCode::Storage, format!("{what}: {cause}"))
    }

    /// As it came from a peer, which may send anything.
    pub(crate) fn from_wire(word: &[u8], cause: &[u8]) -> Self {
        let known = RefusalCode::ALL
            .into_iter()
            .find(|code| code.word().as_bytes() == word);
        Self::new(
            known.unwrap_or(RefusalCode::Other),
            String::from_utf8_lossy(&cause[..cause.len().min(LONGEST)]),
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Refusal {}

impl RefusalCode {
    const ALL: [Self; 11] = [
        Self::Version,
        Self::Malformed,
        Self::Name,
        Self::Exists,
        Self::Busy,
        Self::Superseded,
        Self::Order,
        Self::Credit,
        Self::Length,
        Self::Digest,
        Self::Storage,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Malformed => "malformed",
            Self::Name => "name",
            Self::Exists => "exists",
            Self::Busy => "busy",
            Self::Superseded => "superseded",
            Self::Order => "order",
            Self::Credit => "credit",
            Self::Length => "length",
            Self::Digest => "digest",
            Self::Storage => "storage",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_and_anything_else_is_other() {
        for code in RefusalCode::ALL {
            let read = Refusal::from_wire(code.word().as_bytes(), b"why");
            assert_eq!(read, Refusal::new(code, "why"));
        }
        let read = Refusal::from_wire(b"\xff", &[0xff; 10_000]);
        assert_eq!(read.code, RefusalCode::Other);
        assert!(read.cause.len() <= LONGEST);
    }
}
