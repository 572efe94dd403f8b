//! Section H: PUSH, PULL, PAIR and their queues.

use std::time::Duration;

use ferromq::{Error, Options, SocketType};
use ferromq_tests::{Ours, RawListener, RawPeer, Via, until};

fn soon() -> Options {
    Options::new().reconnect_interval(Duration::from_millis(10), Duration::from_millis(50))
}

#[test]
fn h84_a_bound_push_without_peer_would_block() {
    for via in [Via::Tcp, Via::Ipc] {
        let ours = Ours::bound(SocketType::Push, Options::new(), via);
        assert!(!ours.readiness().expect("readiness").writable);
        let refused = ours.try_send("kept").expect_err("nobody is there");
        assert!(matches!(refused.error, Error::WouldBlock));
        let mut peer = RawPeer::established(ours.endpoint(), "PULL");
        ours.send(refused.message).expect("send");
        assert_eq!(peer.read_message(), [b"kept"]);
    }
}

#[test]
fn h84_a_connecting_push_queues_up_to_its_high_water_mark() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(
        SocketType::Push,
        soon().send_high_water_mark(5),
        listener.endpoint(),
    );
    for number in 0..5_u8 {
        ours.try_send([number].as_slice()).expect("it is queued");
    }
    let refused = ours
        .try_send("one too many")
        .expect_err("the queue is full");
    assert!(matches!(refused.error, Error::WouldBlock));
    let mut peer = listener.accept_established("PULL");
    for number in 0..5_u8 {
        assert_eq!(peer.read_message(), [[number]]);
    }
}

#[test]
fn h84_a_connecting_push_queues_up_to_its_byte_limit() {
    let listener = RawListener::bind(Via::Tcp);
    let options = soon().send_high_water_mark(0);
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    let body = vec![0_u8; 8 << 20];
    let mut queued = 0;
    let refused = until("it is full", || match ours.try_send(body.as_slice()) {
        Ok(()) => {
            queued += 1;
            assert!(queued <= 5, "{queued} times 8 MiB are queued");
            None
        }
        Err(refused) => Some(refused),
    });
    assert!(matches!(refused.error, Error::WouldBlock));
    assert!(
        queued >= 4,
        "32 MiB may be queued, {queued} times 8 MiB were"
    );
}

#[test]
fn h84_an_empty_pipe_takes_one_message_of_any_size() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, soon(), listener.endpoint());
    ours.try_send(vec![9_u8; 100 << 20].as_slice())
        .expect("it is the only one");
    assert!(ours.try_send("x").is_err(), "and it fills the pipe");
    let mut peer = listener.accept_established("PULL");
    assert!(
        peer.read_message() == [vec![9_u8; 100 << 20]],
        "it arrived otherwise"
    );
}

#[test]
fn h84_with_immediate_nothing_is_queued_before_the_connection_stands() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(
        SocketType::Push,
        soon().immediate(true),
        listener.endpoint(),
    );
    let refused = ours
        .try_send("kept")
        .expect_err("there is no connection yet");
    assert!(matches!(refused.error, Error::WouldBlock));
    let mut peer = listener.accept_established("PULL");
    ours.send(refused.message).expect("send");
    assert_eq!(peer.read_message(), [b"kept"]);
}

