//! Rows 30 to 37: subscriptions and heartbeats, in any number and for as long
//! as anybody reads them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferromq::{DropCause, Interest, Options, Poller};
use ferromq_tests::{COMMAND, PATIENCE, RawPeer, command_body};

use crate::arena::{Arena, Kind};
use crate::memory::{alone, live};

/// What a subscription may cost beside its topic.
const SUBSCRIPTION: i64 = 96;

/// Sends `piece` for as long as the neighbour is served, which it is.
fn serves_during(arena: &mut Arena, mut peer: RawPeer, piece: &[u8]) -> RawPeer {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                peer.send(piece);
            }
            peer
        });
        for _ in 0..200 {
            arena.serves();
        }
        stop.store(true, Ordering::Relaxed);
        flooding.join().expect("it may flood as it likes")
    })
}

/// The frame of a command.
fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let body = command_body(name, data);
    let mut frame = match u8::try_from(body.len()) {
        Ok(short) => vec![COMMAND, short],
        Err(_) => [&[COMMAND | 2][..], &(body.len() as u64).to_be_bytes()].concat(),
    };
    frame.extend(body);
    frame
}

fn subscribe(topic: &[u8]) -> Vec<u8> {
    command("SUBSCRIBE", topic)
}

fn numbered(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|n| subscribe(&n.to_be_bytes())).collect()
}

// A million of one peer; and 64 MiB of its topics.
#[test]
fn row_30_a_flood_of_subscriptions_ends_at_the_caps() {
    const MOST: u32 = 1 << 20;
    alone(|| {
        let mut arena = Arena::new(Kind::Pub);
        let before = live();
        let mut peer = arena.peer();
        for first in (0..MOST).step_by(1 << 16) {
            peer.send(&numbered(first..first + (1 << 16)));
            arena.serves();
        }
        arena.still_peers(&mut peer);
        let grown = live() - before;
        println!("{} bytes a subscription", grown / i64::from(MOST));
        assert!(
            grown < i64::from(MOST) * (SUBSCRIPTION + 4),
            "{grown} bytes"
        );
        peer.send(&subscribe(b"one more"));
        arena.thrown_out(peer, "limit of 1048576 subscriptions");
        let kept = live() - before;

        let mut peer = arena.peer();
        let topic = |n: u32| [&n.to_be_bytes()[..], &[b't'; 65_000]].concat();
        let fits = (64 << 20) / 65_004;
        for n in 0..fits {
            peer.send(&subscribe(&topic(n)));
        }
        arena.still_peers(&mut peer);
        peer.send(&subscribe(&topic(fits)));
        arena.thrown_out(peer, "exceed the peer's limit of 67108864");
        // What they were subscribed to went with them: its place is used again.
        for _ in 0..3 {
            let mut peer = arena.peer();
            for first in (0..MOST).step_by(1 << 16) {
                peer.send(&numbered(first..first + (1 << 16)));
            }
            arena.still_peers(&mut peer);
            drop(peer);
            arena.disconnected("closed");
        }
        let more = live() - before - kept.max(grown);
        println!("{grown} bytes of the first, {more} more of the others");
        // One may be on its way out while the next is on its way in.
        assert!(more < 2 * grown, "{more} bytes more");
    });
}

// What a socket takes of all of them is an option, as are the caps of one.
#[test]
fn row_30_the_caps_are_options_and_the_sockets() {
    let options = Options::new()
        .max_subscriptions(100)
        .max_subscription_bytes(1000)
        .max_total_subscriptions(250);
    let mut arena = Arena::with(Kind::Pub, options);
    let mut peer = arena.peer();
    peer.send(&numbered(0..101));
    arena.thrown_out(peer, "limit of 100 subscriptions");
    peer = arena.peer();
    peer.send(&subscribe(&[b't'; 1001]));
    arena.thrown_out(peer, "exceed the peer's limit of 1000");
    let mut first = arena.peer();
    first.send(&numbered(0..100));
    arena.still_peers(&mut first);
    let mut second = arena.peer();
    second.send(&numbered(0..100));
    second.settle();
    // The neighbour has one.
    let mut third = arena.peer();
    third.send(&numbered(0..49));
    third.settle();
    third.send(&subscribe(b"one more"));
    third.read_to_close();
    arena.blame("socket has reached the limit of 250 subscriptions");
    first.settle();
    second.settle();
}

