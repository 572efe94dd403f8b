//! Verbs of requests and replies: req, rep, router.

use serde_json::json;

use crate::{every_way, meet, plain};

#[test]
fn req_prints_the_reply_to_each_line() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("req", &[]), ("REP", &plain()));
        met.program.type_in(b"one\ntwo\tframes\n");
        met.program.end_input();
        assert_eq!(met.theirs.recv(), [b"one"]);
        met.theirs.send(&["answer to one"]);
        assert_eq!(met.theirs.recv(), [&b"two"[..], b"frames"]);
        met.theirs.send(&["answer", "to two"]);
        assert_eq!(met.program.output(), b"answer to one\nanswer\tto two\n");
    });
}

#[test]
fn rep_echoes() {
    every_way(|peer, way| {
        let met = meet(
            peer,
            way,
            ("rep", &["--echo", "--count", "2"]),
            ("REQ", &plain()),
        );
        for question in [vec![&b"one"[..]], vec![b"two", b"", b"\xFF"]] {
            met.theirs.send(&question);
            assert_eq!(met.theirs.recv(), question);
        }
        let _ = met.program.output();
    });
}

#[test]
fn rep_asks_a_command() {
    every_way(|peer, way| {
        let arguments = ["--exec", "tr a-z A-Z", "--count", "1"];
        let met = meet(peer, way, ("rep", &arguments), ("REQ", &plain()));
        met.theirs.send(&["shout"]);
        assert_eq!(met.theirs.recv(), [b"SHOUT"]);
        let _ = met.program.output();
    });
}

#[test]
fn rep_answers_with_its_lines() {
    every_way(|peer, way| {
        let mut met = meet(peer, way, ("rep", &["--count", "1"]), ("REQ", &plain()));
        met.program.type_in(b"the answer\n");
        met.theirs.send(&["question"]);
        assert_eq!(met.theirs.recv(), [b"the answer"]);
        assert_eq!(met.program.output(), b"question\n");
    });
}

#[test]
fn router_names_the_peer_in_hexadecimal() {
    every_way(|peer, way| {
        let options = json!({"ROUTING_ID": "ab", "RECONNECT_IVL": 10});
        let mut met = meet(
            peer,
            way,
            ("router", &["--count", "2"]),
            ("DEALER", &options),
        );
        met.theirs.send(&["hello"]);
        // Sending before the peer is known would drop the message.
        met.theirs.begin("echo", json!({"count": 1}));
        assert_eq!(met.program.read_line(), b"6162\thello\n");
        met.program.type_in(b"6162\tfor you\n");
        peer.answer();
        assert_eq!(met.program.output(), b"6162\tfor you\n");
    });
}
