//! The tree's 32-byte slots.

use crate::slab::{NIL, Slot};

/// 32 bytes of a subscription index: a node of its radix tree with the first 10
/// bytes of its label, or a further 27 bytes of a long one.
///
/// Opaque; it is public so that a storage can be named.
#[derive(Clone, Debug)]
pub struct Node(Kind);

/// The variants spell their fields out, instead of naming structs, so that the
/// byte that tells them apart takes a byte and not a word.
#[derive(Clone, Debug)]
enum Kind {
    Free {
        next: u32,
    },
    Branch {
        first_bytes: u8,
        len: u16,
        children: u16,
        parent: u32,
        chain: u32,
        value: u32,
        tail: u32,
        inline: [u8; INLINE],
    },
    Chunk {
        next: u32,
        bytes: [u8; CHUNK],
    },
}

const _: () = assert!(size_of::<Node>() == 32);

/// A node of the tree: the topics below it share the path of labels to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    pub(super) parent: u32,
    /// Next node in the same chain of the child table.
    pub(super) chain: u32,
    /// What the tree's owner keeps here; `NIL` if the topic that ends here is not in use.
    pub(super) value: u32,
    /// First chunk of the label past the inline part.
    pub(super) tail: u32,
    /// Length of the label; 0 for the root only.
    pub(super) len: u16,
    pub(super) children: u16,
    /// All children's first bytes, xored: with one child left, it names it.
    pub(super) first_bytes: u8,
    pub(super) inline: [u8; INLINE],
}

/// Label bytes in a branch, and in a chunk.
pub(super) const INLINE: usize = 10;
pub(super) const CHUNK: usize = 27;

impl Branch {
    pub(super) const fn new(parent: u32) -> Self {
        Self {
            parent,
            chain: NIL,
            value: NIL,
            tail: NIL,
            len: 0,
            children: 0,
            first_bytes: 0,
            inline: [0; INLINE],
        }
    }

    /// The label's first byte, which the parent's look-up goes by.
    #[inline]
    pub(super) const fn first_byte(&self) -> u8 {
        self.inline[0]
    }
}

impl Node {
    pub(super) const fn chunk() -> Self {
        Self(Kind::Chunk {
            next: NIL,
            bytes: [0; CHUNK],
        })
    }

    /// The branch in this slot, copied.
    #[inline]
    pub(super) const fn as_branch(&self) -> Option<Branch> {
        let Kind::Branch {
            first_bytes,
            len,
            children,
            parent,
            chain,
            value,
            tail,
            inline,
        } = self.0
        else {
            return None;
        };
        Some(Branch {
            parent,
            chain,
            value,
            tail,
            len,
            children,
            first_bytes,
            inline,
        })
    }

    #[inline]
    pub(super) const fn set_branch(&mut self, branch: Branch) {
        let Branch {
            parent,
            chain,
            value,
            tail,
            len,
            children,
            first_bytes,
            inline,
        } = branch;
        self.0 = Kind::Branch {
            first_bytes,
            len,
            children,
            parent,
            chain,
            value,
            tail,
            inline,
        };
    }

    /// What the child table goes by: parent, first byte, and the next in the chain.
    #[inline]
    pub(super) const fn link(&self) -> Option<(u32, u8, u32)> {
        if let Kind::Branch {
            parent,
            inline,
            chain,
            ..
        } = &self.0
        {
            Some((*parent, inline[0], *chain))
        } else {
            None
        }
    }

    /// A branch's label: its length, its first bytes, its first chunk.
    #[inline]
    pub(super) const fn label(&self) -> Option<(usize, &[u8; INLINE], u32)> {
        if let Kind::Branch {
            len, inline, tail, ..
        } = &self.0
        {
            Some((*len as usize, inline, *tail))
        } else {
            None
        }
    }

    /// What a branch keeps, and its parent.
    #[inline]
    pub(super) const fn value_and_parent(&self) -> Option<(u32, u32)> {
        if let Kind::Branch { value, parent, .. } = &self.0 {
            Some((*value, *parent))
        } else {
            None
        }
    }

    /// Whether a child's label may start with `byte`, as far as the node itself
    /// can tell: it has more than one, or this one.
    #[inline]
    pub(super) const fn may_have_child(&self, byte: u8) -> bool {
        match &self.0 {
            Kind::Branch {
                children,
                first_bytes,
                ..
            } => match *children {
                0 => false,
                1 => *first_bytes == byte,
                _ => true,
            },
            _ => false,
        }
    }

    /// Changes the branch in this slot, if one is.
    #[inline]
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Branch)) {
        if let Some(mut branch) = self.as_branch() {
            change(&mut branch);
            self.set_branch(branch);
        }
    }

    /// The chunk in this slot: its bytes, and the next one.
    #[inline]
    pub(super) const fn as_chunk(&self) -> Option<(&[u8; CHUNK], u32)> {
        if let Kind::Chunk { next, bytes } = &self.0 {
            Some((bytes, *next))
        } else {
            None
        }
    }

    /// The label bytes that this slot has room for.
    pub(super) const fn text(&self) -> &[u8] {
        match &self.0 {
            Kind::Branch { inline, .. } => inline,
            Kind::Chunk { bytes, .. } => bytes,
            Kind::Free { .. } => &[],
        }
    }

    pub(super) const fn text_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Kind::Branch { inline, .. } => inline,
            Kind::Chunk { bytes, .. } => bytes,
            Kind::Free { .. } => &mut [],
        }
    }

    /// Where the label goes on after this slot.
    pub(super) const fn continued(&self) -> u32 {
        match &self.0 {
            Kind::Branch { tail, .. } => *tail,
            Kind::Chunk { next, .. } => *next,
            Kind::Free { .. } => NIL,
        }
    }

    pub(super) const fn set_continued(&mut self, after: u32) {
        match &mut self.0 {
            Kind::Branch { tail, .. } => *tail = after,
            Kind::Chunk { next, .. } => *next = after,
            Kind::Free { .. } => {}
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self(Kind::Free { next: NIL })
    }
}

impl Slot for Node {
    fn free_next(&self) -> u32 {
        if let Kind::Free { next } = self.0 {
            next
        } else {
            NIL
        }
    }

    fn set_free(&mut self, next: u32) {
        self.0 = Kind::Free { next };
    }
}
