//! Replays `fuzz/corpus/socket`: a running socket and a peer that sends what a fuzzer
//! found, or what once failed.

mod raw;
mod socket;

use std::fs;
use std::path::Path;

use ferromq_tests::Watchdog;

#[test]
fn a_socket_serves_others_whatever_one_peer_sends() {
    let _watchdog = Watchdog::start();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/socket");
    let mut files = 0;
    for entry in fs::read_dir(corpus).expect("there is a corpus") {
        let data = fs::read(entry.expect("readable").path()).expect("readable");
        socket::fuzz_socket(&data);
        files += 1;
    }
    assert!(files >= 10, "{files} files");
}
