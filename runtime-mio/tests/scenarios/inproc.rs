//! `inproc://`: what is particular to it. That it does what every transport
//! does is the conformance suite's business.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferromq_mio::{Context, Error, EventKind, Frame, Message, Options, SocketType};

use crate::common::*;

fn hwm(mark: usize) -> Options {
    Options::new()
        .send_high_water_mark(mark)
        .receive_high_water_mark(mark)
}

#[test]
fn a_connect_may_come_before_the_bind() {
    let _watchdog = Watchdog::start();
    let context = context();
    let push = connected(&context, SocketType::Push, Options::new(), "inproc://later");
    for number in 0..100_u64 {
        push.send(&number.to_le_bytes()).unwrap();
    }
    let (pull, real) = bound(&context, SocketType::Pull, Options::new(), "inproc://later");
    assert_eq!(real, "inproc://later");
    for number in 0..100 {
        assert_eq!(recv_number(&pull), number);
    }
}

#[test]
fn names_belong_to_one_context_and_one_socket() {
    let _watchdog = Watchdog::start();
    let (ours, other) = (context(), context());
    let (first, _) = bound(&ours, SocketType::Pull, Options::new(), "inproc://name");
    let second = ours.any_socket(SocketType::Pull, Options::new()).unwrap();
    let taken = second.bind("inproc://name").unwrap_err();
    assert!(matches!(taken, Error::Transport(_)), "{taken:?}");
    assert!(taken.to_string().contains("inproc://name"), "{taken}");
    bound(&other, SocketType::Pull, Options::new(), "inproc://name");
    first.unbind("inproc://name").unwrap();
    second.bind("inproc://name").unwrap();
}

/// CONFORMANCE 85.
#[test]
fn capacity_is_the_senders_mark_and_the_receivers() {
    let _watchdog = Watchdog::start();
    for (ours, theirs) in [(5, 7), (1, 1), (3, 100)] {
        let (push, pull) = linked(
            &context(),
            "inproc://capacity",
            (SocketType::Push, hwm(ours)),
            (SocketType::Pull, hwm(theirs)),
        );
        let fill = || (0..).take_while(|&n: &u64| push.try_send(&n.to_le_bytes()).is_ok());
        assert_eq!(fill().count(), ours + theirs);
        // Also when nobody called for so long that the I/O thread looks after
        // the receiver.
        let _ = push.send_deadline("late", std::time::Instant::now() + AWAY);
        assert_eq!(
            fill().count(),
            0,
            "more was taken while the receiver was away"
        );
        for number in 0..(ours + theirs) as u64 {
            assert_eq!(recv_number(&pull), number);
        }
    }
}

/// Longer than a caller is present without a call.
const AWAY: std::time::Duration = std::time::Duration::from_millis(100);

#[test]
fn without_a_mark_on_either_side_there_is_no_limit() {
    let _watchdog = Watchdog::start();
    for (ours, theirs) in [(0, 1), (1, 0)] {
        let (push, pull) = linked(
            &context(),
            "inproc://unlimited",
            (SocketType::Push, hwm(ours)),
            (SocketType::Pull, hwm(theirs)),
        );
        for number in 0..20_000_u64 {
            push.try_send(&number.to_le_bytes()).unwrap();
        }
        for number in 0..20_000 {
            assert_eq!(recv_number(&pull), number);
        }
    }
}

/// A long body is received where it was sent from, and released once, when the
/// last of its receivers lets go of it.
#[test]
fn long_bodies_are_handed_over() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, _) = bound(&context, SocketType::Pub, Options::new(), "inproc://bodies");
    let subscribers = [(); 2].map(|()| {
        let options = Options::new();
        let socket = connected(&context, SocketType::Sub, options, "inproc://bodies");
        socket.subscribe("").unwrap();
        socket
    });
    await_peers(&publisher, 2);
    until("both have subscribed", || {
        publisher.send("?").unwrap();
        let heard =
            |socket: &ferromq_mio::AnySocket| socket.statistics().traffic.messages_received > 0;
        subscribers
            .iter()
            .for_each(|socket| while socket.try_recv().is_ok() {});
        subscribers.iter().all(heard).then_some(())
    });
    let releases = Arc::new(AtomicUsize::new(0));
    let counted = releases.clone();
    let body = Frame::with_release(vec![7; 1 << 20], move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let address = body.as_ptr();
    publisher
        .send(Message::from(vec![Frame::from("head"), body]))
        .unwrap();
    let received = subscribers.each_ref().map(|socket| {
        loop {
            let message = recv(socket);
            if message.len() == 2 {
                break message;
            }
        }
    });
    for message in &received {
        let body = message.frame(1).unwrap();
        assert_eq!(body.as_ptr(), address);
        assert_eq!(body.origin().unwrap().address(), "inproc://bodies");
    }
    let [one, other] = received;
    drop(one);
    assert_eq!(releases.load(Ordering::SeqCst), 0);
    drop(other);
    until("the body is released", || {
        publisher.flush().unwrap();
        (releases.load(Ordering::SeqCst) == 1).then_some(())
    });
}

