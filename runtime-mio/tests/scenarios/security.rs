//! Who is let in, and what protects the bytes.

use ferromq_mio::{EventKind, Options, SocketType};

use crate::common::*;

fn server() -> Options {
    Options::new().plain_server([("admin", "secret"), ("guest", "")])
}

over_tcp_and_ipc! {
    // D33
    fn plain_lets_in_who_knows_the_password(endpoint) {
        let context = context();
        let (pull, real) = bound(&context, SocketType::Pull, server(), endpoint);
        for (user, password) in [("admin", "secret"), ("guest", "")] {
            let options = Options::new().plain_client(user, password);
            let push = connected(&context, SocketType::Push, options, &real);
            push.send("hello").unwrap();
            let message = recv(&pull);
            assert_eq!(message.peer().unwrap().user_id(), Some(user));
        }
    }

    fn plain_refuses_everybody_else(endpoint) {
        let context = context();
        let (pull, real) = bound(&context, SocketType::Pull, server(), endpoint);
        let monitor = pull.monitor();
        let strangers = [
            Options::new().plain_client("admin", "wrong"),
            Options::new().plain_client("admin", "secret and more"),
            Options::new().plain_client("nobody", ""),
            Options::new(),
            server(),
        ];
        for (round, options) in strangers.into_iter().enumerate() {
            let push = context.any_socket(SocketType::Push, options).unwrap();
            let theirs = push.monitor();
            push.connect(&real).unwrap();
            let failed = |event: &ferromq_mio::Event| matches!(event.kind, EventKind::HandshakeFailed { .. });
            await_event(&monitor, "of the failure", failed);
            let event = await_event(&theirs, "of the failure", failed);
            if round < 3 {
                let EventKind::HandshakeFailed { cause } = event.kind else {
                    unreachable!("filtered above")
                };
                assert!(cause.contains("refused by the peer"), "{cause}");
            }
            assert!(pull.statistics().peers.is_empty());
        }
    }

    fn checksums_protect_every_frame_when_both_ends_want_them(endpoint) {
        let context = context();
        for (one, other) in [(true, true), (true, false), (false, true)] {
            let (pull, push) = linked(
                &context,
                endpoint,
                (SocketType::Pull, Options::new().crc(one)),
                (SocketType::Push, Options::new().crc(other)),
            );
            for size in [0, 1, 300, 9000, 100_000, 3 << 20] {
                push.send(vec![vec![1; size], vec![2; size / 2]]).unwrap();
                push.send_bytes(&vec![3; size]).unwrap();
                assert_eq!(recv_parts(&pull), [vec![1; size], vec![2; size / 2]]);
                assert_eq!(recv_parts(&pull), [vec![3; size]]);
            }
        }
    }

    fn without_extensions_nothing_is_offered(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().crc(true)),
            (SocketType::Push, Options::new().crc(true).extensions(false)),
        );
        push.send("x").unwrap();
        let message = recv(&pull);
        assert_eq!(message.peer().unwrap().property("X-FerroMQ"), None);
    }
}

// C30
#[test]
fn a_client_that_was_refused_does_not_insist() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(&context, SocketType::Pull, server(), "tcp://127.0.0.1:*");
    let quick = std::time::Duration::from_millis(2);
    let options = Options::new()
        .plain_client("admin", "wrong")
        .reconnect_interval(quick, quick);
    let _push = connected(&context, SocketType::Push, options, &real);
    until("the refusal", || {
        (pull.statistics().handshakes_failed > 0).then_some(())
    });
    let _ = pull.wait_for_peers(1, std::time::Duration::from_millis(200));
    assert_eq!(pull.statistics().handshakes_failed, 1);
}
