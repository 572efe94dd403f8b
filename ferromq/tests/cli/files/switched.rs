//! Between two processes of one machine, files take shared memory by themselves.

use std::process::{Command, Stdio};

use super::{Place, noise, until};
use crate::program::{Program, SWITCH};

/// Starts the program as a user does who has set nothing.
fn start(args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferromq"));
    command.args(args).stdout(Stdio::piped());
    Program::of(command.env(SWITCH, "1"))
}

/// A receiver of one file, and where it listens.
fn receiver(place: &Place) -> (Program, String) {
    let inbox = place.inbox().display().to_string();
    let at = "tcp://127.0.0.1:*";
    let mut receiver = start(&["receive", "--at", at, "--into", &inbox, "--count", "1"]);
    let told = receiver.error_line();
    let endpoint = told.strip_prefix("ferromq: listening on ").expect(&told);
    (receiver, endpoint.to_owned())
}

#[test]
fn files_take_shared_memory_and_both_sides_say_so() {
    let place = Place::new();
    let content = noise(9_000_001, 5);
    let path = place.file("big", &content).display().to_string();
    // The one chance that is missed now and then: 200 ms, on a busy machine.
    let says = |endpoint: &str| {
        format!("ferromq: {endpoint}: both ends are on one machine: using shared memory")
    };
    let moved = (0..10).any(|_| {
        let _ = std::fs::remove_file(place.inbox().join("big"));
        let (receiver, endpoint) = receiver(&place);
        let sent = start(&["send", &path, "--to", &endpoint]).end();
        let received = receiver.end();
        assert_eq!((sent.code, received.code), (Some(0), Some(0)));
        assert_eq!(place.received("big"), content);
        assert_eq!(sent.stderr, received.stderr);
        sent.stderr == [says(&endpoint)]
    });
    assert!(moved);
}

#[test]
fn either_side_may_keep_them_where_they_are() {
    let place = Place::new();
    let path = place.file("small", b"small").display().to_string();
    let (receiver, endpoint) = receiver(&place);
    let sent = start(&["send", &path, "--to", &endpoint, "--no-switch"]).end();
    assert_eq!((sent.code, sent.stderr), (Some(0), vec![]));
    let received = receiver.end();
    assert_eq!((received.code, received.stderr), (Some(0), vec![]));
    assert_eq!(place.received("small"), b"small");
}

/// Whoever asks for RDMA hears why there is none, each once, and what is sent arrives. (A
/// build without it says so; one with it finds no device here.)
#[test]
fn who_asks_for_rdma_in_vain_is_told_why_and_sends() {
    let place = Place::new();
    let path = place.file("asked", b"asked").display().to_string();
    for asks in [&["--rdma"][..], &[]] {
        let _ = std::fs::remove_file(place.inbox().join("asked"));
        let (receiver, endpoint) = receiver(&place);
        let mut send = Command::new(env!("CARGO_BIN_EXE_ferromq"));
        send.args(["send", &path, "--to", &endpoint]).args(asks);
        if asks.is_empty() {
            send.env("MC_RPC_PROTOCOL", "rdma");
        }
        let sent = Program::of(send.stdout(Stdio::piped()).env(SWITCH, "1")).end();
        let told = sent.stderr.join("\n");
        let why = [
            "stays as it is: this context has no transport over a fabric",
            "stays as it is: no device for rdma:// can be used here; see `ferromq rdma`",
        ];
        assert_eq!(sent.code, Some(0), "{told}");
        assert!(why.iter().any(|why| told.contains(why)), "{told}");
        assert_eq!(receiver.end().code, Some(0));
        assert_eq!(place.received("asked"), b"asked");
    }
}

/// A process that shares the machine but not its network: nothing is tried, and what is
/// sent arrives by the path that both see.
#[test]
fn another_network_namespace_is_another_place() {
    let unshare = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.arg("-Urn").args(args);
        command
    };
    if !unshare(&["true"]).status().is_ok_and(|it| it.success()) {
        return println!("skipped: no namespaces for who is no superuser");
    }
    let place = Place::new();
    let content = noise(3_000_001, 6);
    let path = place.file("apart", &content).display().to_string();
    let (inbox, endpoint) = (place.inbox().display().to_string(), place.endpoint());
    let receiver = start(&[
        "receive", "--at", &endpoint, "--into", &inbox, "--count", "1",
    ]);
    until("the receiver is there", || {
        std::fs::exists(&endpoint[6..]).unwrap()
    });
    let program = env!("CARGO_BIN_EXE_ferromq");
    let mut send = unshare(&[program, "send", &path, "--to", &endpoint, "--verbose"]);
    let sent = Program::of(send.stdout(Stdio::piped()).env(SWITCH, "1")).end();
    let told = sent.stderr.join("\n");
    assert_eq!(sent.code, Some(0), "{told}");
    assert!(!told.contains("machine"), "{told}");
    let received = receiver.end();
    assert_eq!((received.code, received.stderr), (Some(0), vec![]));
    assert_eq!(place.received("apart"), content);
}
