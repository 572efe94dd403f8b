//! The transports of this crate, as the conformance suites know them.

#![allow(dead_code, reason = "not every test binary uses everything")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferromq_transport::conformance::{Subject, Vouching};
use ferromq_transport::{Endpoint, Random, Transport};
use ferromq_transport_tcp::{Ipc, Tcp};
use tempfile::TempDir;

/// `tcp://` over the loopback interface.
pub(crate) struct OverTcp(Random);

impl OverTcp {
    pub(crate) fn new() -> Self {
        Self(Random::new(Random::seed()))
    }
}

impl Subject for OverTcp {
    fn name(&self) -> String {
        "tcp".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Tcp)
    }

    /// The whole of 127.0.0.0/8 is this machine: an address that nobody else
    /// has in mind, and a port that the system gives to nobody.
    fn fresh_endpoint(&self) -> Endpoint {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut random =
            Random::new(self.0.clone().number() ^ COUNT.fetch_add(1, Ordering::Relaxed));
        let mut number = |from, to| from + random.below(to - from);
        let address = format!(
            "tcp://127.{}.{}.{}:{}",
            number(1, 255),
            number(1, 255),
            number(1, 255),
            number(10_000, 30_000)
        );
        address.parse().unwrap()
    }

    fn wildcard(&self) -> Option<Endpoint> {
        Some("tcp://127.0.0.1:*".parse().unwrap())
    }
}

/// `ipc://` in a directory of its own, or with abstract names.
pub(crate) struct OverIpc {
    directory: TempDir,
    count: AtomicU64,
    is_abstract: bool,
}

impl OverIpc {
    pub(crate) fn paths() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            count: AtomicU64::new(0),
            is_abstract: false,
        }
    }

    pub(crate) fn abstract_names() -> Self {
        Self {
            is_abstract: true,
            ..Self::paths()
        }
    }
}

impl Subject for OverIpc {
    fn name(&self) -> String {
        match self.is_abstract {
            true => "ipc with abstract names".into(),
            false => "ipc".into(),
        }
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Ipc)
    }

    fn fresh_endpoint(&self) -> Endpoint {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let directory = self.directory.path().display();
        let at = if self.is_abstract { "@" } else { "" };
        format!("ipc://{at}{directory}/{number}").parse().unwrap()
    }

    fn wildcard(&self) -> Option<Endpoint> {
        Some("ipc://*".parse().unwrap())
    }

    fn vouching(&self) -> Vouching {
        Vouching::Kernel
    }

    fn leftovers(&self) -> Vec<String> {
        let files = fs::read_dir(self.directory.path()).unwrap();
        files
            .map(|file| file.unwrap().path().display().to_string())
            .collect()
    }
}
