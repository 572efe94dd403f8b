//! What nobody is to read later: passwords.

use std::fmt;
use std::hint::black_box;

use zeroize::Zeroizing;

/// A password: overwritten when dropped, never shown by `Debug`, compared in a
/// time that depends on lengths only.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// The bytes. Keep them nowhere.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is `other`.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        let differences = self
            .0
            .iter()
            .zip(other)
            .fold(0, |differences, (a, b)| differences | (a ^ b));
        black_box(differences) == 0 && self.0.len() == other.len()
    }
}

impl From<&[u8]> for Password {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<String> for Password {
    /// Takes the memory over, so that no copy is left.
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Password {
    /// Takes the memory over, so that no copy is left.
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_match() {
        let password = Password::from("secret");
        assert!(password.matches(b"secret"));
        for other in [&b"secreT"[..], b"secret and more", b"sec", b""] {
            assert!(!password.matches(other), "{other:?}");
        }
        assert!(Password::from("").matches(b""));
    }

    #[test]
    fn debug_does_not_tell() {
        assert_eq!(format!("{:?}", Password::from("secret")), "Password(..)");
    }
}
