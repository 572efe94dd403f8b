//! Calls wait as long as they were told, and wake for whatever ends the wait.

use std::collections::VecDeque;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, Error, Message, Options, SocketType};

use crate::common::*;

const SHORT: Duration = Duration::from_millis(30);

fn lonely(options: Options) -> (ferromq_mio::Context, AnySocket) {
    let context = context();
    let socket = context.any_socket(SocketType::Dealer, options).unwrap();
    (context, socket)
}

#[test]
fn receives_and_sends_end_at_their_deadline_and_not_before() {
    let _watchdog = Watchdog::start();
    let options = Options::new()
        .send_timeout(Some(SHORT))
        .receive_timeout(Some(SHORT));
    let (_context, socket) = lonely(options);
    type Call = Box<dyn Fn(&AnySocket) -> Error>;
    let calls: [Call; 6] = [
        Box::new(|socket| socket.recv().unwrap_err()),
        Box::new(|socket| socket.recv_timeout(SHORT).unwrap_err()),
        Box::new(|socket| socket.recv_deadline(Instant::now() + SHORT).unwrap_err()),
        Box::new(|socket| socket.send("x").unwrap_err().error),
        Box::new(|socket| socket.send_bytes(b"x").unwrap_err()),
        Box::new(|socket| {
            let deadline = Instant::now() + SHORT;
            socket.send_deadline("x", deadline).unwrap_err().error
        }),
    ];
    for call in calls {
        let started = Instant::now();
        assert!(matches!(call(&socket), Error::TimedOut));
        assert!(started.elapsed() >= SHORT);
    }
}

#[test]
fn calls_that_do_not_wait_say_that_they_would() {
    let (_context, socket) = lonely(Options::new());
    assert!(matches!(socket.try_recv(), Err(Error::WouldBlock)));
    assert!(matches!(
        socket.try_send("x").unwrap_err().error,
        Error::WouldBlock
    ));
    let mut batch = VecDeque::from([Message::from("x")]);
    assert_eq!(socket.send_batch(&mut batch).unwrap(), 0);
    assert_eq!(batch.len(), 1);
    assert!(!socket.wait_for_peers(1, Duration::ZERO).unwrap());
}

/// Starts `call` on two threads, then runs `end`, and expects its error.
fn wakes(
    call: fn(&AnySocket) -> Error,
    end: impl FnOnce(&ferromq_mio::Context, &AnySocket),
) -> [Error; 2] {
    let (context, socket) = lonely(Options::new());
    let (started, ready) = channel();
    let threads = [(); 2].map(|()| {
        let (socket, started) = (socket.clone(), started.clone());
        std::thread::spawn(move || {
            started.send(()).unwrap();
            call(&socket)
        })
    });
    ready.recv().unwrap();
    ready.recv().unwrap();
    end(&context, &socket);
    threads.map(|thread| thread.join().unwrap())
}

#[test]
fn closing_wakes_everybody_with_closed() {
    let _watchdog = Watchdog::start();
    for _ in 0..20 {
        for call in [
            (|socket| socket.recv().unwrap_err()) as fn(&AnySocket) -> Error,
            |socket| socket.send("x").unwrap_err().error,
            |socket| socket.wait_for_peers(1, PATIENCE).unwrap_err(),
        ] {
            let errors = wakes(call, |_, socket| socket.close());
            assert!(
                errors.iter().all(|error| matches!(error, Error::Closed)),
                "{errors:?}"
            );
        }
    }
}

#[test]
fn terminating_wakes_everybody_with_terminated() {
    let _watchdog = Watchdog::start();
    for _ in 0..20 {
        for call in [
            (|socket| socket.recv().unwrap_err()) as fn(&AnySocket) -> Error,
            |socket| socket.send("x").unwrap_err().error,
        ] {
            let errors = wakes(call, |context, _| context.terminate());
            assert!(
                errors
                    .iter()
                    .all(|error| matches!(error, Error::Terminated)),
                "{errors:?}"
            );
        }
    }
}

