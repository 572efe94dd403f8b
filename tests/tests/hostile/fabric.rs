//! Row 78 on a fabric: peers that want a connection moved to a place that is not theirs, or
//! that lie about theirs. Whatever they try, it stays where it is, or ends, and is counted.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use ferromq::{Context, EventKind, Fabric, Options, SocketType, Switching};
use ferromq_tests::{Greeting, Ours, RawListener, RawPeer, Via, until};
use ferromq_transport::{Endpoint, LinkOptions, Listener, Transport};
use ferromq_transport_rdma::{Fabric as Devices, Rdma};

use crate::switching::{
    BROKEN, GO, Introduction, PATIENCE, READY, STAY, TIMED_OUT, UNREACHABLE, WRONG_PROOF, hears,
    hears_stay, refused, says,
};

const OFFER: (&str, &[u8]) = ("X-FerroMQ", b"\0\x01\0\0\0\0\0\x0C\0\0\0\0\0\0\0\0");
const NO_PLACE: u8 = 1;

/// A socket of ours that asks for the fabric, and devices for its peers.
struct Scene {
    ours: Ours,
    devices: Devices,
    theirs: Rdma,
}

impl Scene {
    fn new(socket_type: SocketType, patience: Duration) -> Self {
        let devices = Devices::new().expect("a fabric");
        let context = Context::builder()
            .transport(Rdma::over(&devices).build())
            .switching(Switching::over_fabric(&["tcp"], "rdma").patience(patience))
            .fabric(Fabric::Preferred)
            .build();
        // What else may be offered is not what is tested.
        let options = Options::new().by_reference(false);
        let options = options.handshake_timeout(PATIENCE);
        Self {
            ours: Ours::within(context.expect("a context"), socket_type, options),
            theirs: Rdma::over(&devices).build(),
            devices,
        }
    }

    /// A PULL that is bound.
    fn bound() -> Self {
        let mut scene = Self::new(SocketType::Pull, PATIENCE);
        scene.ours.bind_to("tcp://127.0.0.1:*");
        scene
    }

    /// A PUSH peer that has introduced itself; what both said.
    fn peer(&self) -> (RawPeer, Introduction, Introduction) {
        let mut peer = RawPeer::connect(self.ours.endpoint());
        let told = peer.handshake(Greeting::default(), "PUSH", &[OFFER]);
        assert!(told.contains(&(OFFER.0.into(), OFFER.1.to_vec())));
        let theirs = Introduction::of(&mut peer);
        assert_eq!((&theirs.host[..], theirs.fabric.len()), (&[0; 16][..], 16));
        let mine = Introduction::beside(&theirs, 7);
        peer.send_command("XFERRO", &mine.data());
        (peer, theirs, mine)
    }

    /// One side of a link to where ours waits.
    fn reach(&self, at: SocketAddr) -> RawPeer {
        self.try_to_reach(at).expect("somebody listens")
    }

    /// `None`: nobody waits there any more.
    fn try_to_reach(&self, at: SocketAddr) -> Option<RawPeer> {
        let endpoint: Endpoint = format!("rdma://{at}").parse().expect("an endpoint");
        let route = self.theirs.resolve(&endpoint).expect("an address");
        let connecting = self.theirs.connect(&route, &LinkOptions::default());
        let mut connecting = connecting.expect("a device");
        let link = until("an answer", || connecting.poll_connected().transpose());
        link.ok().map(RawPeer::over)
    }

    /// A PUSH of ours with messages to send, that has met somebody who takes its part.
    fn meets(patience: Duration) -> (Self, RawListener, RawPeer, Introduction) {
        let scene = Self::new(SocketType::Push, patience);
        let listener = RawListener::bind(Via::Tcp);
        scene.ours.connect(listener.endpoint()).expect("connect");
        for number in 0..100_u8 {
            scene.ours.send(&[number][..]).expect("it waits");
        }
        let mut peer = listener.accept();
        peer.handshake(Greeting::default(), "PULL", &[OFFER]);
        let theirs = Introduction::of(&mut peer);
        let mine = Introduction::beside(&theirs, 7);
        peer.send_command("XFERRO", &mine.data());
        (scene, listener, peer, theirs)
    }

    /// A place of the peer's own devices.
    fn listen(&self) -> (Box<dyn Listener>, SocketAddr) {
        let endpoint: Endpoint = "rdma://127.0.0.1:*".parse().expect("an endpoint");
        let listener = self.theirs.bind(&endpoint, &LinkOptions::default());
        let listener = listener.expect("a device");
        let at = listener.local_endpoint().to_string();
        let at = at
            .trim_start_matches("rdma://")
            .parse()
            .expect("an address");
        (listener, at)
    }

