//! What the author of a transport tells the suite.

use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::faulty::{Faults, Faulty};
use crate::transport::Transport;

/// A transport that is to be checked. Its author implements this.
///
/// A subject lives as long as one check; what it needs meanwhile, such as a
/// temporary directory, it owns.
pub trait Subject: Send + Sync + 'static {
    /// What to call the transport in a report.
    fn name(&self) -> String;

    /// The transport. Both sides of every link are made by the same one.
    fn transport(&self) -> Arc<dyn Transport>;

    /// An endpoint to bind and connect to that nobody has used yet: another one
    /// at each call. It has no wildcard.
    fn fresh_endpoint(&self) -> Endpoint;

    /// An endpoint that a bind replaces by a real one, if the transport knows
    /// any.
    fn wildcard(&self) -> Option<Endpoint> {
        None
    }

    /// Whether the kernel tells each side who the other one is.
    fn vouching(&self) -> Vouching {
        Vouching::Nobody
    }

    /// What is there because of this subject's endpoints, such as the files in
    /// its directory: empty once everything is closed.
    fn leftovers(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Who says who a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouching {
    /// Nobody: links have no credentials.
    Nobody,
    /// The kernel: links have them, and within a process they are its own.
    Kernel,
}

/// A subject whose transport is made awkward by [`Faulty`]: what is promised
/// holds there too.
#[derive(Debug, Clone)]
pub struct Faulting<S> {
    subject: S,
    faults: Faults,
}

impl<S> Faulting<S> {
    /// Puts faults before the subject's transport.
    #[must_use]
    pub fn new(subject: S, faults: Faults) -> Self {
        Self { subject, faults }
    }
}

impl<S: Subject> Subject for Faulting<S> {
    fn name(&self) -> String {
        format!("{} with faults", self.subject.name())
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Faulty::new(self.subject.transport(), self.faults.clone()))
    }

    fn fresh_endpoint(&self) -> Endpoint {
        self.subject.fresh_endpoint()
    }

    fn wildcard(&self) -> Option<Endpoint> {
        self.subject.wildcard()
    }

    fn vouching(&self) -> Vouching {
        self.subject.vouching()
    }

    fn leftovers(&self) -> Vec<String> {
        self.subject.leftovers()
    }
}
