//! Keys, and Z85, the way in which people write them (32/Z85).

use core::fmt;
use core::hint::black_box;
use core::str::FromStr;

/// Bytes of a key.
const LEN: usize = 32;
/// Characters of a key in Z85.
const Z85_LEN: usize = 40;

/// A long-term or transient public key: 32 bytes. `Display` and `FromStr` are
/// Z85, 40 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; LEN]);

/// A secret key: 32 bytes, overwritten when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct SecretKey([u8; LEN]);

/// A key that two sides have agreed on, overwritten when dropped.
#[derive(Clone)]
pub struct SharedKey([u8; LEN]);

/// Why bytes or text are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither 32 raw bytes nor 40 characters (with or without a NUL).
    Length {
        /// How many there are.
        len: usize,
    },
    /// A character that Z85 does not have.
    Character {
        /// Where it is.
        at: usize,
    },
    /// Five characters that stand for more than 32 bits.
    Overflow {
        /// Where they start.
        at: usize,
    },
}

impl PublicKey {
    /// From 32 raw bytes, 40 characters of Z85, or those and a NUL (as C
    /// programs keep them).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        key(bytes).map(Self)
    }

    /// The 40 characters of Z85.
    #[must_use]
    pub fn to_z85(&self) -> [u8; Z85_LEN] {
        encode(&self.0)
    }
}

impl SecretKey {
    /// From its raw bytes.
    #[must_use]
    pub fn new(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// From 32 raw bytes, 40 characters of Z85, or those and a NUL.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        key(bytes).map(Self)
    }

    /// The raw bytes. Keep them nowhere.
    #[must_use]
    pub fn expose(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The 40 characters of Z85: for a key file.
    #[must_use]
    pub fn expose_z85(&self) -> [u8; Z85_LEN] {
        encode(&self.0)
    }
}

impl SharedKey {
    /// From the 32 bytes that NaCl's `beforenm` gives.
    #[must_use]
    pub fn new(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The raw bytes. Keep them nowhere.
    #[must_use]
    pub fn expose(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text.as_bytes()).map(Self)
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text.as_bytes()).map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.to_z85()).unwrap_or_default())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Drop for SharedKey {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { len } => {
                write!(f, "a key has 32 bytes or 40 characters, not {len}")
            }
            Self::Character { at } => write!(f, "character {at} of the key is not one of z85's"),
            Self::Overflow { at } => {
                write!(
                    f,
                    "the five characters at {at} of the key exceed 32 bits in z85"
                )
            }
        }
    }
}

impl core::error::Error for KeyError {}

/// Overwrites what nobody is to find in memory. The compiler may not see that
/// nobody reads it afterwards; that is as much as there is without `unsafe`.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    black_box(bytes);
}

fn key(bytes: &[u8]) -> Result<[u8; LEN], KeyError> {
    match bytes {
        [text @ .., 0] if text.len() == Z85_LEN => decode(text),
        text if text.len() == Z85_LEN => decode(text),
        raw => {
            let len = raw.len();
            raw.try_into().map_err(|_| KeyError::Length { len })
        }
    }
}

/// 32/Z85: 85 characters that survive quoting, four bytes in five of them.
const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

fn encode(key: &[u8; LEN]) -> [u8; Z85_LEN] {
    let mut text = [0; Z85_LEN];
    let (words, _) = key.as_chunks::<4>();
    let (groups, _) = text.as_chunks_mut::<5>();
    for (word, group) in words.iter().zip(groups) {
        let mut value = u32::from_be_bytes(*word);
        for slot in group.iter_mut().rev() {
            let digit = value.checked_rem(85).unwrap_or_default();
            *slot = ALPHABET.get(digit as usize).copied().unwrap_or_default();
            value = value.checked_div(85).unwrap_or_default();
        }
    }
    text
}

fn decode(text: &[u8]) -> Result<[u8; LEN], KeyError> {
    if text.len() != Z85_LEN {
        return Err(KeyError::Length { len: text.len() });
    }
    let mut key = [0; LEN];
    let (words, _) = key.as_chunks_mut::<4>();
    let (groups, _) = text.as_chunks::<5>();
    for ((index, group), word) in groups.iter().enumerate().zip(words) {
        let at = index.saturating_mul(5);
        let mut value: u32 = 0;
        for (offset, character) in group.iter().enumerate() {
            let digit = ALPHABET.iter().position(|c| c == character);
            let digit = digit.ok_or(KeyError::Character {
                at: at.saturating_add(offset),
            })?;
            value = value
                .checked_mul(85)
                .and_then(|value| value.checked_add(digit as u32))
                .ok_or(KeyError::Overflow { at })?;
        }
        *word = value.to_be_bytes();
    }
    Ok(key)
}
