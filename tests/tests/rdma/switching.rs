//! Connections over tcp that move to real devices.

use std::time::Duration;

use ferromq::{Context, EventKind, Fabric, FabricError, Options, Pull, Push, Socket, Switching};
use ferromq_tests::PATIENCE;
use ferromq_transport_rdma::Rdma;

use crate::children::{Another, limit_locked_memory, told};
use crate::verbs_subject::bed;
use crate::{LONG, content, cross, part};

/// A context whose connections move to devices by this transport.
fn asking(rdma: Rdma) -> Context {
    asking_for(PATIENCE, rdma)
}

fn asking_for(patience: Duration, rdma: Rdma) -> Context {
    Context::builder()
        .transport(rdma)
        // As if there were two machines.
        .switching(Switching::new(&[], "shm"))
        .switching(Switching::over_fabric(&["tcp"], "rdma").patience(patience))
        .fabric(Fabric::Preferred)
        .build()
        .unwrap()
}

fn here() -> Rdma {
    Rdma::builder().source(bed().0).build()
}

fn bound(context: &Context) -> (Socket<Pull>, String) {
    let pull = context.socket::<Pull>().unwrap();
    let endpoint = pull.bind(&format!("tcp://{}:*", bed().1)).unwrap();
    (pull, endpoint.to_string())
}

/// A socket that is connected, and what it was told before the first message arrived.
fn met(context: &Context, pull: &Socket<Pull>, endpoint: &str) -> (Socket<Push>, Vec<EventKind>) {
    let push = context.socket::<Push>().unwrap();
    let monitor = push.monitor();
    push.connect(endpoint).unwrap();
    cross(&push, pull, &[1]);
    let told = std::iter::from_fn(|| monitor.try_next());
    (push, told.map(|event| event.kind).collect())
}

#[test]
fn connections_move_to_the_devices_and_carry_everything_there() {
    let (far, near) = (asking(Rdma::new()), asking(here()));
    assert_eq!(near.fabric(), Ok("rdma"));
    let (pull, endpoint) = bound(&far);
    let (push, told) = met(&near, &pull, &endpoint);
    assert!(
        told.contains(&EventKind::Switched {
            path: "rdma".into()
        }),
        "{told:?}"
    );
    for peers in [&pull.statistics().peers, &push.statistics().peers] {
        assert_eq!(peers[0].via, Some("rdma"));
        assert!(peers[0].address.as_ref().unwrap().starts_with("tcp://"));
    }
    cross(
        &push,
        &pull,
        &[1, 100, 5000, 40_000, 64 << 10, LONG, 5_000_001],
    );
    assert!(pull.statistics().traffic.references_received > 0);
    // What was sent before the end arrives, though the old connection ends as well.
    for seed in 0..3 {
        push.send(content(LONG, seed)).unwrap();
    }
    push.send("last").unwrap();
    drop(push);
    for seed in 0..3 {
        assert!(part(&pull.recv().unwrap()) == content(LONG, seed));
    }
    assert_eq!(part(&pull.recv().unwrap()), b"last");
}

#[test]
fn the_address_to_which_a_connection_came_is_where_it_moves() {
    let (far, near) = (asking(Rdma::new()), asking(here()));
    let (pull, endpoint) = bound(&far);
    let (_push, told) = met(&near, &pull, &endpoint);
    assert!(
        told.contains(&EventKind::Switched {
            path: "rdma".into()
        }),
        "{told:?}"
    );
    // Another address of this machine, which a device serves as well: not the first one.
    let elsewhere = far.socket::<Pull>().unwrap();
    let endpoint = elsewhere
        .bind(&format!("tcp://{}:*", bed().0))
        .unwrap()
        .to_string();
    let other = asking(Rdma::builder().source(bed().1).build());
    let (_push, told) = met(&other, &elsewhere, &endpoint);
    assert!(
        told.contains(&EventKind::Switched {
            path: "rdma".into()
        }),
        "{told:?}"
    );
}

#[test]
fn without_a_device_connections_stay_and_say_why() {
    let none = || Rdma::builder().source("127.0.0.1".parse().unwrap()).build();
    let scheme = "rdma";
    let cases = [
        (
            asking(Rdma::new()),
            asking(none()),
            FabricError::NoDevice { scheme },
        ),
        (
            asking(none()),
            asking(here()),
            FabricError::PeerWithout { scheme },
        ),
    ];
    for (far, near, cause) in cases {
        let (pull, endpoint) = bound(&far);
        let (push, told) = met(&near, &pull, &endpoint);
        assert!(
            told.contains(&EventKind::FabricUnavailable { cause }),
            "{told:?}"
        );
        cross(&push, &pull, &[1, LONG]);
        assert_eq!(push.statistics().peers[0].via, None);
    }
}

#[test]
fn devices_that_do_not_reach_each_other_leave_connections_on_tcp() {
    // The one without a wire, from which no way leads to the pair.
    let alone = || Rdma::builder().source("10.1.0.1".parse().unwrap()).build();
    // The device may well try for longer than anybody waits.
    let short = Duration::from_secs(1);
    let (far, near) = (asking_for(short, alone()), asking_for(short, here()));
    let (pull, endpoint) = bound(&far);
    let (push, told) = met(&near, &pull, &endpoint);
    let refused = |kind: &EventKind| matches!(kind, EventKind::SwitchRefused { .. });
    assert!(told.iter().any(refused), "{told:?}");
    cross(&push, &pull, &[1, LONG]);
    assert_eq!(pull.statistics().switches_refused, 1);
}

#[test]
fn beyond_the_limit_of_locked_memory_connections_stay_on_tcp() {
    const TEST: &str = "switching::beyond_the_limit_of_locked_memory_connections_stay_on_tcp";
    const CONNECTIONS: u8 = 6;
    if let Some(endpoint) = told() {
        // Room for three, and not for all.
        limit_locked_memory(2 << 20);
        let context = asking(here());
        let options = || Options::new().linger(Some(PATIENCE));
        let pushes: Vec<_> = (0..CONNECTIONS)
            .map(|seed| {
                let push = context.socket_with::<Push>(options()).unwrap();
                push.connect(&endpoint).unwrap();
                push.send(content(LONG, seed)).unwrap();
                assert!(push.wait_for_peers(1, PATIENCE).unwrap());
                push
            })
            .collect();
        let moved: u64 = pushes.iter().map(|it| it.statistics().switched).sum();
        let stayed: u64 = pushes
            .iter()
            .map(|it| it.statistics().switches_refused)
            .sum();
        assert_eq!(moved + stayed, u64::from(CONNECTIONS));
        assert!(moved > 0 && stayed > 0, "{moved} moved, {stayed} stayed");
        return;
    }
    let far = asking(Rdma::new());
    let (pull, endpoint) = bound(&far);
    let another = Another::start(TEST, &endpoint);
    let mut seeds: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let message = pull.recv_timeout(PATIENCE).unwrap();
            let seed = part(&message)[0];
            assert!(part(&message) == content(LONG, seed));
            seed
        })
        .collect();
    seeds.sort_unstable();
    assert_eq!(seeds, (0..CONNECTIONS).collect::<Vec<_>>());
    assert!(another.end());
}
