//! Bugs to plant: for each promise at least one that breaks it.

use clap::ValueEnum;

use crate::Scenario;
use crate::failure::Promise;

/// A bug in the driver, or between it and a machine. A simulator that never
/// fails proves nothing: each of these must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Plant {
    /// A message is queued twice.
    Duplicate,
    /// Instead of a message, the one before it is queued again.
    Repeat,
    /// A frame is written twice.
    DuplicateFrame,
    /// A message is dropped and nobody counts it.
    DropSilently,
    /// The last two messages of a queue change places.
    Swap,
    /// What a lost link left of a half-received message is kept.
    KeepPartial,
    /// A message whose bytes all left is sent again on the next link.
    ResendWritten,
    /// A partly written message is forgotten and not counted.
    CutUncounted,
    /// A ROUTER's message goes to another peer.
    Misroute,
    /// A REP answers with an envelope of somebody else.
    WrongEnvelope,
    /// A REQ takes the reply to a request that it has abandoned.
    KeepAbandoned,
    /// Requests of a lost link are answered over the next one.
    KeepRequests,
    /// A REQ sends before it has the reply.
    SendTwice,
    /// A PUSH prefers its first peer.
    Prefer,
    /// A PULL's turn does not pass on.
    KeepTurn,
    /// A publisher skips a subscriber.
    SkipSubscriber,
    /// A publisher sends to everybody.
    SendToAll,
    /// A SUB does not tell a publisher that it cancels.
    ForgetCancel,
    /// A publisher keeps what a lost connection was subscribed to.
    KeepSubscriptions,
    /// A proxy is shown cancellations before subscriptions that came earlier.
    CancelFirst,
    /// A full peer is not told that it has room again.
    ForgetRoom,
    /// Nobody tells the machine that a pipe is full.
    IgnoreFull,
    /// A peer that fell silent is not given up.
    DeafHeart,
}

impl Plant {
    /// Every plant.
    pub const ALL: &'static [Self] = &[
        Self::Duplicate,
        Self::Repeat,
        Self::DuplicateFrame,
        Self::DropSilently,
        Self::Swap,
        Self::KeepPartial,
        Self::ResendWritten,
        Self::CutUncounted,
        Self::Misroute,
        Self::WrongEnvelope,
        Self::KeepAbandoned,
        Self::KeepRequests,
        Self::SendTwice,
        Self::Prefer,
        Self::KeepTurn,
        Self::SkipSubscriber,
        Self::SendToAll,
        Self::ForgetCancel,
        Self::KeepSubscriptions,
        Self::CancelFirst,
        Self::ForgetRoom,
        Self::IgnoreFull,
        Self::DeafHeart,
    ];

    /// Where it shows soonest, if that is one place: what it takes is rare.
    #[must_use]
    pub fn scenario(self) -> Option<Scenario> {
        match self {
            Self::KeepAbandoned | Self::KeepRequests => Some(Scenario::ReqRep),
            _ => None,
        }
    }

    /// The promise that it breaks.
    #[must_use]
    pub fn breaks(self) -> Promise {
        match self {
            Self::Duplicate | Self::DropSilently | Self::ResendWritten | Self::CutUncounted => {
                Promise::Conservation
            }
            Self::Repeat => Promise::Once,
            Self::DuplicateFrame | Self::KeepPartial => Promise::Whole,
            Self::Swap => Promise::Order,
            Self::Misroute | Self::WrongEnvelope => Promise::Route,
            Self::KeepAbandoned | Self::KeepRequests => Promise::Reply,
            Self::SendTwice => Promise::Alternation,
            Self::Prefer | Self::KeepTurn | Self::ForgetRoom => Promise::Fairness,
            Self::SkipSubscriber | Self::SendToAll => Promise::Match,
            Self::ForgetCancel | Self::KeepSubscriptions | Self::CancelFirst => {
                Promise::Subscriptions
            }
            Self::IgnoreFull => Promise::Limits,
            Self::DeafHeart => Promise::Drain,
        }
    }
}
