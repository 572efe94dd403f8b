//! Memory that peers write into, on devices in software.

use ferromq_transport::Endpoint;

use crate::{Fabric, Rdma};

#[path = "../../tests/common/writes.rs"]
mod suite;

fn bed() -> (Rdma, Endpoint) {
    let rdma = Rdma::over(&Fabric::new().unwrap()).build();
    (rdma, "rdma://127.0.0.1:*".parse().unwrap())
}
