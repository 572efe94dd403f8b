//! Replays fuzz/corpus: what the fuzz targets start from, and every input
//! that once failed one.
//!
//! `FERROMQ_WRITE_CORPUS=1 cargo test -p ferromq-wire --test suite fuzz_corpus`
//! writes the seeds anew from the vectors, and touches no other file.

use crate::common::vectors::Vectors;
use crate::common::*;
use crate::fuzzing::{fuzz_curve, fuzz_heartbeats, fuzz_switch, fuzz_tensor};
use ferromq_wire::Reference;
use ferromq_wire::fuzzing::{fuzz_frames, fuzz_greeting, fuzz_handshake};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn replay(target: &str, body: fn(&[u8])) {
    seed();
    let mut files = 0;
    for entry in fs::read_dir(root().join("fuzz/corpus").join(target)).unwrap() {
        let data = fs::read(entry.unwrap().path()).unwrap();
        body(&data);
        // The stream's first piece alone, too: every input is cut somewhere.
        body(&data[..data.len() / 2]);
        files += 1;
    }
    assert!(files >= 5, "{target}: {files} files");
}

#[test]
fn greetings() {
    replay("greeting", fuzz_greeting);
}

#[test]
fn handshakes() {
    replay("handshake", fuzz_handshake);
}

#[test]
fn frames() {
    replay("frames", fuzz_frames);
}

#[test]
fn heartbeats() {
    replay("heartbeats", fuzz_heartbeats);
}

#[test]
fn curve() {
    replay("curve", fuzz_curve);
}

#[test]
fn switches() {
    replay("switch", fuzz_switch);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    /// Steps from the middle of what works: what goes wrong at the start ends a run.
    #[test]
    fn switches_in_any_order(
        settings in 0u8..8,
        begun in 0usize..12,
        steps in vec(prop_oneof![8 => 0u8..12, 1 => any::<u8>()], 0..40),
    ) {
        let begin = if settings & 1 == 0 { ACCEPTED } else { CONNECTED };
        let mut begun = begin.get(..begun).unwrap_or(begin).to_vec();
        if settings & 4 != 0 && let Some(who) = begun.get_mut(2) {
            // On a fabric, and not on a machine.
            *who = 8;
        }
        fuzz_switch(&[&[settings], &begun[..], &steps].concat());
    }
}

#[test]
fn tensors() {
    replay("tensor", fuzz_tensor);
}

fn seed() {
    if std::env::var_os("FERROMQ_WRITE_CORPUS").is_none() {
        return;
    }
    let document = fs::read_to_string(root().join("docs/PROTOCOL.md")).unwrap();
    let vectors = Vectors::from_document(&document);
    for (name, bytes) in vectors.iter() {
        let kind = name.split('.').next().unwrap_or(name);
        match kind {
            "greeting" => {
                write("greeting", name, bytes);
                let mechanism = u8::from(name.contains("plain")) * 2;
                write(
                    "handshake",
                    name,
                    &[&[mechanism, 0, 3, 7], &bytes[..]].concat(),
                );
            }
            "ready" => write("handshake", name, &null_handshake(bytes)),
            "crc" => write("frames", name, &[&[1, 3], &bytes[..]].concat()),
            "plain" | "error" | "offer" | "switch" => {}
            "reference" | "release" => write("frames", name, &[&[4, 5], &bytes[..]].concat()),
            _ => write("frames", name, &[&[0, 5], &bytes[..]].concat()),
        }
    }
    let limited: Vec<u8> = [frame(1, b"one"), frame(1, &[0; 500]), frame(0, b"three")].concat();
    write("frames", "limited", &[&[2, 9], &limited[..]].concat());
    write("greeting", "http", b"GET / HTTP/1.1\r\n\r\n");
    write(
        "greeting",
        "version-2",
        &[0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1, 8, 0, 0],
    );
    seed_references();
    seed_plain();
    seed_switch();
}