/// The release callback of a body that nobody took may call the socket.
#[test]
fn what_is_not_delivered_is_released_where_no_lock_is_held() {
    let _watchdog = Watchdog::start();
    let (push, pull) = linked(
        &context(),
        "inproc://undelivered",
        (SocketType::Push, Options::new()),
        (SocketType::Pull, Options::new()),
    );
    let releases = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let (counted, calls) = (releases.clone(), [push.clone(), pull.clone()]);
        push.send(Frame::with_release(vec![7; 100_000], move || {
            calls.iter().for_each(|socket| drop(socket.statistics()));
            counted.fetch_add(1, Ordering::SeqCst);
        }))
        .unwrap();
    }
    assert_eq!(recv(&pull).body_len(), 100_000);
    pull.close();
    push.close();
    until("all are released", || {
        (releases.load(Ordering::SeqCst) == 3).then_some(())
    });
}

#[test]
fn a_peer_that_goes_is_noticed_and_one_that_comes_is_served() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, _) = bound(&context, SocketType::Pull, Options::new(), "inproc://again");
    let push = connected(&context, SocketType::Push, Options::new(), "inproc://again");
    let monitor = push.monitor();
    await_peers(&push, 1);
    push.send("one").unwrap();
    assert_eq!(recv_parts(&pull), [b"one"]);
    drop(pull);
    await_event(&monitor, "of the end", |event| {
        matches!(event.kind, EventKind::Disconnected { .. })
    });
    push.send("two").unwrap();
    let (pull, _) = bound(&context, SocketType::Pull, Options::new(), "inproc://again");
    assert_eq!(recv_parts(&pull), [b"two"]);
}

#[test]
fn what_was_sent_before_a_close_is_read_after_it() {
    let _watchdog = Watchdog::start();
    let (push, pull) = linked(
        &context(),
        "inproc://closed",
        (SocketType::Push, Options::new()),
        (SocketType::Pull, Options::new()),
    );
    for number in 0..500_u64 {
        push.send(&number.to_le_bytes()).unwrap();
    }
    drop(push);
    for number in 0..500 {
        assert_eq!(recv_number(&pull), number);
    }
    assert!(matches!(pull.try_recv(), Err(Error::WouldBlock)));
}

/// Sockets with a password on their other endpoints reach each other here.
#[test]
fn security_is_left_out_within_a_process() {
    let _watchdog = Watchdog::start();
    let server = Options::new().plain_server([("name", "word")]);
    let (rep, _) = bound(&context_of(), SocketType::Rep, server, "inproc://open");
    drop(rep);
    let context = context();
    let server = Options::new().plain_server([("name", "word")]);
    let (rep, _) = bound(&context, SocketType::Rep, server, "inproc://open");
    let req = connected(&context, SocketType::Req, Options::new(), "inproc://open");
    req.send("?").unwrap();
    assert_eq!(recv_parts(&rep), [b"?"]);
    rep.send("!").unwrap();
    assert_eq!(recv_parts(&req), [b"!"]);
}

fn context_of() -> Context {
    context()
}

#[test]
fn peers_that_do_not_fit_are_refused() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, _) = bound(&context, SocketType::Pull, Options::new(), "inproc://fit");
    let monitor = pull.monitor();
    let _sub = connected(&context, SocketType::Sub, Options::new(), "inproc://fit");
    await_event(&monitor, "of the failure", |event| {
        matches!(event.kind, EventKind::HandshakeFailed { .. })
    });
}

#[test]
fn every_thread_with_its_own_socket_at_once() {
    let _watchdog = Watchdog::start();
    const WORKERS: u64 = 8;
    const EACH: u64 = 20_000;
    let context = context();
    let (pull, _) = bound(&context, SocketType::Pull, hwm(10), "inproc://crowd");
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let push = connected(&context, SocketType::Push, hwm(10), "inproc://crowd");
            std::thread::spawn(move || {
                (0..EACH).for_each(|number| push.send(&number.to_le_bytes()).unwrap());
            })
        })
        .collect();
    let mut sum = 0;
    for _ in 0..WORKERS * EACH {
        sum += recv_number(&pull);
    }
    assert_eq!(sum, WORKERS * (EACH * (EACH - 1) / 2));
    workers
        .into_iter()
        .for_each(|worker| worker.join().unwrap());
}

