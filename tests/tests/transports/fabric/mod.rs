//! Sockets that met over tcp, and went on over a fabric: on devices in software.

mod refused;

use std::time::Duration;

use ferromq_mio::conformance::Subject;
use ferromq_mio::{
    AnySocket, Context, CurveClients, CurveKeys, Error, EventKind, Fabric, FabricError, Frame,
    Options, SocketType, Switching,
};
use ferromq_tests::PATIENCE;
use ferromq_transport::conformance::Subject as _;
use ferromq_transport::{Faults, Faulty, Random, Transport};
use ferromq_transport_rdma::{Fabric as Devices, LinkState, Rdma};
use ferromq_transport_shm::Shm;
use ferromq_transport_tcp::Tcp;

use crate::subjects::OverTcp;

/// A context whose tcp connections move to `rdma`, and to nothing else.
fn context(
    tcp: impl Transport + 'static,
    rdma: impl Transport + 'static,
) -> Result<Context, Error> {
    within(PATIENCE, tcp, rdma)
}

fn within(
    patience: Duration,
    tcp: impl Transport + 'static,
    rdma: impl Transport + 'static,
) -> Result<Context, Error> {
    let switching = Switching::over_fabric(&["tcp"], "rdma").patience(patience);
    let builder = Context::builder().transport(tcp).transport(rdma);
    builder
        .switching(switching)
        .fabric(Fabric::Preferred)
        .build()
}

fn rdma(devices: &Devices) -> Rdma {
    Rdma::over(devices).build()
}

/// The endpoints of tcp, in contexts whose connections move to a fabric.
struct Moving {
    tcp: OverTcp,
    devices: Devices,
}

impl Moving {
    fn new() -> Self {
        let (tcp, devices) = (OverTcp::new(), Devices::new().unwrap());
        Self { tcp, devices }
    }
}

impl Subject for Moving {
    fn name(&self) -> String {
        "tcp, moved to rdma".into()
    }

    fn fresh_endpoint(&self) -> String {
        self.tcp.fresh_endpoint().to_string()
    }

    fn context(&self) -> Result<Context, Error> {
        context(Tcp, rdma(&self.devices))
    }

    fn faulty_context(&self, faults: Faults) -> Option<Result<Context, Error>> {
        let rdma = Faulty::new(rdma(&self.devices), faults.clone());
        Some(context(Faulty::new(Tcp, faults), rdma))
    }
}

mod suite {
    use super::Moving;

    ferromq_mio::socket_conformance!(Moving::new());
}

#[test]
fn a_broken_link_breaks_no_message() {
    ferromq_mio::conformance::assert_kept(Moving::new(), "a_broken_link_breaks_no_message");
}

/// Two sockets of contexts of their own, which have met and exchanged messages.
struct Met {
    pull: AnySocket,
    push: AnySocket,
    contexts: [Context; 2],
    events: Vec<EventKind>,
}

impl Met {
    fn new(contexts: [Context; 2], pull: Options, push: Options) -> Self {
        let socket = |context: &Context, socket_type, options: Options| {
            let options = options.receive_timeout(Some(PATIENCE));
            context.any_socket(socket_type, options).unwrap()
        };
        let pull = socket(&contexts[0], SocketType::Pull, pull);
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
        let push = socket(&contexts[1], SocketType::Push, push);
        let monitor = push.monitor();
        push.connect(&endpoint).unwrap();
        for len in [1, 300, 70_000, 1 << 20, 5] {
            push.send(vec![len as u8; len]).unwrap();
            assert_eq!(pull.recv().unwrap(), vec![len as u8; len].into());
        }
        Self {
            events: std::iter::from_fn(|| monitor.try_next())
                .map(|event| event.kind)
                .collect(),
            pull,
            push,
            contexts,
        }
    }

    fn plain(contexts: [Context; 2]) -> Self {
        Self::new(contexts, Options::new(), Options::new())
    }

