//! What is sent arrives.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Place, noise, send, until};
use crate::program::Program;

#[test]
fn several_files_arrive_as_they_are() {
    let place = Place::new();
    let name = OsStr::from_bytes(b"not \xff text\n");
    let contents = [
        (OsStr::new("empty"), vec![]),
        (OsStr::new("one chunk"), noise(1 << 20, 1)),
        (name, noise(3_000_001, 2)),
    ];
    let paths = contents
        .each_ref()
        .map(|(name, content)| place.file(name, content));
    let endpoint = place.endpoint();
    let inbox = place.inbox();
    let inbox = inbox.display();
    let receiver = Program::start(&format!("receive --at {endpoint} --into {inbox} --count 3"));
    until("the receiver is there", || {
        std::fs::exists(&endpoint[6..]).unwrap()
    });
    let told = send(&paths.each_ref().map(|path| &**path), &endpoint)
        .end()
        .well();
    assert_eq!(told.len(), 3);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(told[0].starts_with("empty: 0 B in "), "{}", told[0]);
    assert!(
        told[0].ends_with(&format!(", SHA-256 {empty}")),
        "{}",
        told[0]
    );
    assert!(
        told[2].starts_with("not \\xff text\\n: 2.86 MiB in "),
        "{}",
        told[2]
    );
    let hashes = |lines: &[String]| -> Vec<_> {
        lines
            .iter()
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(hashes(&receiver.end().well()), hashes(&told));
    for (name, content) in contents {
        assert!(place.received(name) == content, "{name:?} differs");
    }
    assert_eq!(place.names().len(), 3, "no partial file is left");
}

#[test]
fn senders_wait_for_a_receiver_and_many_are_served_at_once() {
    let place = Place::new();
    let endpoint = place.endpoint();
    let contents: Vec<_> = (0..4).map(|seed| noise(5_000_000, seed + 1)).collect();
    let mut senders = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        let path = place.file(format!("file-{number}"), content);
        let mut sender = send(&[&path], &endpoint);
        assert!(sender.error_line().ends_with(", trying again"));
        senders.push(sender);
    }
    let inbox = place.inbox();
    let receiver = Program::start(&format!(
        "receive --at {endpoint} --into {} --count 4",
        inbox.display()
    ));
    for sender in senders {
        assert_eq!(sender.end().well().len(), 1);
    }
    assert_eq!(receiver.end().well().len(), 4);
    for (number, content) in contents.iter().enumerate() {
        assert!(place.received(format!("file-{number}")) == *content);
    }
}

#[test]
fn what_is_there_stays_unless_forced_and_the_same_again_is_no_error() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let path = place.file("a", b"first");
    send(&[&path], &endpoint).end().well();
    let again = send(&[&path], &endpoint).end().well();
    assert!(again[0].starts_with("a: 5 B, there already, "), "{again:?}");

    for content in [&b"other"[..], b"longer than the first"] {
        place.file("a", content);
        send(&[&path], &endpoint).end().with(
            1,
            &format!(
                "ferromq: {}: refused by the receiver: there is another file of this name",
                path.display()
            ),
        );
        assert_eq!(place.received("a"), b"first");
    }
    assert_eq!(place.names(), ["a"]);

    let (_forced, endpoint) = place.receiver("--force");
    for content in [&b"other"[..], b"longer than the first", b""] {
        place.file("a", content);
        send(&[&path], &endpoint).end().well();
        assert_eq!(place.received("a"), content);
    }
}

#[test]
fn a_link_is_replaced_by_force_and_never_written_through() {
    let place = Place::new();
    let precious = place.file("precious", b"precious");
    std::os::unix::fs::symlink(&precious, place.inbox().join("a")).unwrap();
    let path = place.file("a", b"new");
    let (_receiver, endpoint) = place.receiver("");
    assert_eq!(send(&[&path], &endpoint).end().code, Some(1));
    let (_forced, endpoint) = place.receiver("--force");
    send(&[&path], &endpoint).end().well();
    assert_eq!(place.received("a"), b"new");
    assert_eq!(std::fs::read(precious).unwrap(), b"precious");
}
