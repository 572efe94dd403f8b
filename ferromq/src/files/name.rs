//! Names that a file may be received under.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Longest name of a file, in bytes: what the file systems of today take.
const LONGEST: usize = 255;
/// What partial files end with. No file can be received under such a name.
const PARTIAL: &[u8] = b".ferromq-part";
/// Hexadecimal digits that keep the partial files of different sources apart.
const KEY_DIGITS: usize = 32;

/// The name of one file: a single component of a path, in whatever bytes the
/// sender's system has for it.
///
/// ```
/// use ferromq::files::{FileName, NameError};
/// assert!(FileName::new(b"photo.jpg").is_ok());
/// assert_eq!(FileName::new(b"../photo.jpg"), Err(NameError::Separator { at: 2 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(Vec<u8>);

/// Why bytes are no name that a file could be received under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No bytes at all, or a path without a last component.
    #[error("the name is empty")]
    Empty,
    /// `.` or `..`.
    #[error("the name is a directory's own or its parent's")]
    Dots,
    /// A `/`: only names are received, never paths.
    #[error("the name has a / at byte {at}")]
    Separator {
        /// Where the first is, from 0.
        at: usize,
    },
    /// A NUL, which no system takes.
    #[error("the name has a NUL at byte {at}")]
    Nul {
        /// Where the first is, from 0.
        at: usize,
    },
    /// More than 255 bytes.
    #[error("the name has {len} bytes, more than 255")]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// The form of the receiver's own partial files.
    #[error("names that start with . and end with .ferromq-part are the receiver's own")]
    Reserved,
}

impl FileName {
    /// Checks a name as it came from a peer.
    ///
    /// # Errors
    /// [`NameError`], by the first rule that the name breaks.
    pub fn new(name: &[u8]) -> Result<Self, NameError> {
        if name.len() > LONGEST {
            return Err(NameError::TooLong { len: name.len() });
        }
        let find = |wanted| name.iter().position(|&byte| byte == wanted);
        if let Some(at) = find(b'/') {
            return Err(NameError::Separator { at });
        }
        if let Some(at) = find(0) {
            return Err(NameError::Nul { at });
        }
        match name {
            b"" => Err(NameError::Empty),
            b"." | b".." => Err(NameError::Dots),
            [b'.', .., b't'] if name.ends_with(PARTIAL) => Err(NameError::Reserved),
            _ => Ok(Self(name.to_vec())),
        }
    }

    /// The last component of a path, which is all that is sent of it.
    ///
    /// # Errors
    /// [`NameError`]: [`Empty`](NameError::Empty) for a path without one, such
    /// as `/`; [`Dots`](NameError::Dots) for one that ends with `..`.
    pub fn of_path(path: &Path) -> Result<Self, NameError> {
        match path.components().next_back() {
            Some(std::path::Component::Normal(name)) => Self::new(name.as_bytes()),
            Some(std::path::Component::RootDir) | None => Err(NameError::Empty),
            Some(_) => Err(NameError::Dots),
        }
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as the system takes it.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// What the file is called until it is whole: `.NAME.KEY.ferromq-part`,
    /// the key made of the source and the whole name. A long name is cut.
    pub(crate) fn partial(&self, source: &[u8]) -> OsString {
        let mut hash = Sha256::new();
        hash.update((source.len() as u64).to_be_bytes());
        hash.update(source);
        hash.update(&self.0);
        let room = LONGEST - 2 - KEY_DIGITS - PARTIAL.len();
        let mut partial = b".".to_vec();
        partial.extend_from_slice(self.head(room));
        partial.push(b'.');
        for byte in &hash.finalize()[..KEY_DIGITS / 2] {
            partial.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        partial.extend_from_slice(PARTIAL);
        OsString::from_vec(partial)
    }

    /// At most `room` bytes. UTF-8 stays UTF-8: some file systems take nothing
    /// else.
    fn head(&self, room: usize) -> &[u8] {
        match std::str::from_utf8(&self.0) {
            Ok(text) => cut(text, room).as_bytes(),
            Err(_) => &self.0[..self.0.len().min(room)],
        }
    }
}

/// The longest beginning of a text that has at most so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let fits = |&at: &usize| text.is_char_boundary(at);
    let end = (0..=most.min(text.len())).rev().find(fits);
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_components_are_names() {
        for (name, error) in [
            (&b""[..], NameError::Empty),
            (b".", NameError::Dots),
            (b"..", NameError::Dots),
            (b"/etc/passwd", NameError::Separator { at: 0 }),
            (b"a/b", NameError::Separator { at: 1 }),
            (b"../a", NameError::Separator { at: 2 }),
            (b"a\0b", NameError::Nul { at: 1 }),
            (&[b'a'; 256], NameError::TooLong { len: 256 }),
            (b".a.0123.ferromq-part", NameError::Reserved),
            (b".ferromq-part", NameError::Reserved),
        ] {
            assert_eq!(FileName::new(name), Err(error), "{}", name.escape_ascii());
        }
        for name in [
            &b"a"[..],
            b"...",
            b"..a",
            b"\xff\n",
            &[b'a'; 255],
            b"x.ferromq-part",
        ] {
            assert!(FileName::new(name).is_ok(), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn a_path_gives_its_last_component() {
        let name = |path: &str| FileName::of_path(Path::new(path)).map(|name| name.0);
        assert_eq!(name("/tmp/a"), Ok(b"a".to_vec()));
        assert_eq!(name("a/"), Ok(b"a".to_vec()));
        assert_eq!(name("a/."), Ok(b"a".to_vec()), "as the system has it");
        assert_eq!(name("/"), Err(NameError::Empty));
        assert_eq!(name(""), Err(NameError::Empty));
        assert_eq!(name("a/.."), Err(NameError::Dots));
        assert_eq!(name("."), Err(NameError::Dots));
    }

    #[test]
    fn partial_names_differ_by_source_and_by_name_and_are_short_enough() {
        let name = |name: &[u8]| FileName::new(name).unwrap();
        let long = name(&[b'a'; 255]);
        let partial = long.partial(b"source");
        assert!(partial.len() <= LONGEST);
        let other = name(&[&[b'a'; 254][..], b"b"].concat());
        assert_ne!(
            partial,
            other.partial(b"source"),
            "cut alike, but not the same"
        );
        assert_ne!(name(b"a").partial(b"1"), name(b"a").partial(b"2"));
        assert_ne!(name(b"ab").partial(b"c"), name(b"b").partial(b"ca"));
        let partial = name(b"a").partial(b"1").into_vec();
        assert_eq!(FileName::new(&partial), Err(NameError::Reserved));
    }

    #[test]
    fn a_cut_name_stays_text() {
        let name = FileName::new("世".repeat(85).as_bytes()).unwrap();
        assert!(name.partial(b"").into_string().is_ok());
        let bytes = FileName::new(&[0xff; 255]).unwrap();
        assert_eq!(bytes.partial(b"").len(), LONGEST);
    }
}
