//! What a publisher keeps of each peer.

use crate::slab::NIL;

/// What a publisher knows of a peer.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Ends of the peer's list. Entries of old epochs are at the oldest end.
    pub(crate) newest: u32,
    pub(crate) oldest: u32,
    /// Of this connection: entries, and bytes of their topics.
    pub(crate) subscriptions: u32,
    pub(crate) topic_bytes: u64,
    /// The last match that named this peer.
    pub(crate) stamp: u64,
    pub(crate) epoch: u8,
    /// Connections lost whose entries may still be on the list.
    pub(crate) stale_epochs: u8,
    pub(crate) room: Room,
    pub(crate) in_message: bool,
}

/// Whether a peer's pipe takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Some,
    None,
}

impl Default for Subscriber {
    fn default() -> Self {
        Self {
            newest: NIL,
            oldest: NIL,
            subscriptions: 0,
            topic_bytes: 0,
            stamp: 0,
            epoch: 0,
            stale_epochs: 0,
            room: Room::None,
            in_message: false,
        }
    }
}
