//! Losses, by cause: what a socket says of itself.

/// Why a message came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A subscriber's pipe was full.
    SubscriberFull,
    /// Nobody has the name that the message was for, or the requester is gone.
    Unroutable,
    /// The peer of that name was full.
    PeerFull,
    /// The connection ended with the message partly written.
    LinkLost,
    /// A bound socket's peer went away with messages queued for it.
    PeerGone,
    /// Its socket was closed before it left.
    Linger,
    /// It came, but not as the pattern has it.
    Refused,
    /// It came, but nobody is subscribed to it any more.
    Unsubscribed,
    /// The request that it asked, or was asked by, was abandoned.
    Abandoned,
    /// It came, and its socket was closed before anybody took it.
    Unread,
    /// It was written, and the network lost it.
    Network,
    /// It was with a process that was killed.
    Crash,
}

impl Cause {
    /// Every cause, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::SubscriberFull,
        Self::Unroutable,
        Self::PeerFull,
        Self::LinkLost,
        Self::PeerGone,
        Self::Linger,
        Self::Refused,
        Self::Unsubscribed,
        Self::Abandoned,
        Self::Unread,
        Self::Network,
        Self::Crash,
    ];
}

/// Messages lost, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; Cause::ALL.len()]);

impl Drops {
    /// Counts messages.
    pub(crate) fn add(&mut self, cause: Cause, messages: u64) {
        self.0[cause as usize] += messages;
    }

    /// Counts what somebody else counted.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours += theirs;
        }
    }

    /// Messages lost for this cause.
    #[must_use]
    pub fn of(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// Messages lost.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
