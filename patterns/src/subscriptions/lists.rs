//! The lists that an entry is on: its peer's, its topic's, a hash chain.

use super::{Change, Subscriptions};
use crate::entry::{Entries, Entry, Key};
use crate::peer::{Link, Peer};
use crate::slab::NIL;
use crate::storage::Storage;
use crate::subscriber::Subscriber;
use crate::table::{Bucket, End};
use crate::tree::Node;

impl<P, N, E, B> Subscriptions<P, N, E, B>
where
    P: Storage<Peer<Subscriber>>,
    N: Storage<Node>,
    E: Storage<Entry>,
    B: Storage<Bucket>,
{
    pub(super) fn link(&mut self, index: u32, key: Key) {
        let mut entry = Entry::new(key);
        let first = self.tree.value(key.node);
        entry.of_node = Link {
            next: first,
            prev: NIL,
        };
        if let Some(first) = self.entries.get_mut(first) {
            first.of_node.prev = index;
        }
        self.tree.set_value(key.node, index);
        if let Some(peer) = self.peers.data_at_mut(key.peer) {
            entry.of_peer = Link {
                next: peer.newest,
                prev: NIL,
            };
            peer.newest = index;
            match self.entries.get_mut(entry.of_peer.next) {
                Some(older) => older.of_peer.prev = index,
                None => peer.oldest = index,
            }
        }
        if let Some(slot) = self.entries.get_mut(index) {
            *slot = entry;
        }
        let mut entries = Entries {
            slab: &mut self.entries,
            seed: self.seed,
        };
        self.lookup.insert(&mut entries, index, End::Front);
        self.total += 1;
    }

    /// Unlinks an entry from everything and frees it, and its topic if it was the last.
    pub(crate) fn remove(&mut self, index: u32) -> Change {
        let Some(entry) = self.entries.get(index).cloned() else {
            return Change::Nothing;
        };
        if self.cursor.entry == index {
            self.cursor.entry = self.after(&entry, self.cursor.reach);
        }
        self.lookup.remove(
            &mut Entries {
                slab: &mut self.entries,
                seed: self.seed,
            },
            index,
        );
        self.unlink_from_peer(&entry);
        self.unlink_from_node(&entry);
        self.entries.free(index);
        self.total -= 1;
        if self.tree.value(entry.node) != NIL {
            return Change::Count;
        }
        self.tree.prune(entry.node);
        Change::Topic
    }

    fn unlink_from_peer(&mut self, entry: &Entry) {
        let Link {
            next: older,
            prev: newer,
        } = entry.of_peer;
        let Some(peer) = self.peers.data_at_mut(entry.peer) else {
            return;
        };
        match self.entries.get_mut(older) {
            Some(entry) => entry.of_peer.prev = newer,
            None => peer.oldest = newer,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.of_peer.next = older,
            None => peer.newest = older,
        }
    }

    fn unlink_from_node(&mut self, entry: &Entry) {
        let Link { next, prev } = entry.of_node;
        if let Some(entry) = self.entries.get_mut(next) {
            entry.of_node.prev = prev;
        }
        match self.entries.get_mut(prev) {
            Some(entry) => entry.of_node.next = next,
            None => self.tree.set_value(entry.node, next),
        }
    }
}
