//! Replays fuzz/corpus: what the fuzz targets start from, and every input that
//! once failed one.

use std::fs;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut files = 0;
    for entry in fs::read_dir(corpus.join(target)).unwrap() {
        let data = fs::read(entry.unwrap().path()).unwrap();
        body(&data);
        files += 1;
    }
    assert!(files >= 5, "{target}: {files} files");
}

#[test]
fn turns() {
    replay("turns", crate::fuzzing::fuzz_turns);
}

#[test]
fn requests() {
    replay("request", crate::fuzzing::fuzz_request);
}

#[test]
fn replies() {
    replay("reply", crate::fuzzing::fuzz_reply);
}

#[test]
fn routers() {
    replay("router", crate::fuzzing::fuzz_router);
}

#[test]
fn publishers() {
    replay("publish", crate::fuzzing::fuzz_publish);
}

#[test]
fn subscribers() {
    replay("subscribe", crate::fuzzing::fuzz_subscribe);
}
