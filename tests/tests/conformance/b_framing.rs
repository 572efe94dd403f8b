//! Section B: framing (37/ZMTP, Framing).

use ferromq::{Options, SocketType};
use ferromq_tests::{COMMAND, LONG, MORE, Ours, RawPeer, Via};

fn pull() -> Ours {
    Ours::on_tcp(SocketType::Pull)
}

fn push_to(ours: &Ours) -> RawPeer {
    RawPeer::established(ours.endpoint(), "PUSH")
}

/// A frame header with an eight-byte length.
fn long_header(flags: u8, len: u64) -> Vec<u8> {
    [&[flags | LONG], len.to_be_bytes().as_slice()].concat()
}

/// Sees that these bytes end the connection and not the socket.
fn closes(ours: &Ours, bytes: &[u8]) {
    let mut peer = push_to(ours);
    peer.send(bytes);
    peer.read_to_close();
    let cause = ours.await_disconnect();
    assert!(!cause.is_empty(), "{bytes:02x?}");
    push_to(ours).send_message(&["next"]);
    assert_eq!(ours.recv_parts(), [b"next"], "after {bytes:02x?}");
}

#[test]
fn b12_the_short_form_is_used_up_to_255_bytes() {
    let ours = Ours::on_tcp(SocketType::Push);
    let mut peer = RawPeer::established(ours.endpoint(), "PULL");
    for (len, flags) in [(0, 0), (1, 0), (255, 0), (256, LONG), (70_000, LONG)] {
        ours.send(vec![7_u8; len].as_slice()).expect("send");
        let frame = peer.read_frame();
        assert_eq!((frame.flags, frame.body.len()), (flags, len));
    }
}

#[test]
fn b12_the_long_form_is_accepted_for_any_size() {
    let ours = pull();
    let mut peer = push_to(&ours);
    for len in [0, 1, 255, 256] {
        peer.send_frame(LONG, &vec![3; len]);
        assert_eq!(ours.recv_parts(), [vec![3; len]]);
    }
}

// B13: they are reserved for extensions, and none was negotiated.
#[test]
fn b13_reserved_flags_close() {
    let ours = pull();
    for bit in 3..8 {
        closes(&ours, &[1 << bit, 1, b'x']);
    }
}

#[test]
fn b13_reserved_flags_are_sent_as_zero() {
    let ours = Ours::on_tcp(SocketType::Push);
    let mut peer = RawPeer::established(ours.endpoint(), "PULL");
    ours.send([vec![1_u8; 3], vec![2; 300], Vec::new()])
        .expect("send");
    let flags = [
        peer.read_frame().flags,
        peer.read_frame().flags,
        peer.read_frame().flags,
    ];
    assert_eq!(flags, [MORE, MORE | LONG, 0]);
}

#[test]
fn b14_a_command_with_more_closes() {
    closes(&pull(), b"\x05\x06\x05OTHER");
}

#[test]
fn b15_sizes_from_2_63_on_close() {
    let ours = pull();
    for len in [1 << 63, (1 << 63) + 1, u64::MAX] {
        closes(&ours, &long_header(0, len));
        closes(&ours, &long_header(COMMAND, len));
    }
}

#[test]
fn b16_a_frame_may_be_as_long_as_the_limit_and_no_longer() {
    let ours = Ours::bound(
        SocketType::Pull,
        Options::new().max_frame_size(1000),
        Via::Tcp,
    );
    let mut peer = push_to(&ours);
    peer.send_message(&[vec![1; 1000]]);
    peer.send_message(&[vec![2; 1000], vec![3; 1000]]);
    assert_eq!(ours.recv_parts(), [vec![1; 1000]]);
    assert_eq!(ours.recv_parts(), [vec![2; 1000], vec![3; 1000]]);
    closes(&ours, &long_header(0, 1001));
}

#[test]
fn b16_a_message_may_have_as_many_parts_as_the_limit_and_no_more() {
    let ours = Ours::bound(SocketType::Pull, Options::new().max_parts(3), Via::Tcp);
    let mut peer = push_to(&ours);
    peer.send_message(&["a", "b", "c"]);
    assert_eq!(ours.recv_parts(), [b"a", b"b", b"c"]);
    closes(&ours, b"\x01\x00\x01\x00\x01\x00\x00\x00");
}

// B16: payload and 16 bytes a frame count towards the message.
#[test]
fn b16_a_message_may_be_as_long_as_the_limit_and_no_longer() {
    let ours = Ours::bound(
        SocketType::Pull,
        Options::new().max_message_size(232),
        Via::Tcp,
    );
    let mut peer = push_to(&ours);
    peer.send_message(&[[1; 100], [2; 100]]);
    assert_eq!(ours.recv_parts(), [[1; 100], [2; 100]]);
    let one_too_many = [&[MORE, 100][..], &[1; 100], &[0, 101], &[2; 101]].concat();
    closes(&ours, &one_too_many);
}

