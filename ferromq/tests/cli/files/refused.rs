//! What cannot be done is told with the file's name and the cause, and the
//! other files go on.

use std::path::Path;
use std::process::{Command, Stdio};

use super::wire::Wire;
use super::{Place, noise, send, until};
use crate::program::Program;

fn complaint(path: &Path, cause: &str) -> String {
    format!("ferromq: {}: {cause}", path.display())
}

#[test]
fn files_that_cannot_be_read_are_named_and_the_others_go_on() {
    let place = Place::new();
    let (_receiver, endpoint) = place.receiver("");
    let (first, last) = (place.file("first", b"1"), place.file("last", b"2"));
    let (vanished, directory) = (place.path("vanished"), place.path("."));
    let parent = place.path("..");
    let pipe = place.path("pipe");
    // Content without a length.
    let made_up = Path::new("/proc/version");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let ended = send(
        &[
            &first,
            &vanished,
            &directory,
            &parent,
            Path::new("/"),
            &pipe,
            made_up,
            &last,
        ],
        &endpoint,
    )
    .end();
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stderr,
        [
            complaint(
                &vanished,
                "cannot be read: No such file or directory (os error 2)"
            ),
            complaint(&directory, "it is no file but a directory"),
            complaint(&parent, "the name is a directory's own or its parent's"),
            complaint(Path::new("/"), "the name is empty"),
            complaint(&pipe, "it is no file but a pipe"),
            complaint(made_up, "it was changed while it was being sent"),
        ]
    );
    assert_eq!(ended.stdout.len(), 2);
    assert_eq!(place.names(), ["first", "last"]);
}

#[test]
fn a_file_that_changes_while_it_is_sent_does_not_arrive() {
    for shrink in [true, false] {
        let place = Place::new();
        let content = noise(64 << 20, 1);
        let path = place.file("big", &content);
        let (mut receiver, endpoint) = place.receiver("");
        let wire = Wire::to(&endpoint, 10 << 20);
        let sender = send(&[&path], wire.endpoint());
        until("it is half way", || place.partial_len() >= 9 << 20);
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        match shrink {
            true => file.set_len(50 << 20).unwrap(),
            false => std::io::Write::write_all(&mut &file, b"more").unwrap(),
        }
        wire.allow(usize::MAX);
        sender.end().with(
            1,
            &complaint(&path, "it was changed while it was being sent"),
        );
        assert_eq!(
            receiver.error_line(),
            "ferromq: big: left by its sender before it was whole"
        );
        assert!(!place.inbox().join("big").exists());
    }
}

#[test]
fn a_file_beyond_the_limit_of_the_receiver_is_refused_and_the_next_arrives() {
    let place = Place::new();
    let (big, small) = (
        place.file("big", &noise(8 << 20, 1)),
        place.file("small", b"s"),
    );
    let mut command = Command::new("bash");
    // In units of 1024 bytes: 4 MiB.
    let receive = format!(
        "ulimit -f 4096; exec {} receive --at tcp://127.0.0.1:* --into {} --count 1",
        env!("CARGO_BIN_EXE_ferromq"),
        place.inbox().display()
    );
    command.args(["-c", &receive]).stdout(Stdio::piped());
    let mut receiver = Program::of(&mut command);
    let told = receiver.error_line();
    let endpoint = told.strip_prefix("ferromq: listening on ").unwrap();
    let ended = send(&[&big, &small], endpoint).end();
    let cause = "cannot be written: File too large (os error 27)";
    assert_eq!(
        (ended.code, ended.stderr, ended.stdout.len()),
        (
            Some(1),
            vec![complaint(
                &big,
                &format!("refused by the receiver: {cause}")
            )],
            1
        )
    );
    receiver
        .end()
        .with(1, &format!("ferromq: big: refused: {cause}"));
    assert_eq!(place.received("small"), b"s");
}

#[test]
fn a_full_disk_is_told_and_what_fits_arrives() {
    let place = Place::new();
    let (big, small) = (
        place.file("big", &noise(8 << 20, 1)),
        place.file("small", b"s"),
    );
    let Some(_disk) = SmallDisk::mount(&place) else {
        eprintln!("skipped: a small file system can be mounted by root only");
        return;
    };
    let (receiver, endpoint) = place.receiver("--count 1");
    let ended = send(&[&big, &small], &endpoint).end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(1), 1));
    let no_room = "refused by the receiver: no room: 8388608 bytes are needed, 4194304 are free";
    assert_eq!(ended.stderr, [complaint(&big, no_room)]);
    assert_eq!(receiver.end().code, Some(1));
    assert_eq!(place.names(), ["small"]);
}

/// A file system of 4 MiB at the place to receive into.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(place: &Place) -> Option<Self> {
        let inbox = place.inbox();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=4M", "none"])
            .arg(&inbox);
        let mounted = mount.stderr(Stdio::null()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(inbox))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .args(["-l".as_ref(), self.0.as_os_str()])
            .status();
    }
}

#[test]
fn a_directory_that_vanished_is_told_by_both_sides() {
    let place = Place::new();
    let path = place.file("a", b"content");
    let (mut receiver, endpoint) = place.receiver("");
    std::fs::remove_dir(place.inbox()).unwrap();
    let cause = "cannot be written: No such file or directory (os error 2)";
    send(&[&path], &endpoint).end().with(
        1,
        &complaint(&path, &format!("refused by the receiver: {cause}")),
    );
    assert_eq!(
        receiver.error_line(),
        format!("ferromq: a: refused: {cause}")
    );
}

#[test]
fn a_directory_of_that_name_is_not_replaced() {
    let place = Place::new();
    let path = place.file("a", b"content");
    std::fs::create_dir(place.inbox().join("a")).unwrap();
    let (_receiver, endpoint) = place.receiver("--force");
    let cause = "refused by the receiver: there is a directory of this name";
    send(&[&path], &endpoint)
        .end()
        .with(1, &complaint(&path, cause));
}

#[test]
fn no_directory_to_receive_into_is_an_error() {
    let place = Place::new();
    let missing = place.path("missing");
    Program::start(&format!(
        "receive --at ipc://@x --into {}",
        missing.display()
    ))
    .end()
    .with(
        1,
        &format!(
            "ferromq: cannot receive into {}: No such file or directory (os error 2)",
            missing.display()
        ),
    );
}

#[test]
fn nobody_in_time_is_an_error_that_the_first_file_tells() {
    let place = Place::new();
    let (first, second) = (place.file("first", b"1"), place.file("second", b"2"));
    let to = format!("ipc://@ferromq-test-{}-nobody", std::process::id());
    let line = format!(
        "send {} {} --to {to} --timeout 2",
        first.display(),
        second.display()
    );
    let ended = Program::start(&line).end();
    assert_eq!(ended.code, Some(1));
    let told = format!("no receiver answered within 2 s at {to}");
    assert_eq!(ended.stderr.last(), Some(&complaint(&first, &told)));
    assert_eq!(ended.stderr.len(), 2, "and why: {:?}", ended.stderr);
}

#[test]
fn no_sender_in_time_is_an_error() {
    let place = Place::new();
    let at = place.endpoint();
    let line = format!(
        "receive --at {at} --into {} --timeout 0.05",
        place.inbox().display()
    );
    Program::start(&line).end().with(
        1,
        &format!("ferromq: no sender said anything within 0.05 s on {at}"),
    );
}
