//! Queues have bounds, in messages and in bytes, on both sides.

use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, DropCause, Error, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

/// An endpoint where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

fn fill(socket: &AnySocket, body: &[u8]) -> usize {
    let mut sent = 0;
    loop {
        match socket.try_send(body) {
            Ok(()) => sent += 1,
            Err(refused) => {
                assert!(matches!(refused.error, Error::WouldBlock));
                assert_eq!(refused.message.frame(0).map(|frame| &frame[..]), Some(body));
                return sent;
            }
        }
    }
}

/// Fills again what empties into the system's buffers, until nothing does any more.
fn fill_to_the_last(socket: &AnySocket, body: &[u8]) {
    let mut looks_in_vain = 0;
    until("nothing more is taken", || {
        looks_in_vain = match fill(socket, body) {
            0 => looks_in_vain + 1,
            _ => 0,
        };
        std::thread::park_timeout(Duration::from_millis(10));
        (looks_in_vain == 20).then_some(())
    });
}

// H84
#[test]
fn a_bound_push_without_peers_has_no_room_at_all() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (push, _) = bound(
        &context,
        SocketType::Push,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    assert_eq!(fill(&push, b"x"), 0);
    let late = push.send_deadline("x", Instant::now() + Duration::from_millis(20));
    assert!(matches!(late.unwrap_err().error, Error::TimedOut));
}

// H84, F61
#[test]
fn a_connecting_socket_queues_up_to_the_mark() {
    let _watchdog = Watchdog::start();
    let context = context();
    for socket_type in [SocketType::Push, SocketType::Dealer, SocketType::Req] {
        let options = Options::new()
            .send_high_water_mark(10)
            .linger(Some(Duration::ZERO));
        let socket = connected(&context, socket_type, options, &nowhere());
        let expected = if socket_type == SocketType::Req {
            1
        } else {
            10
        };
        for sent in 0..expected {
            assert!(
                socket.try_send("x").is_ok(),
                "message {sent} of {socket_type:?}"
            );
        }
        assert!(socket.try_send("x").is_err());
        assert_eq!(socket.statistics().peers[0].queued_messages, expected);
    }
}

// H84
#[test]
fn immediate_queues_nothing_for_a_peer_that_is_not_there() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().immediate(true);
    let push = connected(&context, SocketType::Push, options, &nowhere());
    assert_eq!(fill(&push, b"x"), 0);
}

// H84
#[test]
fn a_pipe_is_full_at_its_bytes_but_takes_one_message_of_any_size_when_empty() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = || {
        let options = Options::new().linger(Some(Duration::ZERO));
        options.send_bytes_limit(100_000).send_high_water_mark(0)
    };
    let push = connected(&context, SocketType::Push, options(), &nowhere());
    let sent = fill(&push, &[0; 1000]);
    assert_eq!(sent, 100);
    let other = connected(&context, SocketType::Push, options(), &nowhere());
    assert_eq!(fill(&other, &vec![0; 1_000_000]), 1);
}

// HOSTILE 47
#[test]
fn a_peer_that_does_not_read_stops_the_sender_at_the_mark() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new()
        .send_high_water_mark(100)
        .linger(Some(Duration::ZERO));
    let (push, real) = bound(&context, SocketType::Push, options, "tcp://127.0.0.1:*");
    let mut peer = RawPeer::connect(&real, "PULL", &[]);
    await_peers(&push, 1);
    let body = vec![7; 64 << 10];
    let sent = fill(&push, &body);
    let waiting = push.statistics().peers[0].queued_messages;
    assert!((50..=101).contains(&waiting), "{waiting} of {sent} wait");
    // Once the peer reads, everything that was accepted arrives.
    let reader = std::thread::spawn(move || {
        for _ in 0..sent + 1 {
            assert_eq!(peer.next_message().unwrap()[0].len(), 64 << 10);
        }
    });
    push.send(body).unwrap();
    reader.join().unwrap();
}

over_tcp_and_ipc! {
    fn a_blocked_sender_goes_on_when_the_receiver_reads(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().receive_high_water_mark(10)),
            (SocketType::Push, Options::new().send_high_water_mark(10)),
        );
        let sender = std::thread::spawn(move || {
            for number in 0..2000_u64 {
                let mut body = number.to_le_bytes().to_vec();
                body.resize(10_000, 0);
                push.send(body).unwrap();
            }
            push
        });
        for number in 0..2000 {
            assert_eq!(recv_number(&pull), number);
        }
        sender.join().unwrap();
    }

    // G78
    fn a_full_subscriber_loses_messages_and_the_others_do_not(endpoint) {
        let context = context();
        let options = Options::new().send_high_water_mark(50);
        let (publisher, real) = bound(&context, SocketType::XPub, options, endpoint);
        let slow = context
            .any_socket(SocketType::Sub, Options::new().receive_high_water_mark(1))
            .unwrap();
        slow.subscribe("").unwrap();
        slow.connect(&real).unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01"]);
        let fast = context.any_socket(SocketType::Sub, Options::new()).unwrap();
        fast.subscribe("").unwrap();
        fast.connect(&real).unwrap();
        await_peers(&publisher, 2);
        until("both are subscribed", || {
            publisher.send("").unwrap();
            fast.try_recv().ok()
        });
        let body = vec![1; 32 << 10];
        let mut sent = 0_u64;
        while publisher.statistics().drops.of(DropCause::SubscriberFull) < 10 {
            publisher.send(&body).unwrap();
            sent += 1;
            while recv(&fast).frame(0).unwrap().is_empty() {}
        }
        assert!(sent > 10);
    }

    // G78
    fn no_drop_makes_a_publisher_wait_for_its_slowest_subscriber(endpoint) {
        let context = context();
        let options = Options::new().send_high_water_mark(10).pub_no_drop(true);
        let (publisher, real) = bound(&context, SocketType::XPub, options, endpoint);
        let slow = context
            .any_socket(SocketType::Sub, Options::new().receive_high_water_mark(1))
            .unwrap();
        slow.subscribe("").unwrap();
        slow.connect(&real).unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01"]);
        let body = vec![1; 64 << 10];
        let sent = fill(&publisher, &body);
        for _ in 0..sent {
            recv(&slow);
        }
        publisher.send("last").unwrap();
        assert_eq!(recv_parts(&slow), [b"last"]);
        assert_eq!(publisher.statistics().drops.total(), 0);
    }
}

// F61
#[test]
fn a_dealer_skips_a_full_peer() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new()
        .send_high_water_mark(5)
        .linger(Some(Duration::ZERO));
    let (dealer, real) = bound(&context, SocketType::Dealer, options, "tcp://127.0.0.1:*");
    let _deaf = RawPeer::connect(&real, "DEALER", &[]);
    await_peers(&dealer, 1);
    fill_to_the_last(&dealer, &[0; 128 << 10]);
    let mut reader = RawPeer::connect(&real, "DEALER", &[]);
    await_peers(&dealer, 2);
    for _ in 0..50 {
        dealer.send("for who reads").unwrap();
        assert_eq!(reader.next_message().unwrap(), [b"for who reads"]);
    }
}