#[test]
fn b17_the_handshake_is_exempt_from_the_frame_limit() {
    let ours = Ours::bound(SocketType::Pull, Options::new().max_frame_size(1), Via::Tcp);
    let mut peer = push_to(&ours);
    peer.send_message(&["x"]);
    assert_eq!(ours.recv_parts(), [b"x"]);
}

// B17: by its header, before a byte of the body has come.
#[test]
fn b17_a_handshake_command_has_a_limit_of_its_own() {
    let ours = pull();
    for len in [8 << 10, 1 << 20, 1 << 40, 1 << 63] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(&ferromq_tests::Greeting::default().bytes());
        let _ = peer.read_greeting();
        peer.send(&long_header(COMMAND, len));
        peer.read_to_close();
        let cause = ours.await_handshake_failure();
        assert!(!cause.contains("timed out"), "{len}: {cause}");
    }
    push_to(&ours).send_message(&["next"]);
    assert_eq!(ours.recv_parts(), [b"next"]);
}

// B18: 32 claims of 3 GiB each; reserving for them would need 96 GiB.
#[test]
fn b18_a_claimed_size_reserves_nothing() {
    let ours = pull();
    let before = virtual_bytes();
    let claim = [long_header(0, 3 << 30), vec![0; 1000]].concat();
    let mut peers: Vec<RawPeer> = (0..32).map(|_| push_to(&ours)).collect();
    peers.iter_mut().for_each(|peer| peer.send(&claim));
    // Another peer is served after them, so their bytes were looked at.
    push_to(&ours).send_message(&["served"]);
    assert_eq!(ours.recv_parts(), [b"served"]);
    let grown = virtual_bytes().saturating_sub(before);
    assert!(
        grown < 48 << 30,
        "{grown} bytes for claims of {} bytes",
        32_u64 * (3 << 30)
    );
}

fn virtual_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages: u64 = statm
        .split(' ')
        .next()
        .expect("a first field")
        .parse()
        .expect("a number");
    pages * 4096
}

#[test]
fn b19_a_message_that_breaks_off_leaves_nothing_behind() {
    let ours = pull();
    for partial in [
        &b"\x01\x04half"[..],
        b"\x01\x04half\x00\x09unfinis",
        b"\x01\x00\x02\0",
    ] {
        let mut broken = push_to(&ours);
        broken.send(partial);
        drop(broken);
        let _ = ours.await_disconnect();
        push_to(&ours).send_message(&["a", "whole", "one"]);
        assert_eq!(ours.recv_parts(), [&b"a"[..], b"whole", b"one"]);
    }
}

#[test]
fn b19_a_reset_in_the_middle_of_a_frame_leaves_nothing_behind() {
    let ours = pull();
    let mut broken = push_to(&ours);
    broken.send(b"\x01\x04half\x00\x09unfinis");
    broken.reset();
    let _ = ours.await_disconnect();
    push_to(&ours).send_message(&["whole"]);
    assert_eq!(ours.recv_parts(), [b"whole"]);
}

#[test]
fn b20_the_name_of_a_command_has_its_length_before_it() {
    let ours = pull();
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&ferromq_tests::Greeting::default().bytes());
    let _ = peer.read_greeting();
    let ready = peer.read_frame();
    assert_eq!(ready.flags, COMMAND);
    assert_eq!(ready.body[..6], *b"\x05READY");
}

// B21: 16 are ignored, of any kind.
#[test]
fn b21_unknown_commands_and_errors_are_ignored_and_counted() {
    let ours = pull();
    let mut peer = push_to(&ours);
    for round in 0..16 {
        if round % 2 == 0 {
            peer.send_command("UNHEARD", b"of");
        } else {
            peer.send_command("ERROR", b"\x04what");
        }
    }
    peer.send_message(&["still here"]);
    assert_eq!(ours.recv_parts(), [b"still here"]);
    assert_eq!(ours.statistics().peers[0].ignored_commands, 16);
}

#[test]
fn b21_the_17th_unknown_command_closes() {
    let ours = pull();
    let mut peer = push_to(&ours);
    for _ in 0..17 {
        peer.send_command("UNHEARD", b"of");
    }
    peer.read_to_close();
    let _ = ours.await_disconnect();
}

#[test]
fn b21_a_second_ready_closes() {
    let ours = pull();
    let mut peer = push_to(&ours);
    peer.send_ready("PUSH", &[]);
    peer.read_to_close();
    let _ = ours.await_disconnect();
}

#[test]
fn b22_a_command_without_a_whole_name_closes() {
    let ours = pull();
    closes(&ours, b"\x04\x00");
    closes(&ours, b"\x04\x01\x05");
    closes(&ours, b"\x04\x04\x04PIN");
}
