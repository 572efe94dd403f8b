//! ROUTER, REQ and REP in their special modes.

use std::net::TcpListener;
use std::time::Duration;

use ferromq_mio::{Error, EventKind, Options, SocketType, StateError};

use crate::common::raw::{Incoming, RawPeer};
use crate::common::*;

fn quick() -> Options {
    Options::new().reconnect_interval(Duration::from_millis(5), Duration::from_millis(20))
}

/// A listener of ours, and the endpoint to connect to it.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

// F64
#[test]
fn a_second_peer_of_the_same_identity_is_closed_with_an_event() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (router, real) = bound(
        &context,
        SocketType::Router,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let monitor = router.monitor();
    let mut first = RawPeer::connect(&real, "DEALER", &[("Identity", b"me")]);
    await_peers(&router, 1);
    let mut second = RawPeer::connect(&real, "DEALER", &[("Identity", b"me")]);
    second.await_end();
    await_event(&monitor, "of the refusal", |event| {
        matches!(event.kind, EventKind::Refused { .. })
    });
    router.send(["me", "still you"]).unwrap();
    assert_eq!(first.next_message().unwrap(), [b"still you"]);
}

// F65
#[test]
fn handover_gives_the_identity_to_the_newcomer() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().router_handover(true);
    let (router, real) = bound(&context, SocketType::Router, options, "tcp://127.0.0.1:*");
    let monitor = router.monitor();
    let mut holder = RawPeer::connect(&real, "DEALER", &[("Identity", b"me")]);
    await_peers(&router, 1);
    for _ in 0..20 {
        let mut next = RawPeer::connect(&real, "DEALER", &[("Identity", b"me")]);
        holder.await_end();
        await_event(&monitor, "of the end", |event| {
            matches!(event.kind, EventKind::Disconnected { .. })
        });
        router.send(["me", "new"]).unwrap();
        assert_eq!(next.next_message().unwrap(), [b"new"]);
        next.send(&[b"hello"]);
        assert_eq!(recv_parts(&router), [b"me".to_vec(), b"hello".to_vec()]);
        holder = next;
    }
    assert_eq!(router.statistics().peers.len(), 1);
}

// F66
#[test]
fn reserved_and_long_identities_are_refused() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (router, real) = bound(
        &context,
        SocketType::Router,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let monitor = router.monitor();
    for identity in [&b"\0x"[..], &[b'x'; 256]] {
        let refused = context.any_socket(SocketType::Dealer, Options::new().identity(identity));
        assert!(matches!(
            refused,
            Err(Error::Option {
                option: "identity",
                ..
            })
        ));
        let peer = std::thread::spawn({
            let real = real.clone();
            move || {
                let mut peer = RawPeer::silent(&real);
                peer.write(&crate::common::raw::greeting("NULL", 1));
                let mut ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity".to_vec();
                ready.extend((identity.len() as u32).to_be_bytes());
                ready.extend(identity);
                let frame = crate::common::raw::frame(4, &ready);
                peer.write(&frame);
                peer.await_end();
            }
        });
        await_event(&monitor, "of the failure", |event| {
            matches!(event.kind, EventKind::HandshakeFailed { .. })
        });
        peer.join().unwrap();
    }
}

// F63
#[test]
fn mandatory_tells_unknown_and_full_peers_apart() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new()
        .router_mandatory(true)
        .send_high_water_mark(2)
        .linger(Some(Duration::ZERO));
    let (router, real) = bound(&context, SocketType::Router, options, "tcp://127.0.0.1:*");
    let unknown = router.send(["nobody", "x"]).unwrap_err();
    assert!(
        matches!(unknown.error, Error::HostUnreachable { ref identity } if identity == b"nobody")
    );
    let _deaf = RawPeer::connect(&real, "DEALER", &[("Identity", b"deaf")]);
    let mut keen = RawPeer::connect(&real, "DEALER", &[("Identity", b"keen")]);
    await_peers(&router, 2);
    let body = vec![0; 1 << 20];
    let full = until("the peer is full", || {
        router.try_send(vec![&b"deaf"[..], &body]).err()
    });
    assert!(matches!(full.error, Error::WouldBlock));
    // The full one keeps nobody else from its messages.
    router.send(["keen", "x"]).unwrap();
    assert_eq!(keen.next_message().unwrap(), [b"x"]);
    assert!(matches!(
        router.send("alone").unwrap_err().error,
        Error::TooFewParts { .. }
    ));
}

// F67
#[test]
fn a_probe_is_the_first_message_of_every_connection() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (listener, endpoint) = listener();
    for socket_type in [SocketType::Dealer, SocketType::Req, SocketType::Router] {
        let socket = connected(&context, socket_type, quick().probe_router(true), &endpoint);
        for _ in 0..2 {
            let mut peer = RawPeer::accept(&listener, "ROUTER");
            assert_eq!(peer.next_message().unwrap(), [b""]);
        }
        drop(socket);
    }
}

