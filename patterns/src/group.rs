//! What a group may be called (48/RADIO-DISH, Group).

use core::fmt;

/// The longest group, in bytes.
pub const MAX_GROUP_LEN: usize = 255;

/// Whether these bytes can name a group: at most 255, none of them zero. The
/// empty group is one like any other. O(length).
///
/// # Errors
///
/// What is wrong with them.
pub fn check_group(bytes: &[u8]) -> Result<(), GroupError> {
    if bytes.len() > MAX_GROUP_LEN {
        return Err(GroupError::TooLong { len: bytes.len() });
    }
    match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => Err(GroupError::ZeroByte { at }),
        None => Ok(()),
    }
}

/// Bytes that cannot name a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupError {
    /// More than [`MAX_GROUP_LEN`].
    TooLong {
        /// How many.
        len: usize,
    },
    /// A zero byte: peers that keep groups as C strings would end there.
    ZeroByte {
        /// Where the first one is.
        at: usize,
    },
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len } => {
                write!(
                    f,
                    "group of {len} bytes exceeds the limit of {MAX_GROUP_LEN}"
                )
            }
            Self::ZeroByte { at } => write!(f, "byte {at} of the group is zero"),
        }
    }
}

impl core::error::Error for GroupError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_up_to_255_bytes_and_none_is_zero() {
        assert_eq!(check_group(b""), Ok(()));
        assert_eq!(check_group(&[0xFF; 255]), Ok(()));
        assert_eq!(
            check_group(&[1; 256]),
            Err(GroupError::TooLong { len: 256 })
        );
        assert_eq!(check_group(b"a\0"), Err(GroupError::ZeroByte { at: 1 }));
    }
}
