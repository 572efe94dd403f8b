//! Sockets that met over tcp or ipc, and went on over shared memory.

use std::time::Duration;

use ferromq_mio::conformance::Subject;
use ferromq_mio::{Context, Error, Switching};
use ferromq_transport::conformance as links;
use ferromq_transport::{Faults, Faulty, Random, Transport};
use ferromq_transport_shm::Shm;

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

/// Or all of the above would say nothing about moving.
#[test]
fn connections_of_these_contexts_move() {
    use ferromq_mio::{Options, SocketType};

    for context in [
        moving(ferromq_transport_tcp::Tcp, Shm::new()),
        awkward(ferromq_transport_tcp::Tcp, Faults::new(Random::seed())),
    ] {
        let context = context.unwrap();
        let options = || Options::new().receive_timeout(Some(PATIENCE));
        let pull = context.any_socket(SocketType::Pull, options()).unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
        let push = context.any_socket(SocketType::Push, options()).unwrap();
        push.connect(&endpoint).unwrap();
        push.send("moved").unwrap();
        assert_eq!(pull.recv().unwrap(), "moved".into());
        for socket in [pull, push] {
            let statistics = socket.statistics();
            assert_eq!((statistics.switched, statistics.switches_refused), (1, 0));
            let peer = &statistics.peers[0];
            assert_eq!(peer.via, Some("shm"));
            assert!(peer.address.as_deref().unwrap().starts_with("tcp://"));
        }
    }
}
