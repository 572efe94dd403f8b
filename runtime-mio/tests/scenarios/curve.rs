//! CURVE between our own sockets. (With libzmq's: the interoperation tests.)

use std::time::Duration;

use ferromq_mio::{AnySocket, CurveClients, CurveKeys, DropCause, EventKind, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

struct Keys {
    server: CurveKeys,
    client: CurveKeys,
}

impl Keys {
    fn new() -> Self {
        Self {
            server: CurveKeys::generate(),
            client: CurveKeys::generate(),
        }
    }

    fn server(&self) -> Options {
        let clients = CurveClients::keys([self.client.public]);
        Options::new().curve_server(self.server.clone(), clients)
    }

    fn client(&self) -> Options {
        Options::new().curve_client(self.server.public, self.client.clone())
    }
}

fn pair(endpoint: &str, bound: SocketType, connected: SocketType) -> (AnySocket, AnySocket) {
    let keys = Keys::new();
    linked(
        &context(),
        endpoint,
        (bound, keys.server()),
        (connected, keys.client()),
    )
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8)) as u8).collect()
}

over_tcp_and_ipc! {
    fn messages_of_every_size_arrive_both_ways(endpoint) {
        let (one, other) = pair(endpoint, SocketType::Dealer, SocketType::Dealer);
        for len in [0, 1, 222, 223, 8_191, 8_192, 32_768, 65_536, 65_537, 300_000, 5 << 20] {
            let sent = body(len);
            one.send(vec![sent.clone(), b"tail".to_vec()]).unwrap();
            one.send_bytes(&sent).unwrap();
            let parts = recv_parts(&other);
            assert!(parts == [sent.clone(), b"tail".to_vec()], "{len}");
            let single = recv(&other);
            let frame = single.frame(0).unwrap();
            assert!(frame[..] == sent[..], "{len}");
            if len > 65_536 {
                assert_eq!(frame.as_ptr() as usize % 64, 0, "{len}");
            }
            other.send_bytes(&sent).unwrap();
            assert!(recv(&one).frame(0).unwrap()[..] == sent[..], "{len}");
        }
    }

    fn a_stream_of_small_messages_stays_in_order(endpoint) {
        let (pull, push) = pair(endpoint, SocketType::Pull, SocketType::Push);
        let sender = std::thread::spawn(move || {
            (0..50_000_u64).for_each(|number| push.send(&number.to_le_bytes()).unwrap());
            push
        });
        for number in 0..50_000 {
            assert_eq!(recv_number(&pull), number);
        }
        sender.join().unwrap();
    }

    fn subscriptions_and_heartbeats_travel_sealed(endpoint) {
        let keys = Keys::new();
        let beat = |options: Options| {
            options.heartbeat(Duration::from_millis(20), Some(PATIENCE), None)
        };
        let (publisher, subscriber) = linked(
            &context(),
            endpoint,
            (SocketType::XPub, beat(keys.server())),
            (SocketType::Sub, beat(keys.client())),
        );
        subscriber.subscribe("topic").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01topic"]);
        for round in 0..20_u8 {
            publisher.send([&b"other"[..], &[round]]).unwrap();
            publisher.send([&b"topic"[..], &[round]]).unwrap();
            assert_eq!(recv_parts(&subscriber), [&b"topic"[..], &[round]]);
            std::thread::park_timeout(Duration::from_millis(10));
        }
        assert_eq!(publisher.statistics().peers[0].reconnects, 0);
        subscriber.unsubscribe("topic").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x00topic"]);
    }

    fn a_reply_knows_whose_key_asked(endpoint) {
        let keys = Keys::new();
        let (rep, req) = linked(
            &context(),
            endpoint,
            (SocketType::Rep, keys.server()),
            (SocketType::Req, keys.client()),
        );
        req.send("?").unwrap();
        let request = recv(&rep);
        let origin = request.frame(0).unwrap().origin().unwrap();
        assert_eq!(origin.user_id(), Some(&*keys.client.public.to_string()));
        rep.send("!").unwrap();
        assert_eq!(recv_parts(&req), [b"!"]);
    }
}

fn refused(client: Options, server: Options) -> (String, String) {
    let context = context();
    let (bound, real) = bound(&context, SocketType::Pull, server, "tcp://127.0.0.1:*");
    let heard = bound.monitor();
    let connecting = context
        .any_socket(SocketType::Push, client.linger(Some(Duration::ZERO)))
        .unwrap();
    let ours = connecting.monitor();
    connecting.connect(&real).unwrap();
    let failure = |monitor| {
        let event = await_event(monitor, "of the failure", |event| {
            matches!(event.kind, EventKind::HandshakeFailed { .. })
        });
        match event.kind {
            EventKind::HandshakeFailed { cause } => cause,
            _ => unreachable!("filtered above"),
        }
    };
    let causes = (failure(&heard), failure(&ours));
    assert_eq!(bound.statistics().connected(), 0);
    causes
}

