//! Devices for peers over `rdma://`: the system's.

use ferromq_transport_rdma::{Rdma, RdmaBuilder};

use crate::verbs_subject::bed;

pub(crate) struct Devices;

impl Devices {
    pub(crate) fn new() -> Self {
        Self
    }

    /// A transport of somebody's who connects.
    pub(crate) fn connecting(&self) -> RdmaBuilder {
        Rdma::builder().source(bed().0)
    }

    /// A transport of somebody's who listens.
    pub(crate) fn listening(&self) -> RdmaBuilder {
        Rdma::builder().source(bed().1)
    }

    /// Where one can listen.
    pub(crate) fn place(&self) -> String {
        format!("rdma://{}:*", bed().1)
    }
}
