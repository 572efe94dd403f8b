//! Rows 20 to 29: a handshake that says too much, too little, or something else.

use ferromq::{EventKind, Options};
use ferromq_tests::{Greeting, RawPeer, command_body, metadata};

use crate::arena::{Arena, Kind};

/// Sends READY with this metadata, in one piece with the greeting and after it,
/// and sees that it is refused.
fn ready_is_refused(arena: &mut Arena, data: &[u8], cause: &str) {
    let body = command_body("READY", data);
    for in_one_piece in [false, true] {
        let mut stranger = match in_one_piece {
            false => arena.greeted(),
            true => arena.stranger(),
        };
        let header = [&[6][..], &(body.len() as u64).to_be_bytes()].concat();
        let greeting = Greeting::default().bytes();
        let before = if in_one_piece { &greeting[..] } else { &[] };
        stranger.try_send(&[before, &header, &body].concat());
        arena.turned_away(stranger, cause);
    }
}

/// Metadata with the type that fits, and this behind it.
fn typed(arena: &Arena, rest: &[u8]) -> Vec<u8> {
    let name = arena.kind.peer_type().as_bytes();
    [&metadata(&[("Socket-Type", name)]), rest].concat()
}

#[test]
fn row_20_traffic_before_ready_closes() {
    Arena::each(|mut arena| {
        for (early, cause) in [
            (&b"\x00\x02hi"[..], "within the handshake"),
            (b"\x01\x00\x00\x02hi", "within the handshake"),
            (b"\x04\x07\x04PING\0\0", "unexpected handshake command"),
            (b"\x04\x0B\x09SUBSCRIBEA", "unexpected handshake command"),
            (b"\x04\x00", "malformed handshake command"),
        ] {
            let mut stranger = arena.greeted();
            stranger.send(early);
            arena.turned_away(stranger, cause);
        }
    });
}

#[test]
fn row_21_a_second_ready_closes() {
    Arena::each(|mut arena| {
        // In one piece with the first, and long after it.
        let body = arena.ready(&[]);
        let header = [4, u8::try_from(body.len()).expect("it is short")];
        let ready = [&header[..], &body].concat();
        let mut peer = arena.stranger();
        peer.send(&[&Greeting::default().bytes()[..], &ready, &ready].concat());
        arena.thrown_out(peer, "ready command after the handshake");
        let mut peer = arena.peer();
        peer.send(&ready);
        arena.thrown_out(peer, "ready command after the handshake");
    });
}

#[test]
fn row_22_a_value_of_4_gib_in_ready_closes() {
    Arena::each(|mut arena| {
        for value in [&b"\xFF\xFF\xFF\xFF"[..], b"\x80\0\0\0", b"\0\0\x10\0"] {
            let lying = [&b"\x0bSocket-Type"[..], value, b"PUSH"].concat();
            ready_is_refused(&mut arena, &lying, "property at offset 0 overruns");
            let lying = typed(&arena, &[b"\x03X-A", value, b"1"].concat());
            ready_is_refused(&mut arena, &lying, "overruns the metadata");
        }
    });
}

#[test]
fn row_23_a_property_without_a_whole_name_closes() {
    Arena::each(|mut arena| {
        for (lying, cause) in [
            (&b"\x00\0\0\0\x01x"[..], "has no name"),
            (b"\xFFX-A\0\0\0\x00", "overruns the metadata"),
            (b"\x03X-A", "overruns the metadata"),
            (b"\x03X-A\0\0", "overruns the metadata"),
            (b"\x01", "overruns the metadata"),
        ] {
            let data = typed(&arena, lying);
            ready_is_refused(&mut arena, &data, cause);
        }
    });
}

#[test]
fn row_24_a_duplicate_property_closes() {
    Arena::each(|mut arena| {
        for twice in [
            metadata(&[("socket-TYPE", b"PUSH")]),
            metadata(&[("X-A", b"1"), ("x-a", b"2")]),
            metadata(&[("Identity", b"a"), ("X-A", b""), ("IDENTITY", b"a")]),
        ] {
            let data = typed(&arena, &twice);
            ready_is_refused(&mut arena, &data, "is a duplicate");
        }
    });
}