#[test]
fn row_31_cancelling_an_unknown_topic_is_ignored_and_counted() {
    let mut arena = Arena::new(Kind::Pub);
    let mut peer = arena.peer();
    peer.send(&subscribe(b"known"));
    for count in 1..=20 {
        for topic in [&b"unknown"[..], b"know", b"known!", b""] {
            peer.send(&command("CANCEL", topic));
        }
        arena.still_peers(&mut peer);
        let refused = arena.ours.statistics().drops.of(DropCause::Refused);
        assert_eq!(refused, 4 * count);
    }
    arena.ours.send("known").expect("send");
    assert_eq!(peer.read_message(), [b"known"]);
    peer.send(&command("CANCEL", b"known"));
    peer.send(&command("CANCEL", b"known"));
    arena.still_peers(&mut peer);
    assert_eq!(arena.ours.statistics().drops.of(DropCause::Refused), 81);
}

// As long as it may be, and longer; and one that shares all but its end.
#[test]
fn row_32_a_very_long_topic_is_capped() {
    let mut arena = Arena::new(Kind::Pub);
    let mut peer = arena.peer();
    let topic = vec![b't'; 65_535];
    peer.send(&subscribe(&topic));
    for len in (1..2000).chain([65_000, 65_534]) {
        peer.send(&subscribe(&topic[..len]));
        peer.send(&command("CANCEL", &topic[..len]));
    }
    arena.still_peers(&mut peer);
    arena.ours.send([&topic[..], b"rest"]).expect("send");
    assert_eq!(peer.read_message(), [&topic[..], b"rest"]);
    peer.send(&command("CANCEL", &topic));
    arena.still_peers(&mut peer);
    for len in [65_600, 1 << 20] {
        let mut peer = arena.peer();
        peer.try_send(&subscribe(&vec![b't'; len]));
        arena.thrown_out_among_others(peer, "exceeds the limit of");
    }
}

#[test]
fn row_33_the_empty_prefix_is_legal() {
    let mut arena = Arena::new(Kind::Pub);
    let mut peer = arena.peer();
    peer.send(&subscribe(b""));
    peer.settle();
    for message in [&b""[..], b"\0", b"anything"] {
        arena.ours.send(message).expect("send");
        assert_eq!(peer.read_message(), [message]);
    }
    peer.send(&command("CANCEL", b""));
    arena.still_peers(&mut peer);
}

#[test]
fn row_34_churn_of_subscriptions_leaves_the_others_served() {
    alone(|| {
        let mut arena = Arena::new(Kind::Pub);
        let peer = arena.peer();
        let turn = |n: u32| {
            let topic = [&b"churn"[..], &n.to_be_bytes()].concat();
            [subscribe(&topic), command("CANCEL", &topic)].concat()
        };
        let piece: Vec<u8> = (0..2000).flat_map(turn).collect();
        let mut peer = serves_during(&mut arena, peer, &piece);
        arena.still_peers(&mut peer);
        let before = live();
        let mut peer = serves_during(&mut arena, peer, &piece);
        arena.still_peers(&mut peer);
        let grown = live() - before;
        assert!(grown < 1 << 20, "{grown} bytes are left of the churn");
    });
}

// Of one that reads no PONG, and of one that goes on while others are served.
#[test]
fn row_35_a_flood_of_pings_has_one_pong_waiting() {
    Arena::each(|mut arena| {
        let mut peer = arena.peer();
        let pings = command("PING", b"\0\0flood").repeat(20_000);
        // Until neither side takes more, if it comes to that.
        peer.send_until_blocked(&pings, 20 << 20, Duration::from_millis(300));
        arena.serves();
        let statistics = arena.ours.statistics();
        let queued: usize = statistics.peers.iter().map(|peer| peer.queued_bytes).sum();
        assert!(queued < 1000, "{queued} bytes of PONGs wait");
        assert_eq!((statistics.violations, statistics.connected()), (0, 2));
        drop(peer);
        arena.disconnected("");

        let peer = arena.peer();
        // An answer is awaited now and then, so that both ways go on.
        let flood = [
            command("PONG", b"and you").repeat(20_000),
            command("PING", b"\0\0"),
        ];
        let peer = serves_during(&mut arena, peer, &flood.concat());
        drop(peer);
        arena.disconnected("");
    });
}

