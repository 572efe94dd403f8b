//! Connections are made, lost, made again and refused.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, Context, Error, EventKind, Options, SocketType};

use crate::common::raw::{RawPeer, greeting};
use crate::common::*;

fn quick() -> Options {
    Options::new().reconnect_interval(Duration::from_millis(5), Duration::from_millis(50))
}

fn is_disconnected(event: &ferromq_mio::Event) -> bool {
    matches!(event.kind, EventKind::Disconnected { .. })
}

fn failed(event: &ferromq_mio::Event) -> bool {
    matches!(event.kind, EventKind::HandshakeFailed { .. })
}

/// Binds where something else has just gone.
fn bind_again(context: &Context, socket_type: SocketType, endpoint: &str) -> AnySocket {
    let socket = context.any_socket(socket_type, Options::new()).unwrap();
    until("the endpoint is free", || socket.bind(endpoint).ok());
    socket
}

// C31
#[test]
fn a_refused_connection_is_tried_until_it_succeeds() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let push = context.any_socket(SocketType::Push, quick()).unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    let retry = await_event(&monitor, "of a retry", |event| {
        matches!(event.kind, EventKind::ConnectRetried { .. })
    });
    assert_eq!(retry.endpoint, endpoint);
    let pull = bind_again(&context, SocketType::Pull, &endpoint);
    push.send("x").unwrap();
    assert_eq!(recv_parts(&pull), [b"x"]);
}

// HOSTILE 56
#[test]
fn a_name_that_does_not_resolve_is_told_and_tried_again() {
    let _watchdog = Watchdog::start();
    let context = context();
    let push = context.any_socket(SocketType::Push, quick()).unwrap();
    let monitor = push.monitor();
    // RFC 6761: `.invalid` never resolves.
    push.connect("tcp://no-such-host.invalid:5555").unwrap();
    for _ in 0..2 {
        let event = await_event(&monitor, "of the failed look-up", |event| {
            matches!(event.kind, EventKind::ConnectRetried { .. })
        });
        let EventKind::ConnectRetried { cause, .. } = &event.kind else {
            unreachable!("filtered above")
        };
        assert!(cause.contains("no-such-host.invalid"), "{cause}");
    }
}

// HOSTILE 56
#[test]
fn hundreds_of_names_are_looked_up_by_a_few_threads() {
    let _watchdog = Watchdog::start();
    let context = context();
    let push = context
        .any_socket(SocketType::Push, Options::new())
        .unwrap();
    let monitor = push.monitor();
    for number in 0..100 {
        push.connect(&format!("tcp://host-{number}.invalid:1"))
            .unwrap();
        let resolving = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.starts_with(b"ferromq-resolve"))
            .count();
        // Other tests of this process look names up, too.
        assert!(resolving <= 48, "{resolving} threads look names up");
    }
    for _ in 0..100 {
        await_event(&monitor, "of a failed look-up", |event| {
            matches!(event.kind, EventKind::ConnectRetried { .. })
        });
    }
}

#[test]
fn localhost_resolves() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let by_name = format!("tcp://localhost:{}", port(&real));
    let push = connected(&context, SocketType::Push, quick(), &by_name);
    push.send("x").unwrap();
    assert_eq!(recv_parts(&pull), [b"x"]);
}

