//! `rdma://` between two addresses of real devices, for suites of transports.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use ferromq_transport::conformance::Subject;
use ferromq_transport::{Endpoint, Transport};
use ferromq_transport_rdma::Rdma;

/// Connects from one device to the other.
pub(crate) struct OverVerbs {
    pub(crate) transport: Rdma,
}

impl OverVerbs {
    pub(crate) fn new() -> Self {
        let (from, _) = bed();
        Self {
            transport: Rdma::builder().source(from).build(),
        }
    }
}

impl Subject for OverVerbs {
    fn name(&self) -> String {
        "rdma".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.transport.clone())
    }

    fn fresh_endpoint(&self) -> Endpoint {
        static PORT: AtomicU16 = AtomicU16::new(5000);
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        format!("rdma://{}:{port}", bed().1).parse().unwrap()
    }

    fn wildcard(&self) -> Option<Endpoint> {
        Some(format!("rdma://{}:*", bed().1).parse().unwrap())
    }
}

/// Two addresses, each of a device.
pub(crate) fn bed() -> (IpAddr, IpAddr) {
    let addresses = std::env::var("FERROMQ_RDMA_BED");
    let addresses = addresses.expect("FERROMQ_RDMA_BED is set: cargo xtask test --rdma sets it");
    let mut addresses = addresses.split(' ').map(|address| address.parse().unwrap());
    (addresses.next().unwrap(), addresses.next().unwrap())
}
