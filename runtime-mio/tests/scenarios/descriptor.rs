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
#[allow(dead_code)]
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

}