over_tcp_and_ipc! {
    fn an_endpoint_in_use_cannot_be_bound_until_it_is_unbound(endpoint) {
        let context = context();
        let (first, real) = bound(&context, SocketType::Pull, Options::new(), endpoint);
        let second = context.any_socket(SocketType::Pull, Options::new()).unwrap();
        let refused = second.bind(&real).unwrap_err();
        assert!(matches!(refused, Error::Transport(_)), "{refused}");
        assert!(refused.to_string().contains(&real), "{refused}");
        first.unbind(&real).unwrap();
        assert!(matches!(first.unbind(&real), Err(Error::NoSuchEndpoint { .. })));
        if real.starts_with("tcp") {
            second.bind(&real).unwrap();
        }
    }

    // Unbinding stops the accepting and nothing else.
    fn unbinding_keeps_the_connections_that_stand(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        let peer = pull.statistics().peers[0].endpoint.clone();
        pull.unbind(&peer).unwrap();
        push.send("x").unwrap();
        assert_eq!(recv_parts(&pull), [b"x"]);
    }

    fn disconnecting_sends_what_waits_and_ends_the_connection(endpoint) {
        let context = context();
        let (pull, real) = bound(&context, SocketType::Pull, Options::new(), endpoint);
        let monitor = pull.monitor();
        let push = connected(&context, SocketType::Push, Options::new(), &real);
        await_peers(&push, 1);
        for number in 0..500_u64 {
            push.send_bytes(&number.to_le_bytes()).unwrap();
        }
        push.disconnect(&real).unwrap();
        assert!(matches!(push.disconnect(&real), Err(Error::NoSuchEndpoint { .. })));
        assert!(push.try_send("x").is_err());
        for number in 0..500 {
            assert_eq!(recv_number(&pull), number);
        }
        await_event(&monitor, "of the end", is_disconnected);
    }

    // H94
    fn connecting_twice_is_one_connection(endpoint) {
        let context = context();
        for socket_type in [SocketType::Dealer, SocketType::Sub] {
            let peer_type = match socket_type {
                SocketType::Dealer => SocketType::Router,
                _ => SocketType::Pub,
            };
            let (server, real) = bound(&context, peer_type, Options::new(), endpoint);
            let client = connected(&context, socket_type, Options::new(), &real);
            client.connect(&real).unwrap();
            await_peers(&server, 1);
            await_peers(&client, 1);
            assert!(!server.wait_for_peers(2, Duration::from_millis(100)).unwrap());
            assert_eq!(client.statistics().peers.len(), 1);
        }
    }

    // H88
    fn a_restarted_peer_gets_what_was_queued_meanwhile(endpoint) {
        let real = fixed(endpoint);
        let context = context();
        let push = connected(&context, SocketType::Push, quick().send_high_water_mark(0), &real);
        let mut expected = 0_u64;
        let mut sent = 0_u64;
        for _ in 0..5 {
            let other = crate::common::context();
            let pull = bind_again(&other, SocketType::Pull, &real);
            await_peers(&push, 1);
            for _ in 0..100 {
                push.send_bytes(&sent.to_le_bytes()).unwrap();
                sent += 1;
            }
            for _ in 0..100 {
                assert_eq!(recv_number(&pull), expected);
                expected += 1;
            }
            drop(pull);
            drop(other);
            until("the loss is noticed", || {
                let _ = push.readiness();
                (push.statistics().connected() == 0).then_some(())
            });
            // Queued while nobody is there.
            for _ in 0..100 {
                push.send_bytes(&sent.to_le_bytes()).unwrap();
                sent += 1;
            }
            let other = crate::common::context();
            let pull = bind_again(&other, SocketType::Pull, &real);
            for _ in 0..100 {
                assert_eq!(recv_number(&pull), expected);
                expected += 1;
            }
            drop((pull, other));
            until("the loss is noticed", || {
                let _ = push.readiness();
                (push.statistics().connected() == 0).then_some(())
            });
        }
        assert!(push.statistics().peers[0].reconnects >= 9);
    }

    // B19: what arrives is whole and in order, whatever was lost in between.
    fn messages_stay_whole_and_in_order_while_the_peer_restarts(endpoint) {
        let real = fixed(endpoint);
        let context = context();
        let options = quick().linger(Some(Duration::ZERO));
        let push = connected(&context, SocketType::Push, options, &real);
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = stop.clone();
        let sender = std::thread::spawn(move || {
            let mut number = 0_u64;
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                let size = [10, 3000, 50_000][number as usize % 3];
                let parts = vec![number.to_le_bytes().to_vec(), vec![number as u8; size]];
                let deadline = Instant::now() + Duration::from_millis(100);
                if push.send_deadline(parts, deadline).is_ok() {
                    number += 1;
                }
            }
        });
        let mut last = None;
        for _ in 0..8 {
            let other = crate::common::context();
            let pull = bind_again(&other, SocketType::Pull, &real);
            for _ in 0..200 {
                let parts = recv_parts(&pull);
                let number = u64::from_le_bytes(parts[0][..].try_into().unwrap());
                assert!(last < Some(number), "{number} after {last:?}");
                last = Some(number);
                assert_eq!(parts[1].len(), [10, 3000, 50_000][number as usize % 3]);
                assert!(parts[1].iter().all(|&byte| byte == number as u8));
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        sender.join().unwrap();
    }

    // G79
    fn a_subscriber_subscribes_again_after_a_restart(endpoint) {
        let real = fixed(endpoint);
        let context = context();
        let subscriber = connected(&context, SocketType::Sub, quick(), &real);
        for topic in ["a", "b", "c"] {
            subscriber.subscribe(topic).unwrap();
        }
        subscriber.unsubscribe("b").unwrap();
        for _ in 0..3 {
            let other = crate::common::context();
            let publisher = bind_again(&other, SocketType::XPub, &real);
            let mut topics = [recv_parts(&publisher), recv_parts(&publisher)];
            topics.sort();
            assert_eq!(topics, [[b"\x01a".to_vec()], [b"\x01c".to_vec()]]);
            publisher.send("b").unwrap();
            publisher.send("c").unwrap();
            assert_eq!(recv_parts(&subscriber), [b"c"]);
        }
    }
}

/// An endpoint that can be bound again and again.
fn fixed(wildcard: &str) -> String {
    if wildcard.starts_with("ipc") {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return format!("ipc://@ferromq-connections-{}-{number}", std::process::id());
    }
    let context = context();
    bound(&context, SocketType::Pull, Options::new(), wildcard).1
}

// HOSTILE 4
#[test]
fn a_silent_peer_is_closed_at_the_handshake_timeout() {
    let _watchdog = Watchdog::start();
    let context = context();
    let timeout = Duration::from_millis(50);
    let options = Options::new().handshake_timeout(timeout);
    let (pull, real) = bound(&context, SocketType::Pull, options, "tcp://127.0.0.1:*");
    let monitor = pull.monitor();
    let started = Instant::now();
    RawPeer::silent(&real).await_end();
    assert!(started.elapsed() >= timeout);
    await_event(&monitor, "of the failure", failed);
    // HOSTILE 5: single bytes do not prolong it.
    let mut slow = RawPeer::silent(&real);
    let bytes = greeting("NULL", 1);
    let mut sent = 0;
    while slow.try_write(&bytes[sent..sent + 1]).is_ok() {
        sent = (sent + 1).min(60);
        if monitor
            .recv_timeout(Duration::from_millis(5))
            .as_ref()
            .is_some_and(failed)
        {
            break;
        }
    }
    slow.await_end();
    assert_eq!(pull.statistics().handshakes_failed, 2);
}

// HOSTILE 1, 2, 3, 6, 8
#[test]
fn garbage_instead_of_a_greeting_closes_that_connection_only() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, push) = linked(
        &context,
        "tcp://127.0.0.1:*",
        (SocketType::Pull, Options::new()),
        (SocketType::Push, Options::new()),
    );
    let endpoint = pull.statistics().peers[0].endpoint.clone();
    let monitor = pull.monitor();
    let mut version_two = greeting("NULL", 0);
    version_two[10] = 1;
    let openings: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        &[0; 64],
        &version_two,
        &greeting("NUXX", 1),
    ];
    for (round, opening) in openings.into_iter().enumerate() {
        let mut peer = RawPeer::silent(&endpoint);
        peer.write(opening);
        peer.await_end();
        await_event(&monitor, "of the failure", failed);
        push.send("go on").unwrap();
        assert_eq!(recv_parts(&pull), [b"go on"]);
        assert_eq!(pull.statistics().handshakes_failed, round as u64 + 1);
    }
}

