//! Rows 1 to 10: what is no greeting, or the wrong one.

use std::time::Duration;

use ferromq::Options;
use ferromq_tests::Greeting;

use crate::arena::{Arena, Kind};
use crate::secured::{curve_arena, plain_arena};

/// The whole time that a handshake has where a test waits for its end.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

#[test]
fn row_01_a_garbage_greeting_is_closed_at_the_first_bad_byte() {
    Arena::each(|mut arena| {
        for (garbage, cause) in [
            (&b"\x00"[..], "first byte 0x00"),
            (b"\xFE", "first byte 0xfe"),
            (b"\n", "first byte 0x0a"),
            (b"SSH-2.0-", "first byte 0x53"),
            (b"\xFF\0\0\0\0\0\0\0\0\x7E", "ends in 0x7e"),
            (b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "ends in 0xff"),
        ] {
            let mut stranger = arena.stranger();
            stranger.send(garbage);
            arena.turned_away(stranger, cause);
        }
    });
}

#[test]
fn row_02_http_is_closed_at_byte_1() {
    Arena::each(|mut arena| {
        for request in [
            &b"G"[..],
            b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
            b"POST /",
        ] {
            let mut stranger = arena.stranger();
            stranger.send(request);
            arena.turned_away(stranger, "is not zmtp 3's 0xff");
        }
    });
}

#[test]
fn row_03_a_tls_client_hello_is_closed_at_byte_1() {
    Arena::each(|mut arena| {
        let hello = [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            &[7; 64],
        ]
        .concat();
        for hello in [&b"\x16"[..], &hello, b"\x80\x2e\x01\x03\x01"] {
            let mut stranger = arena.stranger();
            stranger.send(hello);
            arena.turned_away(stranger, "is not zmtp 3's 0xff");
        }
    });
}

#[test]
fn row_04_half_a_greeting_is_closed_at_the_deadline() {
    let options = || Options::new().handshake_timeout(DEADLINE);
    let mut arenas = Kind::ALL.map(|kind| Arena::with(kind, options()));
    let stalled: Vec<_> = arenas
        .iter_mut()
        .map(|arena| {
            [0, 1, 9, 10, 11, 32, 63, 64].map(|sent| {
                let mut stranger = arena.stranger();
                stranger.send(&Greeting::default().bytes()[..sent]);
                arena.serves();
                stranger
            })
        })
        .collect();
    for (arena, stalled) in arenas.iter_mut().zip(stalled) {
        for stranger in stalled {
            arena.turned_away_among_others(stranger, "timed out");
        }
        arena.adds_up();
    }
}

// Through the greeting and into READY, and each byte well before the deadline.
#[test]
fn row_05_single_bytes_do_not_move_the_deadline() {
    let options = || Options::new().handshake_timeout(DEADLINE);
    let mut arenas = Kind::ALL.map(|kind| Arena::with(kind, options()));
    let ready = arenas[0].ready(&[("X-Padding", &[b'x'; 40])]);
    let header = [4, u8::try_from(ready.len()).expect("it is short")];
    let whole = [&Greeting::default().bytes()[..], &header, &ready].concat();
    // So that the last of them would come long after the deadline.
    let pause = DEADLINE * 2 / u32::try_from(whole.len()).expect("it is short");
    let mut slow = arenas.each_ref().map(Arena::stranger);
    let [watched, ..] = &mut slow;
    let mut sent = 0;
    for byte in &whole {
        if !watched.try_send(&[*byte]) || watched.is_closed_within(pause) {
            break;
        }
        sent += 1;
        arenas[0].serves();
    }
    assert!(sent < whole.len(), "the handshake was prolonged");
    for (arena, stranger) in arenas.iter_mut().zip(slow) {
        arena.turned_away(stranger, "timed out");
    }
}

#[test]
fn row_06_zmtp_1_and_2_are_closed() {
    Arena::each(|mut arena| {
        let of_revision = |major| {
            let greeting = Greeting {
                major,
                ..Greeting::default()
            };
            greeting.bytes()[..11].to_vec()
        };
        for (older, cause) in [
            // 1.0: an anonymous peer, one with a name, one with a long name.
            (b"\x01\x00".to_vec(), "first byte 0x01"),
            (b"\x05\x00name".to_vec(), "first byte 0x05"),
            (b"\xFF\0\0\0\0\0\0\x01\x01\x00".to_vec(), "ends in 0x00"),
            // 2.0 says 1, and 0 and 2 were never a revision to talk in.
            (of_revision(0), "revision 0 is below 3"),
            (of_revision(1), "revision 1 is below 3"),
            (of_revision(2), "revision 2 is below 3"),
        ] {
            let mut stranger = arena.stranger();
            stranger.send(&older);
            arena.turned_away(stranger, cause);
        }
    });
}

#[test]
fn row_07_versions_above_3_are_talked_to_in_3_1() {
    Arena::each(|mut arena| {
        for major in [4, 9, 255] {
            let greeting = Greeting {
                major,
                minor: 7,
                ..Greeting::default()
            };
            let mut peer = arena.stranger();
            peer.send(&greeting.bytes());
            assert_eq!(peer.read_greeting()[10..12], [3, 1]);
            peer.send_ready(arena.kind.peer_type(), &[]);
            peer.read_ready();
            arena.ours.await_peer();
            // 3.0 has no PING.
            arena.still_peers(&mut peer);
            drop(peer);
            arena.disconnected("closed");
        }
    });
}

#[test]
fn row_08_an_unknown_mechanism_is_closed() {
    Arena::each(|mut arena| {
        for name in ["KERBEROS", "null", "NULL1", "", "GSSAPI", "\u{1}"] {
            let mut stranger = arena.stranger();
            stranger.send(&Greeting::of(name).bytes());
            arena.turned_away(stranger, "mechanism mismatch");
        }
        let mut trailing = Greeting::default();
        trailing.mechanism[19] = b'X';
        let mut stranger = arena.stranger();
        stranger.send(&trailing.bytes());
        arena.turned_away(stranger, "mechanism mismatch");
    });
}

// Whoever is more demanding is not talked down.
#[test]
fn row_09_another_mechanism_is_closed_and_never_downgraded_to() {
    Arena::each(|mut arena| {
        for name in ["PLAIN", "CURVE"] {
            let mut stranger = arena.stranger();
            stranger.send(&Greeting::of(name).bytes());
            arena.turned_away(stranger, "mechanism mismatch");
        }
    });
    for kind in Kind::ALL {
        let (curve, _) = curve_arena(kind, Options::new());
        let plain = plain_arena(kind, Options::new());
        for (mut arena, other) in [(curve, "PLAIN"), (plain, "CURVE")] {
            for name in ["NULL", other] {
                let mut stranger = arena.stranger();
                stranger.send(&Greeting::of(name).bytes());
                // Its READY changes nothing.
                let _ = stranger.try_send(b"\x04\x06\x05READY");
                arena.turned_away(stranger, "mechanism mismatch");
            }
        }
    }
}

#[test]
fn row_10_two_servers_are_closed() {
    for kind in Kind::ALL {
        let (curve, _) = curve_arena(kind, Options::new());
        let plain = plain_arena(kind, Options::new());
        for (mut arena, name) in [(curve, "CURVE"), (plain, "PLAIN")] {
            let greeting = Greeting {
                as_server: 1,
                ..Greeting::of(name)
            };
            let mut stranger = arena.stranger();
            stranger.send(&greeting.bytes());
            arena.turned_away(stranger, "both sides are the mechanism's server");
        }
    }
}
