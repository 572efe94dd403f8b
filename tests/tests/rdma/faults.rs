//! What breaks, as sockets see it.

use std::process::Command;
use std::time::Duration;

use ferromq::{Context, Event, EventKind, Monitor, Options, Pull, Push};
use ferromq_tests::{PATIENCE, until};
use ferromq_transport_rdma::Rdma;

use crate::children::{Another, limit_locked_memory, told};
use crate::verbs_subject::{OverVerbs, bed};
use crate::{LONG, Two, content, cross, part};

fn await_event(monitor: &Monitor, wanted: impl Fn(&EventKind) -> bool) -> Event {
    loop {
        let event = monitor.recv_timeout(PATIENCE).expect("it is told");
        if wanted(&event.kind) {
            return event;
        }
    }
}

fn is_end(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Disconnected { .. })
}

fn context(rdma: Rdma) -> Context {
    Context::builder().transport(rdma).build().unwrap()
}

#[test]
fn a_process_that_is_killed_is_missed_at_once_and_its_successor_served() {
    const TEST: &str =
        "faults::a_process_that_is_killed_is_missed_at_once_and_its_successor_served";
    if let Some(endpoint) = told() {
        // This is the process that is killed: while a long message is fetched from it.
        let push = context(OverVerbs::new().transport)
            .socket::<Push>()
            .unwrap();
        push.connect(&endpoint).unwrap();
        push.send("here").unwrap();
        loop {
            push.send(content(LONG, 7)).unwrap();
        }
    }
    let context = context(Rdma::new());
    let pull = context.socket::<Pull>().unwrap();
    let monitor = pull.monitor();
    let endpoint = pull
        .bind(&format!("rdma://{}:*", bed().1))
        .unwrap()
        .to_string();
    for _ in 0..2 {
        let mut doomed = Another::start(TEST, &endpoint);
        assert_eq!(part(&pull.recv().unwrap()), b"here");
        for _ in 0..3 {
            assert!(part(&pull.recv().unwrap()) == content(LONG, 7));
        }
        doomed.kill();
        // What was there is whole, and then there is no more.
        until("it is missed", || {
            while let Ok(message) = pull.try_recv() {
                assert!(part(&message) == content(LONG, 7));
            }
            (pull.statistics().connected() == 0).then_some(())
        });
        await_event(&monitor, is_end);
        while let Ok(message) = pull.try_recv() {
            assert!(part(&message) == content(LONG, 7));
        }
    }
}

fn run(command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status();
    assert!(status.unwrap().success(), "{command:?}");
}

/// On two devices of its own, which nobody uses afterwards: soft-RoCE's connection manager
/// does not come back from it.
#[test]
fn an_interface_that_goes_down_ends_its_connections_and_no_others() {
    run(&["pair", "2"]);
    let at = |address: &str| {
        let source = address.parse().unwrap();
        context(Rdma::builder().source(source).build())
    };
    let (near, far) = (at("10.2.0.3"), at("10.2.0.4"));
    let pull = far.socket::<Pull>().unwrap();
    let endpoint = pull.bind("rdma://10.2.0.4:*").unwrap().to_string();
    let push = near.socket::<Push>().unwrap();
    let monitor = push.monitor();
    push.connect(&endpoint).unwrap();
    cross(&push, &pull, &[1, LONG]);
    let others = Two::new();
    let (other_push, other_pull) = others.pair::<Push, Pull>();
    run(&["ip", "link", "set", "v2", "down"]);
    push.send("lost").unwrap();
    await_event(&monitor, is_end);
    cross(&other_push, &other_pull, &[1, LONG]);
}

/// What docs/RDMA.md says of a limit that many systems have.
#[test]
fn eight_mebibytes_of_locked_memory_are_fourteen_connections() {
    const TEST: &str = "faults::eight_mebibytes_of_locked_memory_are_fourteen_connections";
    if let Some(endpoint) = told() {
        limit_locked_memory(8 << 20);
        let context = context(OverVerbs::new().transport);
        let connect = || {
            let options = Options::new().reconnect_interval(PATIENCE, PATIENCE);
            let push = context.socket_with::<Push>(options).unwrap();
            let monitor = push.monitor();
            push.connect(&endpoint).unwrap();
            let stands = |kind: &EventKind| {
                let over = matches!(kind, EventKind::ConnectRetried { .. });
                over || *kind == EventKind::HandshakeSucceeded
            };
            match await_event(&monitor, stands).kind {
                EventKind::HandshakeSucceeded => Ok(push),
                EventKind::ConnectRetried { cause, .. } => Err((cause, push)),
                other => unreachable!("{other:?}"),
            }
        };
        let mut pushes = Vec::new();
        let cause = loop {
            match connect() {
                Ok(push) => pushes.push(push),
                Err((cause, _)) => break cause,
            }
        };
        assert!(cause.contains("memory"), "{cause}");
        assert_eq!(pushes.len(), 14);
        // Those that stand go on; what cannot be registered takes the stream.
        for (seed, push) in (0..).zip(&pushes) {
            push.send(content(LONG, seed)).unwrap();
        }
        return;
    }
    let context = context(Rdma::new());
    let pull = context.socket::<Pull>().unwrap();
    let endpoint = pull
        .bind(&format!("rdma://{}:*", bed().1))
        .unwrap()
        .to_string();
    let another = Another::start(TEST, &endpoint);
    let mut seeds: Vec<_> = (0..14)
        .map(|_| {
            let message = pull.recv_timeout(Duration::from_secs(120)).unwrap();
            let seed = part(&message)[0];
            assert!(part(&message) == content(LONG, seed));
            seed
        })
        .collect();
    seeds.sort_unstable();
    assert_eq!(seeds, (0..14).collect::<Vec<_>>());
    assert!(another.end());
}

#[test]
fn an_interface_stands_for_its_address_where_that_is_ours() {
    let context = context(Rdma::new());
    let pull = context.socket::<Pull>().unwrap();
    let endpoint = pull.bind("rdma://v1:*").unwrap().to_string();
    assert!(
        endpoint.starts_with(&format!("rdma://{}:", bed().1)),
        "{endpoint}"
    );
    let push = context.socket::<Push>().unwrap();
    let from_v0 = endpoint.replace("rdma://", "rdma://v0:0;");
    push.connect(&from_v0).unwrap();
    cross(&push, &pull, &[1, LONG]);
    // One without a device; one where only another machine can be.
    let error = pull.bind("rdma://lo:*").unwrap_err().to_string();
    assert!(error.contains("the interface lo has no address"), "{error}");
    let monitor = push.monitor();
    push.connect("rdma://v1:7").unwrap();
    let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    let EventKind::ConnectRetried { cause, .. } = await_event(&monitor, retried).kind else {
        unreachable!("it is that")
    };
    assert!(cause.contains("v1 is an interface"), "{cause}");
}
