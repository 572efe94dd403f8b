//! Rows 70 and 79: what is not what it was, and names that are chosen to be a
//! burden.

use std::hash::{DefaultHasher, Hasher};

use ferromq::Options;
use ferromq_tests::{COMMAND, Greeting, LONG, MORE, RawPeer, command_body};

use crate::arena::{Arena, Kind};
use crate::memory::alone;

/// What a peer that knows checksums says of itself.
const OFFER: &[u8] = b"\0\x01\0\0\0\0\0\x01\0\0\0\0\0\0\0\0";

/// What ours says: switching, and references behind it, as well.
const OURS: &[u8] = b"\0\x01\0\0\0\0\0\x07\0\0\0\0\0\0\0\0";

/// CRC-32 as in Ethernet, a bit at a time.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (0_u32.wrapping_sub(crc & 1)));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(!0, byte)
}

/// A frame with its trailer.
fn checked(flags: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u64).to_be_bytes();
    let mut frame = match u8::try_from(body.len()) {
        Ok(short) => vec![flags, short],
        Err(_) => [&[flags | LONG], &len[..]].concat(),
    };
    frame.extend_from_slice(body);
    let trailer = crc(&frame).to_le_bytes();
    frame.extend(trailer);
    frame
}

/// A peer with checksums in both directions.
fn checking(arena: &Arena) -> RawPeer {
    let mut peer = arena.stranger();
    let theirs = peer.handshake(
        Greeting::default(),
        arena.kind.peer_type(),
        &[("X-FerroMQ", OFFER)],
    );
    assert!(theirs.contains(&("X-FerroMQ".into(), OURS.to_vec())));
    arena.ours.await_peer();
    peer
}

#[test]
fn row_70_a_checksum_that_does_not_match_drops_the_link_and_delivers_nothing() {
    for kind in Kind::ALL {
        let mut arena = Arena::with(kind, Options::new().crc(true));
        for body in [&b""[..], b"short", &[7; 300], &[7; 100_000]] {
            let envelope: Vec<u8> = kind
                .envelope()
                .iter()
                .flat_map(|e| checked(MORE, e))
                .collect();
            let frame = checked(0, body);
            let mut peer = checking(&arena);
            peer.send(&[&envelope[..], &frame].concat());
            if kind.receives() {
                let received = arena.ours.recv_parts();
                assert_eq!(received.last().map(Vec::as_slice), Some(body));
                if kind == Kind::Rep {
                    arena.ours.send("a reply").expect("somebody asked");
                }
            }
            drop(peer);
            arena.disconnected("");
            // Each of them in another place: body, trailer, or header.
            for at in [frame.len() - 1, frame.len() - 4, frame.len() / 2] {
                let mut changed = frame.clone();
                changed[at] ^= if at < 2 { 0 } else { 0x20 };
                if changed == frame {
                    continue;
                }
                let mut peer = checking(&arena);
                peer.send(&[&envelope[..], &changed].concat());
                arena.thrown_out(peer, "computed");
            }
        }
        let mut ping = checked(COMMAND, &command_body("PING", b"\0\0"));
        *ping.last_mut().expect("a trailer") ^= 1;
        let mut peer = checking(&arena);
        peer.send(&ping);
        arena.thrown_out(peer, "computed");
    }
}

/// Names whose hashes agree in their low 16 bits for who has no secret: SipHash
/// with a zero key, as the tables of the socket would use without a seed.
fn colliding(count: usize) -> Vec<[u8; 8]> {
    let name = |number: u64| (number | 1 << 63).to_be_bytes();
    let unlucky = |name: &[u8; 8]| {
        let mut hasher = DefaultHasher::new();
        hasher.write(name);
        let hash = hasher.finish();
        ((hash >> 32) as u32 ^ hash as u32) & 0xFFFF == 0
    };
    (0..).map(name).filter(unlucky).take(count).collect()
}

// All are known by their names and none is in the way of the others. (That the
// seed scatters them is for the tables' own tests.)
#[test]
fn row_79_colliding_identities_and_topics_are_served_like_others() {
    const NAMES: usize = 200;
    alone(|| {
        let names = colliding(NAMES);
        let mut arena = Arena::new(Kind::Router);
        let mut peers: Vec<_> = names
            .iter()
            .map(|name| {
                let peer = RawPeer::identified(arena.ours.endpoint(), "DEALER", name);
                arena.ours.await_peer();
                arena.serves();
                peer
            })
            .collect();
        for (name, peer) in names.iter().zip(&mut peers) {
            arena.ours.send([&name[..], b"for you"]).expect("send");
            assert_eq!(peer.read_message(), [b"for you"]);
        }
        arena.serves();
        assert_eq!(arena.ours.statistics().connected(), NAMES + 1);

        let mut arena = Arena::new(Kind::Pub);
        let mut peer = arena.peer();
        for name in &names {
            peer.send_command("SUBSCRIBE", name);
        }
        arena.still_peers(&mut peer);
        for name in &names {
            arena.ours.send(&name[..]).expect("send");
            assert_eq!(peer.read_message(), [name]);
        }
        for name in &names {
            peer.send_command("CANCEL", name);
        }
        arena.still_peers(&mut peer);
    });
}
