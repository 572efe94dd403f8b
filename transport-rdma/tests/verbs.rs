//! `rdma://` over the system's devices keeps what every transport promises: on soft-RoCE,
//! by `cargo xtask test --rdma`.

#![cfg(all(target_os = "linux", feature = "verbs"))]

#[path = "common/verbs.rs"]
mod verbs;
/// Memory that peers write into.
#[path = "common/writes.rs"]
mod writes;

use ferromq_transport::Endpoint;
use ferromq_transport_rdma::Rdma;

use verbs::OverVerbs;

ferromq_transport::link_conformance!(OverVerbs::new());

fn bed() -> (Rdma, Endpoint) {
    let place = format!("rdma://{}:*", verbs::bed().1);
    (OverVerbs::new().transport, place.parse().unwrap())
}