    /// What carries them: both say the same. And how many refusals each counts.
    fn via(&self) -> (Option<&'static str>, u64) {
        let [accepted, connected] = [&self.pull, &self.push].map(|socket| {
            let statistics = socket.statistics();
            let peer = &statistics.peers[0];
            assert!(peer.address.as_deref().unwrap().starts_with("tcp://"));
            assert_eq!(peer.via.is_some(), statistics.switched == 1);
            (peer.via, statistics.switches_refused)
        });
        assert_eq!(accepted, connected);
        accepted
    }

    /// Why they are not on a fabric, as one of them was told.
    fn told(&self) -> Option<FabricError> {
        self.events.iter().find_map(|kind| match kind {
            EventKind::FabricUnavailable { cause } => Some(*cause),
            _ => None,
        })
    }

    fn refused(&self) -> Option<&str> {
        self.events.iter().find_map(|kind| match kind {
            EventKind::SwitchRefused { cause } => Some(&**cause),
            _ => None,
        })
    }
}

const MOVED: (Option<&str>, u64) = (Some("rdma"), 0);
const STAYED: (Option<&str>, u64) = (None, 0);

// Or the suite above would say nothing about moving.
#[test]
fn connections_between_devices_move() {
    let devices = Devices::new().unwrap();
    let plain = || context(Tcp, rdma(&devices)).unwrap();
    let faults = || Faults::new(Random::seed());
    let faulty = || {
        let rdma = Faulty::new(rdma(&devices), faults());
        context(Faulty::new(Tcp, faults()), rdma).unwrap()
    };
    for contexts in [[plain(), plain()], [faulty(), faulty()]] {
        let met = Met::plain(contexts);
        assert_eq!(met.via(), MOVED);
        let path = "rdma".into();
        assert!(met.events.contains(&EventKind::Switched { path }));
        assert_eq!(met.contexts[0].fabric(), Ok("rdma"));
        // The long ones were fetched where they lay.
        assert!(met.pull.statistics().traffic.references_received >= 1);
    }
}

#[test]
fn secured_and_checked_connections_move_as_they_are() {
    let devices = Devices::new().unwrap();
    let (server, client) = (CurveKeys::generate(), CurveKeys::generate());
    let admits = CurveClients::keys([client.public]);
    let both = [
        (Options::new().crc(true), Options::new().crc(true)),
        (
            Options::new().curve_server(server.clone(), admits),
            Options::new().curve_client(server.public, client),
        ),
    ];
    for (pull, push) in both {
        let plain = || context(Tcp, rdma(&devices)).unwrap();
        assert_eq!(Met::new([plain(), plain()], pull, push).via(), MOVED);
    }
}

/// A context that knows both ways, as the facade's does.
fn both_ways(devices: &Devices, fabric: Fabric) -> Context {
    let builder = Context::builder()
        .transport(Tcp)
        .transport(Shm::new())
        .transport(rdma(devices));
    builder
        .switching(Switching::new(&["tcp"], "shm").patience(PATIENCE))
        .switching(Switching::over_fabric(&["tcp"], "rdma").patience(PATIENCE))
        .fabric(fabric)
        .build()
        .unwrap()
}

#[test]
fn within_a_machine_shared_memory_comes_first_unless_both_prefer_the_fabric() {
    let cases = [
        (Fabric::Unused, Fabric::Preferred, "shm"),
        (Fabric::BetweenMachines, Fabric::BetweenMachines, "shm"),
        (Fabric::BetweenMachines, Fabric::Preferred, "rdma"),
        (Fabric::Preferred, Fabric::Preferred, "rdma"),
    ];
    for (pull, push, via) in cases {
        let devices = Devices::new().unwrap();
        let met = Met::plain([both_ways(&devices, pull), both_ways(&devices, push)]);
        assert_eq!(met.via(), (Some(via), 0), "{pull:?} {push:?}");
    }
}

#[test]
fn a_socket_says_for_itself_what_it_asks_for() {
    let devices = Devices::new().unwrap();
    let contexts = || {
        [
            both_ways(&devices, Fabric::Unused),
            both_ways(&devices, Fabric::Preferred),
        ]
    };
    let asks = || Options::new().fabric(Fabric::Preferred);
    let met = Met::new(contexts(), asks(), Options::new());
    assert_eq!(met.via(), MOVED);
    let not = Options::new().fabric(Fabric::Unused);
    assert_eq!(Met::new(contexts(), asks(), not).via(), (Some("shm"), 0));
    // Who leaves connections where they are leaves them there.
    let off = asks().switch(false);
    let met = Met::new(contexts(), asks(), off);
    assert_eq!((met.via(), met.told()), (STAYED, None));
}

