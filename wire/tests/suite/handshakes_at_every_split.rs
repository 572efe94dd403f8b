//! Two connections shake hands, whatever the pieces in which bytes arrive.

use crate::common::*;
use ferromq_wire::*;

fn plain_client() -> Security {
    Security::PlainClient(PlainClient::new(b"admin", b"secret").unwrap())
}

fn plain_server() -> Security {
    Security::PlainServer(PlainServer::new())
}

fn dealer() -> Config<'static> {
    Config {
        identity: b"worker-7",
        properties: &[("X-Region", b"south")],
        offer: Some(Offer::new(Features::CRC | Features::SWITCH)),
        ..Config::new(SocketType::Dealer)
    }
}

fn router() -> Config<'static> {
    Config {
        offer: Some(Offer::new(Features::CRC)),
        ..Config::new(SocketType::Router)
    }
}

fn assert_both_know_each_other<A: Mechanism, B: Mechanism>(a: &Side<A>, b: &Side<B>) {
    assert_eq!(a.status(), Status::Established);
    assert_eq!(b.status(), Status::Established);
    assert_eq!(a.connection.peer().socket_type, Some(SocketType::Router));
    assert_eq!(b.connection.peer().socket_type, Some(SocketType::Dealer));
    assert_eq!(b.connection.peer().version, Version::ZMTP_3_1);
    assert_eq!((a.identity(), b.identity()), (&b""[..], &b"worker-7"[..]));
    assert_eq!(b.property("x-region"), Some(&b"south"[..]));
    assert_eq!(b.property("x-colour"), None);
    assert_eq!(a.connection.features(), Features::CRC);
    assert_eq!(b.connection.features(), Features::CRC);
    assert_eq!(a.connection.poll_timeout(), None);
}

#[test]
fn null_in_pieces_of_any_size() {
    // A2, C23
    for size in 1..=220 {
        let mut a: Side = Side::new(&dealer(), Security::Null(Null));
        let mut b: Side = Side::new(&router(), Security::Null(Null));
        shake_hands(&mut a, &mut b, &mut Pieces(size)).unwrap();
        assert_both_know_each_other(&a, &b);
    }
}

#[test]
fn plain_in_pieces_of_any_size_and_either_side_first() {
    // D33
    for size in 1..=220 {
        let mut a = Side::new(&dealer(), plain_client());
        let mut b = Side::new(&router(), plain_server());
        shake_hands(&mut a, &mut b, &mut Pieces(size)).unwrap();
        assert_both_know_each_other(&a, &b);
        let mut a = Side::new(&dealer(), plain_server());
        let mut b = Side::new(&router(), plain_client());
        shake_hands(&mut a, &mut b, &mut Pieces(size)).unwrap();
        assert_both_know_each_other(&a, &b);
    }
}

#[test]
fn a_peer_s_bytes_may_be_cut_anywhere() {
    // A2: greeting and READY in two pieces, at every byte
    let theirs = [greeting("NULL", 0), ready("PULL")].concat();
    for split in 0..=theirs.len() {
        let mut side = null(SocketType::Push);
        let (head, tail) = theirs.split_at(split);
        assert_eq!(side.feed(head), Ok(head.len()));
        side.output();
        assert_eq!(side.feed(tail), Ok(tail.len()));
        side.output();
        assert_eq!(side.status(), Status::Established, "{split}");
    }
}

#[test]
fn the_pieces_of_libzmq_s_greeting_work() {
    // A2: 10 bytes, then 1 after our 10, then 53 after our version byte
    let mut side = null(SocketType::Push);
    let theirs = greeting("NULL", 0);
    assert_eq!(side.output().len(), 64);
    for (from, to) in [(0, 10), (10, 11), (11, 64)] {
        assert_eq!(side.output(), b"");
        assert_eq!(side.feed(&theirs[from..to]), Ok(to - from));
    }
    assert_eq!(side.output()[2..8], *b"\x05READY");
}

#[test]
fn our_greeting_does_not_wait_for_the_peer_s() {
    // A1, A2
    let mut side = null(SocketType::Push);
    assert_eq!(side.output(), greeting("NULL", 0));
    assert_eq!(side.status(), Status::Handshaking);
}

#[test]
fn not_a_byte_past_the_handshake_is_consumed() {
    // C24: a peer may speak right behind its READY
    let theirs = [greeting("NULL", 0), ready("PULL")].concat();
    let traffic = [theirs.clone(), frame(0, b"hello")].concat();
    for split in 0..=traffic.len() {
        let mut side = null(SocketType::Push);
        let (head, tail) = traffic.split_at(split);
        let taken = side.feed(head).unwrap();
        assert_eq!(taken, split.min(theirs.len()));
        let rest = [&head[taken..], tail].concat();
        assert_eq!(side.feed(&rest), Ok(theirs.len() - taken));
        side.output();
        assert_eq!(side.feed(&traffic), Ok(0));
        let (mut receiver, _) = side.establish(Limits::default());
        let progress = receiver.handle_input(&mut frame(0, b"hello")).unwrap();
        let event = Event::Frame {
            more: false,
            body: 2..7,
        };
        assert_eq!(progress.event, Some(event));
    }
}

#[test]
fn established_means_that_our_last_byte_is_written_too() {
    // C24: no message may overtake our READY
    let mut side = null(SocketType::Push);
    side.feed(&[greeting("NULL", 0), ready("PULL")].concat())
        .unwrap();
    let len = side.connection.poll_output(&side.scratch).len();
    for left in (1..=len).rev() {
        assert_eq!(side.status(), Status::Handshaking);
        assert_eq!(side.connection.poll_output(&side.scratch).len(), left);
        assert!(side.connection.poll_timeout().is_some());
        side.connection.output_written(&mut side.scratch, 1);
    }
    assert_eq!(side.status(), Status::Established);
    assert!(
        null(SocketType::Push)
            .connection
            .establish(Limits::default(), 512)
            .is_none()
    );
}

#[test]
fn one_scratch_serves_connection_after_connection() {
    let mut scratch = Scratch::new();
    for kind in ["PULL", "REP", "PULL"] {
        let config = Config::new(SocketType::Push);
        let mut connection = Connection::new(&config, Null, &mut scratch, START).unwrap();
        let mut theirs = [greeting("NULL", 0), ready(kind)].concat();
        let outcome = connection.handle_input(&mut theirs, &mut scratch);
        assert_eq!(outcome.is_ok(), kind == "PULL");
    }
    assert!(size_of::<Scratch>() <= 8192);
}
