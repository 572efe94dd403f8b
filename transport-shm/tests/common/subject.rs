//! `shm://`, as the conformance suites know it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferromq_transport::conformance::{Subject, Vouching};
use ferromq_transport::{Endpoint, Transport};
use ferromq_transport_shm::Shm;

/// `shm://` with names of this process's own.
pub(crate) struct OverShm;

impl Subject for OverShm {
    fn name(&self) -> String {
        "shm".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Shm::new())
    }

    fn fresh_endpoint(&self) -> Endpoint {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        format!("shm://conformance-{process}-{count}")
            .parse()
            .unwrap()
    }

    fn wildcard(&self) -> Option<Endpoint> {
        Some("shm://*".parse().unwrap())
    }

    fn vouching(&self) -> Vouching {
        Vouching::Kernel
    }
}
