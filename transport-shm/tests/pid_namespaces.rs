//! A process that our pid namespace does not have is a peer like any other, without a number.

#![cfg(target_os = "linux")]

use std::process::Command;

use ferromq_transport::{LinkOptions, Transport};
use ferromq_transport_shm::Shm;

/// Set for the process in a namespace of its own: where the other one listens.
const ELSEWHERE: &str = "FERROMQ_TEST_ELSEWHERE";

#[test]
fn a_peer_that_we_cannot_see_has_no_process_id_and_no_doorbell() {
    if let Ok(endpoint) = std::env::var(ELSEWHERE) {
        return connects_from_elsewhere(&endpoint);
    }
    let options = LinkOptions::default();
    let endpoint = "shm://*".parse().unwrap();
    let mut listener = Shm::new().bind(&endpoint, &options).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork"]);
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-current-user"]);
    }
    unshare.arg(std::env::current_exe().unwrap());
    unshare.env(ELSEWHERE, listener.local_endpoint().to_string());
    let mut child = match unshare.spawn() {
        Ok(child) => child,
        Err(cause) => return println!("skipped: unshare: {cause}"),
    };
    let mut link = loop {
        if let Some(link) = listener.accept().unwrap() {
            break link;
        }
        if let Some(status) = child.try_wait().unwrap() {
            return println!("skipped: no namespace for us ({status})");
        }
        std::thread::yield_now();
    };
    while link.write(b"!").is_err() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
}

fn connects_from_elsewhere(endpoint: &str) {
    let shm = Shm::new();
    let route = shm.resolve(&endpoint.parse().unwrap()).unwrap();
    let mut connecting = shm.connect(&route, &LinkOptions::default()).unwrap();
    let mut link = connecting.poll_connected().unwrap().unwrap();
    let who = link.peer().credentials.expect("a local peer");
    assert_eq!(who.pid, None);
    // The other one greets, and says so.
    let mut byte = [0];
    while !matches!(link.read(&mut byte), Ok(1)) {
        std::thread::yield_now();
    }
    assert_eq!(link.wake_fd(), None);
}
