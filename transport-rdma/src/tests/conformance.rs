//! The suite of `ferromq-transport`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use ferromq_transport::conformance::Subject;
use ferromq_transport::{Endpoint, Transport};

use crate::{Fabric, Rdma};

/// A fabric of its own for each check.
struct OverSoftware {
    transport: Rdma,
    port: AtomicU16,
}

impl OverSoftware {
    fn new() -> Self {
        Self {
            transport: Rdma::over(&Fabric::new().unwrap()).build(),
            port: AtomicU16::new(5000),
        }
    }
}

impl Subject for OverSoftware {
    fn name(&self) -> String {
        "rdma".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.transport.clone())
    }

    fn fresh_endpoint(&self) -> Endpoint {
        let port = self.port.fetch_add(1, Ordering::Relaxed);
        format!("rdma://127.0.0.1:{port}").parse().unwrap()
    }

    fn wildcard(&self) -> Option<Endpoint> {
        Some("rdma://127.0.0.1:*".parse().unwrap())
    }
}

ferromq_transport::link_conformance!(OverSoftware::new());