#[test]
fn h86_a_push_alternates_whole_messages() {
    let ours = Ours::on_tcp(SocketType::Push);
    let mut peers = [(); 3].map(|()| RawPeer::established(ours.endpoint(), "PULL"));
    until("all are there", || {
        (ours.statistics().connected() == 3).then_some(())
    });
    for number in 0..9 {
        ours.send([number.to_string(), "rest".into()])
            .expect("send");
    }
    let mut seen = Vec::new();
    for peer in &mut peers {
        for _ in 0..3 {
            let message = peer.read_message();
            assert_eq!(message[1], b"rest");
            seen.push(message[0].clone());
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        (0..9)
            .map(|n| n.to_string().into_bytes())
            .collect::<Vec<_>>()
    );
}

#[test]
fn h86_a_push_skips_a_peer_that_does_not_read() {
    let options = Options::new().send_high_water_mark(4);
    let ours = Ours::bound(SocketType::Push, options, Via::Tcp);
    let mut lazy = RawPeer::established(ours.endpoint(), "PULL");
    lazy.settle();
    let body = vec![0_u8; 1 << 20];
    // What is refused now may be taken when the system has more room: for good is
    // after several looks.
    let mut refusals = 0;
    until("the lazy peer is full", || {
        if ours.try_send(body.as_slice()).is_ok() {
            refusals = 0;
            return None;
        }
        refusals += 1;
        std::thread::park_timeout(Duration::from_millis(10));
        (refusals == 20).then_some(())
    });
    let mut quick = RawPeer::established(ours.endpoint(), "PULL");
    for number in 0..20_u8 {
        ours.send([number].as_slice()).expect("send");
        assert_eq!(quick.read_message(), [[number]]);
    }
    drop(lazy);
}

#[test]
fn h86_a_pull_takes_whole_messages_in_turn() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peers = [(); 2].map(|()| RawPeer::established(ours.endpoint(), "PUSH"));
    for (index, peer) in peers.iter_mut().enumerate() {
        for round in 0..10 {
            peer.send_message(&[index.to_string(), round.to_string(), "end".into()]);
        }
        peer.settle();
    }
    let mut order = Vec::new();
    let mut next = [0, 0];
    for _ in 0..20 {
        let message = ours.recv_parts();
        let index = usize::from(message[0][0] - b'0');
        assert_eq!(message[1], next[index].to_string().into_bytes(), "in order");
        assert_eq!(message[2], b"end");
        next[index] += 1;
        order.push(index);
    }
    let turns = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(turns, 19, "not in turn: {order:?}");
}

#[test]
fn h87_a_pair_takes_one_peer_and_refuses_the_second() {
    let ours = Ours::on_tcp(SocketType::Pair);
    let mut first = RawPeer::established(ours.endpoint(), "PAIR");
    ours.await_peer();
    let mut second = RawPeer::connect(ours.endpoint());
    second.send(&ferromq_tests::Greeting::default().bytes());
    let _ = second.read_greeting();
    second.send_ready("PAIR", &[]);
    second.read_to_close();
    ours.send("to the first").expect("send");
    assert_eq!(first.read_message(), [b"to the first"]);
    drop(first);
    let _ = ours.await_disconnect();
    let mut third = RawPeer::established(ours.endpoint(), "PAIR");
    ours.await_peer();
    third.send_message(&["from the third"]);
    assert_eq!(ours.recv_parts(), [b"from the third"]);
}

#[test]
fn h88_a_bound_peer_that_disconnects_loses_its_queue() {
    let options = Options::new().send_high_water_mark(0);
    let ours = Ours::bound(SocketType::Push, options, Via::Tcp);
    let mut gone = RawPeer::established(ours.endpoint(), "PULL");
    ours.await_peer();
    gone.settle();
    let body = vec![0_u8; 1 << 20];
    for _ in 0..20 {
        ours.send(body.as_slice()).expect("send");
    }
    drop(gone);
    let _ = ours.await_disconnect();
    let mut next = RawPeer::established(ours.endpoint(), "PULL");
    ours.send("fresh").expect("send");
    assert_eq!(next.read_message(), [b"fresh"]);
}

#[test]
fn h88_a_connecting_side_keeps_its_queue_over_a_reconnect() {
    for via in [Via::Tcp, Via::Ipc] {
        let listener = RawListener::bind(via);
        let ours = Ours::connected(SocketType::Push, soon(), listener.endpoint());
        let peer = listener.accept_established("PULL");
        ours.await_peer();
        drop(peer);
        let _ = ours.await_disconnect();
        for number in 0..100_u8 {
            ours.send([number].as_slice()).expect("it is queued");
        }
        let mut peer = listener.accept_established("PULL");
        for number in 0..100_u8 {
            assert_eq!(peer.read_message(), [[number]]);
        }
    }
}

