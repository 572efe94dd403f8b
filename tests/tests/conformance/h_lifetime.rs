//! Section H: binding, closing, lingering.

use std::time::{Duration, Instant};

use ferromq::{Context, Error, EventKind, Options, SocketType};
use ferromq_tests::{Ours, PATIENCE, RawListener, RawPeer, Via, Watchdog};

#[test]
fn h91_without_linger_closing_discards() {
    let _watchdog = Watchdog::start();
    let listener = RawListener::bind(Via::Tcp);
    let context = Context::new().expect("a context");
    let options = Options::new().linger(Some(Duration::ZERO));
    let socket = context
        .any_socket(SocketType::Push, options)
        .expect("a socket");
    socket.connect(listener.endpoint()).expect("connect");
    socket.send("lost").expect("it is queued");
    socket.close();
    drop(context);
}

#[test]
fn h91_linger_ends_and_what_is_left_is_counted() {
    let _watchdog = Watchdog::start();
    // Bound and never accepting: a handshake that never completes.
    let listener = RawListener::bind(Via::Tcp);
    let context = Context::new().expect("a context");
    let linger = Duration::from_millis(100);
    let socket = context
        .any_socket(SocketType::Push, Options::new().linger(Some(linger)))
        .expect("a socket");
    let monitor = socket.monitor();
    socket.connect(listener.endpoint()).expect("connect");
    for _ in 0..3 {
        socket.send("lost").expect("it is queued");
    }
    let started = Instant::now();
    socket.close();
    drop(socket);
    drop(context);
    assert!(started.elapsed() >= linger, "it did not linger");
    let expired = monitor.filter_map(|event| match event.kind {
        EventKind::LingerExpired { messages } => Some(messages),
        _ => None,
    });
    assert_eq!(expired.sum::<u64>(), 3);
}

#[test]
fn h91_closing_wakes_blocked_calls() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let waiting = (*ours).clone();
    let blocked = std::thread::spawn(move || waiting.recv());
    ours.close();
    let woken = blocked.join().expect("it ends");
    assert!(matches!(woken, Err(Error::Closed)), "{woken:?}");
}

#[test]
fn h92_terminating_the_context_ends_blocked_calls() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let waiting = (*ours).clone();
    let blocked = std::thread::spawn(move || waiting.recv());
    ours.context().terminate();
    let woken = blocked.join().expect("it ends");
    assert!(
        matches!(woken, Err(Error::Terminated | Error::Closed)),
        "{woken:?}"
    );
}

#[test]
fn h94_a_duplicate_connect_is_one_connection() {
    for (socket_type, theirs) in [
        (SocketType::Dealer, "ROUTER"),
        (SocketType::Sub, "PUB"),
        (SocketType::Pub, "SUB"),
        (SocketType::Req, "REP"),
    ] {
        let listener = RawListener::bind(Via::Tcp);
        let ours = Ours::connected(socket_type, Options::new(), listener.endpoint());
        ours.connect(listener.endpoint())
            .expect("it is the same connection");
        let mut peer = listener.accept_established(theirs);
        ours.await_peer();
        peer.settle();
        assert!(
            listener.is_silent_for(Duration::from_millis(200)),
            "{socket_type:?}"
        );
    }
}

#[test]
fn h95_a_wildcard_reports_its_endpoint_and_unbind_takes_it() {
    for wildcard in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "ipc://*"] {
        let mut ours = Ours::new(SocketType::Pull, Options::new());
        ours.bind_to(wildcard);
        let endpoint = ours.endpoint().to_owned();
        assert!(
            !endpoint.contains('*') && !endpoint.ends_with(":0"),
            "{endpoint}"
        );
        let mut peer = RawPeer::established(&endpoint, "PUSH");
        peer.send_message(&["through"]);
        assert_eq!(ours.recv_parts(), [b"through"]);
        ours.unbind(&endpoint).expect("unbind");
        let closed = |kind: &EventKind| matches!(kind, EventKind::Closed);
        ours.await_event("the listener's close", closed);
        assert!(matches!(
            ours.unbind(&endpoint),
            Err(Error::NoSuchEndpoint { .. })
        ));
    }
}

#[test]
fn h95_an_endpoint_can_be_bound_again_after_unbind() {
    for via in [Via::Tcp, Via::Ipc] {
        let mut ours = Ours::bound(SocketType::Pull, Options::new(), via);
        for round in 0..3_u8 {
            let endpoint = ours.endpoint().to_owned();
            let mut peer = RawPeer::established(&endpoint, "PUSH");
            peer.send_message(&[[round]]);
            assert_eq!(ours.recv_parts(), [[round]]);
            ours.unbind(&endpoint).expect("unbind");
            ours.await_event("the close", |kind| matches!(kind, EventKind::Closed));
            ours.bind_to(&endpoint);
        }
    }
}

#[test]
fn h95_an_endpoint_in_use_is_refused_by_name() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let other = Ours::new(SocketType::Pull, Options::new());
    let refused = other
        .bind(ours.endpoint())
        .expect_err("it is in use")
        .to_string();
    assert!(refused.contains(ours.endpoint()), "{refused}");
}

// Marker methods that a type of socket does not have.
#[test]
fn h98_an_operation_that_a_type_lacks_is_named() {
    let pull = Ours::on_tcp(SocketType::Pull);
    let refused = pull.send("x").expect_err("a PULL cannot send");
    assert!(matches!(refused.error, Error::Unsupported { .. }));
    assert!(refused.to_string().contains("PULL"), "{refused}");
    assert!(matches!(
        pull.subscribe("x"),
        Err(Error::Unsupported { .. })
    ));
    let push = Ours::on_tcp(SocketType::Push);
    assert!(matches!(push.recv(), Err(Error::Unsupported { .. })));
}

#[test]
fn h91_with_linger_closing_waits_until_all_is_sent() {
    let _watchdog = Watchdog::start();
    for linger in [None, Some(PATIENCE)] {
        let listener = RawListener::bind(Via::Tcp);
        let context = Context::new().expect("a context");
        let socket = context
            .any_socket(SocketType::Push, Options::new().linger(linger))
            .expect("a socket");
        socket.connect(listener.endpoint()).expect("connect");
        for number in 0..100_u8 {
            socket.send([number].as_slice()).expect("it is queued");
        }
        let closing = std::thread::spawn(move || {
            socket.close();
            drop(socket);
            drop(context);
        });
        let mut peer = listener.accept_established("PULL");
        for number in 0..100_u8 {
            assert_eq!(peer.read_message(), [[number]]);
        }
        closing.join().expect("closing ends");
    }
}
