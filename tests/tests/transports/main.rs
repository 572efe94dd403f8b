//! Sockets keep what they promise over each transport: the suite
//! `ferromq_mio::conformance`. And it notices when they do not.

#[cfg(target_os = "linux")]
mod by_reference;
mod comers;
#[cfg(target_os = "linux")]
mod fabric;
mod inproc;
mod planted_faults;
#[cfg(target_os = "linux")]
mod rdma;
#[cfg(target_os = "linux")]
mod scarcity;
#[cfg(target_os = "linux")]
mod silence;
#[cfg(target_os = "linux")]
mod switching;

// The transports' own tests have the same subjects, and the same faults.
#[path = "../../../transport-tcp/tests/common/planted.rs"]
mod planted;
#[path = "../../../transport-tcp/tests/common/subjects.rs"]
mod subjects;

#[cfg(target_os = "linux")]
#[path = "../../../transport-shm/tests/common/subject.rs"]
mod shm_subject;

mod tcp {
    use crate::subjects::OverTcp;

    ferromq_mio::transport_conformance!(OverTcp::new());
}

mod ipc {
    use crate::subjects::OverIpc;

    ferromq_mio::transport_conformance!(OverIpc::paths());
}

#[cfg(target_os = "linux")]
mod shm {
    use crate::shm_subject::OverShm;

    ferromq_mio::transport_conformance!(OverShm);
}
