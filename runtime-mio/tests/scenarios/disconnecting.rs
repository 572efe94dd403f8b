//! What is queued for a peer that is disconnected leaves first, also when the
//! connection did not stand yet (CONFORMANCE 91).

use std::time::Duration;

use ferromq_mio::{AnySocket, Context, DropCause, EventKind, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

/// An endpoint at which nobody listens.
fn nowhere(context: &Context) -> String {
    let (socket, real) = bound(
        context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    socket.unbind(&real).unwrap();
    real
}

fn push_to(context: &Context, endpoint: &str, linger: Option<Duration>) -> AnySocket {
    let options = Options::new()
        .linger(linger)
        .reconnect_interval(Duration::from_millis(5), Duration::from_millis(20));
    connected(context, SocketType::Push, options, endpoint)
}

#[test]
fn h91_what_is_queued_for_a_peer_that_is_not_there_yet_lingers_after_disconnect() {
    let _watchdog = Watchdog::start();
    let context = context();
    let real = nowhere(&context);
    let push = push_to(&context, &real, None);
    let monitor = push.monitor();
    for number in 0..3_u64 {
        push.send(&number.to_le_bytes()).unwrap();
    }
    push.disconnect(&real).unwrap();
    assert!(push.disconnect(&real).is_err(), "disconnected twice");
    assert!(push.try_send("for nobody").is_err());
    let (pull, _) = bound(&context, SocketType::Pull, Options::new(), &real);
    for number in 0..3 {
        assert_eq!(recv_number(&pull), number);
    }
    await_event(&monitor, "of the end", |event| {
        event.kind == EventKind::Closed
    });
    assert_eq!(push.statistics().peers.len(), 0);
    assert_eq!(push.statistics().drops.total(), 0);
}

#[test]
fn h91_linger_bounds_it_and_what_is_dropped_is_counted() {
    let _watchdog = Watchdog::start();
    let context = context();
    let real = nowhere(&context);
    for linger in [Duration::ZERO, Duration::from_millis(30)] {
        let push = push_to(&context, &real, Some(linger));
        let monitor = push.monitor();
        push.send("one").unwrap();
        push.send("two").unwrap();
        push.disconnect(&real).unwrap();
        await_event(&monitor, "of the end", |event| {
            event.kind == EventKind::Closed
        });
        assert_eq!(push.statistics().drops.of(DropCause::Linger), 2);
        assert_eq!(push.statistics().peers.len(), 0);
    }
}

#[test]
fn a_departing_peer_gets_nothing_new() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = || Options::new().receive_high_water_mark(10);
    let (leaving, first) = bound(&context, SocketType::Pull, options(), "inproc://leaving");
    let (staying, second) = bound(&context, SocketType::Pull, options(), "inproc://staying");
    let push = connected(
        &context,
        SocketType::Push,
        Options::new().send_high_water_mark(10),
        &first,
    );
    await_peers(&push, 1);
    for _ in 0..20 {
        push.send("old").unwrap();
    }
    push.disconnect(&first).unwrap();
    push.connect(&second).unwrap();
    let reader = std::thread::spawn(move || {
        for _ in 0..20 {
            assert_eq!(recv_parts(&leaving), [b"old"]);
        }
        leaving
    });
    for _ in 0..500 {
        push.send("new").unwrap();
        assert_eq!(recv_parts(&staying), [b"new"]);
    }
    assert!(reader.join().unwrap().try_recv().is_err());
}

/// A peer that reads slowly, and has answered: closing with its answer unread
/// would reset the connection and throw away what is on its way.
#[test]
fn h91_what_is_on_its_way_arrives_although_an_answer_lies_unread() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let real = format!("tcp://{}", listener.local_addr().unwrap());
    let dealer = connected(&context, SocketType::Dealer, Options::new(), &real);
    let mut peer = RawPeer::accept(&listener, "DEALER");
    await_peers(&dealer, 1);
    peer.send(&[b"an answer that nobody reads"]);
    for _ in 0..20 {
        dealer.send(vec![7; 100_000]).unwrap();
    }
    dealer.disconnect(&real).unwrap();
    for received in 0..20 {
        let message = peer.next_message();
        assert!(message.is_some(), "lost after {received}");
    }
}

/// What a link took with it is not waited for over another one.
#[test]
fn h91_a_departing_peer_that_is_lost_with_nothing_left_is_given_up() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let real = format!("tcp://{}", listener.local_addr().unwrap());
    let push = push_to(&context, &real, None);
    let monitor = push.monitor();
    let peer = RawPeer::accept(&listener, "PULL");
    await_peers(&push, 1);
    push.send(vec![7; 32 << 20]).unwrap();
    push.disconnect(&real).unwrap();
    assert_eq!(push.statistics().peers.len(), 1, "it is half written");
    drop(peer);
    await_event(&monitor, "of the end", |event| {
        event.kind == EventKind::Closed
    });
    assert_eq!(push.statistics().drops.of(DropCause::LinkLost), 1);
    assert_eq!(push.statistics().peers.len(), 0);
}
