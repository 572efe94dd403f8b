//! Topics: a radix tree whose nodes find their children by hash.
//!
//! ```text
//!   root ── "a" ─┬─ "bc" ── "d"        topics: abc, abcd, axy
//!                └─ "xy"               "a" only joins them
//! ```
//!
//! A node's index never changes while its topic is in use: splits put new nodes
//! above, merges give a node its parent's label. So owners may refer to topics
//! by node. Invariant: every node but the root has a value or two children.

mod label;
mod node;

pub use node::Node;

use node::Branch;

use crate::hash::Seed;
use crate::slab::{NIL, Slab};
use crate::storage::{Full, Storage};
use crate::table::{Bucket, Chained, End, Table};

/// The longest topic that can be subscribed to, in bytes. Published topics may
/// be longer.
pub const MAX_TOPIC_LEN: usize = u16::MAX as usize;

/// A set of topics with one number kept at each; `NIL` is no number.
#[derive(Debug)]
pub(crate) struct Tree<N, B> {
    slab: Slab<N, Node>,
    children: Table<B>,
    seed: Seed,
}

/// How far a topic leads into the tree.
enum Path {
    /// It ends at this node.
    At(u32),
    /// It goes on below this node where there is no child, from this byte on.
    Below(u32, usize),
    /// It leaves, or ends in, this child's label. Bytes before it, bytes in it.
    Inside(u32, usize, usize),
}

impl<N: Storage<Node>, B: Storage<Bucket>> Tree<N, B> {
    pub(crate) fn new(nodes: N, buckets: B, seed: Seed) -> Self {
        Self {
            slab: Slab::new(nodes),
            children: Table::new(buckets),
            seed,
        }
    }

    /// The node of a topic of at most `MAX_TOPIC_LEN` bytes, made if necessary.
    /// The caller gives it a value, or prunes it.
    ///
    /// O(length of the topic and of the label that it splits).
    pub(crate) fn insert(&mut self, topic: &[u8]) -> Result<u32, Full> {
        self.make_root()?;
        match self.path(topic) {
            Path::At(node) => Ok(node),
            Path::Below(parent, from) => {
                let rest = topic.get(from..).unwrap_or_default();
                self.reserve(1 + label::chunks(rest.len()))?;
                self.add_leaf(parent, rest)
            }
            Path::Inside(child, before, common) => {
                let rest = topic.get(before + common..).unwrap_or_default();
                let leaf = if rest.is_empty() {
                    0
                } else {
                    1 + label::chunks(rest.len())
                };
                self.reserve(1 + label::chunks(common) + leaf)?;
                let joint = self.split(child, common)?;
                if rest.is_empty() {
                    Ok(joint)
                } else {
                    self.add_leaf(joint, rest)
                }
            }
        }
    }

    /// The node of a topic, with or without a value.
    pub(crate) fn find(&self, topic: &[u8]) -> Option<u32> {
        let (node, len) = self.descend(topic)?;
        (len == topic.len()).then_some(node)
    }

    /// The deepest node whose topic is a prefix of `topic`.
    #[inline]
    pub(crate) fn deepest(&self, topic: &[u8]) -> Option<u32> {
        self.descend(topic).map(|(node, _)| node)
    }

    /// Whether a topic with a value is a prefix of `topic`.
    #[inline]
    pub(crate) fn any_prefix(&self, topic: &[u8]) -> bool {
        let (mut at, mut rest) = (ROOT, topic);
        while let Some(node) = self.slab.get(at) {
            match node.value_and_parent() {
                Some((NIL, _)) => {}
                found => return found.is_some(),
            }
            let Some((child, len)) = self.step(at, node, rest) else {
                return false;
            };
            rest = &rest[len..];
            at = child;
        }
        false
    }

    /// The first value on the way from `node` up to the root.
    #[inline]
    pub(crate) fn value_upwards(&self, node: u32) -> u32 {
        let mut at = node;
        while let Some((value, parent)) = self.slab.get(at).and_then(Node::value_and_parent) {
            if value != NIL {
                return value;
            }
            at = parent;
        }
        NIL
    }

    #[inline]
    pub(crate) fn parent(&self, node: u32) -> u32 {
        self.value_and_parent(node).1
    }

