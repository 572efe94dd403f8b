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
    use std::arch::x86_64::{__m128i, _mm_sfence, _mm_stream_si128};

    assert_eq!(into.len(), from.len());
    let (head, words, tail) = bytemuck::pod_align_to_mut::<u8, __m128i>(into);
    let (to_head, from) = from.split_at(head.len());
    let (from_words, to_tail) = from.as_chunks::<{ size_of::<__m128i>() }>();
    head.copy_from_slice(to_head);
    for (word, from) in words.iter_mut().zip(from_words) {
        // SAFETY: SSE2, which each x86-64 has; a word of our own, aligned as its type is.
        // The fence below comes before anybody looks at it.
        unsafe { _mm_stream_si128(word, bytemuck::pod_read_unaligned(from)) };
    }
    // Streaming stores keep no order with others: what tells a peer of these bytes is to
    // come after them.
    // SAFETY: SSE, which each x86-64 has.
    unsafe { _mm_sfence() };
    tail.copy_from_slice(to_tail);
}

/// The same through the caches, where there is no stable way around them.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn copy(into: &mut [u8], from: &[u8]) {
    into.copy_from_slice(from);
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