#[test]
fn a_key_that_is_not_on_the_list_is_refused_with_a_status() {
    let _watchdog = Watchdog::start();
    let (keys, stranger) = (Keys::new(), CurveKeys::generate());
    let client = Options::new().curve_client(keys.server.public, stranger);
    let (theirs, ours) = refused(client, keys.server());
    assert!(theirs.contains("400"), "{theirs}");
    assert!(ours.contains("400"), "{ours}");
}

#[test]
fn a_client_that_expects_another_server_is_refused() {
    let _watchdog = Watchdog::start();
    let keys = Keys::new();
    let elsewhere = CurveKeys::generate().public;
    let client = Options::new().curve_client(elsewhere, keys.client.clone());
    let (theirs, _) = refused(client, keys.server());
    assert!(theirs.contains("curve"), "{theirs}");
}

#[test]
fn a_plain_peer_is_refused() {
    let _watchdog = Watchdog::start();
    let (theirs, ours) = refused(Options::new(), Keys::new().server());
    assert!(theirs.contains("mechanism mismatch"), "{theirs}");
    assert!(ours.contains("mechanism mismatch"), "{ours}");
}

#[test]
fn who_lets_everybody_in_has_said_so() {
    let _watchdog = Watchdog::start();
    let keys = Keys::new();
    let server = Options::new().curve_server(keys.server.clone(), CurveClients::Any);
    let (pull, push) = linked(
        &context(),
        "tcp://127.0.0.1:*",
        (SocketType::Pull, server),
        (SocketType::Push, keys.client()),
    );
    push.send("in").unwrap();
    assert_eq!(recv_parts(&pull), [b"in"]);
}

/// What waits is sealed as late as can be: what a lost link had not begun to
/// write goes to the next one.
#[test]
fn what_waited_for_a_lost_link_arrives_over_the_next() {
    let _watchdog = Watchdog::start();
    let keys = Keys::new();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        keys.server().receive_high_water_mark(10),
        "tcp://127.0.0.1:*",
    );
    let push = connected(
        &context,
        SocketType::Push,
        keys.client()
            .reconnect_interval(Duration::from_millis(5), Duration::from_millis(20)),
        &real,
    );
    await_peers(&push, 1);
    let long = body(256 << 10);
    let mut sent = 0;
    while push.try_send(&long[..]).is_ok() {
        sent += 1;
    }
    pull.unbind(&real).unwrap();
    drop(pull);
    let (pull, _) = bound(&context, SocketType::Pull, keys.server(), &real);
    push.send("last").unwrap();
    let mut arrived = 0;
    while recv(&pull).frame(0).unwrap()[..] != b"last"[..] {
        arrived += 1;
    }
    let lost = push.statistics().drops.of(DropCause::LinkLost);
    assert!(arrived > sent / 2, "{arrived} of {sent}");
    assert!(arrived + lost <= sent, "{arrived} and {lost} of {sent}");
}

/// After the handshake, a peer that sends anything but sealed frames is out.
#[test]
fn garbage_instead_of_a_message_ends_the_connection() {
    let _watchdog = Watchdog::start();
    let keys = Keys::new();
    let (pull, real) = bound(
        &context(),
        SocketType::Pull,
        keys.server(),
        "tcp://127.0.0.1:*",
    );
    let monitor = pull.monitor();
    let mut peer = RawPeer::silent(&real);
    peer.write(&crate::common::raw::greeting("CURVE", 1));
    peer.write(&crate::common::raw::frame(4, &[5; 200]));
    await_event(&monitor, "of the failure", |event| {
        matches!(event.kind, EventKind::HandshakeFailed { .. })
    });
    peer.await_end();
}

/// A frame that no message may have is refused at its header, sealed or not.
#[test]
fn a_limit_on_messages_is_one_on_sealed_frames_before_they_come() {
    let _watchdog = Watchdog::start();
    let keys = Keys::new();
    let (pull, push) = linked(
        &context(),
        "tcp://127.0.0.1:*",
        (SocketType::Pull, keys.server().max_message_size(1 << 20)),
        (SocketType::Push, keys.client()),
    );
    let monitor = pull.monitor();
    push.send(vec![7; 64 << 20]).unwrap();
    let event = await_event(&monitor, "of the end", |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    let EventKind::Disconnected { cause } = event.kind else {
        unreachable!("filtered above")
    };
    assert!(cause.contains("exceeds the limit of 1048560"), "{cause}");
}
