//! A user's own loop around the readiness descriptor (H97).

use crate::common::*;
use ferromq_mio::{AnySocket, Error, Message, Options, SocketType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::Duration;

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
    // H97
    fn a_loop_that_waits_for_room_is_told_of_it(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().receive_high_water_mark(5)),
            (SocketType::Push, Options::new().send_high_water_mark(5)),
        );
        let receiver = std::thread::spawn(move || {
            for expected in 0..400 {
                if expected % 50 == 0 {
                    // Let the sender fill everything, and be taken over.
                    let _ = pull.wait_for_peers(2, Duration::from_millis(20));
                }
                assert_eq!(recv_number(&pull), expected);
            }
        });
        for number in 0..400_u64 {
            let mut body = number.to_le_bytes().to_vec();
            body.resize(100_000, 0);
            send_by_descriptor(&push, Message::from(body));
        }
        receiver.join().unwrap();
    }

    // What the I/O thread reads while the application is away is news, too.
    fn a_loop_around_an_xpub_is_told_of_subscriptions(endpoint) {
        let context = context();
        let (publisher, real) = bound(&context, SocketType::XPub, Options::new(), endpoint);
        for round in 0..20_u8 {
            let subscriber = connected(&context, SocketType::Sub, Options::new(), &real);
            // Let the loop sleep, and be taken over.
            let _ = subscriber.wait_for_peers(2, Duration::from_millis(15));
            let subscribing = std::thread::spawn(move || {
                subscriber.subscribe([round]).unwrap();
                subscriber
            });
            assert_eq!(*recv_by_descriptor(&publisher).frame(0).unwrap(), [1, round][..]);
            let subscriber = subscribing.join().unwrap();
            let _ = subscriber.wait_for_peers(2, Duration::from_millis(15));
            let leaving = std::thread::spawn(move || drop(subscriber));
            assert_eq!(*recv_by_descriptor(&publisher).frame(0).unwrap(), [0, round][..]);
            leaving.join().unwrap();
        }
    }
}
