//! Rows 40 to 46: who claims to be somebody.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crypto_box::SecretKey;
use ferromq::{Context, EventKind, Options};
use ferromq_tests::{COMMAND, Greeting, Ours, RawPeer};

use crate::arena::{Arena, Kind, NEIGHBOUR};
use crate::greeting::DEADLINE;
use crate::memory::{alone, has_descriptors, live};
use crate::secured::{Client, between, curve_arena, greeted, plain_arena, plain_hello, properties};

/// The one text for whatever is wrong in a handshake's boxes.
const FORGED: &str = "a curve box does not open or is not the peer's";

/// Handshakes that one context has under way at most.
const HALF_OPEN: usize = 4096;

#[test]
fn row_40_a_partial_curve_handshake_ends_at_the_deadline() {
    let mut arenas = Kind::ALL.map(|kind| {
        let (arena, server) = curve_arena(kind, Options::new().handshake_timeout(DEADLINE));
        (arena, Client::of(server))
    });
    let stalled: Vec<_> = arenas
        .iter_mut()
        .map(|(arena, client)| {
            let endpoint = arena.ours.endpoint().to_owned();
            let silent = greeted(&endpoint, "CURVE");
            let mut half = greeted(&endpoint, "CURVE");
            half.send(&[COMMAND, 200]);
            half.send(&client.hello()[..100]);
            let mut welcomed = client.begin(&endpoint);
            assert_eq!(welcomed.read_command().0, "WELCOME");
            arena.serves();
            [silent, half, welcomed]
        })
        .collect();
    for ((arena, _), stalled) in arenas.iter_mut().zip(stalled) {
        for stranger in stalled {
            arena.turned_away_among_others(stranger, "timed out");
        }
        arena.adds_up();
    }
}

// As many as there is room for, and no memory beyond them; the rest waits.
#[test]
fn row_40_half_open_handshakes_are_capped() {
    const LATE: usize = 64;
    /// What a handshake may cost.
    const EACH: i64 = 16 << 10;
    alone(|| {
        if !has_descriptors(2 * (HALF_OPEN + LATE) as u64 + 200) {
            return;
        }
        let before = live();
        let options = Options::new().handshake_timeout(Duration::from_secs(600));
        let (mut arena, server) = curve_arena(Kind::Pull, options);
        let client = Client::of(server);
        let mut strangers = Vec::new();
        for _ in 0..HALF_OPEN {
            strangers.push(client.begin(arena.ours.endpoint()));
            arena.accepted();
        }
        arena.serves();
        let grown = live() - before;
        println!("{} bytes a handshake", grown / HALF_OPEN as i64);
        assert!(grown < EACH * HALF_OPEN as i64, "{grown} bytes");
        let late: Vec<_> = (0..LATE).map(|_| arena.stranger()).collect();
        arena.serves();
        assert!(
            !arena
                .ours
                .happens_within(Duration::from_millis(300), |kind| matches!(
                    kind,
                    EventKind::Accepted
                )),
            "one more is let in"
        );
        // Who goes makes room.
        drop(strangers);
        for _ in &late {
            arena.accepted();
        }
        arena.serves();
    });
}

#[test]
fn row_40_the_cap_is_an_option_of_the_context() {
    let most = NonZeroUsize::new(2).expect("two");
    for kind in Kind::ALL {
        let context = Context::builder().max_handshakes(most).build();
        let context = context.expect("a context");
        let mut ours = Ours::within(context, kind.socket_type(), Options::new());
        ours.bind_to("tcp://127.0.0.1:*");
        let neighbour = RawPeer::identified(ours.endpoint(), kind.peer_type(), NEIGHBOUR);
        let mut arena = Arena::around(kind, ours, neighbour);
        let first = arena.stranger();
        arena.accepted();
        let _second = arena.stranger();
        arena.accepted();
        let _third = arena.stranger();
        arena.serves();
        let accepts = |kind: &EventKind| matches!(kind, EventKind::Accepted);
        let a_while = Duration::from_millis(50);
        assert!(!arena.ours.happens_within(a_while, accepts), "{kind:?}");
        drop(first);
        arena.accepted();
        arena.serves();
    }
}

