//! `tcp://` and `ipc://` keep what every transport promises.

#[path = "common/subjects.rs"]
mod subjects;

mod tcp {
    use super::subjects::OverTcp;

    ferromq_transport::link_conformance!(OverTcp::new());
}

mod ipc {
    use super::subjects::OverIpc;

    ferromq_transport::link_conformance!(OverIpc::paths());
}

mod ipc_with_abstract_names {
    use super::subjects::OverIpc;

    ferromq_transport::link_conformance!(OverIpc::abstract_names());
}