over_tcp_and_ipc! {
    // F68
    fn the_identity_of_a_connect_is_usable_at_once(endpoint) {
        let context = context();
        let (dealer, real) = bound(&context, SocketType::Dealer, Options::new(), endpoint);
        let options = Options::new().connect_routing_id("server").router_mandatory(true);
        let router = connected(&context, SocketType::Router, options, &real);
        router.send(["server", "hello"]).unwrap();
        assert_eq!(recv_parts(&dealer), [b"hello"]);
        dealer.send("back").unwrap();
        assert_eq!(recv_parts(&router), [b"server".to_vec(), b"back".to_vec()]);
        // A duplicate is an error.
        assert!(matches!(router.connect(&real), Err(Error::Connect { .. })));
    }

    fn a_router_that_connects_can_disconnect(endpoint) {
        let context = context();
        let (dealer, real) = bound(&context, SocketType::Dealer, Options::new(), endpoint);
        let router = connected(&context, SocketType::Router, Options::new(), &real);
        await_peers(&dealer, 1);
        await_peers(&router, 1);
        router.disconnect(&real).unwrap();
        until("the peer is gone", || {
            let _ = dealer.try_recv();
            (dealer.statistics().connected() == 0).then_some(())
        });
    }
}

// F56
#[test]
fn correlated_replies_to_other_requests_are_skipped() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (listener, endpoint) = listener();
    let options = quick().req_correlate(true).req_relaxed(true);
    let req = connected(&context, SocketType::Req, options, &endpoint);
    let mut peer = RawPeer::accept(&listener, "REP");
    req.send("first").unwrap();
    let first = peer.next_message().unwrap();
    assert_eq!((first.len(), first[0].len(), first[1].len()), (3, 4, 0));
    req.send("second").unwrap();
    let second = peer.next_message().unwrap();
    assert_ne!(first[0], second[0]);
    peer.send(&[&first[0], b"", b"late"]);
    peer.send(&[b"", b"no id"]);
    peer.send(&[&second[0], b"", b"answer"]);
    assert_eq!(recv_parts(&req), [b"answer"]);
}

// F57
#[test]
fn a_relaxed_request_goes_to_the_next_peer_and_late_replies_are_lost() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (req, real) = bound(
        &context,
        SocketType::Req,
        Options::new().req_relaxed(true),
        "tcp://127.0.0.1:*",
    );
    let mut peers = [(); 2].map(|()| RawPeer::connect(&real, "REP", &[]));
    await_peers(&req, 2);
    req.send("one").unwrap();
    let first = until("one of them is asked", || {
        (0..2).find(|&at| !peers[at].is_quiet_for(Duration::from_millis(10)))
    });
    req.send("two").unwrap();
    assert_eq!(
        peers[1 - first].next_message().unwrap(),
        [b"".to_vec(), b"two".to_vec()]
    );
    let _ = peers[first].try_write(&crate::common::raw::message(&[b"", b"late"]));
    peers[1 - first].send(&[b"", b"answer"]);
    assert_eq!(recv_parts(&req), [b"answer"]);
}

#[test]
fn a_request_whose_replier_went_can_be_asked_again() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (req, real) = bound(
        &context,
        SocketType::Req,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "REP", &[]);
    await_peers(&req, 1);
    req.send("one").unwrap();
    peer.next_message().unwrap();
    drop(peer);
    let gone = req.recv_timeout(PATIENCE).unwrap_err();
    assert!(
        matches!(gone, Error::State(StateError::ReplierGone)),
        "{gone}"
    );
    let mut peer = RawPeer::connect(&real, "REP", &[]);
    req.send("two").unwrap();
    assert_eq!(peer.next_message().unwrap()[1], b"two");
    peer.send(&[b"", b"answer"]);
    assert_eq!(recv_parts(&req), [b"answer"]);
}

// F69
#[test]
fn rep_takes_one_request_a_peer_at_a_time() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (rep, real) = bound(
        &context,
        SocketType::Rep,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peers = [(); 3].map(|()| RawPeer::connect(&real, "DEALER", &[]));
    for (name, peer) in peers.iter_mut().enumerate() {
        for round in 0..20 {
            let envelope = [name as u8, round];
            peer.send(&[&envelope, b"", &envelope]);
        }
    }
    for _ in 0..60 {
        let request = recv(&rep);
        rep.send(request).unwrap();
    }
    for (name, peer) in peers.iter_mut().enumerate() {
        for round in 0..20 {
            let envelope = vec![name as u8, round];
            assert_eq!(
                peer.next_message().unwrap(),
                [envelope.clone(), vec![], envelope]
            );
        }
    }
}

// C24
#[test]
fn no_message_leaves_before_the_peer_is_ready() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (listener, endpoint) = listener();
    let push = connected(&context, SocketType::Push, quick(), &endpoint);
    push.send("x").unwrap();
    let mut peer = RawPeer::accept_silently(&listener);
    peer.shake_hands("PULL", &[]);
    assert_eq!(
        peer.next(),
        Incoming::Frame {
            more: false,
            body: b"x".to_vec()
        }
    );
}
