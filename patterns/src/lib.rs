//! ZeroMQ's socket types as sans-IO state machines: who gets which message.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod dealer;
mod entry;
mod hash;
mod identity;
mod limits;
mod pair;
mod pattern;
mod payload;
mod peer;
mod publisher;
mod pull;
mod push;
mod rep;
mod req;
mod ring;
mod router;
mod slab;
mod storage;
mod sub;
mod subscriptions;
mod table;
mod topics;
mod tree;
mod xpub;
mod xsub;

pub use dealer::Dealer;
pub use entry::Entry;
pub use hash::Seed;
pub use identity::{IdentitySlot, MAX_IDENTITY_LEN, Named};
pub use limits::{LimitError, SubscriptionLimits};
pub use pair::Pair;
pub use pattern::{Accept, AttachError, Pattern, Reason, Subscription};
pub use payload::Payload;
pub use peer::{Peer, PeerId};
pub use publisher::Pub;
pub use pull::Pull;
pub use push::Push;
pub use rep::{Rep, RepError, RepState, Requester};
pub use req::{Correlation, Replier, Req, ReqEnvelope, ReqError, ReqState, Resend};
pub use router::{Route, Router, Takeover};
pub use storage::{Array, Full, Storage};
pub use sub::Sub;
pub use subscriptions::{Subscriber, SubscriptionStorage};
pub use table::Bucket;
pub use topics::{Matching, TopicStep, Upstream};
pub use tree::{MAX_TOPIC_LEN, Node};
pub use xpub::{Control, Match, Verbosity, XPub, XPubOptions};
pub use xsub::{NotSubscribed, Publisher, ResendCursor, SubscribeError, TopicStorage, XSub};