/// Of a message in parts, within the limits; beyond them; beside checksums; cut short.
fn seed_references() {
    let by_reference = |flags: u8, len: u64| {
        let reference = Reference {
            region: 1,
            offset: 4096,
            len,
            key: 0,
            token: 7,
        };
        frame(flags | 8, &reference.encode())
    };
    let release = command("RELEASE", &7u64.to_be_bytes());
    let parts = [frame(1, b"topic"), by_reference(0, 600), release];
    write(
        "frames",
        "by-reference",
        &[&[6, 9], &parts.concat()[..]].concat(),
    );
    write(
        "frames",
        "by-reference-too-long",
        &[&[6, 70], &by_reference(0, 601)[..]].concat(),
    );
    write(
        "frames",
        "by-reference-not-agreed",
        &[&[5, 70], &by_reference(0, 1)[..]].concat(),
    );
    write(
        "frames",
        "by-reference-short",
        &[&[4, 70, 9, 63], &[0; 64][..]].concat(),
    );
}

/// Both introduce themselves, meet, prove to be the same, and go.
const ACCEPTED: &[u8] = &[5, 1, 0, 40, 6, 7, 0, 5, 9, 255, 8, 5, 3, 3];
const CONNECTED: &[u8] = &[5, 1, 0, 40, 2, 9, 6, 7, 1, 8, 9, 255, 3, 1, 5];

/// Steps of a peer that does it right, on either side, with checksums or without, and of
/// some that do not.
fn seed_switch() {
    for (name, crc) in [("", 0), ("-crc", 2)] {
        let with = |settings: u8, steps: &[u8]| [&[settings | crc], steps].concat();
        write("switch", &format!("accepted{name}"), &with(0, ACCEPTED));
        write("switch", &format!("connected{name}"), &with(1, CONNECTED));
        for (side, settings, steps) in [("accepted", 4, ACCEPTED), ("connected", 5, CONNECTED)] {
            let mut steps = with(settings, steps);
            steps[3] = 8;
            write("switch", &format!("{side}-fabric{name}"), &steps);
        }
    }
    write("switch", "elsewhere", &[0, 5, 1, 8, 0, 5]);
    write("switch", "no-fabric", &[4, 5, 1, 24, 0, 5]);
    write("switch", "nowhere", &[5, 5, 1, 8, 0, 2, 0, 5, 4, 1]);
    write("switch", "echo", &[1, 1, 3, 0, 5]);
    write(
        "switch",
        "wrong-proof",
        &[0, 5, 1, 0, 0, 6, 7, 0, 5, 9, 31, 5, 4, 4],
    );
    write("switch", "late", &[1, 5, 1, 0, 0, 2, 0, 10, 200, 5, 3, 0]);
    write("switch", "out-of-turn", &[0, 5, 1, 0, 0, 3, 0]);
    let ready = b"\x04\x0f\x06SWITCH\x01\0\0\0\0\0\0\0";
    let raw = [&[1, 5, 1, 0, 0, 0, 17][..], ready, &[6, 7, 1]].concat();
    write("switch", "raw", &raw);
}

/// NULL, DEALER, allow, with an offer: a whole handshake and a first message.
fn null_handshake(ready: &[u8]) -> Vec<u8> {
    let settings = [0, 5, 7, 11];
    [
        &settings[..],
        &greeting("NULL", 0),
        ready,
        &frame(0, b"hello"),
    ]
    .concat()
}

fn seed_plain() {
    let metadata = property("Socket-Type", b"DEALER");
    let hello = command("HELLO", b"\x05admin\x06secret");
    let initiate = command("INITIATE", &metadata);
    let server = [greeting("PLAIN", 0), hello, initiate].concat();
    for (name, decision) in [("later", 0), ("deny", 1), ("fail", 2), ("allow", 7)] {
        let data = [&[2, 6, decision, 13][..], &server].concat();
        write("handshake", &format!("plain-server-{name}"), &data);
    }
    let welcome = command("WELCOME", b"");
    let client = [greeting("PLAIN", 1), welcome, command("READY", &metadata)].concat();
    let data = [&[1, 6, 3, 13][..], &client].concat();
    write("handshake", "plain-client", &data);
    let refusal = [greeting("PLAIN", 1), command("ERROR", b"\x03400")].concat();
    let data = [&[1, 6, 3, 1][..], &refusal].concat();
    write("handshake", "plain-client-refused", &data);
}

fn write(target: &str, name: &str, data: &[u8]) {
    let folder = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), data).unwrap();
}
