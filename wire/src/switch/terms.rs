//! What is said of a switch: sides, introductions, actions, outcomes.

use super::SwitchReason;

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchSide {
    /// The peer came to us: we make the place to meet at.
    Accepted,
    /// We came to the peer: we go to the place, and have the last word.
    Connected,
}

/// What one side says of itself, in XFERRO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Equal on both sides exactly if they can meet on one machine; all zero: this
    /// one cannot, or does not want to.
    pub host: [u8; 16],
    /// Equal on both sides if they may meet on a fabric; all zero: this one cannot.
    /// Said, and heard, with [`Features::FABRIC`](crate::Features::FABRIC) only.
    pub fabric: [u8; 16],
    /// Half of the name of the place to meet at: random, and fresh.
    pub label: [u8; 16],
    /// What only the peer is told: random, and fresh.
    pub secret: [u8; SWITCH_PROOF],
}

/// Bytes that each side writes first on the short path: the peer's secret.
pub const SWITCH_PROOF: usize = 32;

/// What both have in common, and so how they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchWay {
    /// A machine: the place has a [name](crate::Switch::place) that both know.
    Machine,
    /// A fabric: the place has an [address](crate::Switch::address), which whoever waits
    /// there tells.
    Fabric,
}

/// What the caller is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchAction {
    /// Wait for the peer at the [place](crate::Switch::place), and tell
    /// [`bound`](crate::Switch::bound); or on the fabric, and tell
    /// [`bound_at`](crate::Switch::bound_at); or [`failed`](crate::Switch::failed).
    Bind,
    /// Go to the [place](crate::Switch::place), or to its [address](crate::Switch::address), and
    /// tell: [`connected`](crate::Switch::connected) or [`failed`](crate::Switch::failed).
    Connect,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchOutcome {
    /// There are words to be written, or to be heard.
    Undecided,
    /// The two cannot meet: nothing was tried.
    Apart,
    /// The connection stays where it is, and why.
    Stay(SwitchReason),
    /// Traffic takes the short path, in both directions.
    Go,
}
