//! Verbs that receive: pull, sub, xsub.

use ferromq_tests::until;

use crate::{every_way, meet, plain};

#[test]
fn pull_prints_messages_as_lines() {
    every_way(|peer, way| {
        let met = meet(peer, way, ("pull", &["--count", "3"]), ("PUSH", &plain()));
        met.theirs.send(&["first"]);
        met.theirs.send(&[&b"two"[..], b"", b"\xFF\t"]);
        met.theirs.send(&[b""]);
        assert_eq!(met.program.output(), b"first\ntwo\t\t\\xff\\t\n\n");
    });
}

#[test]
fn pull_prints_json() {
    every_way(|peer, way| {
        let arguments = ["--count", "1", "--format", "json"];
        let met = meet(peer, way, ("pull", &arguments), ("PUSH", &plain()));
        met.theirs.send(&[&b"text \"quoted\""[..], b"\xFF\x00"]);
        let printed: serde_json::Value =
            serde_json::from_slice(&met.program.output()).expect("JSON");
        assert_eq!(
            printed,
            serde_json::json!({"frames": [{"text": "text \"quoted\""}, {"hex": "ff00"}]})
        );
    });
}

#[test]
fn pull_writes_raw_bytes() {
    every_way(|peer, way| {
        let arguments = ["--count", "1", "--format", "raw"];
        let met = meet(peer, way, ("pull", &arguments), ("PUSH", &plain()));
        let hash = met.theirs.send_payload(3_000_001, 5);
        let output = met.program.output();
        assert_eq!(
            (output.len(), ferromq_tests::sha256(&output)),
            (3_000_001, hash)
        );
    });
}

#[test]
fn sub_prints_what_it_subscribed_to() {
    every_way(|peer, way| {
        let arguments = ["--topic", "A", "--topic", "\\xff", "--count", "2"];
        let met = meet(peer, way, ("sub", &arguments), ("XPUB", &plain()));
        let mut topics = [met.theirs.recv(), met.theirs.recv()];
        topics.sort();
        assert_eq!(topics, [[b"\x01A"], [b"\x01\xFF"]]);
        met.theirs.send(&["B", "unwanted"]);
        met.theirs.send(&["A", "wanted"]);
        met.theirs.send(&[&b"\xFF!"[..], b"too"]);
        assert_eq!(met.program.output(), b"A\twanted\n\\xff!\ttoo\n");
    });
}

#[test]
fn sub_without_topic_prints_everything() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("sub", &["--count", "1"]), ("PUB", &plain()));
        met.program.end_input();
        until("the subscription is in force", || {
            met.theirs.send(&["anything"]);
            met.program.has_ended().then_some(())
        });
        assert_eq!(met.program.output(), b"anything\n");
    });
}

#[test]
fn xsub_subscribes_by_its_lines() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("xsub", &["--count", "1"]), ("XPUB", &plain()));
        met.program.type_in(b"\\x01A\n");
        assert_eq!(met.theirs.recv(), [b"\x01A"]);
        met.theirs.send(&["A", "item"]);
        assert_eq!(met.program.output(), b"A\titem\n");
    });
}
