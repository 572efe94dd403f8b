//! Devices for peers over `rdma://`: in software.

use ferromq_transport_rdma::{Fabric, Rdma, RdmaBuilder};

pub(crate) struct Devices(Fabric);

impl Devices {
    pub(crate) fn new() -> Self {
        Self(Fabric::new().expect("a fabric"))
    }

    /// A transport of somebody's who connects.
    pub(crate) fn connecting(&self) -> RdmaBuilder {
        Rdma::over(&self.0)
    }

    /// A transport of somebody's who listens.
    pub(crate) fn listening(&self) -> RdmaBuilder {
        Rdma::over(&self.0)
    }

    /// Where one can listen.
    pub(crate) fn place(&self) -> String {
        "rdma://127.0.0.1:*".into()
    }
}