#[test]
fn row_41_a_replayed_curve_nonce_closes() {
    for kind in Kind::ALL {
        let (mut arena, server) = curve_arena(kind, Options::new());
        for (first, second) in [(3, 3), (100, 99), (u64::MAX, 3), (7, 0)] {
            let client = Client::of(server);
            let mut peer = client.connect(arena.ours.endpoint(), kind, &[]);
            arena.ours.await_peer();
            // A gap is none of our business.
            for nonce in [first, second] {
                let ping = peer.message(nonce, 2, b"\x04PING\0\0");
                peer.peer.send_frame(0, &ping);
            }
            arena.thrown_out(peer.peer, "is not above the last");
        }
    }
}

#[test]
fn row_42_a_cookie_is_good_once() {
    for kind in Kind::ALL {
        let (mut arena, server) = curve_arena(kind, Options::new());
        let endpoint = arena.ours.endpoint().to_owned();
        let client = Client::of(server);
        // Once more to the same connection.
        let mut peer = client.connect(&endpoint, kind, &[]);
        arena.ours.await_peer();
        let initiate = peer.initiate.clone();
        peer.peer.send_frame(COMMAND, &initiate);
        arena.thrown_out(peer.peer, "");
        // To another connection: recorded with its HELLO, or with a new one.
        let mut stranger = client.begin(&endpoint);
        assert_eq!(stranger.read_command().0, "WELCOME");
        stranger.send_frame(COMMAND, &initiate);
        arena.turned_away(stranger, FORGED);
        let mut stranger = greeted(&endpoint, "CURVE");
        stranger.send_frame(COMMAND, &initiate);
        arena.turned_away(stranger, "unexpected handshake command");
        // The cookie of one connection in the INITIATE of another.
        let (mut one, mut other) = (client.begin(&endpoint), client.begin(&endpoint));
        let (transient, _) = client.open_welcome(&one.read_command().1);
        let (_, cookie) = client.open_welcome(&other.read_command().1);
        let session = between(&transient, &client.transient);
        let vouch = client.vouch_sealed_by(&between(&transient, &client.secret));
        let mixed = client.initiate(&session, &cookie, &vouch, &properties(kind, &[]));
        one.send_frame(COMMAND, &mixed);
        arena.turned_away(one, FORGED);
        drop(other);
        arena.walked_away();
    }
}

/// Points of small order: whoever knows them knows every key that is made of
/// them, without a secret.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    {
        // 2^255 - 20: minus one.
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
];

// The boxes are right: only the keys are such that everybody could have made
// them.
#[test]
fn row_43_keys_of_small_order_are_refused() {
    for kind in Kind::ALL {
        let (mut arena, server) = curve_arena(kind, Options::new());
        let endpoint = arena.ours.endpoint().to_owned();
        for point in SMALL_ORDER {
            // Any secret gives the same key with this point.
            let known = between(&point, &SecretKey::from_bytes([8; 32]));
            let mut client = Client::of(server);
            client.transient_public = point;
            let mut stranger = greeted(&endpoint, "CURVE");
            stranger.send_frame(COMMAND, &client.hello_sealed_by(&known));
            arena.turned_away(stranger, FORGED);

            let mut client = Client::of(server);
            client.public = point;
            let mut stranger = client.begin(&endpoint);
            let (transient, cookie) = client.open_welcome(&stranger.read_command().1);
            let session = between(&transient, &client.transient);
            let vouch = client.vouch_sealed_by(&known);
            let metadata = properties(kind, &[]);
            stranger.send_frame(
                COMMAND,
                &client.initiate(&session, &cookie, &vouch, &metadata),
            );
            arena.turned_away(stranger, FORGED);
        }
    }
}

