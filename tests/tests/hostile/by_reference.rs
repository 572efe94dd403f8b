//! Rows 74 to 77: payloads in memory, and what may be said of them.

use ferromq::{CurveClients, CurveKeys, Error, EventKind, Options, SocketType};
use ferromq_tests::{Greeting, MORE, Ours, RawPeer, until};

use crate::arena::{Arena, Kind};
use crate::memory::alone;
use crate::shared;

/// What a peer that knows references says of itself.
const OFFER: &[u8] = b"\0\x01\0\0\0\0\0\x02\0\0\0\0\0\0\0\0";
const BY_REFERENCE: u8 = 8;
const LONG: usize = 100_000;

/// A reference as docs/PROTOCOL.md has it.
fn reference(region: u64, offset: u64, len: u64, token: u64) -> Vec<u8> {
    let numbers = [region, offset, len, 0, token, 0, 0, 0];
    numbers.iter().flat_map(|it| it.to_be_bytes()).collect()
}

/// What a peer lends.
type Lending = fn(&mut RawPeer);

/// A peer that sends and takes payloads by reference.
fn referring(ours: &Ours, socket_type: &str) -> RawPeer {
    let mut peer = RawPeer::connect(ours.endpoint());
    let theirs = peer.handshake(Greeting::default(), socket_type, &[("X-FerroMQ", OFFER)]);
    assert!(theirs.contains(&("X-FerroMQ".into(), OFFER.to_vec())));
    ours.await_peer();
    peer
}

/// The same among others.
fn peer_of(arena: &Arena) -> RawPeer {
    referring(&arena.ours, arena.kind.peer_type())
}

/// Sends the frames in front of a body.
fn send_envelope(peer: &mut RawPeer, kind: Kind) {
    for part in kind.envelope() {
        peer.send_frame(MORE, part);
    }
}

#[test]
fn row_74_references_that_cannot_be_end_the_connection() {
    for kind in Kind::ALL {
        let mut arena = shared::arena(kind);
        let cases: [(Vec<u8>, &str); 6] = [
            (reference(9, 0, 1, 0), "region 9, which it never lent"),
            (reference(1, 8192, 1, 0), "not within region 1"),
            (reference(1, 1, 8192, 0), "not within region 1"),
            (reference(1, u64::MAX, 1, 0), "not within region 1"),
            (reference(1, 0, 1 << 40, 0), "exceeds the limit"),
            (vec![0; 63], "by reference of 63 bytes"),
        ];
        for (body, cause) in cases {
            let mut peer = peer_of(&arena);
            peer.shared().lend(1, 8192);
            send_envelope(&mut peer, kind);
            peer.send_frame(BY_REFERENCE, &body);
            arena.thrown_out(peer, cause);
        }
    }
}

#[test]
fn row_74_memory_that_could_be_cut_short_is_refused_for_payloads_too() {
    for kind in Kind::ALL {
        let mut arena = shared::arena(kind);
        let unsealed = |peer: &mut RawPeer| peer.shared().lend_unsealed(1, 8192);
        let shorter = |peer: &mut RawPeer| peer.shared().lend_as(1, 8192, 4096);
        let endless = |peer: &mut RawPeer| peer.shared().lend_as(1, 8192, 1 << 40);
        let twice = |peer: &mut RawPeer| (0..2).for_each(|_| peer.shared().lend(1, 8192));
        let cases: [(Lending, &str); 4] = [
            (unsealed, "not sealed"),
            (shorter, "instead of"),
            (endless, "instead of"),
            (twice, "lends region 1 twice"),
        ];
        for (lend, cause) in cases {
            let mut peer = peer_of(&arena);
            lend(&mut peer);
            send_envelope(&mut peer, kind);
            peer.send_frame(BY_REFERENCE, &reference(1, 0, 100, 0));
            arena.thrown_out(peer, cause);
        }
    }
}

// Each of them is taken note of, and none keeps a descriptor of ours.
#[test]
fn row_74_regions_that_nobody_refers_to_are_not_collected() {
    const MOST: u64 = 1024;
    /// Bells that are taken together.
    const TOGETHER: usize = 64;
    let descriptors = || std::fs::read_dir("/proc/self/fd").expect("ours").count();
    alone(|| {
        let mut arena = shared::arena(Kind::Pull);
        let mut peer = peer_of(&arena);
        let before = descriptors();
        for number in 1..=MOST {
            peer.shared().lend(number, 4096);
            peer.settle();
        }
        let more = descriptors() - before;
        assert!(more < 2 * TOGETHER, "{more} descriptors");
        arena.serves_among_noise();
        peer.shared().lend(MOST + 1, 4096);
        peer.send_frame(BY_REFERENCE, &reference(MOST + 1, 0, 100, 0));
        arena.thrown_out(peer, "more than 1024 regions");
    });
}

