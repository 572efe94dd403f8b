//! `rdma://` over the system's devices keeps what every transport promises: on soft-RoCE,
//! by `cargo xtask test --rdma`.

#![cfg(all(target_os = "linux", feature = "verbs"))]

#[path = "common/verbs.rs"]
mod verbs;

use verbs::OverVerbs;

ferromq_transport::link_conformance!(OverVerbs::new());
