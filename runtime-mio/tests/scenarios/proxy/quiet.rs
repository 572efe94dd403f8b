//! A proxy that has nothing to do, and the ends of one.

use std::time::Duration;

use ferromq_mio::{Error, EventKind, Options, Proxy, SocketType};

use super::*;
use crate::common::raw::RawPeer;

const TCP: &str = "tcp://127.0.0.1:*";

fn hwm(mark: usize) -> Options {
    Options::new()
        .send_high_water_mark(mark)
        .receive_high_water_mark(mark)
}

/// How long the kernel has had a thread of this process on a core, in
/// nanoseconds.
fn on_core(task: &std::path::Path) -> Option<u64> {
    let stat = std::fs::read_to_string(task.join("schedstat")).ok()?;
    stat.split(' ').next()?.parse().ok()
}

/// Computes until this thread has had a quarter of a second of a core.
fn burn(task: &std::path::Path) -> Option<()> {
    let start = on_core(task)?;
    while on_core(task)? - start < 250_000_000 {
        (0..100_000_u64).for_each(|number| {
            std::hint::black_box(number);
        });
    }
    Some(())
}

#[test]
fn waiting_takes_no_time_of_a_core() {
    let _watchdog = Watchdog::start();
    // Without procfs there is nothing to count.
    let Ok(this) = std::fs::canonicalize("/proc/thread-self") else {
        return;
    };
    let context = context();
    let (frontend, front) = bound(&context, SocketType::Pull, hwm(10), TCP);
    let options = hwm(2).router_mandatory(true).linger(Some(Duration::ZERO));
    let (backend, back) = bound(&context, SocketType::Router, options, TCP);
    let mut proxy = Proxy::builder(frontend, backend).build().unwrap();
    let handle = proxy.handle();
    let (told, tasks) = std::sync::mpsc::channel();
    let running = std::thread::spawn(move || {
        told.send(std::fs::canonicalize("/proc/thread-self").unwrap())
            .unwrap();
        proxy.run()
    });
    let task = tasks.recv().unwrap();
    let rests = |what: &str| {
        let before = on_core(&task).unwrap();
        burn(&this).unwrap();
        let used = on_core(&task).unwrap() - before;
        // One that spins takes as much as we, or more.
        assert!(used < 50_000_000, "{used} ns on a core while {what}");
    };
    rests("nobody is there");
    let _other = RawPeer::connect(&back, "DEALER", &[("Identity", b"other")]);
    let _deaf = RawPeer::connect(&back, "DEALER", &[("Identity", b"deaf")]);
    let options = hwm(10).linger(Some(Duration::ZERO));
    let push = connected(&context, SocketType::Push, options, &front);
    await_peers(&push, 1);
    rests("nothing comes");
    let flooding = push.clone();
    let flood = std::thread::spawn(
        move || {
            while flooding.send([&b"deaf"[..], &[0; 256 << 10]]).is_ok() {}
        },
    );
    until("a message is held", || {
        let counted = handle.statistics();
        (counted.frontend.messages_received > counted.backend.messages_sent).then_some(())
    });
    rests("one peer is full");
    handle.pause();
    rests("it is paused");
    handle.stop();
    running.join().unwrap().unwrap();
    push.close();
    flood.join().unwrap();
}

#[test]
fn a_socket_that_was_closed_before_ends_the_run_too() {
    let _watchdog = Watchdog::start();
    let context = context();
    let make = |socket_type| context.any_socket(socket_type, Options::new()).unwrap();
    let front = make(SocketType::Pull);
    // No room there: nobody would ask the frontend for anything.
    let proxy = Proxy::builder(front.clone(), make(SocketType::Push));
    let mut proxy = proxy.build().unwrap();
    let monitor = front.monitor();
    front.close();
    // Now nobody else has anything to do with it.
    await_event(&monitor, "of the close", |event| {
        matches!(event.kind, EventKind::Closed)
    });
    assert_eq!(
        proxy.run().unwrap_err().to_string(),
        "frontend: the socket is closed"
    );
}

#[test]
fn a_socket_that_is_closed_ends_the_proxy_by_name() {
    let _watchdog = Watchdog::start();
    let context = context();
    let make = |socket_type| context.any_socket(socket_type, Options::new()).unwrap();
    for closed in 0..4 {
        let sockets = [
            SocketType::Pull,
            SocketType::Push,
            SocketType::Pub,
            SocketType::Sub,
        ]
        .map(make);
        let [front, back, capture, control] = sockets.clone();
        let proxy = Proxy::builder(front, back)
            .capture(capture)
            .control(control);
        let running = Running::start(proxy.build().unwrap());
        sockets[closed].close();
        let (_, ran) = running.ended();
        let ended = ran.unwrap_err();
        let names = ["frontend", "backend", "capture", "control"];
        assert_eq!(
            ended.to_string(),
            format!("{}: the socket is closed", names[closed])
        );
    }
    let running = Running::start(
        Proxy::builder(make(SocketType::Router), make(SocketType::Dealer))
            .build()
            .unwrap(),
    );
    context.terminate();
    let (_, ran) = running.ended();
    let ProxyError::Socket {
        cause: Error::Terminated,
        ..
    } = ran.unwrap_err()
    else {
        panic!("another error");
    };
}
