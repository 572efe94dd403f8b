//! What peers may make a publisher remember.

use core::fmt;

use crate::storage::Full;
use crate::tree::MAX_TOPIC_LEN;

/// What peers may make a publisher remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionLimits {
    /// Different subscriptions of one peer. Default: 1,048,576.
    pub per_peer: u32,
    /// Bytes of all of one peer's topics. Default: 64 MiB.
    pub topic_bytes: u64,
    /// Length of a topic in bytes, at most [`MAX_TOPIC_LEN`]. Default: that.
    pub topic_len: usize,
    /// Subscriptions of all peers. Default: 4,194,304.
    pub total: u32,
}

impl Default for SubscriptionLimits {
    fn default() -> Self {
        Self {
            per_peer: 1 << 20,
            topic_bytes: 64 << 20,
            topic_len: MAX_TOPIC_LEN,
            total: 1 << 22,
        }
    }
}

/// A subscription was refused; nothing has changed. Close the peer's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// The topic is too long.
    TopicLen {
        /// Its length in bytes.
        len: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// The peer has as many subscriptions as it may.
    PeerSubscriptions {
        /// That many.
        limit: u32,
    },
    /// The peer's topics would be too long together.
    PeerTopicBytes {
        /// Their bytes with this one.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// All peers together have as many subscriptions as they may.
    Subscriptions {
        /// That many.
        limit: u32,
    },
    /// The peer has subscribed to the same topic too often.
    Duplicates {
        /// The largest count.
        limit: u32,
    },
    /// Too many of this peer's lost connections wait for `poll_unsubscribed`.
    Unremoved {
        /// How many.
        connections: u8,
    },
    /// A storage is full.
    Full,
}

impl From<Full> for LimitError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopicLen { len, limit } => {
                write!(f, "topic of {len} bytes exceeds the limit of {limit}")
            }
            Self::PeerSubscriptions { limit } => {
                write!(f, "peer has reached the limit of {limit} subscriptions")
            }
            Self::PeerTopicBytes { bytes, limit } => {
                write!(
                    f,
                    "topics of {bytes} bytes exceed the peer's limit of {limit}"
                )
            }
            Self::Subscriptions { limit } => {
                write!(f, "socket has reached the limit of {limit} subscriptions")
            }
            Self::Duplicates { limit } => {
                write!(f, "peer has subscribed to the same topic {limit} times")
            }
            Self::Unremoved { connections } => {
                write!(
                    f,
                    "subscriptions of {connections} lost connections are not removed yet"
                )
            }
            Self::Full => f.write_str("subscription storage is full"),
        }
    }
}

impl core::error::Error for LimitError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn errors_say_which_limit_with_its_numbers() {
        let said = [
            (
                LimitError::TopicLen { len: 9, limit: 8 },
                "topic of 9 bytes exceeds the limit of 8",
            ),
            (
                LimitError::PeerSubscriptions { limit: 8 },
                "peer has reached the limit of 8 subscriptions",
            ),
            (
                LimitError::PeerTopicBytes { bytes: 9, limit: 8 },
                "topics of 9 bytes exceed the peer's limit of 8",
            ),
            (
                LimitError::Subscriptions { limit: 8 },
                "socket has reached the limit of 8 subscriptions",
            ),
            (
                LimitError::Duplicates { limit: 8 },
                "peer has subscribed to the same topic 8 times",
            ),
            (
                LimitError::Unremoved { connections: 3 },
                "subscriptions of 3 lost connections are not removed yet",
            ),
            (LimitError::from(Full), "subscription storage is full"),
        ];
        for (error, text) in said {
            assert_eq!(error.to_string(), text);
        }
    }
}
