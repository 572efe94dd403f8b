//! Named pipes keep what every transport promises, and sockets over them what
//! sockets promise.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use example_alternative_transport::Fifo;
use ferromq_transport::conformance::Subject;
use ferromq_transport::{Endpoint, Transport};
use tempfile::TempDir;

struct InADirectory(TempDir, AtomicU32);

impl InADirectory {
    fn new() -> Self {
        Self(TempDir::new().unwrap(), AtomicU32::new(0))
    }
}

impl Subject for InADirectory {
    fn name(&self) -> String {
        "fifo".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Fifo)
    }

    fn fresh_endpoint(&self) -> Endpoint {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let directory = self.0.path().display();
        format!("fifo://{directory}/{number}").parse().unwrap()
    }

    fn leftovers(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.path()).unwrap();
        files
            .map(|file| file.unwrap().path().display().to_string())
            .collect()
    }
}

mod links {
    use super::InADirectory;

    ferromq_transport::link_conformance!(InADirectory::new());
}

mod sockets {
    use super::InADirectory;

    ferromq_mio::transport_conformance!(InADirectory::new());
}
