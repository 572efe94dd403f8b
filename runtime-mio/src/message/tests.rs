//! Messages hold their frames in order.

use super::{Frame, Message, PeerInfo};
use crate::memory::BlockPool;
use std::sync::Arc;

fn texts(message: &Message) -> Vec<&str> {
    message
        .iter()
        .map(|frame| std::str::from_utf8(frame).expect("a text"))
        .collect()
}

#[test]
fn messages_are_made_of_what_users_have() {
    let one = [
        Message::from("a"),
        Message::from(b"a"),
        Message::from(&b"a"[..]),
        Message::from(vec![b'a']),
        Message::from(&vec![b'a']),
        Message::from(String::from("a")),
        Message::from(&String::from("a")),
        Message::from(vec![b'a'].into_boxed_slice()),
        Message::from(Frame::from("a")),
        Message::from(&Frame::from("a")),
        Message::from(["a"]),
    ];
    for message in one {
        assert_eq!(texts(&message), ["a"]);
        assert_eq!((message.len(), message.body_len()), (1, 1));
    }
    let two = [
        Message::from(["a", "bc"]),
        Message::from(vec!["a", "bc"]),
        Message::from(&["a", "bc"][..]),
        Message::from([Frame::from("a"), Frame::from("bc")]),
        Message::from(vec![vec![b'a'], b"bc".to_vec()]),
        Message::from(&[Frame::from("a"), Frame::from("bc")][..]),
        ["a", "bc"].into_iter().collect(),
    ];
    for message in two {
        assert_eq!(texts(&message), ["a", "bc"]);
        assert_eq!((message.len(), message.body_len()), (2, 3));
        assert_eq!(message, Message::from(&message));
    }
}

#[test]
fn one_frame_is_equal_however_it_is_kept() {
    let mut shrunk = Message::from(["a", "b"]);
    assert_eq!(shrunk.pop_front(), Some(Frame::from("a")));
    assert_eq!(shrunk, Message::from("b"));
    assert_ne!(shrunk, Message::from("a"));
    assert_eq!(shrunk.pop_front(), Some(Frame::from("b")));
    assert_eq!(shrunk.pop_front(), None);
    assert_eq!(shrunk, Message::default());
    assert!(shrunk.is_empty() && !Message::from("").is_empty());
}

#[test]
fn frames_are_pushed_at_both_ends_and_taken_in_order() {
    let mut message = Message::from("body");
    message.push_front("");
    message.push_front(vec![b'i', b'd']);
    message.push_back("tail");
    message.extend(["x", "y"]);
    assert_eq!(texts(&message), ["id", "", "body", "tail", "x", "y"]);
    assert_eq!(message.frame(2), Some(&Frame::from("body")));
    assert_eq!(message.frame(6), None);
    let frames = message.into_frames();
    assert_eq!(frames.len(), 6);
    assert_eq!(frames.last(), Some(Frame::from("y")));
    let mut one = Message::from("only").into_frames();
    assert_eq!(
        (one.len(), one.next(), one.next()),
        (1, Some(Frame::from("only")), None)
    );
}

#[test]
fn a_message_knows_its_peer_behind_an_envelope_made_here() {
    let peer = PeerInfo::new("DEALER", "tcp://192.0.2.7:41234")
        .with_identity(b"worker")
        .with_user_id("alice")
        .with_property("X-Zone", b"north");
    let pool = BlockPool::new();
    let mut block = pool.block(Some(Arc::new(peer))).expect("memory");
    block.space_mut()[..4].copy_from_slice(b"body");
    block.filled(4);
    let mut message = Message::from(block.split_frame(0..4, 4));
    message.push_front("worker");
    let peer = message.peer().expect("a received frame");
    assert_eq!(peer.identity(), b"worker");
    assert_eq!(
        (peer.socket_type(), peer.address()),
        ("DEALER", "tcp://192.0.2.7:41234")
    );
    assert_eq!(peer.user_id(), Some("alice"));
    assert_eq!(peer.property("x-zone"), Some(&b"north"[..]));
    assert_eq!(peer.property("x-none"), None);
    assert_eq!(peer.properties().count(), 1);
    assert!(Message::from("mine").peer().is_none() && Message::new().peer().is_none());
}

#[test]
fn debug_shows_each_frame() {
    let message = Message::from([&b"topic"[..], b"", b"\x01\x02"]);
    assert_eq!(
        format!("{message:?}"),
        r#"Message [5 bytes "topic", 0 bytes, 2 bytes 0102]"#
    );
}