// 4 KiB and 32 properties pass; a byte, a property or a command more do not.
#[test]
fn row_25_metadata_ends_at_4_kib_and_32_properties() {
    Arena::each(|mut arena| {
        let others: Vec<String> = (0..32).map(|number| format!("X-{number}")).collect();
        let of = |count: usize| -> Vec<u8> {
            let properties = others.iter().take(count);
            let properties: Vec<_> = properties.map(|name| (&name[..], &b""[..])).collect();
            metadata(&properties)
        };
        let fixed = typed(&arena, b"").len() + "X-Large".len() + 5;
        let large = |len: usize| metadata(&[("X-Large", &vec![b'v'; len - fixed])]);
        for accepted in [of(31), large(4096)] {
            let mut peer = arena.greeted();
            peer.send_command("READY", &typed(&arena, &accepted));
            peer.read_ready();
            arena.ours.await_peer();
            arena.still_peers(&mut peer);
            drop(peer);
            arena.disconnected("closed");
        }
        let data = typed(&arena, &of(32));
        ready_is_refused(&mut arena, &data, "more than 32 properties");
        let data = typed(&arena, &large(4097));
        ready_is_refused(&mut arena, &data, "exceeds the limit of 4096");
        let data = vec![0; 100_000];
        ready_is_refused(&mut arena, &data, "exceeds the limit of 4353");
    });
}

#[test]
fn row_26_a_wrong_socket_type_gets_an_error_and_is_closed() {
    Arena::each(|mut arena| {
        for wrong in ["PAIR", arena.ours.socket_type().name(), "NONSENSE", ""] {
            if (arena.kind, wrong) == (Kind::Router, "ROUTER") {
                // Two of them may talk.
                continue;
            }
            let mut stranger = arena.greeted();
            stranger.send_ready(wrong, &[]);
            let read = arena.turned_away(stranger, "cannot talk to");
            let told = read.windows(6).any(|word| word == b"\x05ERROR");
            assert!(told, "{read:?}");
        }
    });
}

#[test]
fn row_27_an_identity_over_255_bytes_closes() {
    Arena::each(|mut arena| {
        let mut peer = arena.greeted();
        peer.send_ready(arena.kind.peer_type(), &[("Identity", &[b'i'; 255])]);
        peer.read_ready();
        arena.ours.await_peer();
        arena.still_peers(&mut peer);
        drop(peer);
        arena.disconnected("closed");
        for len in [256, 300, 4000] {
            let long = vec![b'i'; len];
            let data = typed(&arena, &metadata(&[("Identity", &long)]));
            ready_is_refused(&mut arena, &data, "exceeds the limit of 255");
        }
    });
}

#[test]
fn row_28_an_identity_that_starts_with_zero_closes() {
    Arena::each(|mut arena| {
        for reserved in [&b"\0"[..], b"\0\0\0\0\x01", b"\0name"] {
            let data = typed(&arena, &metadata(&[("Identity", reserved)]));
            ready_is_refused(&mut arena, &data, "starts with a zero byte");
        }
    });
}

fn named(arena: &Arena, identity: &[u8]) -> RawPeer {
    RawPeer::identified(arena.ours.endpoint(), "DEALER", identity)
}

// Only a ROUTER cares who is who.
#[test]
fn row_29_a_duplicate_identity_closes_the_second() {
    for kind in [Kind::Pull, Kind::Pub, Kind::Rep] {
        let mut arena = Arena::new(kind);
        let mut same = RawPeer::identified(
            arena.ours.endpoint(),
            kind.peer_type(),
            crate::arena::NEIGHBOUR,
        );
        arena.still_peers(&mut same);
    }
    let mut arena = Arena::new(Kind::Router);
    let mut first = named(&arena, b"held");
    arena.ours.await_peer();
    for count in 1..=3 {
        for identity in [&b"held"[..], crate::arena::NEIGHBOUR] {
            let mut second = named(&arena, identity);
            second.read_to_close();
            let refused = |kind: &EventKind| matches!(kind, EventKind::Refused { .. });
            let EventKind::Refused { cause } = arena.ours.await_event("a refusal", refused).kind
            else {
                unreachable!("nothing else was waited for");
            };
            assert!(cause.contains("identity"), "{cause}");
        }
        assert_eq!(arena.ours.statistics().handshakes_failed, 2 * count);
        assert_eq!(arena.ours.statistics().connected(), 2);
        arena.serves();
        arena.ours.send(["held", "to the first"]).expect("send");
        assert_eq!(first.read_message(), [b"to the first"]);
    }

    let mut arena = Arena::with(Kind::Router, Options::new().router_handover(true));
    let first = named(&arena, b"held");
    arena.ours.await_peer();
    let mut second = named(&arena, b"held");
    arena.leaves_to(first, "took over the identity");
    arena.ours.await_peer();
    arena.still_peers(&mut second);
    arena.ours.send(["held", "to the second"]).expect("send");
    assert_eq!(second.read_message(), [b"to the second"]);
}
