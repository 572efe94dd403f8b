//! Words that publishers and subscribers share.

/// What a change of subscriptions means for those further up: XPUB's
/// application, or the publishers that a SUB is connected to.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Nothing to say.
    Silent,
    /// Pass it on: 01 or 00 and the topic to XPUB's application, SUBSCRIBE or
    /// CANCEL to the publishers.
    Notify,
}

/// Which topics a subscription stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// Those that it is a prefix of (29/PUBSUB).
    #[default]
    Prefix,
    /// All others (ZMQ_INVERT_MATCHING).
    Inverted,
    /// None but itself: subscriptions are a DISH's groups (48/RADIO-DISH).
    Exact,
}

/// One step of a cursor over topics. The cursor ends with `None`.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicStep {
    /// The topic is in the first `len` bytes of the buffer.
    Topic {
        /// Its length in bytes.
        len: usize,
    },
    /// The buffer is too small; nothing has changed, poll again with a larger one.
    OutTooSmall {
        /// Bytes needed.
        len: usize,
    },
    /// Work was done, but there is no topic to show for it; poll again.
    Working,
}

/// Steps that a cursor takes in one call at most.
pub(crate) const STEPS: u32 = 64;
