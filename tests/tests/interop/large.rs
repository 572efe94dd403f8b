//! Large messages, compared by their hashes.

use ferromq::{Options, SocketType};
use ferromq_tests::{PATIENCE, Via, ZmqPeer, payload, sha256};

use crate::join::{Binder, EVERY_WAY, Way, join};

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
/// Both processes hold the message about twice.
const MEMORY_FOR_A_GIB: u64 = 6 << 30;

#[test]
fn ten_mib_there_and_back() {
    let Some(peer) = ZmqPeer::start() else { return };
    for (round, way) in EVERY_WAY.into_iter().enumerate() {
        let theirs = peer.socket("PAIR");
        let ours = join(SocketType::Pair, Options::new(), &theirs, way);
        let body = payload(10 * MIB, round as u64 + 1);
        let hash = sha256(&body);
        ours.send(["before".as_bytes(), &body]).expect("send");
        let (lengths, received) = theirs.recv_digest();
        assert_eq!(lengths, [6, 10 * MIB as u64]);
        assert_eq!(received, sha256(&[b"before", &body[..]].concat()));
        let sent = theirs.send_payload(10 * MIB + 1, round as u64);
        let message = ours.recv_timeout(PATIENCE).expect("a message");
        assert_eq!(message.parts()[0].len(), 10 * MIB + 1);
        assert_eq!(sha256(&message.parts()[0]), sent);
        // The message that was sent did not change under the sender's hands.
        assert_eq!(sha256(&body), hash);
    }
}

#[test]
fn a_gib_from_us_over_tcp() {
    let Some(peer) = gigantic() else { return };
    let theirs = peer.socket("PULL");
    let way = Way {
        binder: Binder::Theirs,
        via: Via::Tcp,
    };
    let ours = join(SocketType::Push, Options::new(), &theirs, way);
    let body = payload(GIB, 3);
    let hash = sha256(&body);
    ours.send(body).expect("send");
    assert_eq!(theirs.recv_digest(), (vec![GIB as u64], hash));
}

#[test]
fn a_gib_to_us_over_ipc() {
    let Some(peer) = gigantic() else { return };
    let theirs = peer.socket("PUSH");
    let way = Way {
        binder: Binder::Ours,
        via: Via::Ipc,
    };
    let ours = join(SocketType::Pull, Options::new(), &theirs, way);
    let sent = theirs.send_payload(GIB, 4);
    let message = ours.recv_timeout(PATIENCE * 4).expect("a message");
    assert_eq!(message.parts()[0].len(), GIB);
    assert_eq!(sha256(&message.parts()[0]), sent);
}

/// A peer, where there is the memory for a message of 1 GiB.
fn gigantic() -> Option<ZmqPeer> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kib| kib << 10);
    if available < MEMORY_FOR_A_GIB {
        eprintln!("not run: it needs {MEMORY_FOR_A_GIB} bytes of memory, {available} are free");
        return None;
    }
    ZmqPeer::start()
}
