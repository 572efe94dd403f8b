//! Threads wait for a socket's events. A wake-up that is lost leaves one of
//! them waiting for ever, which loom reports.

use std::sync::Arc;

use super::socket::{Closed, Interest, Socket};
use crate::hand_over::Awaited;
use crate::sync::faults::explore;
use crate::sync::{Fault, thread};

type Role = fn(&Socket);

/// Runs threads, the last of them on this one.
fn run(roles: &[Role]) {
    let socket = Arc::new(Socket::default());
    let (last, others) = roles.split_last().unwrap();
    let threads: Vec<_> = others
        .iter()
        .map(|&role| {
            let socket = socket.clone();
            thread::spawn(move || role(&socket))
        })
        .collect();
    last(&socket);
    for thread in threads {
        thread.join().unwrap();
    }
}

const RECEIVER: Role = |socket| assert_eq!(socket.recv(), Ok(()));
const ENDED_RECEIVER: Role = |socket| assert_eq!(socket.recv(), Err(Closed));
const POLLER: Role = |socket| assert_eq!(socket.poll(Interest::Message), Ok(()));
const ROOM_POLLER: Role = |socket| assert_eq!(socket.poll(Interest::Room), Ok(()));
const ENDED_POLLER: Role = |socket| assert_eq!(socket.poll(Interest::Room), Err(Closed));
const LOOP: Role = |socket| assert_eq!(socket.recv_by_descriptor(), Ok(()));
const ENDED_LOOP: Role = |socket| assert_eq!(socket.recv_by_descriptor(), Err(Closed));
const CALL: Role = |socket| assert!(socket.try_recv().is_ok());
const SENDER: Role = Socket::send;
const WORKER: Role = Socket::take_over;

/// A call waits while the I/O thread, late, does its work.
fn receiver_and_worker() {
    run(&[RECEIVER, WORKER, |socket| socket.messages_come(1)]);
}

/// Two calls wait; messages come one by one.
fn two_receivers() {
    run(&[RECEIVER, RECEIVER, |socket| {
        socket.messages_come(1);
        socket.messages_come(1);
    }]);
}

/// A poller waits while the I/O thread, late, does its work.
fn poller_and_worker() {
    run(&[POLLER, WORKER, |socket| socket.messages_come(1)]);
}

/// A poller waits while another thread sends.
fn poller_and_sender() {
    run(&[POLLER, SENDER, |socket| socket.messages_come(1)]);
}

/// A poller waits for room while another thread receives.
fn poller_and_receiver() {
    run(&[ROOM_POLLER, RECEIVER, |socket| {
        socket.room_comes();
        socket.messages_come(1);
    }]);
}

/// The same, and the poller was there before.
fn receiver_beside_poller() {
    let socket = Arc::new(Socket::default());
    socket.poll_begins();
    let receiver = {
        let socket = socket.clone();
        thread::spawn(move || RECEIVER(&socket))
    };
    let world = {
        let socket = socket.clone();
        thread::spawn(move || {
            socket.room_comes();
            socket.messages_come(1);
        })
    };
    assert_eq!(socket.poll_on(Interest::Room), Ok(()));
    receiver.join().unwrap();
    world.join().unwrap();
}

/// A publisher that nobody receives from reads what comes, be it in a call or, while
/// one goes on for so long that its caller seems away, in the I/O thread.
fn publisher_and_worker() {
    let socket = Arc::new(Socket::default());
    socket.messages_come(3);
    let worker = {
        let socket = socket.clone();
        thread::spawn(move || socket.attend())
    };
    socket.publish();
    socket.callers_end();
    worker.join().unwrap();
    assert_eq!(socket.unread(), 0, "nobody reads on");
}

/// A call spins and leaves the link silent; the next one sleeps. The I/O thread, late,
/// does its work.
fn spinner_that_sleeps() {
    run(&[
        |socket| {
            assert_eq!(socket.recv(), Ok(()));
            assert_eq!(socket.recv_asleep(), Ok(()));
        },
        WORKER,
        |socket| {
            socket.messages_come(1);
            socket.messages_come(1);
        },
    ]);
}

/// A call has received the first of two messages, spinning; `next` is what comes then, and
/// is given the world's thread.
fn after_a_spin(next: fn(&Socket, thread::JoinHandle<()>)) {
    let socket = Arc::new(Socket::default());
    let world = {
        let socket = socket.clone();
        thread::spawn(move || {
            socket.messages_come(1);
            socket.messages_come(1);
            socket.callers_end();
        })
    };
    assert_eq!(socket.recv(), Ok(()));
    next(&socket, world);
}

/// A call spins and leaves the link silent; the next one does not wait.
fn spinner_that_looks() {
    after_a_spin(|socket, world| {
        world.join().unwrap();
        assert_eq!(socket.try_recv(), Ok(true), "nobody told, nobody looked");
    });
}

