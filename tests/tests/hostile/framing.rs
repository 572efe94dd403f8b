//! Rows 11 to 19: frames that lie about themselves, and floods of them.

use std::time::Duration;

use ferromq::Options;
use ferromq_tests::{COMMAND, LONG, MORE, RawPeer, command_body};

use crate::arena::{Arena, Kind};
use crate::memory::{alone, live, reserved};

/// More than a peer's queue may hold: its limit, and what the memory around its
/// messages comes to.
const QUEUE: i64 = 160 << 20;

/// How long nothing is taken before a flood has come to its end.
const QUIET: Duration = Duration::from_millis(300);

#[test]
fn row_11_a_frame_of_2_63_bytes_is_closed() {
    Arena::each(|mut arena| {
        for size in [1 << 63, (1 << 63) + 1, u64::MAX] {
            for flags in [0, MORE, COMMAND] {
                let mut peer = arena.peer();
                peer.send(&[&[flags | LONG], &size.to_be_bytes()[..]].concat());
                arena.thrown_out(peer, "is 2^63 or more");
            }
            let mut stranger = arena.greeted();
            stranger.send(&[&[COMMAND | LONG], &size.to_be_bytes()[..]].concat());
            arena.turned_away(stranger, "");
        }
    });
}

#[test]
fn row_12_a_frame_of_2_40_bytes_is_closed_at_the_limit() {
    Arena::each(|mut arena| {
        for flags in [0, MORE] {
            let mut peer = arena.peer();
            peer.send(&[&[flags | LONG], &(1_u64 << 40).to_be_bytes()[..]].concat());
            arena.thrown_out(peer, "exceeds the limit of 4294967296");
        }
        let mut peer = arena.peer();
        peer.send(&[&[COMMAND | LONG], &(1_u64 << 40).to_be_bytes()[..]].concat());
        arena.thrown_out(peer, "exceeds the limit of 65568");
        let mut stranger = arena.greeted();
        stranger.send(&[&[COMMAND | LONG], &(1_u64 << 40).to_be_bytes()[..]].concat());
        arena.turned_away(stranger, "exceeds the limit of 4353");
    });
}

// Neither memory nor address space, and nobody waits for it.
#[test]
fn row_13_a_gigabyte_that_never_comes_costs_what_came() {
    const CLAIMS: i64 = 32;
    let announced = [&[LONG][..], &(1_u64 << 30).to_be_bytes(), &[7; 1000]].concat();
    alone(|| {
        Arena::each(|mut arena| {
            let before = (live(), reserved());
            let mut peers: Vec<RawPeer> = (0..CLAIMS).map(|_| arena.peer()).collect();
            for peer in &mut peers {
                peer.send(&announced);
                arena.serves();
            }
            for peer in &mut peers {
                assert!(!peer.is_closed_within(Duration::from_millis(5)));
            }
            arena.serves();
            let (grown, mapped) = (live() - before.0, reserved() - before.1);
            assert!(grown < CLAIMS << 21, "{grown} bytes for {CLAIMS} GiB");
            assert!(mapped < CLAIMS << 23, "{mapped} mapped for {CLAIMS} GiB");
            for peer in peers {
                drop(peer);
                arena.leaves("closed");
            }
            arena.adds_up();
        });
    });
}

// Of messages that do not end, and of messages that do, which nobody takes.
#[test]
fn row_14_a_flood_of_parts_ends_at_1024() {
    alone(|| {
        Arena::each(|mut arena| {
            let before = live();
            let endless = [MORE, 1, b'x'].repeat(4000);
            for _ in 0..20 {
                let mut peer = arena.peer();
                peer.try_send(&endless);
                arena.thrown_out(peer, "more than 1024 frames");
            }
            let grown = live() - before;
            assert!(grown < 4 << 20, "{grown} bytes are left of them");

            let mut peer = arena.peer();
            let envelope = arena.kind.envelope().len();
            let mut parts = arena.message(b"x");
            parts.resize(1024, b"x".to_vec());
            peer.send_message(&parts);
            if let Some(received) = arena.delivers(&mut peer) {
                assert_eq!(received.len(), 1024 - envelope);
            }
            let one = [MORE, 1, b'x'].repeat(1023 - envelope);
            let envelope = [MORE, 0].repeat(envelope);
            let whole = [&envelope[..], &one, &[0, 1, b'x']].concat();
            let sent = peer.send_until_blocked(&whole, 64 << 20, QUIET);
            let grown = live() - before;
            assert!(grown < QUEUE, "{grown} bytes for {sent}");
        });
    });
}