// B13, HOSTILE 16 and others
#[test]
fn garbage_in_traffic_closes_that_connection_only() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, push) = linked(
        &context,
        "tcp://127.0.0.1:*",
        (SocketType::Pull, Options::new()),
        (SocketType::Push, Options::new()),
    );
    let endpoint = pull.statistics().peers[0].endpoint.clone();
    let monitor = pull.monitor();
    let huge = [2, 0, 0, 1, 0, 0, 0, 0, 0];
    let crimes: [&[u8]; 5] = [
        &[0xf0, 1, b'x'],
        &[5, 1, b'x'],
        &[2, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &huge,
        b"\x04\x06\x05READY",
    ];
    for crime in crimes {
        let mut peer = RawPeer::connect(&endpoint, "PUSH", &[]);
        peer.write(crime);
        peer.await_end();
        await_event(&monitor, "of the end", is_disconnected);
        push.send("go on").unwrap();
        assert_eq!(recv_parts(&pull), [b"go on"]);
    }
}

// HOSTILE 49, 50
#[test]
fn half_a_message_is_never_delivered() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let monitor = pull.monitor();
    let whole = crate::common::raw::message(&[b"one", &[2; 5000], b"three"]);
    for cut in [1, 3, 5, 100, whole.len() - 1] {
        let mut peer = RawPeer::connect(&real, "PUSH", &[]);
        peer.write(&whole[..cut]);
        drop(peer);
        await_event(&monitor, "of the end", is_disconnected);
        assert!(matches!(pull.try_recv(), Err(Error::WouldBlock)));
    }
    let mut peer = RawPeer::connect(&real, "PUSH", &[]);
    peer.write(&whole);
    assert_eq!(recv(&pull).len(), 3);
}

