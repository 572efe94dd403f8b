//! Heartbeats between both implementations.

use std::time::Duration;

use ferromq::{Options, SocketType};
use ferromq_tests::ZmqPeer;
use serde_json::json;

use crate::join::{EVERY_WAY, join};

/// Both sides ask every 20 ms and give up after two seconds without an answer;
/// they are silent for longer than that, and still connected.
#[test]
fn a_silent_connection_stays_up_on_heartbeats() {
    let Some(peer) = ZmqPeer::start() else { return };
    for way in EVERY_WAY {
        let beats = json!({
            "HEARTBEAT_IVL": 20, "HEARTBEAT_TIMEOUT": 2000, "HEARTBEAT_TTL": 2000,
        });
        let theirs = peer.socket_with("PAIR", beats);
        let patience = Some(Duration::from_secs(2));
        let options = Options::new().heartbeat(Duration::from_millis(20), patience, patience);
        let ours = join(SocketType::Pair, options, &theirs, way);
        ours.await_peer();
        assert!(!theirs.poll(2500), "nobody sends");
        theirs.send(&["still"]);
        assert_eq!(ours.recv_parts(), [b"still"]);
        ours.send("here").expect("send");
        assert_eq!(theirs.recv(), [b"here"]);
        assert_eq!(ours.statistics().peers[0].reconnects, 0);
    }
}
