//! `inproc://`, which is built into the runtime: endpoints without links.

use std::sync::atomic::{AtomicU64, Ordering};

use ferromq_mio::conformance::Subject;

struct Inproc;

impl Subject for Inproc {
    fn name(&self) -> String {
        "inproc".into()
    }

    fn fresh_endpoint(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        format!("inproc://{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

ferromq_mio::socket_conformance!(Inproc);
