//! Something is left for a socket by threads that do not enter it. If nobody sees
//! it, whoever waits for it does so for ever, which loom reports, or it is still there
//! in the end and nobody was woken for it.

use std::sync::Arc;

use super::socket::Socket;
use crate::sync::faults::explore;
use crate::sync::{Fault, thread};

/// A call waits while another thread leaves something.
fn sleeper() {
    let socket = Arc::new(Socket::default());
    let leaver = {
        let socket = socket.clone();
        thread::spawn(move || socket.leave())
    };
    socket.await_left(1);
    leaver.join().unwrap();
}

/// The same, twice: what is left while the first is taken is news.
fn sleeper_and_two() {
    let socket = Arc::new(Socket::default());
    let leavers = [(); 2].map(|()| {
        let socket = socket.clone();
        thread::spawn(move || socket.leave())
    });
    socket.await_left(2);
    for leaver in leavers {
        leaver.join().unwrap();
    }
}

/// The thread that makes the socket's calls leaves something, and makes none; the I/O
/// thread takes the socket over.
fn worker() {
    let socket = Arc::new(Socket::default());
    let worker = {
        let socket = socket.clone();
        thread::spawn(move || socket.take_over_for_good())
    };
    socket.leave();
    worker.join().unwrap();
    assert!(socket.is_left_seen());
}

fn holds(name: &str, model: fn()) {
    let n = explore(None, Some(3), model);
    println!("{name}: {n} executions");
    assert!(n > 20, "{n} executions");
}

#[test]
fn what_is_left_is_found() {
    holds("sleeper", sleeper);
    holds("sleeper_and_two", sleeper_and_two);
    holds("worker", worker);
}

#[test]
fn planted_bugs_are_found() {
    let models: [(Fault, fn()); 6] = [
        (Fault::LeaverSkipsFence, sleeper),
        (Fault::LeaverSkipsFence, worker),
        (Fault::SleeperSkipsFence, sleeper),
        (Fault::SleeperSkipsLook, sleeper),
        (Fault::SleeperSkipsLook, worker),
        (Fault::SleeperLooksFirst, sleeper),
    ];
    for (fault, model) in models {
        explore(Some(fault), Some(3), model);
    }
}