// In each box of a handshake and in traffic; one text, whatever was changed.
#[test]
fn row_44_a_bad_mac_closes_with_one_text_for_all_causes() {
    for kind in Kind::ALL {
        let (mut arena, server) = curve_arena(kind, Options::new());
        let endpoint = arena.ours.endpoint().to_owned();
        let client = Client::of(server);
        for at in [80, 112, 120, 136, 199] {
            let mut hello = client.hello();
            hello[at] ^= 1;
            let mut stranger = greeted(&endpoint, "CURVE");
            stranger.send_frame(COMMAND, &hello);
            arena.turned_away(stranger, FORGED);
        }
        // To a server with another key.
        let stranger = Client::of([9; 32]).begin(&endpoint);
        arena.turned_away(stranger, FORGED);
        // The cookie's nonce, tag and content, the nonce, the tag, the content.
        for at in [9, 25, 41, 104, 110, 115, 140, 200, 260] {
            let mut stranger = client.begin(&endpoint);
            let (transient, cookie) = client.open_welcome(&stranger.read_command().1);
            let session = between(&transient, &client.transient);
            let vouch = client.vouch_sealed_by(&between(&transient, &client.secret));
            let metadata = properties(kind, &[]);
            let mut initiate = client.initiate(&session, &cookie, &vouch, &metadata);
            initiate[at] ^= 0x40;
            stranger.send_frame(COMMAND, &initiate);
            arena.turned_away(stranger, FORGED);
        }
        for at in [9, 16, 20, 32, 34] {
            let peer = client.connect(&endpoint, kind, &[]);
            arena.ours.await_peer();
            let mut message = peer.message(3, 0, b"payload");
            message[at] ^= 0x10;
            let mut peer = peer.peer;
            peer.send_frame(0, &message);
            arena.thrown_out(peer, "a curve message does not open");
        }
    }
}

#[test]
fn row_45_wrong_passwords_are_all_refused_alike_and_late() {
    /// Before that, nobody is told that a password is wrong.
    const LATE: Duration = Duration::from_millis(500);
    const GUESSES: usize = 7;
    for kind in Kind::ALL {
        let mut arena = plain_arena(kind, Options::new());
        let guesses: [(&[u8], &[u8]); GUESSES] = [
            (b"ann", b"secre"),
            (b"ann", b"secret!"),
            (b"ann", b"Secret"),
            (b"ann", b""),
            (b"bob", b"secret"),
            (b"", b""),
            (b"\xFF\xFE", b"\xFF"),
        ];
        let asked = Instant::now();
        let strangers = guesses.map(|(name, password)| {
            let mut stranger = greeted(arena.ours.endpoint(), "PLAIN");
            stranger.send_frame(COMMAND, &plain_hello(name, password));
            arena.serves();
            stranger
        });
        for stranger in strangers {
            let refused = |kind: &EventKind| matches!(kind, EventKind::AuthenticationFailed { .. });
            let EventKind::AuthenticationFailed { status, cause } =
                arena.ours.await_event("a refusal", refused).kind
            else {
                unreachable!("nothing else was waited for");
            };
            assert_eq!((status, &cause[..]), (Some(400), "denied with status 400"));
            let read = arena.turned_away_among_others(stranger, "denied with status 400");
            assert_eq!(read, b"\x04\x0a\x05ERROR\x03400");
            assert!(asked.elapsed() >= LATE);
        }
        arena.adds_up();
        let refused = arena.ours.statistics().authentications_failed;
        assert_eq!(refused, GUESSES as u64);
    }
}

/// A NULL peer of this name that has said READY.
fn introduced(arena: &Arena, identity: &[u8]) -> RawPeer {
    let mut peer = arena.stranger();
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.send_ready(arena.kind.peer_type(), &[("Identity", identity)]);
    peer
}

// With the default time for an answer, which is what the row is about.
#[test]
fn row_46_without_an_answer_of_zap_nobody_is_let_in() {
    let mut arenas = Kind::ALL.map(crate::zap::arena);
    let asked = Instant::now();
    let strangers: Vec<_> = arenas
        .iter_mut()
        .map(|(arena, _)| {
            let names = crate::zap::MALFORMED.into_iter().chain([&b"slow"[..]]);
            let strangers: Vec<_> = names.map(|name| introduced(arena, name)).collect();
            arena.serves();
            strangers
        })
        .collect();
    for ((arena, _), strangers) in arenas.iter_mut().zip(strangers) {
        for stranger in strangers {
            let read = arena.turned_away_among_others(stranger, "");
            assert_eq!(read, b"", "it is told nothing");
        }
        assert!(asked.elapsed() >= Duration::from_secs(2), "the slow one");
        arena.adds_up();
    }
    for (mut arena, handler) in arenas {
        drop(handler);
        let stranger = introduced(&arena, crate::arena::NEIGHBOUR);
        arena.turned_away(stranger, "");
        let statistics = arena.ours.statistics();
        let refused = crate::zap::MALFORMED.len() as u64 + 2;
        assert_eq!(statistics.authentications_undecided, refused);
        assert_eq!(statistics.authentications_failed, refused);
    }
}
