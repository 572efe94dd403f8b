//! Processes of this program's own, which may be killed, or have less than others.

use std::process::{Child, Command};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// What a child is told, and where it stands in the environment.
const TOLD: &str = "FERROMQ_RDMA_CHILD";

/// What we were told, if this is a child.
pub(crate) fn told() -> Option<String> {
    std::env::var(TOLD).ok()
}

/// One that runs a test of ours, and is told something.
pub(crate) struct Another(Child);

impl Another {
    pub(crate) fn start(test: &str, told: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]);
        Self(command.env(TOLD, told).spawn().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Whether it ended well.
    pub(crate) fn end(mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets this thread, and those that it starts, lock no more memory than so many bytes.
pub(crate) fn limit_locked_memory(bytes: u64) {
    let limit = Rlimit {
        current: Some(bytes),
        ..getrlimit(Resource::Memlock)
    };
    setrlimit(Resource::Memlock, limit).unwrap();
    // The limit is for those who lack a capability, which is a thread's.
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).unwrap();
}
