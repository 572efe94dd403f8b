//! The tree's 32-byte slots.

use crate::slab::{NIL, Slot};

/// 32 bytes of a subscription index: a node of its radix tree with the first 7
/// bytes of its label, or a further 24 bytes of a long one.
///
/// Opaque; it is public so that a storage can be named.
#[derive(Clone, Debug)]
pub struct Node(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Free { next: u32 },
    Branch(Branch),
    Chunk(Chunk),
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

/// A further piece of a label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) next: u32,
    pub(super) bytes: [u8; CHUNK],
}

/// Label bytes in a branch, and in a chunk.
pub(super) const INLINE: usize = 7;
pub(super) const CHUNK: usize = 24;

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
    pub(super) const fn branch(branch: Branch) -> Self {
        Self(Kind::Branch(branch))
    }

    pub(super) const fn chunk() -> Self {
        Self(Kind::Chunk(Chunk {
            next: NIL,
            bytes: [0; CHUNK],
        }))
    }

    #[inline]
    pub(super) const fn as_branch(&self) -> Option<&Branch> {
        if let Kind::Branch(branch) = &self.0 {
            Some(branch)
        } else {
            None
        }
    }

    #[inline]
    pub(super) const fn as_branch_mut(&mut self) -> Option<&mut Branch> {
        if let Kind::Branch(branch) = &mut self.0 {
            Some(branch)
        } else {
            None
        }
    }

    #[inline]
    pub(super) const fn as_chunk(&self) -> Option<&Chunk> {
        if let Kind::Chunk(chunk) = &self.0 {
            Some(chunk)
        } else {
            None
        }
    }

    /// The label bytes that this slot has room for.
    pub(super) fn text(&self) -> &[u8] {
        match &self.0 {
            Kind::Branch(branch) => &branch.inline,
            Kind::Chunk(chunk) => &chunk.bytes,
            Kind::Free { .. } => &[],
        }
    }

    pub(super) fn text_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Kind::Branch(branch) => &mut branch.inline,
            Kind::Chunk(chunk) => &mut chunk.bytes,
            Kind::Free { .. } => &mut [],
        }
    }

    /// Where the label goes on after this slot.
    pub(super) fn continued(&self) -> u32 {
        match &self.0 {
            Kind::Branch(branch) => branch.tail,
            Kind::Chunk(chunk) => chunk.next,
            Kind::Free { .. } => NIL,
        }
    }

    pub(super) fn set_continued(&mut self, next: u32) {
        match &mut self.0 {
            Kind::Branch(branch) => branch.tail = next,
            Kind::Chunk(chunk) => chunk.next = next,
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