/// The same, and there is no next one: the I/O thread takes the socket.
fn spinner_that_goes() {
    after_a_spin(|socket, world| {
        socket.attend();
        world.join().unwrap();
        assert_eq!(socket.unread(), 0, "nobody reads on");
    });
}

/// The same, and a user's loop waits for the next message.
fn spinner_that_exports() {
    after_a_spin(|socket, world| {
        if !socket.holds_message() {
            assert_eq!(socket.recv_when_told(), Ok(()));
        }
        world.join().unwrap();
    });
}

/// A call spins while a poller waits.
fn poller_and_spinner() {
    run(&[POLLER, RECEIVER, |socket| {
        socket.messages_come(1);
        socket.messages_come(1);
    }]);
}

/// A user's loop receives while another thread sends.
fn loop_and_sender() {
    run(&[LOOP, SENDER, |socket| socket.messages_come(1)]);
}

/// A user's loop receives while the I/O thread, too early, does its work.
fn loop_and_worker() {
    run(&[LOOP, WORKER, |socket| socket.messages_come(1)]);
}

/// A user's loop and a call share what comes at once.
fn loop_and_receiver() {
    run(&[LOOP, RECEIVER, |socket| socket.messages_come(2)]);
}

/// A user's loop receives while a call that does not wait does so too.
fn loop_and_call() {
    run(&[LOOP, CALL, |socket| socket.messages_come(2)]);
}

/// The socket is closed under a user's loop, and the I/O thread takes it over.
fn close_under_loop() {
    run(&[ENDED_LOOP, WORKER, Socket::close]);
}

/// The socket is closed under two calls, and the I/O thread takes it over.
fn close_under_receivers() {
    run(&[ENDED_RECEIVER, ENDED_RECEIVER, WORKER, Socket::close]);
}

/// The socket is closed under a call and a poller.
fn close_under_poller() {
    run(&[ENDED_RECEIVER, ENDED_POLLER, Socket::close]);
}

fn holds(name: &str, model: fn()) {
    let n = explore(None, Some(3), model);
    println!("{name}: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn calls_that_wait_are_woken() {
    holds("receiver_and_worker", receiver_and_worker);
    holds("two_receivers", two_receivers);
}

#[test]
fn pollers_are_woken() {
    holds("poller_and_worker", poller_and_worker);
    holds("poller_and_sender", poller_and_sender);
}

#[test]
fn what_a_call_leaves_is_read() {
    holds("publisher_and_worker", publisher_and_worker);
}

#[test]
fn silence_ends_where_somebody_counts_on_events() {
    holds("spinner_that_sleeps", spinner_that_sleeps);
    holds("spinner_that_looks", spinner_that_looks);
    holds("spinner_that_goes", spinner_that_goes);
    holds("spinner_that_exports", spinner_that_exports);
    holds("poller_and_spinner", poller_and_spinner);
}

#[test]
fn a_poller_and_a_call_are_woken() {
    holds("poller_and_receiver", poller_and_receiver);
    holds("receiver_beside_poller", receiver_beside_poller);
}

#[test]
fn loops_are_told() {
    holds("loop_and_sender", loop_and_sender);
    holds("loop_and_worker", loop_and_worker);
    holds("loop_and_receiver", loop_and_receiver);
    holds("loop_and_call", loop_and_call);
}

#[test]
fn closing_wakes_all() {
    holds("close_under_receivers", close_under_receivers);
    holds("close_under_poller", close_under_poller);
    holds("close_under_loop", close_under_loop);
}

#[test]
fn planted_bugs_are_found() {
    let models: [(Fault, fn()); 21] = [
        (Fault::WorkerKeepsEvents, receiver_and_worker),
        (Fault::WorkerLeavesToCall, publisher_and_worker),
        (Fault::SleepsBesideSleeper, two_receivers),
        (Fault::SleepsWithoutToken, two_receivers),
        (Fault::TicketAfterUnlock, two_receivers),
        (Fault::TokenIsKept, two_receivers),
        (Fault::WorkerForgetsPoller, poller_and_worker),
        (Fault::CallTakesFromPoller, poller_and_sender),
        (Fault::SleepsBesidePoller, receiver_beside_poller),
        (Fault::PollerLeavesSleeper, poller_and_receiver),
        (Fault::PollerForgetsQueue, poller_and_receiver),
        (Fault::DescriptorIsNotRaised, loop_and_sender),
        (Fault::DescriptorIsNotRaised, loop_and_worker),
        (Fault::DescriptorIsNotRaised, loop_and_receiver),
        (Fault::DescriptorIsLoweredLate, loop_and_call),
        (Fault::SleepsOnClosed, close_under_receivers),
        (Fault::SleeperLeavesSilence, spinner_that_sleeps),
        (Fault::LookerLeavesSilence, spinner_that_looks),
        (Fault::WorkerLeavesSilence, spinner_that_goes),
        (Fault::SpinnerSilencesAll, poller_and_spinner),
        (Fault::ExporterLeavesSilence, spinner_that_exports),
    ];
    for (fault, model) in models {
        explore(Some(fault), Some(3), model);
    }
}
