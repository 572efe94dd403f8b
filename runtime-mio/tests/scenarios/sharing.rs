//! Threads that share a socket, one of them with a poller or a loop of its own:
//! what one takes from the socket's epoll the others hear of (H97).

use std::sync::mpsc::{TryRecvError, channel};

use crate::common::*;
use ferromq_mio::{AnySocket, Error, Interest, Message, Options, Poller, SocketType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Asks a poller, which has to find the socket ready.
#[track_caller]
fn poll_for(socket: &AnySocket, interest: Interest) {
    let mut poller = Poller::new();
    poller.add(socket, 1, interest);
    let mut events = Vec::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    assert_eq!(events.len(), 1, "the poller waited in vain");
}

/// Sends until there is no room.
fn fill(socket: &AnySocket, body: &[u8]) -> usize {
    let sends = std::iter::repeat_with(|| socket.try_send(Message::from(body.to_vec())));
    sends.take_while(Result::is_ok).count()
}

over_tcp_and_ipc! {
    // H97
    fn a_poller_for_room_hears_of_it_while_another_thread_receives(endpoint) {
        const ROUNDS: usize = 20;
        let context = context();
        let (peer, dealer) = linked(
            &context,
            endpoint,
            (SocketType::Dealer, Options::new().receive_high_water_mark(5)),
            (SocketType::Dealer, Options::new().send_high_water_mark(5)),
        );
        let receiving = dealer.clone();
        let receiver = std::thread::spawn(move || recv_number(&receiving));
        let (full, fills) = channel();
        let reader = std::thread::spawn(move || {
            for sent in fills {
                (0..sent).for_each(|_| drop(recv(&peer)));
            }
            peer.send(7_u64.to_le_bytes().to_vec()).unwrap();
            peer
        });
        let body = vec![1; 100_000];
        for _ in 0..ROUNDS {
            full.send(fill(&dealer, &body)).unwrap();
            poll_for(&dealer, Interest::Writable);
        }
        drop(full);
        assert_eq!(receiver.join().unwrap(), 7);
        drop(reader.join().unwrap());
    }

    // H97
    fn a_poller_for_room_hears_of_what_its_own_look_made(endpoint) {
        const MESSAGES: u64 = 300_000;
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        let reader = std::thread::spawn(move || {
            (0..MESSAGES).for_each(|number| assert_eq!(recv_number(&pull), number));
        });
        // What makes it full may be the last of a burst: it waits to be written, and is
        // written by the look, which no event tells of.
        let mut number = 0;
        while number < MESSAGES {
            poll_for(&push, Interest::Writable);
            for _ in 0..(number % 7).min(MESSAGES - number) + 1 {
                match push.try_send(number.to_le_bytes().to_vec()) {
                    Ok(()) => number += 1,
                    Err(_) => break,
                }
            }
        }
        reader.join().unwrap();
    }

    // H97
    fn a_poller_and_a_loop_hear_of_messages_while_another_thread_looks(endpoint) {
        const MESSAGES: u64 = 400;
        let context = context();
        let (peer, dealer) = linked(
            &context,
            endpoint,
            (SocketType::Dealer, Options::new()),
            (SocketType::Dealer, Options::new()),
        );
        let looking = dealer.clone();
        let (stop, stopped) = channel::<()>();
        let looker = std::thread::spawn(move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                looking.readiness().unwrap();
                std::thread::yield_now();
            }
        });
        // It answers one message at a time, so that nothing else comes after a
        // message that nobody was told of.
        let answering = std::thread::spawn(move || {
            let mut next = 0_u64;
            while next < MESSAGES {
                assert_eq!(recv_parts(&peer), [b"next"]);
                peer.send(next.to_le_bytes().to_vec()).unwrap();
                next += 1;
            }
            peer
        });
        for expected in 0..MESSAGES {
            dealer.send_bytes(b"next").unwrap();
            let message = loop {
                match dealer.try_recv() {
                    Ok(message) => break message,
                    Err(Error::WouldBlock) if expected % 2 == 0 => {
                        poll_for(&dealer, Interest::Readable);
                    }
                    Err(Error::WouldBlock) => sleep_on(&dealer),
                    Err(other) => panic!("{other}"),
                }
            };
            assert_eq!(number(&message), expected);
        }
        drop(stop);
        looker.join().unwrap();
        drop(answering.join().unwrap());
    }
}

/// Sleeps in poll(2) as a user's loop does; panics when nothing comes.
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

#[test]
fn closing_ends_a_receive_and_a_poller_at_once() {
    let _watchdog = Watchdog::start();
    let context = context();
    for _ in 0..50 {
        let pull = context
            .any_socket(SocketType::Pull, Options::new())
            .unwrap();
        let waits: Vec<_> = [false, true]
            .map(|polls| {
                let pull = pull.clone();
                std::thread::spawn(move || match polls {
                    true => {
                        let mut poller = Poller::new();
                        poller.add(&pull, 1, Interest::Readable);
                        poller.wait(&mut Vec::new(), None).unwrap_err()
                    }
                    false => pull.recv().map(|_: Message| ()).unwrap_err(),
                })
            })
            .into();
        pull.close();
        for wait in waits {
            assert!(matches!(wait.join().unwrap(), Error::Closed));
        }
    }
}
