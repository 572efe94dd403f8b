//! Labels of any length over fixed slots.
//!
//! A label's first 10 bytes lie in its branch, the rest in a chain of 27-byte
//! chunks without gaps. So a label of `len` bytes takes exactly `chunks(len)`
//! further slots.

use super::node::{Branch, CHUNK, INLINE, Node};
use crate::slab::{NIL, Slab};
use crate::storage::Storage;

/// A place in a label: a slot, and the next byte in it.
#[derive(Clone, Copy)]
struct Place {
    slot: u32,
    offset: usize,
}

/// Slots that a label takes beyond its branch.
pub(super) fn chunks(len: usize) -> u32 {
    len.saturating_sub(INLINE).div_ceil(CHUNK) as u32
}

/// The label's length if `key` starts with the whole label. The hot comparison.
#[inline]
pub(super) fn strip<N: Storage<Node>>(
    slab: &Slab<N, Node>,
    node: &Node,
    key: &[u8],
) -> Option<usize> {
    let (len, head, tail) = node.label()?;
    let (inline, rest) = key.get(..len)?.split_at(len.min(INLINE));
    let same = head[..inline.len()] == *inline && (rest.is_empty() || tail_is(slab, tail, rest));
    same.then_some(len)
}

fn tail_is<N: Storage<Node>>(slab: &Slab<N, Node>, tail: u32, rest: &[u8]) -> bool {
    let mut at = tail;
    rest.chunks(CHUNK).all(|piece| {
        let Some((bytes, next)) = slab.get(at).and_then(Node::as_chunk) else {
            return false;
        };
        at = next;
        bytes[..piece.len()] == *piece
    })
}

/// How many bytes of the label of `at` and of `key` are the same from the start.
pub(super) fn common_len<N: Storage<Node>>(slab: &Slab<N, Node>, at: u32, key: &[u8]) -> usize {
    let Some(branch) = slab.get(at).and_then(Node::as_branch) else {
        return 0;
    };
    let key = &key[..key.len().min(branch.len.into())];
    let (mut slot, mut done) = (at, 0);
    while let Some(node) = slab.get(slot).filter(|_| done < key.len()) {
        let same = node
            .text()
            .iter()
            .zip(&key[done..])
            .take_while(|(a, b)| a == b)
            .count();
        done += same;
        if same < node.text().len() {
            break;
        }
        slot = node.continued();
    }
    done
}

/// Copies the label of `at` into `out`, which has its length.
pub(super) fn read<N: Storage<Node>>(slab: &Slab<N, Node>, at: u32, out: &mut [u8]) {
    copy_out(
        slab,
        &mut Place {
            slot: at,
            offset: 0,
        },
        out,
    );
}

/// Gives a new branch its label; the caller has reserved the chunks.
pub(super) fn write<N: Storage<Node>>(slab: &mut Slab<N, Node>, at: u32, label: &[u8]) {
    set_len(slab, at, label.len());
    copy_in(
        slab,
        &mut Place {
            slot: at,
            offset: 0,
        },
        label,
    );
}

/// Moves the first `len` bytes of the label of `from` to the new branch `to`,
/// whose chunks the caller has reserved. O(length of the label).
pub(super) fn move_front<N: Storage<Node>>(
    slab: &mut Slab<N, Node>,
    from: u32,
    to: u32,
    len: usize,
) {
    let total = label_len(slab, from);
    let mut reader = Place {
        slot: from,
        offset: 0,
    };
    copy(
        slab,
        &mut reader,
        &mut Place {
            slot: to,
            offset: 0,
        },
        len,
    );
    set_len(slab, to, len);
    // The rest moves down in its own chain: the writer stays behind the reader.
    let rest = total.saturating_sub(len);
    copy(
        slab,
        &mut reader,
        &mut Place {
            slot: from,
            offset: 0,
        },
        rest,
    );
    set_len(slab, from, rest);
    truncate(slab, from, chunks(rest));
}

