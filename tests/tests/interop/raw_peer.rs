//! The judge of the conformance tests is judged: a [`RawPeer`] talks to libzmq
//! as it talks to us.

use ferromq_tests::{RawListener, RawPeer, Via, ZmqPeer};

#[test]
fn the_raw_peer_is_understood_by_zeromq_both_ways() {
    let Some(peer) = ZmqPeer::start() else { return };
    for via in [Via::Tcp, Via::Ipc] {
        let theirs = peer.socket("PAIR");
        let place = via.place();
        let mut raw = RawPeer::established(&theirs.bind(place.endpoint()), "PAIR");
        raw.send_message(&["hello", "", "there"]);
        assert_eq!(theirs.recv(), [&b"hello"[..], b"", b"there"]);
        theirs.send(&[&b"long"[..], &[7; 300]]);
        assert_eq!(raw.read_message(), [&b"long"[..], &[7; 300]]);
        assert_eq!(raw.settle(), []);

        let theirs = peer.socket("SUB");
        theirs.set_bytes("SUBSCRIBE", b"A");
        let listener = RawListener::bind(via);
        theirs.connect(listener.endpoint());
        let mut raw = listener.accept_established("XPUB");
        let wish = raw.read_frame();
        // libzmq 4.3.5 sends the command form to 3.1 peers.
        assert_eq!(wish.command(), ("SUBSCRIBE".into(), b"A".to_vec()));
    }
}
