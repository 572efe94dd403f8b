//! Why something that was posted failed.

use std::fmt;

/// The status of a work completion (`ibv_wc_status`) other than success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A message is longer than the room for it.
    LocalLength,
    /// Memory that the queue may not use so.
    LocalProtection,
    /// The queue failed before: this was still posted.
    Flushed,
    /// The peer found a request malformed.
    RemoteInvalidRequest,
    /// The peer's device has no such memory, or not for this.
    RemoteAccess,
    /// The peer's device failed.
    RemoteOperation,
    /// The peer does not answer.
    RetryExceeded,
    /// The peer has no room posted for what is sent.
    ReceiverNotReady,
    /// Any other, by its number.
    Other(u32),
}

/// Numbers of `ibv_wc_status`.
const NUMBERS: [(Status, u32); 8] = [
    (Status::LocalLength, 1),
    (Status::LocalProtection, 4),
    (Status::Flushed, 5),
    (Status::RemoteInvalidRequest, 9),
    (Status::RemoteAccess, 10),
    (Status::RemoteOperation, 11),
    (Status::RetryExceeded, 12),
    (Status::ReceiverNotReady, 13),
];

impl Status {
    /// The status of this number, which is not 0.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        let known = NUMBERS.iter().find(|(_, known)| *known == number);
        known.map_or(Self::Other(number), |(status, _)| *status)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            known => NUMBERS
                .iter()
                .find(|(status, _)| *status == known)
                .map_or(0, |(_, number)| *number),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::LocalLength => "a message is longer than the room for it",
            Self::LocalProtection => "memory of ours is not registered for this",
            Self::Flushed => "the queue had failed before",
            Self::RemoteInvalidRequest => "the peer's device refuses the request",
            Self::RemoteAccess => "the peer's device refuses access to that memory",
            Self::RemoteOperation => "the peer's device failed",
            Self::RetryExceeded => "the peer does not answer",
            Self::ReceiverNotReady => "the peer has no receive posted",
            Self::Other(_) => "the device failed",
        };
        write!(f, "{text} (status {})", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for number in 1..40 {
            assert_eq!(Status::from_number(number).number(), number);
        }
        assert_eq!(Status::from_number(12), Status::RetryExceeded);
    }
}