// What waits is bounded in messages, and where that bound is lifted in bytes,
// of which an empty frame has some too.
#[test]
fn row_15_empty_frames_are_legal_and_count_towards_the_byte_limit() {
    alone(|| {
        for kind in Kind::ALL {
            let options = Options::new().max_message_size(1600).max_parts(u32::MAX);
            let mut arena = Arena::with(kind, options);
            let mut peer = arena.peer();
            let mut parts = arena.message(b"");
            parts.resize(100, Vec::new());
            peer.send_message(&parts);
            if let Some(received) = arena.delivers(&mut peer) {
                assert_eq!(received, parts[kind.envelope().len()..]);
            }
            arena.still_peers(&mut peer);
            peer.try_send(&[MORE, 0].repeat(101));
            arena.thrown_out(peer, "exceeds the limit of 1600");

            let options = Options::new().receive_high_water_mark(0);
            let arena = Arena::with(kind, options);
            let mut flooding = arena.peer();
            let before = live();
            let envelope = [MORE, 0].repeat(kind.envelope().len());
            let empty = [&envelope[..], &[0, 0]].concat().repeat(10_000);
            let sent = flooding.send_until_blocked(&empty, 64 << 20, QUIET);
            let grown = live() - before;
            println!("{kind:?}: {sent} bytes of empty frames cost {grown}");
            assert!(grown < QUEUE, "{grown} bytes for {sent} of empty frames");
        }
    });
}

#[test]
fn row_16_reserved_flags_close() {
    Arena::each(|mut arena| {
        for flags in [0x08, 0x10, 0x20, 0x40, 0x80, 0xF8, 0x09, 0x0C] {
            let mut peer = arena.peer();
            peer.send(&[flags, 1, b'x']);
            arena.thrown_out(peer, "reserved bits");
            let mut stranger = arena.greeted();
            stranger.send(&[flags | COMMAND, 1, b'x']);
            arena.turned_away(stranger, "flags");
        }
    });
}

#[test]
fn row_17_a_command_with_more_closes() {
    Arena::each(|mut arena| {
        let ping = command_body("PING", &[0, 0]);
        let mut peer = arena.peer();
        peer.send_frame(COMMAND | MORE, &ping);
        arena.thrown_out(peer, "command with the more flag");
        let mut peer = arena.peer();
        peer.send_frame(COMMAND | MORE | LONG, &ping);
        arena.thrown_out(peer, "command with the more flag");
        let mut stranger = arena.greeted();
        stranger.send_frame(COMMAND | MORE, &arena.ready(&[]));
        arena.turned_away(stranger, "flags");
    });
}

// In the handshake, in messages and in commands.
#[test]
fn row_18_the_long_form_of_short_frames_is_accepted() {
    Arena::each(|mut arena| {
        let mut peer = arena.greeted();
        peer.send_frame(COMMAND | LONG, &arena.ready(&[]));
        peer.read_ready();
        arena.ours.await_peer();
        for len in [0, 1, 2, 64, 254, 255] {
            let body = vec![2; len];
            for part in arena.kind.envelope() {
                peer.send_frame(MORE | LONG, part);
            }
            peer.send_frame(LONG, &body);
            if let Some(received) = arena.delivers(&mut peer) {
                assert_eq!(received, [body]);
            }
            peer.send_frame(COMMAND | LONG, &command_body("PING", b"\0\0ok"));
            assert_eq!(peer.read_command(), ("PONG".into(), b"ok".to_vec()));
            arena.still_peers(&mut peer);
        }
    });
}

#[test]
fn row_19_sixteen_unknown_commands_are_counted_and_the_17th_closes() {
    Arena::each(|mut arena| {
        let mut peer = arena.peer();
        for count in 1..=16 {
            match count % 2 {
                0 => peer.send_command("HELLO", b"?"),
                _ => peer.send_command("ERROR", b"\x03why"),
            }
            arena.still_peers(&mut peer);
            let peers = arena.ours.statistics().peers;
            let ignored: Vec<u32> = peers.iter().map(|peer| peer.ignored_commands).collect();
            assert_eq!(ignored.iter().sum::<u32>(), count);
            assert!(ignored.contains(&0), "the neighbour's");
        }
        peer.send_command("", b"");
        arena.thrown_out(peer, "");
        let mut peer = arena.peer();
        for _ in 0..17 {
            peer.try_send(b"\x04\x06\x05OTHER");
        }
        arena.thrown_out(peer, "more than 16 commands");
    });
}
