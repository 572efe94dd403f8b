//! Frames own their bytes, and give lent ones back once.

use super::Frame;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn a_handle_is_three_words_and_an_absent_one_no_more() {
    assert_eq!(size_of::<Frame>(), 3 * size_of::<usize>());
    assert_eq!(size_of::<Option<Frame>>(), size_of::<Frame>());
}

#[test]
fn frames_are_made_of_what_users_have() {
    let text = String::from("hello");
    for frame in [
        Frame::from("hello"),
        Frame::from(b"hello"),
        Frame::from(&b"hello"[..]),
        Frame::from(&text),
        Frame::from(&text.clone().into_bytes()),
        Frame::from(text.clone().into_bytes()),
        Frame::from(text.clone().into_bytes().into_boxed_slice()),
        Frame::from(text.clone()),
        Frame::from_static(b"hello"),
        Frame::from_owner(text),
    ] {
        assert_eq!(frame, "hello");
        assert_eq!(frame, Frame::from(&frame));
        assert!(frame.origin().is_none());
    }
    for frame in [Frame::default(), Frame::from(""), Frame::from(Vec::new())] {
        assert!(frame.is_empty());
    }
}

#[test]
fn vectors_are_kept_and_slices_copied() {
    let bytes = vec![1, 2, 3];
    let address = bytes.as_ptr();
    assert_ne!(Frame::from(&bytes).as_ptr(), address);
    assert_eq!(Frame::from(bytes).as_ptr(), address);
    let long = Frame::from(&[1; 5000]);
    assert_eq!((long.as_ptr().align_offset(64), long.len()), (0, 5000));
}

#[test]
fn clones_and_parts_share_the_bytes_and_outlive_the_frame() {
    let frame = Frame::from("0123456789");
    let (clone, part) = (frame.clone(), frame.slice(2..=4));
    assert_eq!(clone.as_ptr(), frame.as_ptr());
    drop(frame);
    assert_eq!(part, "234");
    assert_eq!(part.slice(1..), "34");
    assert_eq!(part.slice(..0), "");
    drop(part);
    assert_eq!(clone, "0123456789");
    assert!(catch_unwind(AssertUnwindSafe(|| clone.slice(3..11))).is_err());
}

#[test]
fn handles_move_between_threads() {
    let frame = Frame::from(vec![5; 1000]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let frame = frame.clone();
            std::thread::spawn(move || {
                (0..1000).for_each(|_| drop(frame.clone()));
                frame.iter().map(|&byte| usize::from(byte)).sum::<usize>()
            })
        })
        .collect();
    drop(frame);
    for thread in threads {
        assert_eq!(thread.join().expect("a sum"), 5000);
    }
}

/// Counts releases; an owner that can panic in either of its two moments.
struct Owner {
    bytes: Vec<u8>,
    panics_when_asked: bool,
    panics_when_dropped: bool,
    dropped: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        assert!(!self.panics_when_asked, "asked, on purpose");
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics_when_dropped, "dropped, on purpose");
    }
}

#[test]
fn lent_memory_is_released_once_after_the_last_handle() {
    let (dropped, released) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = || {
        (
            dropped.load(Ordering::Relaxed),
            released.load(Ordering::Relaxed),
        )
    };
    let lend = |panics_when_asked, panics_when_dropped| {
        let dropped = Arc::clone(&dropped);
        let owner = Owner {
            bytes: vec![3; 9],
            panics_when_asked,
            panics_when_dropped,
            dropped,
        };
        let (dropped, released) = (Arc::clone(&owner.dropped), Arc::clone(&released));
        Frame::with_release(owner, move || {
            let before = released.fetch_add(1, Ordering::Relaxed);
            assert_eq!(
                dropped.load(Ordering::Relaxed),
                before + 1,
                "the owner goes first"
            );
        })
    };

    let frame = lend(false, false);
    let part = frame.slice(1..3);
    drop(frame);
    assert_eq!((counts(), &part[..]), ((0, 0), &[3, 3][..]));
    drop(part);
    assert_eq!(counts(), (1, 1));

    assert!(catch_unwind(AssertUnwindSafe(|| lend(true, false))).is_err());
    assert_eq!(counts(), (2, 2));

    let frame = lend(false, true);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(frame))).is_err());
    assert_eq!(counts(), (3, 3));

    let unwinding = catch_unwind(AssertUnwindSafe(|| {
        let _frame = lend(false, false);
        panic!("elsewhere, on purpose");
    }));
    assert!(unwinding.is_err());
    assert_eq!(counts(), (4, 4));
}

#[test]
fn frames_hash_and_compare_as_bytes() {
    let set = HashSet::from([Frame::from("a"), Frame::from(vec![b'b'])]);
    assert!(set.contains(&b"b"[..]) && !set.contains(&b"c"[..]));
    assert_ne!(Frame::from("a"), Frame::from("b"));
    assert_eq!(Frame::from("a"), vec![b'a']);
}

#[test]
fn debug_shows_lengths_and_heads() {
    let shown = |bytes: &[u8]| format!("{:?}", Frame::from(bytes));
    assert_eq!(shown(b""), "0 bytes");
    assert_eq!(shown(b"say \"hi\""), r#"8 bytes "say \"hi\"""#);
    assert_eq!(shown(b"\x00\xfe1"), "3 bytes 00fe31");
    assert_eq!(
        shown(&[b'x'; 25]),
        "25 bytes \"xxxxxxxxxxxxxxxxxxxxxxxx\"..."
    );
}
