//! The application goes away, and its sockets do what they owe.

use std::time::Duration;

use ferromq_mio::{Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

over_tcp_and_ipc! {
    fn a_lone_message_and_the_tail_of_a_burst_leave_without_a_flush(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        for burst in [1, 2, 33, 100, 900] {
            for number in 0..burst {
                push.send_bytes(&u64::to_le_bytes(number)).unwrap();
            }
            // The sender makes no further call until all has arrived.
            for number in 0..burst {
                assert_eq!(recv_number(&pull), number);
            }
        }
    }

    fn messages_are_taken_over_and_kept_in_order(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().receive_high_water_mark(100)),
            (SocketType::Push, Options::new()),
        );
        for round in 0..10_u64 {
            for number in 0..300 {
                push.send_bytes(&(round * 300 + number).to_le_bytes()).unwrap();
            }
            // Away for long enough to be taken over, or not quite.
            let _ = push.wait_for_peers(2, Duration::from_millis(round));
            for number in 0..300 {
                assert_eq!(recv_number(&pull), round * 300 + number);
            }
        }
    }

    // H85 for links: what fits is taken over while nobody receives.
    fn a_sender_gets_rid_of_its_messages_while_the_receiver_is_away(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new().send_high_water_mark(10)),
        );
        // 30 MB, which the receiver's pipe holds.
        let body = vec![9; 100_000];
        for _ in 0..300 {
            push.send(&body).unwrap();
        }
        for _ in 0..300 {
            assert_eq!(recv(&pull).body_len(), body.len());
        }
    }

    // G80
    fn subscriptions_reach_a_publisher_that_connects_and_never_calls(endpoint) {
        let context = context();
        let (subscriber, real) = bound(&context, SocketType::Sub, Options::new(), endpoint);
        subscriber.subscribe("a").unwrap();
        let publisher = connected(&context, SocketType::XPub, Options::new(), &real);
        await_peers(&subscriber, 1);
        subscriber.subscribe("b").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01a"]);
        assert_eq!(recv_parts(&publisher), [b"\x01b"]);
    }

    fn a_publisher_that_only_sends_sees_subscriptions(endpoint) {
        let context = context();
        let (publisher, real) = bound(&context, SocketType::Pub, Options::new(), endpoint);
        let subscriber = connected(&context, SocketType::Sub, Options::new(), &real);
        subscriber.subscribe("x").unwrap();
        until("the subscription works", || {
            publisher.send("x").unwrap();
            subscriber.try_recv().ok()
        });
    }
}

#[test]
fn what_came_while_away_survives_a_full_cycle_of_absence_and_presence() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (dealer, real) = bound(
        &context,
        SocketType::Dealer,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "DEALER", &[]);
    await_peers(&dealer, 1);
    for round in 0..200_u64 {
        peer.send(&[&round.to_le_bytes()]);
        // The answer shows that what precedes it was read by the I/O thread.
        peer.ping(0, b"");
        peer.next_command("PONG");
        assert_eq!(number(&dealer.try_recv().unwrap()), round);
    }
}