/// Puts the label of `front` before that of `at` and frees the slot of `front`.
/// O(length of both labels). Needs no reserve: `chunks(a + b)` is at most
/// `chunks(a) + chunks(b) + 1`, and the one more is `front`'s own slot.
pub(super) fn take_front<N: Storage<Node>>(slab: &mut Slab<N, Node>, front: u32, at: u32) {
    let Some(head) = slab.get(front).and_then(Node::as_branch) else {
        return;
    };
    let Some(old) = slab.get(at).and_then(Node::as_branch) else {
        return;
    };
    change(slab, at, |branch| {
        branch.inline = head.inline;
        branch.tail = head.tail;
        branch.len = head.len.saturating_add(old.len);
    });
    slab.free(front);
    let mut end = Place {
        slot: at,
        offset: 0,
    };
    skip(slab, &mut end, head.len.into());
    let mut left = usize::from(old.len);
    copy_in(slab, &mut end, &old.inline[..left.min(INLINE)]);
    left = left.saturating_sub(INLINE);
    let mut from = old.tail;
    while let Some((&bytes, next)) = slab.get(from).and_then(Node::as_chunk) {
        // Freed before its bytes are written, so that the writer finds a slot.
        slab.free(from);
        copy_in(slab, &mut end, &bytes[..left.min(CHUNK)]);
        left = left.saturating_sub(CHUNK);
        from = next;
    }
}

/// Frees all slots of a branch.
pub(super) fn free<N: Storage<Node>>(slab: &mut Slab<N, Node>, at: u32) {
    truncate(slab, at, 0);
    slab.free(at);
}

/// Keeps the first `keep` chunks of a label.
fn truncate<N: Storage<Node>>(slab: &mut Slab<N, Node>, at: u32, keep: u32) {
    let mut last = at;
    for _ in 0..keep {
        last = slab.get(last).map_or(NIL, Node::continued);
    }
    let Some(node) = slab.get_mut(last) else {
        return;
    };
    let mut next = node.continued();
    node.set_continued(NIL);
    while let Some(node) = slab.get(next) {
        let after = node.continued();
        slab.free(next);
        next = after;
    }
}

fn label_len<N: Storage<Node>>(slab: &Slab<N, Node>, at: u32) -> usize {
    slab.get(at)
        .and_then(Node::as_branch)
        .map_or(0, |branch| branch.len.into())
}

fn set_len<N: Storage<Node>>(slab: &mut Slab<N, Node>, at: u32, len: usize) {
    change(slab, at, |branch| branch.len = len as u16);
}

/// Changes the branch at `at`, if one is there.
#[inline]
pub(super) fn change<N: Storage<Node>>(
    slab: &mut Slab<N, Node>,
    at: u32,
    change: impl FnOnce(&mut Branch),
) {
    if let Some(node) = slab.get_mut(at) {
        node.change(change);
    }
}

fn copy<N: Storage<Node>>(
    slab: &mut Slab<N, Node>,
    from: &mut Place,
    to: &mut Place,
    mut len: usize,
) {
    let mut piece = [0; CHUNK];
    while len > 0 {
        let piece = &mut piece[..len.min(CHUNK)];
        copy_out(slab, from, piece);
        copy_in(slab, to, piece);
        len -= piece.len();
    }
}

fn copy_out<N: Storage<Node>>(slab: &Slab<N, Node>, from: &mut Place, mut out: &mut [u8]) {
    while !out.is_empty() {
        let Some(node) = slab.get(from.slot) else {
            return;
        };
        let text = &node.text()[from.offset.min(node.text().len())..];
        if text.is_empty() {
            *from = Place {
                slot: node.continued(),
                offset: 0,
            };
            continue;
        }
        let n = text.len().min(out.len());
        let (now, later) = out.split_at_mut(n);
        now.copy_from_slice(&text[..n]);
        from.offset += n;
        out = later;
    }
}

/// Writes over the chain, and takes a slot where it ends.
fn copy_in<N: Storage<Node>>(slab: &mut Slab<N, Node>, to: &mut Place, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let Some(node) = slab.get_mut(to.slot) else {
            return;
        };
        let room = node.text_mut().get_mut(to.offset..).unwrap_or_default();
        if room.is_empty() {
            let next = match node.continued() {
                NIL => lengthen(slab, to.slot),
                next => next,
            };
            *to = Place {
                slot: next,
                offset: 0,
            };
            continue;
        }
        let n = room.len().min(bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        to.offset += n;
        bytes = &bytes[n..];
    }
}

fn lengthen<N: Storage<Node>>(slab: &mut Slab<N, Node>, after: u32) -> u32 {
    let Some(next) = slab.take() else { return NIL };
    if let Some(slot) = slab.get_mut(next) {
        *slot = Node::chunk();
    }
    if let Some(node) = slab.get_mut(after) {
        node.set_continued(next);
    }
    next
}

fn skip<N: Storage<Node>>(slab: &Slab<N, Node>, place: &mut Place, mut len: usize) {
    while let Some(node) = slab.get(place.slot) {
        let room = node.text().len();
        if len <= room {
            place.offset = len;
            return;
        }
        len -= room;
        place.slot = node.continued();
    }
}
