//! Whatever is interrupted goes on where it was, and ends with the right bytes.

use std::path::PathBuf;

use super::wire::Wire;
use super::{Place, noise, send, until};
use crate::program::Program;

const SIZE: usize = 64 << 20;

/// A file of which the receiver has got so many bytes, and no more follow.
struct Halfway {
    place: Place,
    path: PathBuf,
    content: Vec<u8>,
    wire: Wire,
    sender: Program,
    receiver: Program,
}

impl Halfway {
    fn new(passed: usize, receiver: &str) -> Self {
        let place = Place::new();
        let content = noise(SIZE, passed as u64);
        let path = place.file("big", &content);
        let (receiver, endpoint) = place.receiver(receiver);
        let wire = Wire::to(&endpoint, passed);
        let sender = send(&[&path], wire.endpoint());
        // Every whole chunk that passed is written; the words around them are
        // less than this.
        let written = (passed.saturating_sub(64 * 1024) >> 20) << 20;
        until("what passed is written", || {
            place.partial_len() >= written as u64
        });
        assert!(!place.inbox().join("big").exists());
        Self {
            place,
            path,
            content,
            wire,
            sender,
            receiver,
        }
    }

    /// The line that the sender ended with.
    #[track_caller]
    fn arrives(place: &Place, content: &[u8], sender: Program) -> String {
        let ended = sender.end();
        assert_eq!(ended.code, Some(0), "{:?}", ended.stderr);
        assert!(place.received("big") == content, "the content differs");
        assert_eq!(place.names(), ["big"], "no partial file is left");
        let [line] = &ended.stdout[..] else {
            panic!("{:?}", ended.stdout);
        };
        line.clone()
    }
}

/// Whether some of the file, or even all, had come before.
fn is_resumed(line: &str) -> bool {
    line.contains(" of it from before, ") || line.contains(", there already, ")
}

#[test]
fn a_killed_sender_goes_on_where_it_was() {
    for passed in [100, 1 << 20, (5 << 20) + 12_345, 33 << 20, SIZE - 7] {
        let Halfway {
            place,
            path,
            content,
            wire,
            sender,
            receiver: _receiver,
        } = Halfway::new(passed, "");
        sender.signal("KILL");
        drop(sender);
        wire.allow(usize::MAX);
        let line = Halfway::arrives(&place, &content, send(&[&path], wire.endpoint()));
        assert_eq!(is_resumed(&line), passed > 2 << 20, "{passed}: {line}");
    }
}

#[test]
fn a_killed_receiver_goes_on_where_it_was() {
    for passed in [100, 1 << 20, (9 << 20) + 54_321, 40 << 20, SIZE - 7] {
        let Halfway {
            place,
            content,
            wire,
            sender,
            receiver,
            ..
        } = Halfway::new(passed, "");
        receiver.signal("KILL");
        drop(receiver);
        let (_receiver, endpoint) = place.receiver("");
        wire.lead_to(&endpoint);
        wire.allow(usize::MAX);
        let line = Halfway::arrives(&place, &content, sender);
        assert_eq!(is_resumed(&line), passed > 2 << 20, "{passed}: {line}");
    }
}

#[test]
fn a_lost_connection_costs_nothing_that_was_written() {
    let Halfway {
        place,
        content,
        wire,
        sender,
        mut receiver,
        ..
    } = Halfway::new(20 << 20, "");
    // Up to a window of chunks was queued for the lost connection and goes
    // first, to be ignored.
    for more in [30 << 20, usize::MAX] {
        wire.cut();
        wire.allow(more);
        let gone = receiver.error_line();
        assert_eq!(gone, "ferromq: big: left by its sender before it was whole");
        let before = place.partial_len();
        until("more is written", || {
            place.partial_len() > before || place.inbox().join("big").exists()
        });
    }
    let line = Halfway::arrives(&place, &content, sender);
    assert!(is_resumed(&line), "{line}");
}

#[test]
fn changed_content_starts_again() {
    let Halfway {
        place,
        path,
        content,
        wire,
        sender,
        receiver: _receiver,
    } = Halfway::new(20 << 20, "");
    sender.signal("KILL");
    drop(sender);
    let changed = [b"changed", &content[7..]].concat();
    place.file("big", &changed);
    wire.allow(usize::MAX);
    let line = Halfway::arrives(&place, &changed, send(&[&path], wire.endpoint()));
    assert!(!is_resumed(&line), "{line}");
}

#[test]
fn a_file_that_grew_or_shrank_goes_on_where_it_is_the_same() {
    for size in [SIZE + 1, 10 << 20] {
        let Halfway {
            place,
            path,
            content,
            wire,
            sender,
            receiver: _receiver,
        } = Halfway::new(20 << 20, "");
        sender.signal("KILL");
        drop(sender);
        let changed = [&content[..], b"more"].concat()[..size].to_vec();
        place.file("big", &changed);
        wire.allow(usize::MAX);
        let line = Halfway::arrives(&place, &changed, send(&[&path], wire.endpoint()));
        assert!(is_resumed(&line), "{line}");
    }
}

#[test]
fn a_damaged_partial_file_starts_again() {
    let Halfway {
        place,
        content,
        wire,
        sender,
        receiver,
        ..
    } = Halfway::new(20 << 20, "");
    receiver.signal("KILL");
    drop(receiver);
    let partial = place.inbox().join(&place.names()[0]);
    let mut damaged = std::fs::read(&partial).unwrap();
    damaged[1 << 20] ^= 1;
    std::fs::write(&partial, damaged).unwrap();
    let (_receiver, endpoint) = place.receiver("");
    wire.lead_to(&endpoint);
    wire.allow(usize::MAX);
    let line = Halfway::arrives(&place, &content, sender);
    assert!(!is_resumed(&line), "{line}");
}

#[test]
fn an_interrupted_side_ends_at_once_and_what_came_stays() {
    for ended in [true, false] {
        let Halfway {
            place,
            sender,
            receiver,
            ..
        } = Halfway::new(20 << 20, "");
        let ended = if ended { sender } else { receiver };
        ended.signal("INT");
        let ended = ended.end();
        assert_eq!((ended.code, ended.stdout), (Some(130), vec![]));
        assert!(place.partial_len() > 16 << 20);
    }
}

#[test]
fn a_word_of_success_that_was_lost_is_said_again() {
    let Halfway {
        place,
        content,
        wire,
        sender,
        receiver,
        ..
    } = Halfway::new(20 << 20, "");
    // The whole file arrives, and nobody hears of it.
    receiver.signal("KILL");
    drop(receiver);
    std::fs::write(place.inbox().join("big"), &content).unwrap();
    let (_receiver, endpoint) = place.receiver("");
    wire.lead_to(&endpoint);
    wire.allow(usize::MAX);
    let line = Halfway::arrives(&place, &content, sender);
    assert!(
        line.starts_with("big: 64.00 MiB, there already, "),
        "{line}"
    );
}
