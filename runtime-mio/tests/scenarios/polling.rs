//! Readiness: descriptors in a user's loop, and the poller.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, Error, Interest, Message, Options, PollEvent, Poller, SocketType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use crate::common::raw::RawPeer;
use crate::common::*;

/// Sleeps in poll(2) as a user's loop does; panics when nothing ever comes.
#[track_caller]
fn sleep_on(socket: &AnySocket) {
    let mut fds = [PollFd::from_borrowed_fd(
        socket.readiness_fd(),
        PollFlags::IN,
    )];
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let ready = poll(&mut fds, Some(&patience)).unwrap();
    assert_eq!(ready, 1, "the descriptor never became readable");
}

/// Receives as the descriptor's contract says.
fn recv_by_descriptor(socket: &AnySocket) -> Message {
    loop {
        match socket.try_recv() {
            Ok(message) => return message,
            Err(Error::WouldBlock) => sleep_on(socket),
            Err(other) => panic!("{other}"),
        }
    }
}

/// The same by receives that have no time.
fn recv_in_no_time(socket: &AnySocket) -> Message {
    let deadline = Instant::now() + PATIENCE;
    loop {
        sleep_on(socket);
        match socket.recv_timeout(Duration::ZERO) {
            Ok(message) => return message,
            Err(Error::TimedOut) => assert!(Instant::now() < deadline, "told of for nothing"),
            Err(other) => panic!("{other}"),
        }
    }
}

fn send_by_descriptor(socket: &AnySocket, mut message: Message) {
    while let Err(refused) = socket.try_send(message) {
        assert!(
            matches!(refused.error, Error::WouldBlock),
            "{}",
            refused.error
        );
        message = refused.message;
        sleep_on(socket);
    }
}

over_tcp_and_ipc! {
    fn a_receive_that_has_no_time_takes_what_the_descriptor_tells_of(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        // From here on the descriptor tells.
        let _ = pull.readiness_fd();
        for number in 0..10_u8 {
            push.send([number].to_vec()).unwrap();
            push.flush().unwrap();
            assert_eq!(recv_in_no_time(&pull), Message::from([number].to_vec()));
        }
    }

    // H97
    fn a_loop_on_the_descriptor_loses_no_message(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        let sender = std::thread::spawn(move || {
            for number in 0..20_000_u64 {
                push.send_bytes(&number.to_le_bytes()).unwrap();
                match number % 1000 {
                    // Pauses, so that the receiver sleeps, and is taken over.
                    0 => drop(push.wait_for_peers(2, Duration::from_millis(number / 1000))),
                    500 => std::thread::yield_now(),
                    _ => {}
                }
            }
        });
        for expected in 0..20_000 {
            assert_eq!(number(&recv_by_descriptor(&pull)), expected);
        }
        sender.join().unwrap();
    }

    // H97
    fn two_loops_on_descriptors_play_ping_pong(endpoint) {
        let context = context();
        let (one, two) = linked(
            &context,
            endpoint,
            (SocketType::Dealer, Options::new()),
            (SocketType::Dealer, Options::new()),
        );
        let echo = std::thread::spawn(move || {
            for _ in 0..5000 {
                let message = recv_by_descriptor(&two);
                send_by_descriptor(&two, message);
            }
        });
        for round in 0..5000_u64 {
            send_by_descriptor(&one, Message::from(&round.to_le_bytes()));
            assert_eq!(number(&recv_by_descriptor(&one)), round);
        }
        echo.join().unwrap();
    }

    fn the_poller_serves_several_sockets_and_a_descriptor(endpoint) {
        let context = context();
        let pairs: Vec<_> = (0..5)
            .map(|_| {
                linked(
                    &context,
                    endpoint,
                    (SocketType::Pull, Options::new()),
                    (SocketType::Push, Options::new()),
                )
            })
            .collect();
        let (mut writing, reading) = UnixStream::pair().unwrap();
        let mut poller = Poller::new();
        let mut pulls = Vec::new();
        let mut pushes = Vec::new();
        for (key, (pull, push)) in pairs.into_iter().enumerate() {
            poller.add(&pull, key, Interest::Readable);
            pulls.push(pull);
            pushes.push(push);
        }
        poller.add_fd(reading.as_fd().try_clone_to_owned().unwrap(), 99, Interest::Readable);
        let sender = std::thread::spawn(move || {
            for number in 0..3000_u64 {
                pushes[number as usize % 5].send_bytes(&number.to_le_bytes()).unwrap();
                if number % 500 == 0 {
                    let _ = pushes[0].wait_for_peers(2, Duration::from_millis(number / 100));
                }
            }
            writing.write_all(b"!").unwrap();
            (pushes, writing)
        });
        let (mut got, mut closed) = (0, false);
        let mut next = [0, 1, 2, 3, 4_u64];
        let mut events: Vec<PollEvent> = Vec::new();
        while got < 3000 || !closed {
            poller.wait(&mut events, Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "nothing came after {got} messages");
            for event in events.drain(..) {
                assert!(event.readiness.readable && !event.readiness.writable);
                if event.key == 99 {
                    assert!(!closed);
                    closed = true;
                    poller.remove(99);
                    continue;
                }
                let message = pulls[event.key].try_recv().unwrap();
                assert_eq!(number(&message), next[event.key]);
                next[event.key] += 5;
                got += 1;
            }
        }
        sender.join().unwrap();
    }
}