    /// The number kept at a node; `NIL` also where there is no node.
    #[inline]
    pub(crate) fn value(&self, node: u32) -> u32 {
        self.value_and_parent(node).0
    }

    #[inline]
    pub(crate) fn set_value(&mut self, node: u32, value: u32) {
        label::change(&mut self.slab, node, |branch| branch.value = value);
    }

    /// Removes a node that keeps no number any more, as far as it joins nothing.
    ///
    /// O(length of the labels that this merges); takes no storage.
    pub(crate) fn prune(&mut self, node: u32) {
        let Some(branch) = self.branch(node) else {
            return;
        };
        if branch.value != NIL || node == ROOT {
            return;
        }
        match branch.children {
            0 => {
                self.unlink(node);
                label::free(&mut self.slab, node);
                label::change(&mut self.slab, branch.parent, |parent| {
                    parent.children = parent.children.saturating_sub(1);
                    parent.first_bytes ^= branch.first_byte();
                });
                self.merge_if_single(branch.parent);
            }
            _ => self.merge_if_single(node),
        }
    }

    /// Length of a node's topic in bytes. O(depth).
    pub(crate) fn topic_len(&self, node: u32) -> usize {
        let (mut at, mut len) = (node, 0);
        while let Some(branch) = self.branch(at) {
            len += usize::from(branch.len);
            at = branch.parent;
        }
        len
    }

    /// Writes a node's topic into the first [`topic_len`](Self::topic_len)
    /// bytes of `out`. O(length of the topic).
    pub(crate) fn read_topic(&self, node: u32, out: &mut [u8]) {
        let (mut at, mut end) = (node, self.topic_len(node));
        while let Some(branch) = self.branch(at) {
            let start = end.saturating_sub(branch.len.into());
            let Some(piece) = out.get_mut(start..end) else {
                return;
            };
            label::read(&self.slab, at, piece);
            end = start;
            at = branch.parent;
        }
    }

    /// Slots ever used; every node is below.
    pub(crate) fn used(&self) -> u32 {
        self.slab.used()
    }

    /// Bytes of storage behind the tree.
    pub(crate) fn footprint(&self) -> usize {
        self.slab.footprint() + self.children.footprint()
    }

    #[inline]
    fn descend(&self, topic: &[u8]) -> Option<(u32, usize)> {
        self.slab.get(ROOT)?.value_and_parent()?;
        let (mut at, mut rest) = (ROOT, topic);
        while let Some((child, len)) = self.step(at, self.slab.get(at)?, rest) {
            rest = &rest[len..];
            at = child;
        }
        Some((at, topic.len() - rest.len()))
    }

    /// The child of `node`, which is at `at`, whose whole label is a prefix of
    /// `rest`, and the label's length.
    ///
    /// A leaf is not looked up in the child table: among a million topics each
    /// look there misses the caches, twice.
    #[inline]
    fn step(&self, at: u32, node: &Node, rest: &[u8]) -> Option<(u32, usize)> {
        let byte = *rest.first()?;
        if !node.may_have_child(byte) {
            return None;
        }
        let (child, node) = self.child(at, byte)?;
        Some((child, label::strip(&self.slab, node, rest)?))
    }

    fn path(&self, topic: &[u8]) -> Path {
        let Some((node, len)) = self.descend(topic) else {
            return Path::Below(ROOT, 0);
        };
        let Some(&byte) = topic.get(len) else {
            return Path::At(node);
        };
        match self.child(node, byte) {
            None => Path::Below(node, len),
            Some((child, _)) => Path::Inside(
                child,
                len,
                label::common_len(&self.slab, child, &topic[len..]),
            ),
        }
    }

    #[inline]
    fn child(&self, parent: u32, byte: u8) -> Option<(u32, &Node)> {
        let mut at = self.children.first(child_hash(&self.seed, parent, byte));
        loop {
            let node = self.slab.get(at)?;
            let (its_parent, first_byte, next) = node.link()?;
            if its_parent == parent && first_byte == byte {
                return Some((at, node));
            }
            at = next;
        }
    }

    #[inline]
    fn value_and_parent(&self, at: u32) -> (u32, u32) {
        self.slab
            .get(at)
            .and_then(Node::value_and_parent)
            .unwrap_or((NIL, NIL))
    }