// Who waits in a poller is told of the others' messages, and the flood is read.
#[test]
fn row_35_a_flood_leaves_a_poller_served() {
    let mut arena = Arena::new(Kind::Pull);
    let (mut peer, mut good) = (arena.peer(), arena.peer());
    let flood = command("PONG", b"").repeat(50_000);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                peer.send(&flood);
            }
            // An answer to this shows that all before it was read.
            peer.settle();
        });
        let mut poller = Poller::new();
        poller.add(&*arena.ours, 0, Interest::Readable);
        let mut ready = Vec::new();
        for number in 0..100_u8 {
            good.send_message(&[[number]]);
            poller.wait(&mut ready, Some(PATIENCE)).expect("a poller");
            assert_eq!(ready.len(), 1);
            assert_eq!(arena.ours.recv_parts(), [[number]]);
        }
        stop.store(true, Ordering::Relaxed);
        while !flooding.is_finished() {
            // What waits is not for us: only waiting makes it go on.
            let _ = poller.wait(&mut ready, Some(Duration::from_millis(10)));
        }
        flooding.join().expect("it is read to its end");
    });
    arena.serves();
}

#[test]
fn row_36_unasked_pongs_are_ignored() {
    Arena::each(|mut arena| {
        let peer = arena.peer();
        let pongs = [command("PONG", b"why"), command("PONG", b"")].concat();
        let mut peer = serves_during(&mut arena, peer, &pongs.repeat(5000));
        arena.still_peers(&mut peer);
        let peers = arena.ours.statistics().peers;
        assert!(peers.iter().all(|peer| peer.ignored_commands == 0));
    });
}

#[test]
fn row_37_a_ttl_of_zero_starts_no_timer() {
    Arena::each(|mut arena| {
        let mut peer = arena.peer();
        peer.send(&command("PING", b"\0\0"));
        assert_eq!(peer.read_command(), ("PONG".into(), Vec::new()));
        assert!(!peer.is_closed_within(Duration::from_millis(300)));
        arena.still_peers(&mut peer);
        // The same peer with a tenth of a second is one that we do without.
        peer.send(&command("PING", b"\0\x01"));
        assert_eq!(peer.read_command(), ("PONG".into(), Vec::new()));
        peer.read_to_close();
        arena.disconnected("no sign of life");
    });
}

// And what nobody subscribed to with: limits are the socket's.
#[test]
fn row_38_a_ping_too_long_or_too_short_closes() {
    Arena::each(|mut arena| {
        let mut peer = arena.peer();
        peer.send(&command("PING", &[0; 2 + 16]));
        assert_eq!(peer.read_command().1, [0; 16]);
        arena.still_peers(&mut peer);
        drop(peer);
        arena.disconnected("");
        for (wrong, cause) in [
            (command("PING", &[0; 2 + 17]), "exceeds the limit of 16"),
            (command("PONG", &[0; 17]), "exceeds the limit of 16"),
            (command("PING", &[0; 60_000]), "exceeds the limit of 16"),
            (command("PING", &[0]), "malformed command"),
            (command("PING", b""), "malformed command"),
        ] {
            let mut peer = arena.peer();
            peer.try_send(&wrong);
            arena.thrown_out(peer, cause);
        }
    });
}

#[test]
fn row_39_an_error_whose_reason_overruns_closes() {
    Arena::each(|mut arena| {
        for reason in [&b"\x09short"[..], b"\xFF", b""] {
            let mut peer = arena.peer();
            peer.send(&command("ERROR", reason));
            arena.thrown_out(peer, "malformed command");
            let mut stranger = arena.greeted();
            stranger.send(&command("ERROR", reason));
            arena.turned_away(stranger, "malformed handshake command");
        }
        let mut stranger = arena.greeted();
        stranger.send(&command("ERROR", b"\x03no!"));
        arena.turned_away(stranger, "refused by the peer: no!");
    });
}