#[test]
fn h89_conflate_keeps_the_last_message_only() {
    let listener = RawListener::bind(Via::Tcp);
    let ours = Ours::connected(SocketType::Push, soon().conflate(true), listener.endpoint());
    for number in 0..100_u8 {
        ours.send([number].as_slice()).expect("send");
    }
    let mut peer = listener.accept_established("PULL");
    assert_eq!(peer.read_message(), [[99]]);

    let receiving = Ours::bound(SocketType::Pull, Options::new().conflate(true), Via::Tcp);
    let mut peer = RawPeer::established(receiving.endpoint(), "PUSH");
    for number in 0..100_u8 {
        peer.send_message(&[[number]]);
    }
    peer.settle();
    assert_eq!(receiving.recv_parts(), [[99]]);
}

/// Numbers that a PUSH takes before it would block, from `first` on.
fn fill(ours: &Ours, first: u8) -> u8 {
    let taken = (first..u8::MAX).take_while(|number| ours.try_send([*number].as_slice()).is_ok());
    u8::try_from(taken.count()).expect("there is a mark")
}

#[test]
fn h90_a_changed_high_water_mark_holds_for_what_is_queued() {
    let listener = RawListener::bind(Via::Tcp);
    let options = soon().send_high_water_mark(5);
    let ours = Ours::connected(SocketType::Push, options, listener.endpoint());
    assert_eq!(fill(&ours, 0), 5);
    for (mark, more) in [(8, 3), (2, 0), (9, 1)] {
        ours.set_options(|options| options.send_high_water_mark(mark))
            .expect("a mark can change");
        let taken = fill(&ours, u8::try_from(mark).expect("it is small") - more);
        assert_eq!(taken, more, "{mark}");
    }
    let mut peer = listener.accept_established("PULL");
    for number in 0..9_u8 {
        assert_eq!(
            peer.read_message(),
            [[number]],
            "a lower mark drops nothing"
        );
    }
}

#[test]
fn h90_a_changed_high_water_mark_holds_for_a_peer_that_does_not_read() {
    let options = Options::new().send_high_water_mark(2);
    let ours = Ours::bound(SocketType::Push, options, Via::Tcp);
    let mut peer = RawPeer::established(ours.endpoint(), "PULL");
    ours.await_peer();
    let body = vec![0_u8; 1 << 20];
    let mut sent = 0;
    let mut full = |what: &str| {
        until(what, || match ours.try_send(body.as_slice()) {
            Ok(()) => {
                sent += 1;
                None
            }
            Err(_) => Some(sent),
        })
    };
    let before = full("it is full");
    ours.set_options(|options| options.send_high_water_mark(8))
        .expect("a mark can change");
    // The system may have taken some more meanwhile.
    let sent = full("it is full again");
    assert!(sent >= before + 6, "{before} messages, then {sent}");
    for _ in 0..sent {
        assert_eq!(peer.read_message()[0].len(), body.len());
    }
}

#[test]
fn h97_reading_until_would_block_after_a_wake_up_loses_nothing() {
    let ours = Ours::on_tcp(SocketType::Pull);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    let sender = std::thread::spawn(move || {
        for number in 0..20_000_u32 {
            peer.send_message(&[number.to_le_bytes()]);
        }
        peer
    });
    let mut poller = ferromq::Poller::new();
    poller.add(&*ours, 7, ferromq::Interest::Readable);
    let mut expected = 0_u32;
    let mut events = Vec::new();
    while expected < 20_000 {
        poller
            .wait(&mut events, Some(ferromq_tests::PATIENCE))
            .expect("wait");
        assert!(!events.is_empty(), "asleep with {expected} of 20000 read");
        while let Ok(message) = ours.try_recv() {
            assert_eq!(message.parts()[0].as_ref(), expected.to_le_bytes());
            expected += 1;
        }
    }
    drop(sender.join().expect("the sender ends"));
}

#[test]
fn h96_a_lent_buffer_is_released_once() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let ours = Ours::on_tcp(SocketType::Push);
    let mut peer = RawPeer::established(ours.endpoint(), "PULL");
    for len in [10, 100_000] {
        let released = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&released);
        let lent = ferromq::Frame::with_release(vec![5_u8; len], move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        ours.send(lent).expect("send");
        assert_eq!(peer.read_message(), [vec![5; len]]);
        until("it is released", || {
            (released.load(Ordering::SeqCst) > 0).then_some(())
        });
        peer.settle();
        assert_eq!(released.load(Ordering::SeqCst), 1);
    }
}
