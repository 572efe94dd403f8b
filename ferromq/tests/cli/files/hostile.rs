//! A receiver keeps to its rules whatever a sender says.

use std::collections::HashSet;

use super::raw::{RawSender, number};
use super::{Place, noise, until};

const CHUNK: usize = 1 << 20;
const WINDOW: usize = 16 << 20;
/// SHA-256 of "hello".
const HELLO: [u8; 32] = [
    0x2c, 0xf2, 0x4d, 0xba, 0x5f, 0xb0, 0xa3, 0x0e, 0x26, 0xe8, 0x3b, 0x2a, 0xc5, 0xb9, 0xe2, 0x9e,
    0x1b, 0x16, 0x1e, 0x5c, 0x1f, 0xa7, 0x42, 0x5e, 0x73, 0x04, 0x33, 0x62, 0x93, 0x8b, 0x98, 0x24,
];

/// The receiver still does its work.
#[track_caller]
fn still_receives(place: &Place, endpoint: &str) {
    let sender = RawSender::connect(endpoint);
    sender.offer(1, b"afterwards", 5, b"source");
    sender.expect("ACCEPT", 1);
    sender.chunk(1, 0, b"hello");
    sender.expect("ACK", 1);
    sender.end(1, &HELLO);
    assert_eq!(sender.expect("DONE", 1), [HELLO]);
    assert_eq!(place.received("afterwards"), b"hello");
    std::fs::remove_file(place.inbox().join("afterwards")).unwrap();
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("--force");
    let sender = RawSender::connect(&endpoint);
    let long = [b'x'; 256];
    let names = [
        &b""[..],
        b".",
        b"..",
        b"/etc/passwd",
        b"../escaped",
        b"a/../../escaped",
        b"a/",
        b"nul\0",
        &long,
        b".a.0123456789abcdef0123456789abcdef.ferromq-part",
    ];
    for (id, name) in names.into_iter().enumerate() {
        sender.offer(id as u64, name, 5, b"source");
        sender.expect_refusal(id as u64, "name");
    }
    assert!(place.names().is_empty());
    assert_eq!(std::fs::read_dir(place.0.path()).unwrap().count(), 2);
    still_receives(&place, &endpoint);
}

#[test]
fn a_name_is_told_without_what_would_move_the_cursor() {
    let place = Place::new();
    let (mut receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    sender.offer(1, b"\x1b[2J/", 5, b"source");
    sender.expect_refusal(1, "name");
    let told = receiver.error_line();
    assert_eq!(
        told,
        "ferromq: \\x1b[2J/: refused: the name has a / at byte 4"
    );
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    sender.offer(1, b"a", 5, b"source");
    sender.expect("ACCEPT", 1);
    sender.chunk(1, 0, b"hallo");
    sender.expect("ACK", 1);
    sender.end(1, &HELLO);
    sender.expect_refusal(1, "digest");
    until("nothing is left", || place.names().is_empty());
    still_receives(&place, &endpoint);
}

#[test]
fn a_false_proof_of_the_beginning_starts_again() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    {
        let sender = RawSender::connect(&endpoint);
        sender.offer(1, b"a", 10, b"source");
        sender.expect("ACCEPT", 1);
        sender.chunk(1, 0, b"hello");
        assert_eq!(sender.expect("ACK", 1), [number(5)]);
    }
    for (id, proof, from) in [(7, HELLO, 5), (8, [0; 32], 0)] {
        let sender = RawSender::connect(&endpoint);
        sender.offer(id, b"a", 10, b"source");
        assert_eq!(sender.expect("PROVE", id), [number(5)]);
        sender.say(&[b"PROOF", &number(id), &number(5), &proof]);
        assert_eq!(sender.expect("ACCEPT", id)[0], number(from));
    }
    // As much of the old as there was is gone.
    assert_eq!(place.partial_len(), 0);
}