#[test]
fn row_74_what_lies_where_it_should_is_received_and_given_back() {
    let mut arena = shared::arena(Kind::Pull);
    let mut peer = peer_of(&arena);
    peer.shared().lend(1, 8192);
    peer.shared().lend(7, 4096);
    for (region, offset, len, token) in [(1, 8000, 192, 5), (7, 0, 4096, 6), (7, 3, 0, 1 << 60)] {
        peer.send_frame(BY_REFERENCE, &reference(region, offset, len, token));
        let parts = arena.ours.recv_parts();
        assert_eq!(parts, [vec![region as u8; len as usize]]);
        let (name, data) = peer.read_command();
        assert_eq!((&*name, &data[..]), ("RELEASE", &token.to_be_bytes()[..]));
    }
    arena.serves_among_noise();
}

/// A publisher and a subscriber of it that has got a payload: its token.
fn lent() -> (Arena, RawPeer, Vec<u8>) {
    let arena = shared::arena(Kind::Pub);
    let mut peer = peer_of(&arena);
    peer.send_command("SUBSCRIBE", b"much");
    peer.settle();
    let parts: [&[u8]; 2] = [b"much", &[7; LONG]];
    arena.ours.send(parts).expect("a PUB never waits");
    assert_eq!(peer.read_frame().body, b"much");
    let frame = peer.read_frame();
    assert_eq!((frame.flags, frame.body.len()), (BY_REFERENCE, 64));
    let len = u64::from_be_bytes(frame.body[16..24].try_into().expect("8 bytes"));
    assert_eq!(len as usize, LONG);
    (arena, peer, frame.body[32..40].to_vec())
}

#[test]
fn row_75_a_token_that_is_not_out_ends_the_connection() {
    let (mut arena, mut peer, token) = lent();
    peer.send_command("RELEASE", &token);
    peer.settle();
    arena.serves_among_noise();
    // Twice.
    peer.send_command("RELEASE", &token);
    arena.thrown_out(peer, "which is not out");
    for token in [&[0; 8], &[0xFF; 8], b"\0\0\0\x01\0\0\0\0"] {
        for kind in Kind::ALL {
            let mut arena = shared::arena(kind);
            let mut peer = peer_of(&arena);
            peer.send_command("RELEASE", token);
            arena.thrown_out(peer, "which is not out");
        }
    }
}

#[test]
fn row_75_a_release_of_another_length_ends_the_connection() {
    for len in [0, 7, 9, 255] {
        let mut arena = shared::arena(Kind::Router);
        let mut peer = peer_of(&arena);
        peer.send_command("RELEASE", &vec![0; len]);
        arena.thrown_out(peer, "malformed command");
    }
}

#[test]
fn row_76_a_peer_that_gives_nothing_back_is_a_full_peer() {
    // A PUB loses for it what it does not take, and counts that.
    let (mut arena, _peer, _) = lent();
    let parts: [&[u8]; 2] = [b"much", &[7; 1 << 20]];
    for _ in 0..200 {
        arena.ours.send(parts).expect("a PUB never waits");
    }
    let dropped = until("messages are dropped for it", || {
        let drops = arena.ours.statistics().drops.total();
        (drops > 0).then_some(drops)
    });
    // Of 200 MiB it has what a pipe may hold.
    assert!((150..=170).contains(&dropped), "{dropped}");
    arena.serves_among_noise();

    // A PUSH waits, and goes on when something comes back.
    let ours = {
        let mut ours = Ours::new(SocketType::Push, Options::new().send_bytes_limit(3 * LONG));
        ours.bind_to("shm://*");
        ours
    };
    let mut peer = referring(&ours, "PULL");
    let mut tokens = Vec::new();
    while ours.try_send(vec![1; LONG]).is_ok() {
        let frame = peer.read_frame();
        assert_eq!(frame.flags, BY_REFERENCE);
        tokens.push(frame.body[32..40].to_vec());
    }
    assert_eq!(tokens.len(), 3);
    let keeps = |kind: &EventKind| matches!(kind, EventKind::Keeps { payloads: 3, .. });
    ours.await_event("that it keeps them", keeps);
    for token in &tokens[..2] {
        peer.send_command("RELEASE", token);
    }
    until("there is room", || ours.try_send("short").ok());
    let refused = until("it is full again", || ours.try_send(vec![1; LONG]).err());
    assert!(matches!(refused.error, Error::WouldBlock), "{refused}");
}

#[test]
fn row_77_under_curve_no_payload_leaves_the_stream() {
    let keys = CurveKeys::generate();
    let options = Options::new().curve_server(keys.clone(), CurveClients::Any);
    let mut server = Ours::new(SocketType::Push, options);
    server.bind_to("shm://*");
    let options = Options::new().curve_client(keys.public, CurveKeys::generate());
    let client = Ours::connected(SocketType::Pull, options, server.endpoint());
    server.await_peer();
    server.send(vec![7; LONG]).expect("a peer with room");
    assert_eq!(client.recv_parts(), [vec![7; LONG]]);
    assert_eq!(server.statistics().traffic.references_sent, 0);
}

#[test]
fn row_77_where_it_was_not_offered_a_reference_is_a_reserved_flag() {
    for kind in Kind::ALL {
        let mut arena = shared::arena(kind);
        let mut peer = arena.peer();
        peer.shared().lend(1, 8192);
        send_envelope(&mut peer, kind);
        peer.send_frame(BY_REFERENCE, &reference(1, 0, 100, 0));
        arena.thrown_out(peer, "reserved bits in flags 0x08");
    }
}
