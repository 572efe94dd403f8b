//! Verbs that send: push, pub, pair, dealer.

use ferromq_tests::{Program, Via, ZmqPeer, sha256};

use crate::{every_way, meet, plain};

#[test]
fn push_sends_lines_as_messages() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("push", &[]), ("PULL", &plain()));
        met.program
            .type_in(b"first\ntwo\tframes\n\n\\x00\\xff\\t\\\\\n");
        met.program.end_input();
        assert_eq!(met.theirs.recv(), [b"first"]);
        assert_eq!(met.theirs.recv(), [&b"two"[..], b"frames"]);
        assert_eq!(met.theirs.recv(), [b""]);
        assert_eq!(met.theirs.recv(), [b"\x00\xff\t\\"]);
        assert_eq!(met.program.output(), b"");
    });
}

#[test]
fn push_lingers_until_somebody_takes_its_messages() {
    let (Some(peer), Some(_)) = (ZmqPeer::start(), Program::path()) else {
        return;
    };
    let theirs = peer.socket("PULL");
    let place = Via::Ipc.place();
    let mut program = Program::start(&["push", "--connect", place.endpoint()]);
    program.type_in(b"patient\n");
    program.end_input();
    theirs.bind(place.endpoint());
    assert_eq!(theirs.recv(), [b"patient"]);
    assert_eq!(program.output(), b"");
}

#[test]
fn push_sends_a_file_as_it_is() {
    every_way(|peer, way| {
        let body: Vec<u8> = (0..1_000_003_u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        let directory = tempfile::TempDir::new().expect("a directory");
        let file = directory.path().join("file");
        std::fs::write(&file, &body).expect("the disk has room");
        let file = file.to_str().expect("a readable path");
        let met = meet(peer, way, ("push", &["--file", file]), ("PULL", &plain()));
        assert_eq!(
            met.theirs.recv_digest(),
            (vec![body.len() as u64], sha256(&body))
        );
        assert_eq!(met.program.output(), b"");
    });
}

#[test]
fn pub_waits_for_its_subscriber_and_puts_the_topic_first() {
    every_way(|peer, way| {
        let arguments = ["--topic", "news", "--wait-subscribers", "1"];
        let mut met = meet(peer, way, ("pub", &arguments), ("SUB", &plain()));
        met.program.type_in(b"one\ntwo\n");
        met.program.end_input();
        met.theirs.set_bytes("SUBSCRIBE", b"news");
        assert_eq!(met.theirs.recv(), [&b"news"[..], b"one"]);
        assert_eq!(met.theirs.recv(), [&b"news"[..], b"two"]);
        assert_eq!(met.program.output(), b"");
    });
}

#[test]
fn pair_sends_and_prints() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("pair", &["--count", "1"]), ("PAIR", &plain()));
        met.program.type_in(b"there\n");
        assert_eq!(met.theirs.recv(), [b"there"]);
        met.theirs.send(&["and", "back"]);
        assert_eq!(met.program.output(), b"and\tback\n");
    });
}

#[test]
fn dealer_is_known_by_its_identity() {
    every_way(|peer, way| {
        let arguments = ["--identity", "worker", "--count", "1"];
        let mut met = meet(peer, way, ("dealer", &arguments), ("ROUTER", &plain()));
        met.program.type_in(b"hello\n");
        assert_eq!(met.theirs.recv(), [&b"worker"[..], b"hello"]);
        met.theirs.send(&["worker", "task"]);
        assert_eq!(met.program.output(), b"task\n");
    });
}

#[test]
fn xpub_prints_subscriptions_and_publishes() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("xpub", &["--count", "2"]), ("XSUB", &plain()));
        met.theirs.send(&[b"\x01news"]);
        met.program.type_in(b"warm-up\n");
        // Published as soon as the subscription is in force.
        let theirs = met.theirs;
        ferromq_tests::until("the subscription is in force", || {
            met.program.type_in(b"news\titem\n");
            theirs.poll(20).then_some(())
        });
        assert_eq!(theirs.recv(), [&b"news"[..], b"item"]);
        theirs.send(&[b"\x00news"]);
        assert_eq!(met.program.output(), b"\\x01news\n\\x00news\n");
    });
}