#[test]
fn request_and_reply_go_back_and_forth() {
    let _watchdog = Watchdog::start();
    let (rep, req) = linked(
        &context(),
        "inproc://back-and-forth",
        (SocketType::Rep, Options::new()),
        (SocketType::Req, Options::new()),
    );
    let server = std::thread::spawn(move || {
        for _ in 0..5_000 {
            let request = recv(&rep);
            rep.send(request).unwrap();
        }
    });
    for number in 0..5_000_u64 {
        let long = [number.to_le_bytes()]
            .concat()
            .repeat(1 + number as usize % 3 * 5000);
        req.send(long.clone()).unwrap();
        assert!(recv(&req).frame(0).unwrap() == &long[..]);
    }
    server.join().unwrap();
}

/// F55: a second reply to the last question is no reply to the next one.
#[test]
fn what_came_before_the_request_is_not_its_reply() {
    let _watchdog = Watchdog::start();
    let (router, req) = linked(
        &context(),
        "inproc://twice",
        (SocketType::Router, Options::new()),
        (SocketType::Req, Options::new()),
    );
    for round in 0..3_u8 {
        req.send(&[round]).unwrap();
        let asked = recv_parts(&router);
        let reply = [&asked[0][..], b"", &[round]];
        router.send(&reply[..]).unwrap();
        assert_eq!(recv_parts(&req), [[round]]);
        router.send(&reply[..]).unwrap();
    }
}

/// Whatever becomes of a message, its frames are dropped where no lock is held:
/// their release may call the socket.
#[test]
fn what_is_conflated_refused_or_left_is_released_where_no_lock_is_held() {
    let _watchdog = Watchdog::start();
    let conflating = Options::new().conflate(true);
    for (bound, connected, parts) in [
        (SocketType::Pull, SocketType::Push, 1),
        (SocketType::Dealer, SocketType::Dealer, 1),
        // Refused: an answer without an identity, of two long frames.
        (SocketType::Rep, SocketType::Dealer, 2),
    ] {
        let options = match parts {
            1 => conflating.clone(),
            _ => Options::new(),
        };
        let ends = ((bound, options), (connected, Options::new()));
        let (server, client) = linked(&context(), "inproc://released", ends.0, ends.1);
        let releases = Arc::new(AtomicUsize::new(0));
        let frame = || {
            let (counted, calls) = (releases.clone(), [server.clone(), client.clone()]);
            Frame::with_release(vec![7; 100_000], move || {
                calls.iter().for_each(|socket| drop(socket.statistics()));
                counted.fetch_add(1, Ordering::SeqCst);
            })
        };
        for _ in 0..5 {
            let message: Message = (0..parts).map(|_| frame()).collect();
            client.send(message).unwrap();
        }
        let _ = server.recv_timeout(AWAY);
        // Decoded by the readiness query, and never received.
        for _ in 0..2 {
            let message: Message = (0..parts).map(|_| frame()).collect();
            client.send(message).unwrap();
        }
        let _ = server.readiness();
        client.close();
        let _ = server.readiness();
        server.close();
        drop((client, server));
        until("all are released", || {
            (releases.load(Ordering::SeqCst) == 7 * parts).then_some(())
        });
    }
}

/// A welcome that is as long as the message behind it is not taken for it.
#[test]
fn a_long_welcome_comes_before_a_message_of_its_length() {
    let _watchdog = Watchdog::start();
    let context = context();
    let welcome = vec![b'w'; 8192];
    let options = Options::new().welcome_message(welcome.clone());
    let (publisher, _) = bound(&context, SocketType::XPub, options, "inproc://welcome");
    for _ in 0..20 {
        let sub = connected(
            &context,
            SocketType::Sub,
            Options::new(),
            "inproc://welcome",
        );
        sub.subscribe("").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01"]);
        publisher.send(vec![b'm'; 8192]).unwrap();
        assert!(recv_parts(&sub) == [welcome.clone()]);
        assert!(recv_parts(&sub) == [vec![b'm'; 8192]]);
        drop(sub);
        assert_eq!(recv_parts(&publisher), [b"\x00"]);
    }
}

/// Who gives up waiting for a name leaves no descriptors behind.
#[test]
fn names_that_nobody_binds_cost_nothing_once_given_up() {
    let _watchdog = Watchdog::start();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let context = context();
    let before = descriptors();
    for number in 0..2_000 {
        let name = format!("inproc://job-{number}");
        let options = Options::new().linger(Some(std::time::Duration::ZERO));
        drop(connected(&context, SocketType::Push, options, &name));
    }
    // Other tests of this process have descriptors too, but not thousands.
    until("the descriptors are back", || {
        (descriptors() < before + 1_500).then_some(())
    });
}
