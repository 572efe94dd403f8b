//! What a schedule can break.

use std::fmt;

/// The promises that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Sent = received + queued + losses counted by cause.
    Conservation,
    /// Nothing is delivered twice to the same socket.
    Once,
    /// A multipart message is delivered whole or not at all, byte for byte.
    Whole,
    /// Messages of one peer are delivered in the order sent.
    Order,
    /// REQ and REP send and receive in turn.
    Alternation,
    /// A reply answers the request that its receiver has out.
    Reply,
    /// What is addressed to a peer reaches that peer.
    Route,
    /// PUSH and PULL serve ready peers within one of each other.
    Fairness,
    /// A publication goes to those whose subscription is a prefix, and only those.
    Match,
    /// Both ends agree on who is subscribed to what; with everybody gone, nobody is.
    Subscriptions,
    /// Queues keep to their high-water marks.
    Limits,
    /// Once faults stop, everything drains.
    Drain,
}

impl Promise {
    /// Every promise.
    pub const ALL: &'static [Self] = &[
        Self::Conservation,
        Self::Once,
        Self::Whole,
        Self::Order,
        Self::Alternation,
        Self::Reply,
        Self::Route,
        Self::Fairness,
        Self::Match,
        Self::Subscriptions,
        Self::Limits,
        Self::Drain,
    ];
}

/// A promise that a schedule broke.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which one.
    pub promise: Promise,
    /// The virtual time, in microseconds.
    pub at: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} us: {}", self.promise, self.at, self.what)
    }
}
