//! Rows 67, 68, 74 to 76 over `rdma://`: memory of ours that a peer's device reads, and
//! the peer's that ours is to read.

use std::io;
use std::sync::Arc;

use ferromq::{Context, Error, EventKind, Options, SocketType};
use ferromq_tests::{Greeting, Ours, RawPeer, parts_of, until};
use ferromq_transport::{Bytes, LinkOptions, Place, Transport};
use ferromq_transport_rdma::Rdma;

use crate::devices::Devices;

/// What a peer that knows references says of itself.
const OFFER: &[u8] = b"\0\x01\0\0\0\0\0\x02\0\0\0\0\0\0\0\0";
const BY_REFERENCE: u8 = 8;
const LONG: usize = 100_000;

/// A socket of ours, and devices for its peers.
struct Scene {
    ours: Ours,
    theirs: Rdma,
    devices: Devices,
}

impl Scene {
    fn new(socket_type: SocketType, options: Options) -> Self {
        let devices = Devices::new();
        let context = Context::builder()
            .transport(devices.listening().build())
            .build();
        let mut ours = Ours::within(context.expect("a context"), socket_type, options);
        ours.bind_to(&devices.place());
        Self {
            ours,
            theirs: devices.connecting().build(),
            devices,
        }
    }

    /// A peer that has shaken hands.
    fn peer(&self, socket_type: &str) -> RawPeer {
        Self::come(&self.ours, &self.theirs, socket_type)
    }

    fn come(ours: &Ours, theirs: &Rdma, socket_type: &str) -> RawPeer {
        let endpoint = ours.endpoint().parse().expect("an endpoint");
        let route = theirs.resolve(&endpoint).expect("an address");
        let mut options = LinkOptions::default();
        // More than a peer has room for.
        options.send_buffer = Some(2 << 20);
        let connecting = theirs.connect(&route, &options);
        let mut connecting = connecting.expect("a device");
        let link = until("a connection", || {
            connecting.poll_connected().expect("somebody listens")
        });
        let mut peer = RawPeer::over(link);
        let told = peer.handshake(Greeting::default(), socket_type, &[("X-FerroMQ", OFFER)]);
        assert!(told.contains(&("X-FerroMQ".into(), OFFER.to_vec())));
        peer
    }

    /// A subscriber to everything.
    fn subscriber(&self) -> RawPeer {
        let mut peer = self.peer("SUB");
        peer.send_command("SUBSCRIBE", b"");
        peer.settle();
        peer
    }

    fn await_end(&self, cause: &str) {
        let ended = |kind: &EventKind| matches!(kind, EventKind::Disconnected { cause: it } if it.contains(cause));
        self.ours.await_event(cause, ended);
    }
}

/// What a reference says: the place, the length and the token.
fn reference(peer: &mut RawPeer) -> (Place, u64, [u8; 8]) {
    let frame = peer.read_frame();
    assert_eq!((frame.flags, frame.body.len()), (BY_REFERENCE, 64));
    let number = |at: usize| -> [u8; 8] { frame.body[at..at + 8].try_into().expect("8 bytes") };
    let [region, offset, len, key] = [0, 8, 16, 24].map(|at| u64::from_be_bytes(number(at)));
    let place = Place {
        region,
        offset,
        key,
    };
    (place, len, number(32))
}

/// Reads what a place of ours holds, with a peer's device.
fn fetch(peer: &mut RawPeer, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>> {
    until("an answer", || {
        let memory = peer.link().memory().expect("it stands");
        match memory.import(place, len) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            other => Some(other),
        }
    })
}

fn assert_refused(peer: &mut RawPeer, place: Place, len: u64) {
    let refused = fetch(peer, place, len).err().expect("it is not for him");
    assert!(refused.to_string().contains("refuses access"), "{refused}");
}

#[test]
fn row_67_a_key_opens_nothing_to_another_peer_nor_more_than_its_payload() {
    let scene = Scene::new(SocketType::Pub, Options::new());
    let (mut honest, mut thief) = (scene.subscriber(), scene.subscriber());
    scene
        .ours
        .send([vec![7_u8; LONG]])
        .expect("a PUB never waits");
    let (place, len, _) = reference(&mut honest);
    let (own, _, _) = reference(&mut thief);
    assert_ne!(place.key, own.key);
    assert_refused(&mut thief, place, len);
    let mut greedy = scene.subscriber();
    scene
        .ours
        .send([vec![8_u8; LONG]])
        .expect("a PUB never waits");
    let (place_of_greedy, ..) = reference(&mut greedy);
    assert_refused(&mut greedy, place_of_greedy, len + 1);
    let before = Place {
        offset: place.offset.wrapping_sub(1),
        ..place
    };
    // What is his, he has.
    let bytes = fetch(&mut honest, place, len).expect("his own");
    assert!((*bytes).as_ref() == [7; LONG]);
    assert_refused(&mut honest, before, len);
}

