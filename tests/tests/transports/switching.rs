//! Sockets that met over tcp or ipc, and went on over shared memory.

use std::time::Duration;

use ferromq_mio::conformance::Subject;
use ferromq_mio::{
    AnySocket, Context, CurveClients, CurveKeys, Error, EventKind, Options, SocketType, Statistics,
    Switching,
};
use ferromq_transport::conformance as links;
use ferromq_transport::{Faults, Faulty, Random, Transport};
use ferromq_transport_shm::Shm;
use ferromq_transport_tcp::Tcp;

/// The endpoints of another subject, in contexts whose connections move.
struct Moving<S>(S);

/// The same, over links that cut and stall, before and after.
struct Awkward<S>(S);

/// As long as a test may last: a busy machine must not decide what is tested.
const PATIENCE: Duration = Duration::from_secs(20);

fn moving(
    met: impl Transport + 'static,
    short: impl Transport + 'static,
) -> Result<Context, Error> {
    let switching = Switching::new(met.schemes(), "shm").patience(PATIENCE);
    let builder = Context::builder().transport(met).transport(short);
    builder.switching(switching).build()
}

fn awkward(met: impl Transport + 'static, faults: Faults) -> Result<Context, Error> {
    moving(
        Faulty::new(met, faults.clone()),
        Faulty::new(Shm::new(), faults),
    )
}

impl<S: links::Subject> Subject for Moving<S> {
    fn name(&self) -> String {
        format!("{}, moved to shm", self.0.name())
    }

    fn fresh_endpoint(&self) -> String {
        self.0.fresh_endpoint().to_string()
    }

    fn context(&self) -> Result<Context, Error> {
        moving(self.0.transport(), Shm::new())
    }

    fn faulty_context(&self, faults: Faults) -> Option<Result<Context, Error>> {
        Some(awkward(self.0.transport(), faults))
    }
}

impl<S: links::Subject> Subject for Awkward<S> {
    fn name(&self) -> String {
        format!("{}, moved to shm, with faults", self.0.name())
    }

    fn fresh_endpoint(&self) -> String {
        self.0.fresh_endpoint().to_string()
    }

    fn context(&self) -> Result<Context, Error> {
        awkward(self.0.transport(), Faults::new(Random::seed()))
    }

    fn faulty_context(&self, faults: Faults) -> Option<Result<Context, Error>> {
        Some(awkward(self.0.transport(), faults))
    }
}

mod tcp {
    use super::Moving;
    use crate::subjects::OverTcp;

    ferromq_mio::socket_conformance!(Moving(OverTcp::new()));

    #[test]
    fn a_broken_link_breaks_no_message() {
        ferromq_mio::conformance::assert_kept(
            Moving(OverTcp::new()),
            "a_broken_link_breaks_no_message",
        );
    }
}

mod ipc {
    use super::Awkward;
    use crate::subjects::OverIpc;

    ferromq_mio::socket_conformance!(Awkward(OverIpc::paths()));
}

/// Two sockets of contexts of their own, which have met and exchanged messages.
struct Met {
    pull: AnySocket,
    push: AnySocket,
    _contexts: [Context; 2],
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
        push.connect(&endpoint).unwrap();
        let met = Self {
            pull,
            push,
            _contexts: contexts,
        };
        for len in [1, 300, 70_000, 1 << 20, 5] {
            met.push.send(vec![len as u8; len]).unwrap();
            assert_eq!(met.pull.recv().unwrap(), vec![len as u8; len].into());
        }
        met
    }

    /// Whether both say the same: that they moved, or that nothing was tried.
    fn have_moved(&self) -> bool {
        let [moved, other] = [&self.pull, &self.push].map(|socket| {
            let statistics = socket.statistics();
            assert_eq!(statistics.switches_refused, 0);
            let peer = &statistics.peers[0];
            assert!(peer.address.as_deref().unwrap().starts_with("tcp://"));
            assert_eq!(peer.via.is_some(), statistics.switched == 1);
            peer.via
        });
        assert_eq!(moved, other);
        moved == Some("shm")
    }
}

fn plain() -> Context {
    moving(Tcp, Shm::new()).unwrap()
}

/// Or the suites above would say nothing about moving.
#[test]
fn connections_of_these_contexts_move() {
    let faulty = || awkward(Tcp, Faults::new(Random::seed())).unwrap();
    for contexts in [[plain(), plain()], [faulty(), faulty()]] {
        assert!(Met::new(contexts, Options::new(), Options::new()).have_moved());
    }
}

#[test]
fn secured_and_checked_connections_move_as_they_are() {
    let (server, client) = (CurveKeys::generate(), CurveKeys::generate());
    let curve = |server: CurveKeys| {
        Options::new().curve_server(server, CurveClients::keys([client.public]))
    };
    let both = [
        (Options::new().crc(true), Options::new().crc(true)),
        (
            curve(server.clone()),
            Options::new().curve_client(server.public, client.clone()),
        ),
        (
            Options::new().plain_server([("name", "password")]),
            Options::new().plain_client("name", "password"),
        ),
    ];
    for (pull, push) in both {
        assert!(Met::new([plain(), plain()], pull, push).have_moved());
    }
}

#[test]
fn either_side_may_leave_connections_where_they_are() {
    let off = || Options::new().switch(false);
    let without = || Context::builder().transport(Tcp).build().unwrap();
    assert!(!Met::new([plain(), plain()], off(), Options::new()).have_moved());
    assert!(!Met::new([plain(), plain()], Options::new(), off()).have_moved());
    assert!(!Met::new([without(), plain()], Options::new(), Options::new()).have_moved());
    assert!(!Met::new([plain(), without()], Options::new(), Options::new()).have_moved());
}

#[test]
fn a_transport_that_is_added_later_keeps_its_connections() {
    let own = || {
        let switching = Switching::new(&["tcp"], "shm").patience(PATIENCE);
        let builder = Context::builder().transport(Tcp).transport(Shm::new());
        builder.switching(switching).transport(Tcp).build().unwrap()
    };
    assert!(!Met::new([own(), plain()], Options::new(), Options::new()).have_moved());
}

#[test]
fn beyond_the_memory_that_a_context_may_take_connections_stay() {
    const RING: usize = 64 << 10;
    let switching = Switching::new(&["tcp"], "shm").patience(PATIENCE);
    let builder = Context::builder().transport(Tcp).transport(Shm::new());
    let context = builder.switching(switching.ring(RING).memory(2 * 2 * RING));
    let context = context.build().unwrap();
    let options = Options::new().receive_timeout(Some(PATIENCE));
    let pull = context.any_socket(SocketType::Pull, options).unwrap();
    let monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let (others, mut pushes) = (plain(), Vec::new());
    let one_more = |count: u64| {
        let push = others.any_socket(SocketType::Push, Options::new()).unwrap();
        push.connect(&endpoint).unwrap();
        push.send("here").unwrap();
        assert_eq!(pull.recv().unwrap(), "here".into());
        let statistics = pull.statistics();
        assert_eq!(statistics.switched + statistics.switches_refused, count);
        push
    };
    pushes.extend((1..=5).map(one_more));
    let counted = |statistics: Statistics| (statistics.switched, statistics.switches_refused);
    assert_eq!(counted(pull.statistics()), (2, 3));
    // What one gave back is another one's.
    drop(pushes);
    while pull.statistics().connected() > 0 {
        let event = monitor.recv_timeout(PATIENCE).expect("they leave");
        assert!(!matches!(event.kind, EventKind::SwitchRefused { .. }));
    }
    let _again = one_more(6);
    assert_eq!(counted(pull.statistics()), (3, 3));
}
