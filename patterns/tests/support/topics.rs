//! Topics that share prefixes and end around every slot border of the index.

use proptest::prelude::*;

pub(crate) fn topic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"a"[..]),
        4 => Just(&b"b"[..]),
        2 => Just(&b"abcdefghi"[..]),
        1 => Just(&b"abcdefghij"[..]),
        1 => Just(&[b'x'; 26][..]),
        1 => Just(&[b'x'; 27][..]),
        1 => Just(&[b'x'; 60][..]),
        1 => Just(&b"\0\xff"[..]),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}