#[test]
fn readiness_tells_what_a_call_would_do() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (rep, real) = bound(
        &context,
        SocketType::Rep,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let req = connected(&context, SocketType::Req, Options::new(), &real);
    let states = |socket: &AnySocket| {
        let readiness = socket.readiness().unwrap();
        (readiness.readable, readiness.writable)
    };
    assert_eq!(
        (states(&req), states(&rep)),
        ((false, true), (false, false))
    );
    req.send("question").unwrap();
    assert_eq!(states(&req), (false, false));
    until("the request is there", || {
        (states(&rep) == (true, false)).then_some(())
    });
    recv(&rep);
    assert_eq!(states(&rep), (false, true));
    rep.send("answer").unwrap();
    until("the reply is there", || {
        (states(&req) == (true, false)).then_some(())
    });
    recv(&req);
    assert_eq!(states(&req), (false, true));
}

// F59
#[test]
fn a_request_without_delimiter_does_not_make_rep_readable() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (rep, real) = bound(
        &context,
        SocketType::Rep,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "REQ", &[]);
    peer.send(&[b"no delimiter"]);
    peer.ping(0, b"");
    peer.next_command("PONG");
    assert!(!rep.readiness().unwrap().readable);
    assert_eq!(
        rep.statistics().drops.of(ferromq_mio::DropCause::Refused),
        1
    );
    peer.send(&[b"", b"proper"]);
    assert_eq!(recv_parts(&rep), [b"proper"]);
}

// F63
#[test]
fn a_mandatory_router_is_writable_only_with_a_peer_that_has_room() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().router_mandatory(true);
    let (router, real) = bound(&context, SocketType::Router, options, "tcp://127.0.0.1:*");
    assert!(!router.readiness().unwrap().writable);
    let _peer = RawPeer::connect(&real, "DEALER", &[("Identity", b"me")]);
    await_peers(&router, 1);
    assert!(router.readiness().unwrap().writable);
}

/// How long this thread has run.
fn run_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

#[test]
fn a_poller_sleeps_that_waits_for_room_where_a_message_is() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (rep, real) = bound(
        &context,
        SocketType::Rep,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let req = connected(&context, SocketType::Req, Options::new(), &real);
    req.send("question").unwrap();
    until("the request is there", || {
        rep.readiness().unwrap().readable.then_some(())
    });
    // An event that nobody has seen yet.
    let other = connected(&context, SocketType::Req, Options::new(), &real);
    await_peers(&rep, 2);
    other.send("another").unwrap();
    let mut poller = Poller::new();
    poller.add(&rep, 0, Interest::Writable);
    let (mut events, patience) = (Vec::new(), Duration::from_millis(300));
    let before = run_time();
    poller.wait(&mut events, Some(patience)).unwrap();
    assert!(events.is_empty(), "{events:?}");
    let took = run_time() - before;
    assert!(
        took < patience / 2,
        "{took:?} of {patience:?} were not slept"
    );
    // What it waited for takes a call.
    recv(&rep);
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    assert_eq!(events.len(), 1);
}

#[test]
fn a_poller_times_out_with_nothing_and_ends_with_its_socket() {
    let _watchdog = Watchdog::start();
    let context = context();
    let pull = context
        .any_socket(SocketType::Pull, Options::new())
        .unwrap();
    let mut poller = Poller::new();
    poller.add(&pull, 1, Interest::Both);
    let mut events = Vec::new();
    poller
        .wait(&mut events, Some(Duration::from_millis(20)))
        .unwrap();
    assert!(events.is_empty());
    let closer = pull.clone();
    let (waiting, waits) = std::sync::mpsc::channel();
    let closing = std::thread::spawn(move || {
        waits.recv().unwrap();
        closer.close();
    });
    waiting.send(()).unwrap();
    assert!(matches!(poller.wait(&mut events, None), Err(Error::Closed)));
    closing.join().unwrap();
}
