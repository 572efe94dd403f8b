//! Row 78: peers that want a connection moved to a path that is not theirs. Whatever
//! they try, it stays where it is, or ends, and is counted.

use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use ferromq::{Context, EventKind, Options, SocketType, Switching};
use ferromq_tests::{Greeting, Ours, RawListener, RawPeer, Via};

use crate::local::as_another_user;

const OFFER: (&str, &[u8]) = ("X-FerroMQ", b"\0\x01\0\0\0\0\0\x04\0\0\0\0\0\0\0\0");
pub(super) const READY: u8 = 1;
pub(super) const GO: u8 = 2;
pub(super) const STAY: u8 = 3;
/// Reasons.
pub(super) const UNREACHABLE: u8 = 2;
pub(super) const WRONG_PROOF: u8 = 4;
pub(super) const TIMED_OUT: u8 = 5;
pub(super) const BROKEN: u8 = 6;

/// As long as a test may last: a busy machine must not decide what is tested.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What a peer says of itself in XFERRO.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Introduction {
    pub(super) host: Vec<u8>,
    /// Empty where no fabric is a way.
    pub(super) fabric: Vec<u8>,
    pub(super) label: Vec<u8>,
    pub(super) secret: Vec<u8>,
}

impl Introduction {
    /// One that shares the machine of `theirs`, and the fabric.
    pub(super) fn beside(theirs: &Self, fill: u8) -> Self {
        Self {
            host: theirs.host.clone(),
            fabric: theirs.fabric.clone(),
            label: vec![fill; 16],
            secret: vec![fill; 32],
        }
    }

    pub(super) fn data(&self) -> Vec<u8> {
        let purpose = if self.fabric.is_empty() { 4 } else { 12 };
        [
            &[0, 1, 0, 0, 0, 0, 0, purpose],
            &self.host[..],
            &self.label,
            &self.secret,
            &self.fabric,
        ]
        .concat()
    }

    pub(super) fn of(peer: &mut RawPeer) -> Self {
        let (name, data) = peer.read_command();
        let purpose = if data.len() == 72 { 4 } else { 12 };
        assert!(name == "XFERRO" && [72, 88].contains(&data.len()));
        assert_eq!(data[..8], [0, 1, 0, 0, 0, 0, 0, purpose]);
        Self {
            host: data[8..24].to_vec(),
            label: data[24..40].to_vec(),
            secret: data[40..72].to_vec(),
            fabric: data[72..].to_vec(),
        }
    }
}