    /// Stays on tcp, where everything is as it was.
    fn stays(&self, peer: &mut RawPeer, reasons: &[u8], refusals: u64) {
        hears_stay(peer, reasons);
        says(peer, STAY, 0);
        peer.send_message(&["still", "here"]);
        assert_eq!(self.ours.recv_parts(), [&b"still"[..], b"here"]);
        peer.settle();
        refused(&self.ours, refusals);
    }
}

/// Says where one waits.
fn waits_at(peer: &mut RawPeer, at: SocketAddr) {
    let address = match at {
        SocketAddr::V4(at) => at.ip().to_ipv6_mapped(),
        SocketAddr::V6(at) => *at.ip(),
    };
    let [high, low] = at.port().to_be_bytes();
    let head = [READY, 0, high, low, 0, 0, 0, 0];
    peer.send_command("SWITCH", &[&head[..], &address.octets()].concat());
}

/// Hears where ours waits.
fn hears_place(peer: &mut RawPeer) -> SocketAddr {
    let (name, data) = peer.read_command();
    assert_eq!((&name[..], data.len(), data[0]), ("SWITCH", 24, READY));
    let port = u16::from_be_bytes([data[2], data[3]]);
    let address: [u8; 16] = data[8..].try_into().expect("16 bytes");
    SocketAddr::new(Ipv6Addr::from(address).to_canonical(), port)
}

/// All that waited comes over tcp, once and in order.
fn receives_all(scene: &Scene, mut peer: RawPeer) {
    says(&mut peer, STAY, 0);
    for number in 0..100_u8 {
        assert_eq!(peer.read_message(), [[number]]);
    }
    scene.ours.send("more").expect("a peer is there");
    assert_eq!(peer.read_message(), [b"more"]);
    refused(&scene.ours, 1);
}

// All of the others would say little if this were refused as well.
#[test]
fn row_78_who_does_it_right_moves_to_the_fabric() {
    let scene = Scene::bound();
    for _ in 0..3 {
        let (mut peer, theirs, mine) = scene.peer();
        let mut short = scene.reach(hears_place(&mut peer));
        short.send(&theirs.secret);
        assert_eq!(short.read_exact(32), mine.secret);
        hears(&mut peer, GO, 0);
        // Traffic right behind the proof, before anybody listens to it.
        short.send_message(&["first"]);
        says(&mut peer, GO, 0);
        assert_eq!(scene.ours.recv_parts(), [b"first"]);
        short.settle();
        let switched = EventKind::Switched {
            path: "rdma".into(),
        };
        scene.ours.await_event("a switch", |kind| *kind == switched);
        short.send_message(&["last"]);
        short.settle();
        // The end of the old connection is the end of both.
        drop(peer);
        assert_eq!(scene.ours.recv_parts(), [b"last"]);
        let _ = scene.ours.await_disconnect();
        assert_eq!(short.read_to_close(), b"");
    }
    assert_eq!(scene.ours.statistics().switched, 3);
}

#[test]
fn row_78_a_wrong_proof_on_the_fabric_stays_on_tcp() {
    let scene = Scene::bound();
    for count in 1..=4 {
        let (mut peer, theirs, _) = scene.peer();
        let mut short = scene.reach(hears_place(&mut peer));
        let mut proof = theirs.secret;
        proof[8 * count as usize - 1] ^= 0x80;
        short.send(&proof);
        scene.stays(&mut peer, &[WRONG_PROOF], count);
        assert_eq!(short.read_to_close(), b"", "not a byte of ours");
    }
}

#[test]
fn row_78_a_stranger_who_comes_first_gets_nothing_but_the_move_in_its_way() {
    let scene = Scene::bound();
    let (mut peer, ..) = scene.peer();
    let mut stranger = scene.reach(hears_place(&mut peer));
    stranger.send(&[9; 64]);
    scene.stays(&mut peer, &[WRONG_PROOF], 1);
    assert_eq!(stranger.read_to_close(), b"");
    let (mut peer, ..) = scene.peer();
    drop(scene.reach(hears_place(&mut peer)));
    scene.stays(&mut peer, &[BROKEN], 2);
}

#[test]
fn row_78_who_comes_to_the_fabric_and_says_nothing_is_not_waited_for() {
    let mut scene = Scene::new(SocketType::Pull, Duration::from_millis(200));
    scene.ours.bind_to("tcp://127.0.0.1:*");
    // Nobody, and then nobody who speaks.
    let (mut peer, ..) = scene.peer();
    let _ = hears_place(&mut peer);
    scene.stays(&mut peer, &[TIMED_OUT], 1);
    let (mut peer, ..) = scene.peer();
    let silent = scene.try_to_reach(hears_place(&mut peer));
    scene.stays(&mut peer, &[TIMED_OUT], 2);
    drop(silent);
}