    fn make_root(&mut self) -> Result<(), Full> {
        if self.slab.used() > 0 {
            return Ok(());
        }
        self.children.reserve()?;
        self.slab.reserve(1)?;
        self.add_branch(NIL).map(|_| ())
    }

    fn reserve(&mut self, slots: u32) -> Result<(), Full> {
        self.slab.reserve(slots)
    }

    fn add_branch(&mut self, parent: u32) -> Result<u32, Full> {
        let at = self.slab.take().ok_or(Full)?;
        self.slab
            .get_mut(at)
            .ok_or(Full)?
            .set_branch(Branch::new(parent));
        Ok(at)
    }

    fn add_leaf(&mut self, parent: u32, text: &[u8]) -> Result<u32, Full> {
        let leaf = self.add_branch(parent)?;
        label::write(&mut self.slab, leaf, text);
        self.adopt(parent, leaf, End::Back);
        Ok(leaf)
    }

    /// Puts a new node above `child` that takes the first `at` bytes of its label.
    fn split(&mut self, child: u32, at: usize) -> Result<u32, Full> {
        let above = self.parent(child);
        let joint = self.add_branch(above)?;
        self.unlink(child);
        label::move_front(&mut self.slab, child, joint, at);
        // The joint starts with the byte that `child` started with: nothing changes above.
        self.link(joint, End::Front);
        label::change(&mut self.slab, child, |branch| branch.parent = joint);
        self.adopt(joint, child, End::Back);
        Ok(joint)
    }

    /// A node without value and with one child goes; the child takes its place.
    fn merge_if_single(&mut self, node: u32) {
        let Some(branch) = self.branch(node) else {
            return;
        };
        if branch.value != NIL || branch.children != 1 || node == ROOT {
            return;
        }
        let Some((child, _)) = self.child(node, branch.first_bytes) else {
            return;
        };
        self.unlink(child);
        self.unlink(node);
        label::change(&mut self.slab, child, |below| below.parent = branch.parent);
        label::take_front(&mut self.slab, node, child);
        self.link(child, End::Back);
    }

    /// Enters `child`, which names its parent already, as one more child.
    fn adopt(&mut self, parent: u32, child: u32, end: End) {
        let Some(byte) = self.branch(child).map(|branch| branch.first_byte()) else {
            return;
        };
        label::change(&mut self.slab, parent, |branch| {
            branch.children += 1;
            branch.first_bytes ^= byte;
        });
        self.link(child, end);
    }

    /// Nodes with many topics below are looked up more often than leaves, and
    /// stay in the cache: in front they spare the others' cache misses.
    fn link(&mut self, node: u32, end: End) {
        let mut family = Family {
            slab: &mut self.slab,
            seed: self.seed,
        };
        self.children.insert(&mut family, node, end);
    }

    fn unlink(&mut self, node: u32) {
        self.children.remove(
            &mut Family {
                slab: &mut self.slab,
                seed: self.seed,
            },
            node,
        );
    }

    #[inline]
    fn branch(&self, at: u32) -> Option<Branch> {
        self.slab.get(at)?.as_branch()
    }
}

/// The nodes as items of the child table, keyed by parent and first byte.
struct Family<'a, N> {
    slab: &'a mut Slab<N, Node>,
    seed: Seed,
}

impl<N: Storage<Node>> Chained for Family<'_, N> {
    fn hash(&self, item: u32) -> u32 {
        self.slab
            .get(item)
            .and_then(Node::link)
            .map_or(0, |(parent, byte, _)| child_hash(&self.seed, parent, byte))
    }

    fn chain(&self, item: u32) -> u32 {
        self.slab
            .get(item)
            .and_then(Node::link)
            .map_or(NIL, |(_, _, chain)| chain)
    }

    fn set_chain(&mut self, item: u32, next: u32) {
        label::change(self.slab, item, |branch| branch.chain = next);
    }
}

#[inline]
fn child_hash(seed: &Seed, parent: u32, byte: u8) -> u32 {
    seed.hash_word(u64::from(parent) << 8 | u64::from(byte))
}

/// The root is the first slot that is ever used, and stays.
const ROOT: u32 = 0;

#[cfg(test)]
mod tests;