/// The name of the place where both meet.
fn place(accepted: &Introduction, connected: &Introduction) -> String {
    let labels = accepted.label.iter().chain(&connected.label);
    labels.map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn says(peer: &mut RawPeer, step: u8, reason: u8) {
    peer.send_command("SWITCH", &[step, reason, 0, 0, 0, 0, 0, 0]);
}

/// Hears that it stays, for one of these reasons: what is met depends on the moment.
pub(super) fn hears_stay(peer: &mut RawPeer, reasons: &[u8]) {
    let (name, data) = peer.read_command();
    assert_eq!((&name[..], data[0]), ("SWITCH", STAY));
    assert!(reasons.contains(&data[1]), "{}", data[1]);
}

pub(super) fn hears(peer: &mut RawPeer, step: u8, reason: u8) {
    let wanted = ("SWITCH".into(), vec![step, reason, 0, 0, 0, 0, 0, 0]);
    assert_eq!(peer.read_command(), wanted);
}

fn ours(socket_type: SocketType, patience: Duration) -> Ours {
    within(socket_type, patience, PATIENCE)
}

fn within(socket_type: SocketType, patience: Duration, handshake: Duration) -> Ours {
    let switching = Switching::new(&["tcp", "ipc"], "shm").patience(patience);
    let context = Context::builder().switching(switching).build();
    // What else may be offered is not what is tested.
    let options = Options::new().by_reference(false);
    let options = options.handshake_timeout(handshake);
    Ours::within(context.expect("a context"), socket_type, options)
}

/// A PULL that is bound, and what it says to a PUSH that knows about switching.
struct Bound(Ours);

impl Bound {
    fn new() -> Self {
        let mut ours = ours(SocketType::Pull, PATIENCE);
        ours.bind_to("tcp://127.0.0.1:*");
        Self(ours)
    }

    /// A peer that has introduced itself as `who` makes of what it hears.
    fn peer(
        &self,
        who: impl FnOnce(&Introduction) -> Introduction,
    ) -> (RawPeer, Introduction, Introduction) {
        let mut peer = RawPeer::connect(self.0.endpoint());
        let theirs = peer.handshake(Greeting::default(), "PUSH", &[OFFER]);
        assert!(theirs.contains(&(OFFER.0.into(), OFFER.1.to_vec())));
        let theirs = Introduction::of(&mut peer);
        let ours = who(&theirs);
        peer.send_command("XFERRO", &ours.data());
        (peer, theirs, ours)
    }

    /// Stays on tcp, where everything is as it was.
    fn stays(&self, peer: &mut RawPeer, reason: u8, refusals: u64) {
        hears(peer, STAY, reason);
        says(peer, STAY, reason);
        peer.send_message(&["still", "here"]);
        assert_eq!(self.0.recv_parts(), [&b"still"[..], b"here"]);
        peer.settle();
        refused(&self.0, refusals);
    }
}

/// One more connection stayed where it was: told and counted.
pub(super) fn refused(ours: &Ours, count: u64) {
    let refused = |kind: &EventKind| matches!(kind, EventKind::SwitchRefused { .. });
    ours.await_event("a refusal", refused);
    let statistics = ours.statistics();
    assert_eq!(
        (statistics.switched, statistics.switches_refused),
        (0, count)
    );
    assert_eq!(statistics.violations, 0);
    assert!(statistics.peers.iter().all(|peer| peer.via.is_none()));
}

// All of the others would say little if this were refused as well.
#[test]
fn row_78_who_does_it_right_moves_and_leaves_the_old_connection_for_its_end() {
    let bound = Bound::new();
    for _ in 0..3 {
        let (mut peer, theirs, mine) = bound.peer(|theirs| Introduction::beside(theirs, 7));
        hears(&mut peer, READY, 0);
        let mut short = RawPeer::connect(&format!("shm://{}", place(&theirs, &mine)));
        short.send(&theirs.secret);
        assert_eq!(short.read_exact(32), mine.secret);
        hears(&mut peer, GO, 0);
        // Traffic right behind the proof, before anybody listens to it.
        short.send_message(&["first"]);
        says(&mut peer, GO, 0);
        assert_eq!(bound.0.recv_parts(), [b"first"]);
        short.settle();
        let switched = EventKind::Switched { path: "shm".into() };
        bound.0.await_event("a switch", |kind| *kind == switched);
        assert_eq!(bound.0.statistics().peers[0].via, Some("shm"));
        short.send_message(&["last"]);
        // The end of the old connection is the end of both.
        drop(peer);
        assert_eq!(bound.0.recv_parts(), [b"last"]);
        let _ = bound.0.await_disconnect();
        assert_eq!(short.read_to_close(), b"");
    }
    assert_eq!(bound.0.statistics().switched, 3);
}

#[test]
fn row_78_a_wrong_proof_at_the_place_stays_on_tcp() {
    let bound = Bound::new();
    for count in 1..=4 {
        let (mut peer, theirs, mine) = bound.peer(|theirs| Introduction::beside(theirs, 7));
        hears(&mut peer, READY, 0);
        let mut short = RawPeer::connect(&format!("shm://{}", place(&theirs, &mine)));
        let mut proof = theirs.secret;
        proof[8 * count as usize - 1] ^= 0x80;
        short.send(&proof);
        bound.stays(&mut peer, WRONG_PROOF, count);
        assert_eq!(short.read_to_close(), b"", "not a byte of ours");
    }
}

#[test]
fn row_78_a_replayed_secret_stays_on_tcp() {
    let bound = Bound::new();
    let (mut peer, first, mine) = bound.peer(|theirs| Introduction::beside(theirs, 7));
    hears(&mut peer, READY, 0);
    drop(RawPeer::connect(&format!("shm://{}", place(&first, &mine))));
    bound.stays(&mut peer, BROKEN, 1);
    drop(peer);
    // All that was said on the first connection, once more.
    let (mut peer, theirs, _) = bound.peer(|_| mine.clone());
    assert_ne!(
        (&theirs.label, &theirs.secret),
        (&first.label, &first.secret)
    );
    hears(&mut peer, READY, 0);
    let mut short = RawPeer::connect(&format!("shm://{}", place(&theirs, &mine)));
    short.send(&first.secret);
    bound.stays(&mut peer, WRONG_PROOF, 2);
}

#[test]
fn row_78_who_says_what_we_say_stays_on_tcp() {
    let bound = Bound::new();
    let (mut peer, ..) = bound.peer(Introduction::clone);
    bound.stays(&mut peer, WRONG_PROOF, 1);
}

#[test]
fn row_78_another_user_at_the_place_is_turned_away() {
    let bound = Bound::new();
    let (mut peer, theirs, mine) = bound.peer(|theirs| Introduction::beside(theirs, 7));
    hears(&mut peer, READY, 0);
    let place = format!("ferromq-shm/{}", place(&theirs, &mine));
    let address = SocketAddr::from_abstract_name(&place).expect("a name");
    let stranger = as_another_user(|| std::os::unix::net::UnixStream::connect_addr(&address));
    let Some(stranger) = stranger else {
        return println!("skipped: only a superuser becomes somebody else");
    };
    // It is passed over, and the peer still waited for.
    let stranger = stranger.expect("the place is there");
    let mut short = RawPeer::connect(&format!(
        "shm://{}",
        place.trim_start_matches("ferromq-shm/")
    ));
    short.send(&theirs.secret);
    assert_eq!(short.read_exact(32), mine.secret);
    hears(&mut peer, GO, 0);
    says(&mut peer, STAY, 0);
    peer.send_message(&["on tcp"]);
    assert_eq!(bound.0.recv_parts(), [b"on tcp"]);
    refused(&bound.0, 1);
    drop(stranger);
}

#[test]
fn row_78_who_is_elsewhere_or_cannot_is_not_waited_for() {
    let bound = Bound::new();
    for host in [[0; 16], [9; 16]] {
        let (mut peer, ..) = bound.peer(|theirs| Introduction {
            host: host.to_vec(),
            ..Introduction::beside(theirs, 7)
        });
        peer.send_message(&["at once"]);
        assert_eq!(bound.0.recv_parts(), [b"at once"]);
    }
    assert_eq!(bound.0.statistics().switches_refused, 0);
}

#[test]
fn row_78_words_out_of_turn_end_the_connection() {
    let bound = Bound::new();
    let tries: [fn(&mut RawPeer); 4] = [
        |peer| says(peer, GO, 0),
        |peer| says(peer, READY, 0),
        |peer| peer.send_message(&["traffic", "too soon"]),
        |peer| peer.send_command("XFERRO", &[0; 72]),
    ];
    for (failures, words) in (1..).zip(tries) {
        let (mut peer, ..) = bound.peer(|theirs| Introduction::beside(theirs, 7));
        hears(&mut peer, READY, 0);
        words(&mut peer);
        assert_eq!(peer.read_to_close(), b"");
        let _ = bound.0.await_handshake_failure();
        assert_eq!(bound.0.statistics().handshakes_failed, failures);
    }
    assert!(bound.0.try_recv().is_err(), "nothing of it is delivered");
}

// It cannot know whether the peer has gone: the connection ends instead.
#[test]
fn row_78_who_withholds_the_last_word_is_not_waited_for_longer_than_a_handshake() {
    let patience = Duration::from_secs(1);
    let mut ours = within(SocketType::Pull, patience, patience);
    ours.bind_to("tcp://127.0.0.1:*");
    let bound = Bound(ours);
    let (mut peer, theirs, mine) = bound.peer(|theirs| Introduction::beside(theirs, 7));
    hears(&mut peer, READY, 0);
    let mut short = RawPeer::connect(&format!("shm://{}", place(&theirs, &mine)));
    short.send(&theirs.secret);
    assert_eq!(short.read_exact(32), mine.secret);
    hears(&mut peer, GO, 0);
    assert_eq!(peer.read_to_close(), b"", "nothing else is said");
    let cause = bound.0.await_handshake_failure();
    assert!(cause.contains("timed out"), "{cause}");
    let statistics = bound.0.statistics();
    assert_eq!((statistics.switched, statistics.handshakes_failed), (0, 1));
}

/// A PUSH that has messages to send and meets somebody who takes its part.
fn meets(patience: Duration) -> (Ours, RawListener, RawPeer, Introduction, Introduction) {
    let listener = RawListener::bind(Via::Tcp);
    let ours = ours(SocketType::Push, patience);
    ours.connect(listener.endpoint()).expect("connect");
    for number in 0..100_u8 {
        ours.send(&[number][..]).expect("it waits");
    }
    let mut peer = listener.accept();
    peer.handshake(Greeting::default(), "PULL", &[OFFER]);
    let theirs = Introduction::of(&mut peer);
    let mine = Introduction::beside(&theirs, 7);
    peer.send_command("XFERRO", &mine.data());
    (ours, listener, peer, theirs, mine)
}

/// All that waited comes over tcp, once and in order.
fn receives_all(ours: &Ours, mut peer: RawPeer) {
    says(&mut peer, STAY, 0);
    for number in 0..100_u8 {
        assert_eq!(peer.read_message(), [[number]]);
    }
    ours.send("more").expect("a peer is there");
    assert_eq!(peer.read_message(), [b"more"]);
    refused(ours, 1);
}

#[test]
fn row_78_a_place_where_nobody_is_stays_on_tcp() {
    let (ours, _listener, mut peer, ..) = meets(PATIENCE);
    says(&mut peer, READY, 0);
    hears(&mut peer, STAY, UNREACHABLE);
    receives_all(&ours, peer);
}

#[test]
fn row_78_a_place_that_is_anothers_stays_on_tcp() {
    // Who listens there says nothing, or something else, or closes.
    for answer in [None, Some(&[7_u8; 64][..]), Some(&[])] {
        let patience = match answer {
            None => Duration::from_millis(50),
            Some(_) => PATIENCE,
        };
        let (ours, _listener, mut peer, theirs, mine) = meets(patience);
        let name = format!("ferromq-shm/{}", place(&mine, &theirs));
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        let another = UnixListener::bind_addr(&address).expect("nobody is there");
        says(&mut peer, READY, 0);
        let mut met = None;
        match answer {
            // Nobody has to come to the door of one who says nothing.
            None => hears(&mut peer, STAY, TIMED_OUT),
            Some(answer) => {
                let (mut stream, _) = another.accept().expect("it comes");
                stream.write_all(answer).expect("it listens");
                met = Some(stream).filter(|_| !answer.is_empty());
                // Who closes may do so before all of ours was said.
                hears_stay(&mut peer, &[BROKEN, UNREACHABLE]);
            }
        }
        receives_all(&ours, peer);
        drop(met);
    }
}

#[test]
fn row_78_who_goes_without_having_been_there_ends_the_wait_not_the_connection() {
    let (ours, _listener, mut peer, ..) = meets(PATIENCE);
    says(&mut peer, READY, 0);
    hears(&mut peer, STAY, UNREACHABLE);
    // Too late: it stays.
    says(&mut peer, GO, 0);
    for number in 0..100_u8 {
        assert_eq!(peer.read_message(), [[number]]);
    }
    refused(&ours, 1);
}

#[test]
fn row_78_who_hangs_up_undecided_is_asked_without_it() {
    let (ours, listener, peer, ..) = meets(PATIENCE);
    drop(peer);
    let _ = ours.await_handshake_failure();
    let mut peer = listener.accept();
    let offers = peer.handshake(Greeting::default(), "PULL", &[OFFER]);
    assert!(!offers.contains(&(OFFER.0.into(), OFFER.1.to_vec())));
    for number in 0..100_u8 {
        assert_eq!(peer.read_message(), [[number]]);
    }
}
