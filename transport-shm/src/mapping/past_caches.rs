//! A copy that goes past the caches.
//!
//! A store to a line that is in no cache has it read from memory first, only to be
//! overwritten. Streaming stores do not: they fill a buffer, which goes to memory once it is
//! a whole line. What they write is in no cache afterwards, so that they are for bytes that
//! would not stay there either ([`Arena`](crate::arena::Arena) says which).

/// Copies all of `from` to `into`, which is as long.
///
/// # Panics
/// Where it is not.
#[cfg(target_arch = "x86_64")]
pub(crate) fn copy(into: &mut [u8], from: &[u8]) {
    assert_eq!(into.len(), from.len());
    let (head, lines, tail) = bytemuck::pod_align_to_mut::<u8, Line>(into);
    let (to_head, from) = from.split_at(head.len());
    let (from_lines, to_tail) = from.as_chunks::<{ size_of::<Line>() }>();
    head.copy_from_slice(to_head);
    let stores = Stores;
    for (line, from) in lines.iter_mut().zip(from_lines) {
        // All of it is loaded before the first store: a line of the caches whose stores are
        // held up leaves in parts, each of which takes memory as long as a whole one. Word by
        // word it was half as fast, at times. (Blocks begin at pages, so that these are whole
        // lines.)
        let [a, b, c, d]: &[[u8; size_of::<Word>()]; 4] = bytemuck::cast_ref(from);
        let (a, b, c, d) = (load(a), load(b), load(c), load(d));
        stores.stream(&mut line[0], a);
        stores.stream(&mut line[1], b);
        stores.stream(&mut line[2], c);
        stores.stream(&mut line[3], d);
    }
    tail.copy_from_slice(to_tail);
}

/// The same through the caches, where there is no stable way around them.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn copy(into: &mut [u8], from: &[u8]) {
    into.copy_from_slice(from);
}

/// As much as a line of the caches.
#[cfg(target_arch = "x86_64")]
type Line = [Word; 4];

#[cfg(target_arch = "x86_64")]
type Word = std::arch::x86_64::__m128i;

#[cfg(target_arch = "x86_64")]
#[inline]
fn load(from: &[u8; size_of::<Word>()]) -> Word {
    bytemuck::pod_read_unaligned(from)
}

/// Streaming stores, which keep no order with others until it is dropped: what tells a peer of
/// these bytes comes after that.
#[cfg(target_arch = "x86_64")]
struct Stores;

#[cfg(target_arch = "x86_64")]
impl Stores {
    #[inline]
    fn stream(&self, into: &mut Word, word: Word) {
        // SAFETY: SSE2, which each x86-64 has; a word of the caller's, aligned as its type is.
        // Nobody looks at it before the fence: `copy` has it borrowed until `self` is dropped.
        unsafe { std::arch::x86_64::_mm_stream_si128(into, word) };
    }
}

#[cfg(target_arch = "x86_64")]
impl Drop for Stores {
    fn drop(&mut self) {
        // SAFETY: SSE, which each x86-64 has.
        unsafe { std::arch::x86_64::_mm_sfence() };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_writes_what_it_is_to_and_nothing_beside(
            bytes in proptest::collection::vec(any::<u8>(), 0..1000),
            (before, behind) in (0..130_usize, 0..130_usize),
        ) {
            let mut into = vec![0xa5; before + bytes.len() + behind];
            copy(&mut into[before..before + bytes.len()], &bytes);
            prop_assert_eq!(&into[before..before + bytes.len()], &bytes);
            let beside = into[..before].iter().chain(&into[before + bytes.len()..]);
            prop_assert!(beside.copied().all(|byte| byte == 0xa5));
        }
    }
}
