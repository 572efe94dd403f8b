//! ZeroMQ's socket types as sans-IO state machines: who gets which message.
//!
//! One machine a socket type: [`Pair`], [`Pub`], [`Sub`], [`XPub`], [`XSub`],
//! [`Req`], [`Rep`], [`Dealer`], [`Router`], [`Push`], [`Pull`]. The draft types
//! are the same machines with a parameter: CLIENT is [`Dealer::client`], SERVER and
//! PEER are [`Router::server`], SCATTER is [`Push`], GATHER [`Pull::gather`],
//! CHANNEL [`Pair::channel`], and RADIO and DISH are [`Pub`] and [`Sub`] with
//! [`Matching::Exact`]. A machine knows its peers, whose turn it is, who subscribed to what, who is owed a reply. It
//! holds no message, no queue, no clock and no memory of its own: whoever embeds
//! it keeps a pair of queues (a *pipe*) for each peer, and tells the machine when
//! a pipe becomes readable, drained, full, or has room again.
//!
//! ```text
//!                 application
//!            send │         ▲ recv
//!                 ▼         │
//!   ┌───────────────────────────────────────┐  peer_attached, peer_detached,
//!   │ machine      route / publish  →  who  │◄─ link_lost
//!   │              next, delivered  →  whom │◄─ peer_has_room, peer_full
//!   │              accept(frame)    →  what │◄─ peer_readable, peer_drained
//!   └───────────────────────────────────────┘
//!        PeerId │               ▲ PeerId
//!               ▼               │
//!     outbound ═╪═╪═        ═╪═╪═ inbound         pipes: the runtime's,
//!               ▼               │                 at `PeerId::index`
//!             links, ZMTP (the crate `ferromq-wire`)
//! ```
//!
//! What all machines share is the trait [`Pattern`]; what only one has
//! ([`Push::route`], [`XPub::publish`], [`Router::route`]) is its own.
//!
//! # The run loop
//!
//! A worker between two sockets: takes whole messages from its PULL side, fairly,
//! and hands them to its PUSH side, in turn. Here a pipe is a small queue of
//! messages of one frame; nothing allocates.
//!
//! ```
//! use ferromq_patterns::{Accept, Array, Pattern, Peer, Pull, Push};
//! use heapless::{Deque, Vec};
//!
//! type Frame = Vec<u8, 16>;
//! type Pipe = Deque<Frame, 4>;
//!
//! let mut pull = Pull::new(Array::<Peer, 2>::new());
//! let mut push = Push::new(Array::<Peer, 2>::new());
//! let mut inbound: [Pipe; 2] = Default::default(); // at the peer's index
//! let mut outbound: [Pipe; 2] = Default::default();
//!
//! // Handshakes complete. A new peer is unreadable and has no room until told.
//! for _ in 0..2 {
//!     pull.peer_attached(b"")?;
//!     let id = push.peer_attached(b"")?;
//!     push.peer_has_room(id);
//! }
//!
//! // Frames arrive: the machine says what is to become of each.
//! for (peer, bytes) in [(0, b"one"), (0, b"two"), (1, b"six")] {
//!     let id = pull.peer_at(peer).expect("attached above");
//!     match pull.accept(id, bytes, false) {
//!         Accept::Deliver => {
//!             let frame = Frame::from_slice(bytes).expect("short");
//!             inbound[id.index()].push_back(frame).expect("within the high-water mark");
//!             pull.peer_readable(id);
//!         }
//!         refused => panic!("count it and skip the rest: {refused:?}"),
//!     }
//! }
//!
//! // The loop: while there is something to take and somewhere to put it.
//! while let Some(from) = pull.next().filter(|_| push.any_has_room()) {
//!     let message = inbound[from.index()].pop_front().expect("a readable pipe");
//!     pull.delivered(from);
//!     if inbound[from.index()].is_empty() {
//!         pull.peer_drained(from);
//!     }
//!     let to = push.route().expect("some peer has room");
//!     outbound[to.index()].push_back(message).expect("this one has");
//!     if outbound[to.index()].is_full() {
//!         push.peer_full(to); // until its link has written some
//!     }
//! }
//! assert!(outbound[0].iter().eq([b"one", b"two"]));
//! assert!(outbound[1].iter().eq([b"six"]));
//! # Ok::<(), ferromq_patterns::AttachError>(())
//! ```
//!
//! # Storage
//!
//! Tables live in a [`Storage`]: [`Array`] and [`heapless::Vec`] embedded, chunks
//! of heap memory in a runtime. Growing is the only thing that can fail, with
//! [`Full`], and is always tried first: after an error nothing has changed.
//!
//! # Costs and limits
//!
//! Routing, turns and acceptance are O(1) and look at no peer but the one they
//! name; matching is one descent of the topic. What takes longer is a cursor
//! (`poll_*`) of at most 64 steps a call: removing what a lost connection had
//! subscribed to, telling a new connection every topic. Hash tables grow by one
//! bucket at a time and are seeded ([`Seed`]), so that a peer can neither stall a
//! call nor choose names that collide. Subscriptions are limited
//! ([`SubscriptionLimits`]); one to a random topic of 20 bytes takes 88 bytes and
//! its topic, all included.
//!
//! Nothing a peer sends and no stale [`PeerId`] panics: an id carries a
//! generation, and one that outlived its peer is a miss.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod dealer;
mod entry;
mod group;
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
mod sides;
mod slab;
mod storage;
mod sub;
mod subscriber;
mod subscriptions;
mod table;
mod topics;
mod tree;
mod xpub;
mod xsub;

pub use dealer::Dealer;
pub use entry::Entry;
pub use group::{GroupError, MAX_GROUP_LEN, check_group};
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
pub use router::{Route, Router, Server, Takeover};
pub use storage::{Array, Full, Storage};
pub use sub::Sub;
pub use subscriber::Subscriber;
pub use subscriptions::SubscriptionStorage;
pub use table::Bucket;
pub use topics::{Matching, TopicStep, Upstream};
pub use tree::{MAX_TOPIC_LEN, Node};
pub use xpub::{Control, Match, Verbosity, XPub, XPubOptions};
pub use xsub::{NotSubscribed, Publisher, ResendCursor, SubscribeError, TopicStorage, XSub};