#[test]
fn nothing_works_after_closing_or_terminating() {
    let _watchdog = Watchdog::start();
    let (_context, socket) = lonely(Options::new());
    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap().to_string();
    socket.close();
    socket.close();
    assert!(matches!(
        socket.bind("tcp://127.0.0.1:*"),
        Err(Error::Closed)
    ));
    assert!(matches!(socket.connect(&endpoint), Err(Error::Closed)));
    assert!(matches!(socket.unbind(&endpoint), Err(Error::Closed)));
    assert!(matches!(socket.disconnect(&endpoint), Err(Error::Closed)));
    assert!(matches!(socket.try_recv(), Err(Error::Closed)));
    assert!(matches!(socket.flush(), Err(Error::Closed)));
    assert!(matches!(socket.readiness(), Err(Error::Closed)));
    let context = context();
    let other = context
        .any_socket(SocketType::Pull, Options::new())
        .unwrap();
    context.terminate();
    assert!(matches!(other.try_recv(), Err(Error::Terminated)));
    assert!(matches!(
        context.any_socket(SocketType::Pull, Options::new()),
        Err(Error::Terminated)
    ));
}

over_tcp_and_ipc! {
    fn batches_take_what_is_there_and_wait_for_the_first_only(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        let mut batch: VecDeque<Message> = (0..500_u64)
            .map(|number| Message::from(&number.to_le_bytes()))
            .collect();
        let sender = std::thread::spawn(move || {
            while !batch.is_empty() {
                push.send_batch(&mut batch).unwrap();
            }
        });
        let mut got = Vec::new();
        while got.len() < 500 {
            let before = got.len();
            let count = pull.recv_batch(&mut got, 100).unwrap();
            assert!((1..=100).contains(&count));
            assert_eq!(got.len(), before + count);
        }
        assert!(got.iter().map(number).eq(0..500));
        sender.join().unwrap();
    }

    fn one_thread_sends_while_another_receives(endpoint) {
        let context = context();
        let (echo, client) = linked(
            &context,
            endpoint,
            (SocketType::Dealer, Options::new()),
            (SocketType::Dealer, Options::new()),
        );
        let echoing = std::thread::spawn(move || {
            for _ in 0..20_000 {
                let message = recv(&echo);
                echo.send(message).unwrap();
            }
        });
        let sender = {
            let client = client.clone();
            std::thread::spawn(move || {
                for number in 0..20_000_u64 {
                    client.send_bytes(&number.to_le_bytes()).unwrap();
                }
            })
        };
        for number in 0..20_000 {
            assert_eq!(recv_number(&client), number);
        }
        sender.join().unwrap();
        echoing.join().unwrap();
    }

    fn messages_of_several_senders_never_mix(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new().send_high_water_mark(20)),
        );
        let senders = [1_u8, 2, 3].map(|name| {
            let push = push.clone();
            std::thread::spawn(move || {
                for number in 0..2000_u64 {
                    let size = 1 + (number as usize * 37) % 20_000;
                    let number = number.to_le_bytes().to_vec();
                    push.send(vec![vec![name], number, vec![name; size]]).unwrap();
                }
            })
        });
        let mut next = [0_u64; 4];
        for _ in 0..6000 {
            let parts = recv_parts(&pull);
            assert_eq!(parts.len(), 3);
            let name = parts[0][0];
            let number = u64::from_le_bytes(parts[1][..].try_into().unwrap());
            assert_eq!(number, next[usize::from(name)]);
            next[usize::from(name)] += 1;
            assert!(parts[2].iter().all(|&byte| byte == name));
        }
        for sender in senders {
            sender.join().unwrap();
        }
    }

    fn several_receivers_share_what_comes(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        let receivers = [(); 3].map(|()| {
            let pull = pull.clone();
            std::thread::spawn(move || {
                let mut sum = (0, 0);
                loop {
                    match recv_number(&pull) {
                        u64::MAX => return sum,
                        number => sum = (sum.0 + 1, sum.1 + number),
                    }
                }
            })
        });
        for number in 0..20_000_u64 {
            push.send_bytes(&number.to_le_bytes()).unwrap();
        }
        for _ in 0..3 {
            push.send_bytes(&u64::MAX.to_le_bytes()).unwrap();
        }
        let sums = receivers.map(|receiver| receiver.join().unwrap());
        let total = sums.iter().fold((0, 0), |all, sum| (all.0 + sum.0, all.1 + sum.1));
        assert_eq!(total, (20_000, (0..20_000_u64).sum()));
    }

    fn a_socket_moves_from_thread_to_thread(endpoint) {
        let context = context();
        let (mut pull, mut push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        for round in 0..30_u64 {
            (pull, push) = std::thread::spawn(move || {
                for number in 0..50 {
                    push.send_bytes(&(round * 50 + number).to_le_bytes()).unwrap();
                }
                for number in 0..50 {
                    assert_eq!(recv_number(&pull), round * 50 + number);
                }
                (pull, push)
            })
            .join()
            .unwrap();
        }
    }
}
