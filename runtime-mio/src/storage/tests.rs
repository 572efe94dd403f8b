//! Chunks behave as one long vector with a limit, and never move what is large.

use super::{Chunks, Full, Storage};
use proptest::prelude::*;

type Item = [u64; 4];
const PER_CHUNK: usize = (64 << 10) / size_of::<Item>();

fn addresses(chunks: &Chunks<Item>) -> Vec<*const Item> {
    (0..chunks.len())
        .map(|i| chunks.get(i).expect("below len") as *const Item)
        .collect()
}

#[test]
fn growing_keeps_values_and_beyond_a_chunk_addresses() {
    let mut chunks = Chunks::<Item>::with_limit(10 * PER_CHUNK);
    chunks.grow(PER_CHUNK).expect("below the limit");
    (0..PER_CHUNK).for_each(|i| *chunks.get_mut(i).expect("below len") = [i as u64; 4]);
    let before = addresses(&chunks);
    chunks.grow(5 * PER_CHUNK + 1).expect("below the limit");
    assert_eq!(addresses(&chunks)[..PER_CHUNK], before);
    assert_eq!(chunks.get(PER_CHUNK - 1), Some(&[PER_CHUNK as u64 - 1; 4]));
    assert_eq!(chunks.get(5 * PER_CHUNK), Some(&[0; 4]));
    assert_eq!(chunks.get(5 * PER_CHUNK + 1), None);
}

#[test]
fn a_small_table_takes_little() {
    let mut chunks = Chunks::<Item>::with_limit(usize::MAX);
    assert_eq!(chunks.reserved(), 0);
    for (len, reserved) in [(1, 4), (4, 4), (5, 8), (100, 128), (PER_CHUNK, PER_CHUNK)] {
        chunks.grow(len).expect("memory");
        assert_eq!(chunks.reserved(), reserved);
    }
    chunks.grow(PER_CHUNK + 1).expect("memory");
    assert_eq!(chunks.reserved(), 2 * PER_CHUNK);
    chunks.shrink(0);
    assert_eq!(chunks.reserved(), 0);
}

#[test]
fn items_larger_than_a_chunk_get_one_each() {
    struct Large([u8; 100_000]);
    impl Default for Large {
        fn default() -> Self {
            Self([7; 100_000])
        }
    }
    let mut chunks = Chunks::<Large>::with_limit(3);
    chunks.grow(3).expect("memory");
    assert_eq!(chunks.get(2).map(|large| large.0[99_999]), Some(7));
    assert!(chunks.get(3).is_none());
}

#[test]
fn full_changes_nothing() {
    let mut chunks = Chunks::<Item>::with_limit(7);
    chunks.grow(7).expect("the limit itself");
    assert_eq!(chunks.grow(8), Err(Full));
    assert_eq!(chunks.len(), 7);
    let mut chunks = Chunks::<Item>::with_limit(usize::MAX);
    chunks.grow(3).expect("memory");
    assert_eq!(chunks.grow(usize::MAX), Err(Full), "no memory for it");
    assert_eq!((chunks.len(), chunks.reserved()), (3, 4));
    chunks.grow(4).expect("as usable as before");
}

proptest! {
    #[test]
    fn chunks_are_a_vector(steps in prop::collection::vec((0..3 * PER_CHUNK, any::<u64>()), 1..40)) {
        let mut chunks = Chunks::<Item>::with_limit(2 * PER_CHUNK + 100);
        let mut model: Vec<Item> = Vec::new();
        for (len, value) in steps {
            if value % 3 == 0 {
                chunks.shrink(len);
                model.truncate(len);
            } else {
                let grown = chunks.grow(len);
                prop_assert_eq!(grown.is_err(), len > 2 * PER_CHUNK + 100 && len > model.len());
                if grown.is_ok() && len > model.len() {
                    model.resize(len, Item::default());
                }
            }
            prop_assert_eq!(chunks.len(), model.len());
            if !model.is_empty() {
                let i = value as usize % model.len();
                model[i] = [value; 4];
                *chunks.get_mut(i).expect("below len") = [value; 4];
            }
            for i in [0, len.saturating_sub(1), len, len / 2, PER_CHUNK - 1, PER_CHUNK] {
                prop_assert_eq!(chunks.get(i), model.get(i));
            }
        }
    }
}
