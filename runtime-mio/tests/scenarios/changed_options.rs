//! Options that change while the socket works.

use std::time::Duration;

use ferromq_mio::{AnySocket, Error, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

fn fill(socket: &AnySocket) -> usize {
    (0..10_000_u64)
        .take_while(|n| socket.try_send(&n.to_le_bytes()).is_ok())
        .count()
}

/// CONFORMANCE 90: raised and lowered, for a peer that stands and does not
/// read, and for one that is not there yet.
#[test]
fn h90_a_high_water_mark_that_changes_after_connect_holds_for_live_peers() {
    let _watchdog = Watchdog::start();
    let context = context();
    let push = connected(
        &context,
        SocketType::Push,
        Options::new()
            .send_high_water_mark(10)
            .linger(Some(Duration::ZERO)),
        "inproc://h90",
    );
    assert_eq!(fill(&push), 10);
    push.set_options(|options| options.send_high_water_mark(25))
        .unwrap();
    assert_eq!(fill(&push), 15);
    push.set_options(|options| options.send_high_water_mark(5))
        .unwrap();
    assert_eq!(fill(&push), 0);

    let marks = Options::new().receive_high_water_mark(7);
    let (pull, _) = bound(&context, SocketType::Pull, marks, "inproc://h90");
    for _ in 0..25 {
        recv(&pull);
    }
    assert_eq!(fill(&push), 12);
    pull.set_options(|options| options.receive_high_water_mark(20))
        .unwrap();
    let mut more = 0;
    until("the receiver's higher mark is used", || {
        more += fill(&push);
        (more == 13).then_some(())
    });
}

#[test]
fn h90_a_sender_that_waits_is_let_go_by_a_higher_mark() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().send_high_water_mark(1);
    let (push, real) = bound(&context, SocketType::Push, options, "tcp://127.0.0.1:*");
    let peer = RawPeer::connect(&real, "PULL", &[]);
    await_peers(&push, 1);
    // Until neither the kernel nor the queue takes more.
    let long = vec![0; 1 << 20];
    while push.try_send(&long[..]).is_ok() {}
    let waiting = {
        let push = push.clone();
        std::thread::spawn(move || push.send("one more"))
    };
    push.set_options(|options| options.send_high_water_mark(100))
        .unwrap();
    waiting.join().unwrap().unwrap();
    drop(peer);
}

#[test]
fn time_outs_and_linger_hold_at_once() {
    let _watchdog = Watchdog::start();
    let context = context();
    let socket = context
        .any_socket(SocketType::Dealer, Options::new())
        .unwrap();
    let brief = Some(Duration::from_millis(1));
    socket
        .set_options(|options| options.receive_timeout(brief).send_timeout(brief))
        .unwrap();
    assert!(matches!(socket.recv(), Err(Error::TimedOut)));
    assert!(matches!(
        socket.send("?").unwrap_err().error,
        Error::TimedOut
    ));
    socket.connect("tcp://127.0.0.1:1").unwrap();
    socket.send("never arrives").unwrap();
    socket
        .set_options(|options| options.linger(Some(Duration::ZERO)))
        .unwrap();
    // With the default of 30 s the watchdog of this context's drop would bark.
    drop(socket);
    drop(context);
}

#[test]
fn an_endpoint_keeps_the_options_that_it_was_connected_with() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (router, real) = bound(
        &context,
        SocketType::Router,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let other = context
        .any_socket(SocketType::Router, Options::new())
        .unwrap();
    for name in ["first", "second"] {
        other
            .set_options(|options| {
                options
                    .identity(name)
                    .connect_routing_id(format!("to {name}"))
            })
            .unwrap();
        other.connect(&real).unwrap();
    }
    for name in ["first", "second"] {
        other
            .send([format!("to {name}").as_bytes(), name.as_bytes()])
            .unwrap();
    }
    let mut heard = [recv_parts(&router), recv_parts(&router)];
    heard.sort();
    assert_eq!(heard[0], [b"first", b"first"]);
    assert_eq!(heard[1], [b"second", b"second"]);
}

#[test]
fn what_the_pattern_is_built_on_is_settled_by_the_first_endpoint() {
    let _watchdog = Watchdog::start();
    let context = context();
    let xpub = context
        .any_socket(SocketType::XPub, Options::new())
        .unwrap();
    xpub.set_options(|options| options.xpub_verbose(true))
        .unwrap();
    let real = xpub.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let late = xpub.set_options(|options| options.xpub_verbose(false));
    assert!(
        matches!(
            late,
            Err(Error::Option {
                option: "xpub_verbose",
                ..
            })
        ),
        "{late:?}"
    );
    assert!(
        xpub.set_options(|options| options.identity(vec![0]))
            .is_err()
    );
    let subs = [(); 2].map(|()| {
        let sub = connected(&context, SocketType::Sub, Options::new(), &real);
        sub.subscribe("topic").unwrap();
        sub
    });
    // Verbose, as it was set before: the second one is told too.
    assert_eq!(recv_parts(&xpub), [b"\x01topic"]);
    assert_eq!(recv_parts(&xpub), [b"\x01topic"]);
    drop(subs);
}