#[test]
fn row_68_a_key_ends_with_its_payload_and_with_its_connection() {
    let scene = Scene::new(SocketType::Pub, Options::new());
    let mut peer = scene.subscriber();
    scene
        .ours
        .send([vec![7_u8; LONG]])
        .expect("a PUB never waits");
    let (old, len, _) = reference(&mut peer);
    drop(peer);
    until("it is gone", || {
        (scene.ours.statistics().connected() == 0).then_some(())
    });
    let mut again = scene.subscriber();
    assert_refused(&mut again, old, len);
    // Given back, and told of anew in the same memory.
    let mut peer = scene.subscriber();
    scene
        .ours
        .send([vec![8_u8; LONG]])
        .expect("a PUB never waits");
    let (first, len, token) = reference(&mut peer);
    peer.send_command("RELEASE", &token);
    peer.settle();
    scene
        .ours
        .send([vec![9_u8; LONG]])
        .expect("a PUB never waits");
    let (second, ..) = reference(&mut peer);
    let bytes = fetch(&mut peer, second, len).expect("it is out");
    assert!((*bytes).as_ref() == [9; LONG]);
    assert_refused(&mut peer, first, len);
}

#[test]
fn row_74_a_place_that_no_device_has_ends_the_connection() {
    let scene = Scene::new(SocketType::Pull, Options::new());
    let mut honest = scene.peer("PUSH");
    let cases: [([u64; 4], &str); 4] = [
        ([1, 0, 100, 77], "refuses access"),
        ([1, u64::MAX, 100, 77], "refuses access"),
        ([1, 0, 100, 1 << 32], "which no device has"),
        ([1, 0, 1 << 40, 77], "exceeds the limit"),
    ];
    for (numbers, cause) in cases {
        let mut peer = scene.peer("PUSH");
        let mut body: Vec<u8> = numbers.iter().flat_map(|it| it.to_be_bytes()).collect();
        body.resize(64, 0);
        peer.send_frame(BY_REFERENCE, &body);
        // What comes behind it is not read before.
        peer.send_frame(0, b"behind");
        honest.send_frame(0, b"honest");
        assert_eq!(scene.ours.recv_parts(), [b"honest"]);
        scene.await_end(cause);
    }
}

#[test]
fn row_75_a_token_that_is_not_out_ends_the_connection_over_rdma() {
    let scene = Scene::new(SocketType::Pub, Options::new());
    let mut peer = scene.subscriber();
    scene
        .ours
        .send([vec![7_u8; LONG]])
        .expect("a PUB never waits");
    let (_, _, token) = reference(&mut peer);
    peer.send_command("RELEASE", &token);
    peer.settle();
    peer.send_command("RELEASE", &token);
    scene.await_end("which is not out");
}

#[test]
fn row_76_a_peer_that_gives_nothing_back_is_a_full_peer_over_rdma() {
    let scene = Scene::new(SocketType::Push, Options::new().send_bytes_limit(3 * LONG));
    let mut peer = scene.peer("PULL");
    scene.ours.await_peer();
    let mut tokens = Vec::new();
    while scene.ours.try_send(vec![1; LONG]).is_ok() {
        tokens.push(reference(&mut peer).2);
    }
    assert_eq!(tokens.len(), 3);
    let keeps = |kind: &EventKind| matches!(kind, EventKind::Keeps { payloads: 3, .. });
    scene.ours.await_event("that it keeps them", keeps);
    for token in &tokens[..2] {
        peer.send_command("RELEASE", token);
    }
    until("there is room", || scene.ours.try_send("short").ok());
    let refused = until("it is full again", || {
        scene.ours.try_send(vec![1; LONG]).err()
    });
    assert!(matches!(refused.error, Error::WouldBlock), "{refused}");
}

// Its own device fails it when there is no receive; ours counts what it was granted.
#[test]
fn row_69_who_sends_more_than_he_was_granted_ends_his_own_connection() {
    const PIECE: usize = 8000;
    const PIECES: usize = 100;
    let scene = Scene::new(SocketType::Pull, Options::new().receive_high_water_mark(1));
    let mut honest = scene.peer("PUSH");
    let presuming = scene
        .devices
        .connecting()
        .presuming(2 * PIECES as u16)
        .build();
    let mut peer = Scene::come(&scene.ours, &presuming, "PUSH");
    // While nobody takes anything, so that nothing is granted anew.
    let messages: Vec<_> = (0..PIECES)
        .map(|number| vec![number as u8; PIECE])
        .collect();
    let stream: Vec<u8> = messages
        .iter()
        .flat_map(|body| {
            let len = (body.len() as u64).to_be_bytes();
            [&[2][..], &len, body].concat()
        })
        .collect();
    let written = peer.link().write(&stream).expect("it presumes");
    assert!(written > PIECE * PIECES / 2);
    until("its device gives up", || match peer.link().read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        _ => Some(()),
    });
    let mut taken = 0;
    until("its end", || {
        while let Ok(message) = scene.ours.try_recv() {
            // Whole, in order, and no more than came.
            assert_eq!(parts_of(&message), [&messages[taken][..]]);
            taken += 1;
        }
        (scene.ours.statistics().connected() == 1).then_some(())
    });
    assert!(taken < PIECES, "{taken} of it had room");
    honest.send_frame(0, b"honest");
    assert_eq!(scene.ours.recv_parts(), [b"honest"]);
}
