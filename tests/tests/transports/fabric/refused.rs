//! Connections that ask for a fabric and stay where they are.

use std::net::IpAddr;
use std::time::Duration;

use ferromq_mio::{Context, Fabric, FabricError, Options, SocketType, Switching};
use ferromq_tests::PATIENCE;
use ferromq_transport::{
    Connecting, Endpoint, LinkOptions, Listener, Route, Transport, TransportError,
};
use ferromq_transport_rdma::{Fabric as Devices, Rdma};
use ferromq_transport_tcp::Tcp;

use super::{Met, STAYED, both_ways, context, rdma, within};

const REFUSED: (Option<&str>, u64) = (None, 1);
const SCHEME: &str = "rdma";

#[test]
fn who_asks_in_vain_is_told_why_and_stays() {
    let scheme = SCHEME;
    let none = Devices::with_devices(&[]).unwrap();
    let (devices, others) = (Devices::new().unwrap(), Devices::new().unwrap());
    let asks = |devices: &Devices| context(Tcp, rdma(devices)).unwrap();
    let without = || {
        let builder = Context::builder().transport(Tcp);
        builder.fabric(Fabric::Preferred).build().unwrap()
    };
    let asks_not = || both_ways(&devices, Fabric::Unused);
    let cases = [
        (asks(&devices), without(), FabricError::NoTransport),
        (
            asks(&devices),
            asks(&none),
            FabricError::NoDevice { scheme },
        ),
        (
            asks(&none),
            asks(&devices),
            FabricError::PeerWithout { scheme },
        ),
        (
            asks_not(),
            asks(&devices),
            FabricError::PeerWithout { scheme },
        ),
        (
            asks(&others),
            asks(&devices),
            FabricError::NotShared { scheme },
        ),
    ];
    for (pull, push, cause) in cases {
        let says = push.fabric();
        let met = Met::plain([pull, push]);
        assert_eq!((met.via(), met.told()), (STAYED, Some(cause)));
        let ours = matches!(
            cause,
            FabricError::NoTransport | FabricError::NoDevice { .. }
        );
        assert_eq!(says.err(), Some(cause).filter(|_| ours));
    }
    // Who does not ask is told nothing.
    let met = Met::plain([asks(&devices), asks_not()]);
    assert_eq!((met.via(), met.told()), (STAYED, None));
}

/// Where a transport fails its user.
#[derive(Clone, Copy)]
enum Fails {
    /// It has no address to be told.
    Address,
    Bind,
    /// It looks for a peer where no device is.
    Connect,
}

/// A transport with devices that are of no use in the end.
struct Failing(Rdma, Fails);

impl Failing {
    fn nowhere() -> Endpoint {
        "rdma://127.0.0.9:1".parse().unwrap()
    }
}

impl Transport for Failing {
    fn schemes(&self) -> &'static [&'static str] {
        self.0.schemes()
    }

    fn common_ground(&self) -> Option<[u8; 16]> {
        self.0.common_ground()
    }

    fn meeting_address(&self, beside: Option<IpAddr>) -> Option<IpAddr> {
        let address = self.0.meeting_address(beside);
        address.filter(|_| !matches!(self.1, Fails::Address))
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        match self.1 {
            Fails::Connect => self.0.resolve(&Self::nowhere()),
            _ => self.0.resolve(endpoint),
        }
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        match self.1 {
            Fails::Bind => self.0.bind(&Self::nowhere(), options),
            _ => self.0.bind(endpoint, options),
        }
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        self.0.connect(route, options)
    }
}

#[test]
fn where_the_fabric_does_not_lead_connections_stay_and_lose_nothing() {
    let devices = Devices::new().unwrap();
    let cases = [
        (Fails::Address, "no place to meet could be made"),
        (Fails::Bind, "no place to meet could be made"),
        (Fails::Connect, "nobody was found at the place to meet"),
    ];
    for (fails, cause) in cases {
        let failing = || context(Tcp, Failing(rdma(&devices), fails)).unwrap();
        let met = Met::plain([failing(), failing()]);
        assert_eq!((met.via(), met.refused()), (REFUSED, Some(cause)));
    }
}

#[test]
fn a_fabric_that_carries_nothing_is_not_waited_for_longer_than_patience_lasts() {
    let devices = Devices::new().unwrap();
    devices.pause();
    let short = Duration::from_millis(50);
    let hasty = || within(short, Tcp, rdma(&devices)).unwrap();
    let met = Met::plain([hasty(), hasty()]);
    let cause = "the short path took too long";
    assert_eq!((met.via(), met.refused()), (REFUSED, Some(cause)));
    devices.resume();
}

#[test]
fn where_no_memory_can_be_registered_connections_stay() {
    let devices = Devices::new().unwrap();
    devices.limit_registrations(Some(0));
    let plain = || context(Tcp, rdma(&devices)).unwrap();
    let met = Met::plain([plain(), plain()]);
    let cause = "memory or descriptors for the short path are not to be had";
    assert_eq!((met.via(), met.refused()), (REFUSED, Some(cause)));
}

#[test]
fn beyond_the_memory_that_a_context_may_take_connections_stay() {
    const RING: usize = 64 << 10;
    let devices = Devices::new().unwrap();
    let switching = Switching::over_fabric(&["tcp"], "rdma").patience(PATIENCE);
    let builder = Context::builder().transport(Tcp).transport(rdma(&devices));
    let few = builder.switching(switching.ring(RING).memory(2 * 2 * RING));
    let few = few.fabric(Fabric::Preferred).build().unwrap();
    let pull = few.any_socket(SocketType::Pull, Options::new()).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let others = context(Tcp, rdma(&devices)).unwrap();
    let pushes: Vec<_> = (0..4)
        .map(|_| {
            let push = others.any_socket(SocketType::Push, Options::new()).unwrap();
            push.connect(&endpoint).unwrap();
            push.send("here").unwrap();
            assert_eq!(pull.recv_timeout(PATIENCE).unwrap(), "here".into());
            push
        })
        .collect();
    let statistics = pull.statistics();
    assert_eq!((statistics.switched, statistics.switches_refused), (2, 2));
    drop(pushes);
}
