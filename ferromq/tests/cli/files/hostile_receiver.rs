//! A sender believes no receiver that makes no sense.

use super::raw::{RawReceiver, number};
use super::{Place, send};
use crate::program::Program;

/// What a receiver says after the offer of this id.
type Lie = Box<dyn Fn(&mut RawReceiver, u64)>;

fn lie(lie: impl Fn(&mut RawReceiver, u64) + 'static) -> Lie {
    Box::new(lie)
}

fn accept(receiver: &RawReceiver, id: u64, offset: u64, window: u64, chunk: u64) {
    let (id, offset) = (number(id), number(offset));
    receiver.say(&[b"ACCEPT", &id, &offset, &number(window), &number(chunk)]);
}

#[test]
fn what_makes_no_sense_is_told() {
    let cases: [(&str, Lie); 10] = [
        (
            "it sent what is no answer",
            lie(|receiver, _| receiver.say(&[b"nonsense"])),
        ),
        (
            "it wants more proved than there is",
            lie(|receiver, id| receiver.say(&[b"PROVE", &number(id), &number(6)])),
        ),
        (
            "it goes on where nothing was proved",
            lie(|receiver, id| accept(receiver, id, 3, 10, 10)),
        ),
        (
            "it grants nothing",
            lie(|receiver, id| accept(receiver, id, 0, 0, 10)),
        ),
        (
            "it grants nothing",
            lie(|receiver, id| accept(receiver, id, 0, 10, 0)),
        ),
        (
            "it accepts out of turn",
            lie(|receiver, id| {
                accept(receiver, id, 0, 10, 10);
                accept(receiver, id, 0, 10, 10);
            }),
        ),
        (
            "it acknowledges what was not sent",
            lie(|receiver, id| {
                accept(receiver, id, 0, 1, 1);
                receiver.say(&[b"ACK", &number(id), &number(2)]);
            }),
        ),
        (
            "it is done before the end",
            lie(|receiver, id| receiver.say(&[b"DONE", &number(id), &[0; 32]])),
        ),
        (
            "it is done with another file",
            lie(|receiver, id| {
                accept(receiver, id, 0, 10, 10);
                receiver.hear("END");
                receiver.say(&[b"DONE", &number(id), &[0; 32]]);
            }),
        ),
        (
            "it is done with another file",
            lie(|receiver, id| {
                receiver.say(&[b"PROVE", &number(id), &number(5)]);
                receiver.hear("PROOF");
                receiver.say(&[b"DONE", &number(id), &[0; 32]]);
            }),
        ),
    ];
    let place = Place::new();
    let path = place.file("a", b"hello");
    for (told, lie) in cases {
        let mut receiver = RawReceiver::bind();
        let sender = send(&[&path], &receiver.endpoint);
        let id = receiver.meet();
        lie(&mut receiver, id);
        sender.end().with(
            1,
            &format!(
                "ferromq: {}: the receiver broke the protocol: {told}",
                path.display()
            ),
        );
    }
}

#[test]
fn no_more_is_sent_than_is_granted() {
    let place = Place::new();
    let path = place.file("a", b"hello");
    let mut receiver = RawReceiver::bind();
    let sender = send(&[&path], &receiver.endpoint);
    let id = receiver.meet();
    accept(&receiver, id, 0, 2, 1_000_000);
    assert_eq!(receiver.hear("CHUNK")[1..], [&number(0)[..], b"he"]);
    receiver.say(&[b"ACK", &number(id), &number(2)]);
    assert_eq!(receiver.hear("CHUNK")[1..], [&number(2)[..], b"ll"]);
    // Nothing more without another ACK, until this ends it all.
    receiver.say(&[b"DONE", &number(id), &[0; 32]]);
    assert_eq!(receiver.hear_any(), [&b"ABORT"[..], &number(id)]);
    assert_eq!(sender.end().code, Some(1));
}

#[test]
fn an_explanation_is_told_without_what_would_move_the_cursor() {
    let place = Place::new();
    let path = place.file("a", b"hello");
    let mut receiver = RawReceiver::bind();
    let sender = send(&[&path], &receiver.endpoint);
    let id = receiver.meet();
    receiver.say(&[b"REFUSED", &number(id), b"whim", b"\x1b[2J\nno"]);
    let told = format!(
        "ferromq: {}: refused by the receiver: \\x1b[2J\\nno",
        path.display()
    );
    sender.end().with(1, &told);
}

#[test]
fn busy_receivers_and_forgetful_ones_are_asked_again() {
    let place = Place::new();
    let path = place.file("a", b"hello");
    let mut receiver = RawReceiver::bind();
    let sender = send(&[&path], &receiver.endpoint);
    let mut id = receiver.meet();
    receiver.say(&[b"REFUSED", &number(id), b"busy", b"later"]);
    for _ in 0..2 {
        let again = receiver.hear("OFFER");
        assert!(again[1] > number(id).to_vec(), "another id");
        id = u64::from_be_bytes(again[1][..].try_into().unwrap());
        receiver.say(&[b"AGAIN", &number(id)]);
    }
    let again = receiver.hear("OFFER");
    receiver.say(&[b"PROVE", &again[1], &number(5)]);
    let proof = receiver.hear("PROOF");
    receiver.say(&[b"DONE", &again[1], &proof[2]]);
    sender.end().well();
}

#[test]
fn a_receiver_that_stays_busy_is_quoted_in_the_end() {
    let place = Place::new();
    let path = place.file("a", b"hello");
    let mut receiver = RawReceiver::bind();
    let (from, to) = (path.display(), &receiver.endpoint);
    let sender = Program::start(&format!("send {from} --to {to} --timeout 3"));
    let id = receiver.meet();
    receiver.say(&[b"REFUSED", &number(id), b"busy", b"come back later"]);
    let told = format!("ferromq: {from}: refused by the receiver: come back later");
    sender.end().with(1, &told);
}