#[test]
fn what_was_sent_before_a_close_arrives_though_the_old_connection_ends_too() {
    let devices = Devices::new().unwrap();
    let plain = || context(Tcp, rdma(&devices)).unwrap();
    for round in 0..20_u8 {
        let Met {
            pull,
            push,
            contexts,
            ..
        } = Met::plain([plain(), plain()]);
        for number in 0..50_u8 {
            push.send([round, number].as_slice()).unwrap();
        }
        push.send(vec![round; 1 << 20]).unwrap();
        push.send("last").unwrap();
        // The context stays: its end would wait until the long one is fetched.
        drop(push);
        for number in 0..50_u8 {
            assert_eq!(pull.recv().unwrap(), [round, number].as_slice().into());
        }
        assert_eq!(pull.recv().unwrap(), vec![round; 1 << 20].into());
        assert_eq!(pull.recv().unwrap(), "last".into());
        assert_eq!(pull.statistics().drops.total(), 0);
        drop(contexts);
    }
}

#[test]
fn the_end_of_the_old_connection_is_the_end_of_both() {
    let devices = Devices::new().unwrap();
    let plain = || context(Tcp, rdma(&devices)).unwrap();
    let met = Met::plain([plain(), plain()]);
    let monitor = met.pull.monitor();
    drop(met.push);
    let ended = std::iter::from_fn(|| monitor.recv_timeout(PATIENCE));
    let mut ended = ended.map(|event| event.kind);
    assert!(ended.any(|kind| matches!(kind, EventKind::Disconnected { .. })));
}

#[test]
fn a_fabric_that_breaks_is_left_for_tcp_until_it_is_mended() {
    let devices = Devices::new().unwrap();
    let plain = || context(Tcp, rdma(&devices)).unwrap();
    let Met { pull, push, .. } = &Met::plain([plain(), plain()]);
    let again = |via: Option<&str>| {
        ferromq_tests::until("it goes that way", || {
            push.send("again").unwrap();
            let _ = pull.recv_timeout(Duration::from_millis(50));
            let statistics = push.statistics();
            let peer = statistics.peers.iter().find(|it| it.address.is_some())?;
            (peer.via == via).then_some(())
        });
    };
    devices.set_link(LinkState::Down);
    again(None);
    assert!(push.statistics().switches_refused >= 1);
    devices.set_link(LinkState::Up);
    devices.kill_accepted();
    again(None);
}

/// Numbered messages of all lengths, while the network loses some of what it carries: each
/// arrives once, in its place.
#[test]
fn nothing_is_lost_doubled_or_overtaken_by_a_move() {
    let devices = Devices::new().unwrap();
    devices.lose_one_in(20);
    let plain = || context(Tcp, rdma(&devices)).unwrap();
    for round in 0..5_u32 {
        let contexts = [plain(), plain()];
        let pull = contexts[0]
            .any_socket(SocketType::Pull, Options::new())
            .unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
        let push = contexts[1]
            .any_socket(SocketType::Push, Options::new())
            .unwrap();
        push.connect(&endpoint).unwrap();
        let len = |number: u32| [4, 100, 9000, 70_000][(number % 4) as usize];
        let message = |number: u32| {
            let mut bytes = vec![round as u8; len(number)];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        // From the first moment on: those wait for the move.
        std::thread::scope(|scope| {
            scope.spawn(|| (0..200).for_each(|number| push.send(message(number)).unwrap()));
            for number in 0..200 {
                let received = pull.recv_timeout(PATIENCE).unwrap();
                assert!(received == Frame::from(message(number)).into(), "{number}");
            }
        });
        assert_eq!(pull.statistics().switched, 1);
    }
    assert!(devices.repeated() > 0);
}