// HOSTILE 26
#[test]
fn socket_types_that_do_not_fit_are_told_so_and_closed() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let monitor = pull.monitor();
    let sub = context.any_socket(SocketType::Sub, quick()).unwrap();
    let theirs = sub.monitor();
    sub.connect(&real).unwrap();
    await_event(&monitor, "of the failure", failed);
    await_event(&theirs, "of the failure", failed);
    assert!(pull.statistics().peers.is_empty());
}

#[test]
fn a_socket_closed_in_every_stage_of_connecting_leaves_nothing_behind() {
    let _watchdog = Watchdog::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let context = context();
    let options = || quick().linger(Some(Duration::ZERO));
    for round in 0..20 {
        let push = connected(&context, SocketType::Push, options(), &endpoint);
        let mut peer = RawPeer::accept_silently(&listener);
        match round % 4 {
            0 => {}
            1 => peer.write(&greeting("NULL", 1)[..11]),
            2 => peer.write(&greeting("NULL", 1)),
            _ => peer.shake_hands("PULL", &[]),
        }
        if round % 2 == 0 {
            push.disconnect(&endpoint).unwrap();
        }
        drop(push);
        peer.await_end();
    }
    // The context ends, so nobody waits for any of them any more.
    drop(context);
}

#[test]
fn a_peer_that_never_reads_nor_greets_does_not_keep_the_context() {
    let _watchdog = Watchdog::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let context = context();
    let options = quick().linger(Some(Duration::from_millis(20)));
    let push = connected(&context, SocketType::Push, options, &endpoint);
    push.send("x").unwrap();
    let _peer = RawPeer::accept_silently(&listener);
    drop(push);
    drop(context);
}

// HOSTILE 53
#[test]
fn a_storm_of_connections_is_served() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let silent: Vec<_> = (0..150).map(|_| RawPeer::silent(&real)).collect();
    let mut peers: Vec<_> = (0..150)
        .map(|_| RawPeer::connect(&real, "PUSH", &[]))
        .collect();
    for peer in &mut peers {
        peer.send(&[b"x"]);
    }
    for _ in 0..150 {
        recv(&pull);
    }
    drop(silent);
}

/// A resolver answer, an accepted link or a retry may come after the close.
#[test]
fn endpoints_made_while_the_socket_is_closed_do_not_stay() {
    let _watchdog = Watchdog::start();
    for _ in 0..50 {
        let context = context();
        let socket = context.any_socket(SocketType::Pull, quick()).unwrap();
        let closer = socket.clone();
        let closing = std::thread::spawn(move || closer.close());
        let bound = socket.bind("tcp://127.0.0.1:*");
        let _ = socket.connect("tcp://localhost:1");
        closing.join().unwrap();
        if let Ok(endpoint) = bound {
            // The port is given back, whoever came first.
            let port = port(&endpoint.to_string());
            until("the port is free", || {
                TcpListener::bind(("127.0.0.1", port)).ok()
            });
        }
    }
}
