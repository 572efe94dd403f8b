//! Rows 47 to 50: peers that stop reading, fall silent, or leave in mid-sentence.

use std::time::Duration;

use ferromq::{DropCause, Error, Options};
use ferromq_tests::{LONG, MORE, Ours, RawPeer, Via};

use crate::arena::{Alive, Arena, Kind, NEIGHBOUR};

/// Bytes that may wait for a peer, and of a message that is sent to it.
const LIMIT: usize = 1 << 20;
const MESSAGE: usize = 64 << 10;
/// The most that a loopback connection's buffers hold, and more.
const ATTEMPTS: usize = 10_000;

/// What waits for the peers together.
fn queued(arena: &Arena) -> (usize, usize) {
    let peers = arena.ours.statistics().peers;
    let messages = peers.iter().map(|peer| peer.queued_messages).sum();
    (messages, peers.iter().map(|peer| peer.queued_bytes).sum())
}

/// Sends this to the deaf peer until it was dropped for this cause a few times.
fn overflow(arena: &mut Arena, message: &[&[u8]], cause: DropCause) {
    for attempt in 0.. {
        assert!(attempt < ATTEMPTS, "nothing is ever dropped");
        arena.ours.send(message).expect("nobody waits");
        if attempt % 16 == 0 {
            arena.serves();
        }
        if arena.ours.statistics().drops.of(cause) > 20 {
            return;
        }
    }
}

// In messages and in bytes. (A PULL sends nothing but PONGs: row 35.)
#[test]
fn row_47_queues_of_a_peer_that_does_not_read_end_at_messages_and_bytes() {
    let by_messages = || Options::new().send_high_water_mark(10);
    let by_bytes = || {
        let options = Options::new().send_high_water_mark(0);
        options.send_bytes_limit(LIMIT)
    };
    let body = vec![7; MESSAGE];
    for (options, most) in [(by_messages(), 10 * MESSAGE), (by_bytes(), LIMIT + MESSAGE)] {
        let mut arena = Arena::with(Kind::Pub, options.clone());
        let mut deaf = arena.peer();
        deaf.send_command("SUBSCRIBE", b"news");
        deaf.settle();
        overflow(&mut arena, &[b"news", &body], DropCause::SubscriberFull);
        let (_, bytes) = queued(&arena);
        assert!(bytes <= most + 1000, "{bytes} bytes wait");
        arena.serves();

        let mut arena = Arena::with(Kind::Router, options.clone());
        let deaf_too = RawPeer::identified(arena.ours.endpoint(), "DEALER", b"deaf");
        arena.ours.await_peer();
        overflow(&mut arena, &[b"deaf", &body], DropCause::PeerFull);
        let (_, bytes) = queued(&arena);
        assert!(bytes <= most + 1000, "{bytes} bytes wait");
        arena.serves();
        drop((deaf, deaf_too));

        let mut arena = Arena::with(Kind::Rep, options);
        let mut asking = arena.peer();
        for attempt in 0.. {
            assert!(attempt < ATTEMPTS, "all replies find room");
            asking.send_message(&[&b""[..], b"a question"]);
            assert_eq!(arena.ours.recv_parts(), [b"a question"]);
            arena.ours.send(&body[..]).expect("a reply");
            if attempt % 16 == 0 {
                arena.serves();
            }
            let (_, bytes) = queued(&arena);
            assert!(bytes <= most + 1000, "{bytes} bytes wait");
            if arena.ours.statistics().drops.total() > 20 {
                break;
            }
        }
        arena.serves();
    }
}

// Seen from here, a peer whose machine is gone is one that says nothing.
#[test]
fn row_48_heartbeats_end_a_connection_whose_peer_is_gone() {
    let mut arenas = Kind::ALL.map(|kind| {
        let options = Options::new().heartbeat(
            Duration::from_millis(500),
            Some(Duration::from_secs(3)),
            None,
        );
        let ours = Ours::bound(kind.socket_type(), options, Via::Tcp);
        let alive = RawPeer::identified(ours.endpoint(), kind.peer_type(), NEIGHBOUR);
        Arena::around(kind, ours, Alive(alive))
    });
    let mut gone = arenas.each_ref().map(|arena| {
        let peer = RawPeer::established(arena.ours.endpoint(), arena.kind.peer_type());
        arena.ours.await_peer();
        peer
    });
    while !gone[0].is_closed_within(Duration::from_millis(1)) {
        arenas.iter_mut().for_each(Arena::serves);
    }
    for (arena, mut gone) in arenas.iter_mut().zip(gone) {
        while !gone.is_closed_within(Duration::from_millis(1)) {
            arena.serves();
        }
        arena.disconnected("no sign of life");
    }
}

/// Ways to stop in the middle: what is sent before the end.
fn beginnings(arena: &Arena) -> Vec<Vec<u8>> {
    let envelope = [MORE, 0].repeat(arena.kind.envelope().len());
    let whole_frame = [&envelope[..], &[MORE, 5], b"first"].concat();
    let long = [&[LONG][..], &100_000_u64.to_be_bytes(), &[7; 50_000]].concat();
    vec![
        vec![0],
        [&envelope[..], &[0, 10], b"half"].concat(),
        whole_frame.clone(),
        [&whole_frame[..], &[MORE, 0, 0, 9], b"half"].concat(),
        [&envelope[..], &long].concat(),
        vec![LONG, 0, 0, 0],
        b"\x04\x09\x04PING".to_vec(),
    ]
}

/// Sends so many bytes of a message, and ends it.
fn breaks_off(arena: &mut Arena, end: impl Fn(RawPeer), cause: &str) {
    let received = |arena: &Arena| arena.ours.statistics().traffic.messages_received;
    for beginning in beginnings(arena) {
        let mut peer = arena.peer();
        let before = received(arena);
        peer.send(&beginning);
        arena.serves();
        end(peer);
        // What was begun is not what comes next, nor ever.
        arena.disconnected(cause);
        if arena.kind.receives() {
            assert_eq!(received(arena) - before, 3, "the neighbour's");
            assert!(matches!(arena.ours.try_recv(), Err(Error::WouldBlock)));
        }
    }
}

#[test]
fn row_49_a_reset_in_the_middle_of_a_frame_drops_the_partial_message() {
    Arena::each(|mut arena| breaks_off(&mut arena, RawPeer::reset, ""));
}

#[test]
fn row_50_a_fin_in_the_middle_of_a_multipart_delivers_nothing() {
    Arena::each(|mut arena| {
        breaks_off(&mut arena, drop, "closed");
        // It may go on listening: that changes nothing.
        let half_closed = |mut peer: RawPeer| {
            peer.finish_sending();
            peer.read_to_close();
        };
        breaks_off(&mut arena, half_closed, "closed");
    });
}