#[test]
fn what_is_out_of_turn_is_refused() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    let open = |id: u64| {
        sender.offer(id, b"a", 10, &number(id));
        sender.expect("ACCEPT", id);
    };
    let long = vec![0; CHUNK];
    type Say<'a> = &'a dyn Fn(u64);
    let cases: [(&str, Say<'_>); 9] = [
        ("order", &|id| sender.chunk(id, 1, b"gap")),
        ("order", &|id| {
            sender.chunk(id, 0, b"hello");
            sender.expect("ACK", id);
            sender.chunk(id, 0, b"again");
        }),
        ("order", &|id| sender.chunk(id, u64::MAX, b"far")),
        ("order", &|id| sender.end(id, &HELLO)),
        ("order", &|id| {
            sender.say(&[b"PROOF", &number(id), &number(0), &HELLO])
        }),
        ("length", &|id| sender.chunk(id, 0, b"")),
        ("length", &|id| sender.chunk(id, 0, b"more than ten bytes")),
        ("length", &|id| sender.chunk(id, 0, &long)),
        ("malformed", &|id| {
            sender.say(&[b"CHUNK", &number(id), b"0", b"data"])
        }),
    ];
    for (id, (code, say)) in (1..).zip(cases) {
        open(id);
        say(id);
        sender.expect_refusal(id, code);
        // It is closed now.
        sender.chunk(id, 0, b"hello");
        sender.expect("AGAIN", id);
    }
    still_receives(&place, &endpoint);
}

#[test]
fn chunks_that_come_before_they_are_granted_are_refused() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    let content = noise(1000, 1);
    sender.offer(1, b"a", 2000, b"source");
    sender.expect("ACCEPT", 1);
    sender.chunk(1, 0, &content);
    sender.expect("ACK", 1);
    // To be proved first.
    sender.offer(2, b"a", 2000, b"source");
    sender.expect_refusal(1, "superseded");
    sender.expect("PROVE", 2);
    sender.chunk(2, 1000, &content);
    sender.expect_refusal(2, "order");
    still_receives(&place, &endpoint);
}

#[test]
fn a_sender_that_floods_is_refused_and_held_back() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    let size = 1 << 40;
    let chunk = noise(CHUNK, 1);
    sender.offer(1, b"a", size.min(free(&place)), b"source");
    sender.expect("ACCEPT", 1);
    // More than is granted, as fast as it goes, no answer awaited.
    let chunks = 8 * WINDOW / CHUNK;
    for number in 0..chunks {
        sender.chunk(1, (number * CHUNK) as u64, &chunk);
    }
    let mut refused = HashSet::new();
    let mut acked = 0;
    // Either it was fast enough for all, or it refused the one too much.
    while acked < chunks && refused.is_empty() {
        let frames = sender.hear();
        match &frames[0][..] {
            b"ACK" => acked += 1,
            b"REFUSED" => drop(refused.insert(frames[2].clone())),
            other => panic!("{}", other.escape_ascii()),
        }
    }
    assert!(refused.iter().all(|code| code == b"credit"), "{refused:?}");
    still_receives(&place, &endpoint);
}

fn free(place: &Place) -> u64 {
    let output = std::process::Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(place.inbox())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().last().unwrap().trim().parse::<u64>().unwrap() / 2
}

#[test]
fn a_chunk_longer_than_allowed_ends_the_connection() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    let monitor = sender.socket.monitor();
    sender.offer(1, b"a", 4 << 20, b"source");
    sender.expect("ACCEPT", 1);
    sender.chunk(1, 0, &vec![0; 2 * CHUNK]);
    let ended =
        |event: ferromq::Event| matches!(event.kind, ferromq::EventKind::Disconnected { .. });
    assert!({ monitor }.any(ended));
    still_receives(&place, &endpoint);
}

#[test]
fn open_files_are_counted() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let mut senders = Vec::new();
    for peer in 0..9_u64 {
        let sender = RawSender::connect(&endpoint);
        for id in 0..9 {
            sender.offer(id, format!("{peer}-{id}").as_bytes(), 5, b"source");
            if peer < 8 && id < 8 {
                sender.expect("ACCEPT", id);
            } else {
                // 8 a peer, 64 in all.
                sender.expect_refusal(id, "busy");
            }
        }
        senders.push(sender);
    }
    // Who goes makes room.
    senders.truncate(4);
    let sender = RawSender::connect(&endpoint);
    let mut id = 100;
    until("there is room", || {
        id += 1;
        sender.offer(id, b"late", 5, b"source");
        sender.hear()[0] == b"ACCEPT"
    });
}