#[test]
fn row_78_addresses_where_nobody_can_wait_stay_on_tcp() {
    for at in [
        "0.0.0.0:7",
        "[::]:7",
        "224.0.0.1:7",
        "[ff02::1]:7",
        "127.0.0.1:0",
    ] {
        let (scene, _listener, mut peer, _) = Scene::meets(PATIENCE);
        waits_at(&mut peer, at.parse().expect("an address"));
        hears(&mut peer, STAY, NO_PLACE);
        receives_all(&scene, peer);
    }
}

#[test]
fn row_78_addresses_where_nobody_waits_stay_on_tcp() {
    // Not of the fabric; of the fabric, where nobody listens.
    for at in ["192.0.2.1:7", "[2001:db8::1]:7", "127.0.0.1:7"] {
        let (scene, _listener, mut peer, _) = Scene::meets(PATIENCE);
        waits_at(&mut peer, at.parse().expect("an address"));
        hears(&mut peer, STAY, UNREACHABLE);
        receives_all(&scene, peer);
    }
}

#[test]
fn row_78_somebody_elses_place_on_the_fabric_stays_on_tcp() {
    // Who listens there says nothing, or something else, or closes.
    for answer in [None, Some(&[7_u8; 64][..]), Some(&[])] {
        let patience = match answer {
            None => Duration::from_millis(50),
            Some(_) => PATIENCE,
        };
        let (scene, _listener, mut peer, theirs) = Scene::meets(patience);
        let (mut another, at) = scene.listen();
        waits_at(&mut peer, at);
        let mut met = None;
        match answer {
            None => hears(&mut peer, STAY, TIMED_OUT),
            Some(answer) => {
                let link = until("it comes", || another.accept().expect("a device"));
                let mut link = RawPeer::over(link);
                // All that it learns is what the peer knows already.
                assert_eq!(link.read_exact(32), Introduction::beside(&theirs, 7).secret);
                link.send(answer);
                met = Some(link).filter(|_| !answer.is_empty());
                hears_stay(&mut peer, &[WRONG_PROOF, BROKEN, UNREACHABLE]);
            }
        }
        receives_all(&scene, peer);
        drop(met);
    }
}

#[test]
fn row_78_words_of_a_machine_where_a_fabric_was_agreed_on_end_the_connection() {
    let tries: [fn(&mut RawPeer); 4] = [
        |peer| says(peer, READY, 0),
        |peer| peer.send_command("SWITCH", &[GO; 24]),
        |peer| peer.send_command("SWITCH", &[READY; 23]),
        |peer| peer.send_command("XFERRO", &[0; 88]),
    ];
    for words in tries {
        let (scene, _listener, mut peer, _) = Scene::meets(PATIENCE);
        words(&mut peer);
        assert_eq!(peer.read_to_close(), b"");
        let _ = scene.ours.await_handshake_failure();
    }
    // XFERRO without the fabric's part.
    let scene = Scene::bound();
    let mut peer = RawPeer::connect(scene.ours.endpoint());
    peer.handshake(Greeting::default(), "PUSH", &[OFFER]);
    let mut mine = Introduction::of(&mut peer);
    mine.fabric.clear();
    peer.send_command("XFERRO", &mine.data());
    assert_eq!(peer.read_to_close(), b"");
    let _ = scene.ours.await_handshake_failure();
}

#[test]
fn row_78_a_peer_that_dies_on_the_fabric_ends_its_own_connection_only() {
    let scene = Scene::bound();
    let (mut peer, theirs, mine) = scene.peer();
    let mut short = scene.reach(hears_place(&mut peer));
    short.send(&theirs.secret);
    assert_eq!(short.read_exact(32), mine.secret);
    hears(&mut peer, GO, 0);
    says(&mut peer, GO, 0);
    short.send_message(&["before"]);
    assert_eq!(scene.ours.recv_parts(), [b"before"]);
    scene.devices.kill_accepted();
    let _ = scene.ours.await_disconnect();
    assert_eq!(peer.read_to_close(), b"", "the old connection ends with it");
    let (mut peer, ..) = scene.peer();
    let _ = hears_place(&mut peer);
    says(&mut peer, STAY, 0);
    hears_stay(&mut peer, &[0]);
    peer.send_message(&["after"]);
    assert_eq!(scene.ours.recv_parts(), [b"after"]);
}