#[test]
fn a_file_that_cannot_fit_is_refused_at_once() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    sender.offer(1, b"a", u64::MAX, b"source");
    sender.expect_refusal(1, "storage");
    until("nothing is left", || place.names().is_empty());
}

#[test]
fn nonsense_is_answered_and_forgotten() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    sender.say(&[b""]);
    assert_eq!(sender.hear(), [&b"HELLO"[..], &[1]]);
    sender.say(&[b"OFFER", &[9], &number(3), b"of the future"]);
    sender.expect_refusal(3, "version");
    for frames in [
        &[&b"nonsense"[..]][..],
        &[b"", b""],
        &[b"END"],
        &[b"OFFER", &[1], &number(1)],
        &[&b"x"[..]; 8],
    ] {
        sender.say(frames);
        let heard = sender.hear();
        assert_eq!(
            (&heard[0][..], &heard[2][..]),
            (&b"REFUSED"[..], &b"malformed"[..])
        );
    }
    sender.say(&[b"ABORT", &number(77)]);
    sender.chunk(77, 0, b"of no file");
    sender.expect("AGAIN", 77);
    still_receives(&place, &endpoint);
}

#[test]
fn two_sources_of_one_name_do_not_mix() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let (one, other) = (RawSender::connect(&endpoint), RawSender::connect(&endpoint));
    one.offer(1, b"a", 5, b"one");
    other.offer(1, b"a", 5, b"other");
    one.expect("ACCEPT", 1);
    other.expect("ACCEPT", 1);
    one.chunk(1, 0, b"hel");
    one.expect("ACK", 1);
    other.chunk(1, 0, b"wor");
    other.expect("ACK", 1);
    assert_eq!(place.names().len(), 2, "a partial file each");
    one.chunk(1, 3, b"lo");
    one.expect("ACK", 1);
    one.end(1, &HELLO);
    one.expect("DONE", 1);
    other.chunk(1, 3, b"ld");
    other.expect("ACK", 1);
    let world = [
        0x48, 0x6e, 0xa4, 0x62, 0x24, 0xd1, 0xbb, 0x4f, 0xb6, 0x80, 0xf3, 0x4f, 0x7c, 0x9a, 0xd9,
        0x6a, 0x8f, 0x24, 0xec, 0x88, 0xbe, 0x73, 0xea, 0x8e, 0x5a, 0x6c, 0x65, 0x26, 0x0e, 0x9c,
        0xb8, 0xa7,
    ];
    other.end(1, &world);
    other.expect_refusal(1, "exists");
    until("no partial file is left", || place.names() == ["a"]);
    assert_eq!(place.received("a"), b"hello");
}

#[test]
fn a_newer_offer_of_the_same_file_takes_over() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let (one, other) = (RawSender::connect(&endpoint), RawSender::connect(&endpoint));
    one.offer(1, b"a", 10, b"source");
    one.expect("ACCEPT", 1);
    one.chunk(1, 0, b"hello");
    one.expect("ACK", 1);
    other.offer(1, b"a", 5, b"source");
    one.expect_refusal(1, "superseded");
    assert_eq!(other.expect("PROVE", 1), [number(5)]);
    other.say(&[b"PROOF", &number(1), &number(5), &HELLO]);
    other.expect("ACCEPT", 1);
    other.end(1, &HELLO);
    other.expect("DONE", 1);
    assert_eq!(place.received("a"), b"hello");
    one.chunk(1, 5, b"world");
    one.expect("AGAIN", 1);
}

#[test]
fn what_is_of_no_known_source_is_not_kept() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let sender = RawSender::connect(&endpoint);
    sender.offer(1, b"a", 10, b"");
    sender.expect("ACCEPT", 1);
    sender.chunk(1, 0, b"hello");
    sender.expect("ACK", 1);
    assert_eq!(place.names().len(), 1);
    sender.say(&[b"ABORT", &number(1)]);
    until("nothing is left", || place.names().is_empty());
}
