//! What is put to the test: somewhere to bind and connect, and a context that
//! knows the way there.

use std::sync::Arc;

use ferromq_transport::conformance as links;
use ferromq_transport::conformance::Faulting;
use ferromq_transport::{Faults, Transport};

use crate::{Context, Error};

/// Endpoints that sockets are to work over.
///
/// Whoever has written a [`Transport`] has the other `Subject`, of
/// `ferromq_transport::conformance`, and makes one of these of it with [`Over`].
pub trait Subject: Send + Sync + 'static {
    /// What to call it in a report.
    fn name(&self) -> String;

    /// A fresh context that serves the endpoints. By default one with nothing
    /// added to what is built in.
    ///
    /// # Errors
    /// As [`ContextBuilder::build`](crate::ContextBuilder::build).
    fn context(&self) -> Result<Context, Error> {
        Context::builder().build()
    }

    /// An endpoint to bind and connect to that nobody has used yet: another one
    /// at each call, without a wildcard.
    fn fresh_endpoint(&self) -> String;

    /// A context that serves the endpoints over links with these faults; `None`
    /// where there are no links.
    ///
    /// # Errors
    /// As [`context`](Self::context).
    fn faulty_context(&self, faults: Faults) -> Option<Result<Context, Error>> {
        let _ = faults;
        None
    }
}

/// The endpoints of a transport that is registered with the context.
#[derive(Debug, Clone)]
pub struct Over<S>(pub S);

impl<S: links::Subject> Subject for Over<S> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn context(&self) -> Result<Context, Error> {
        context(self.0.transport())
    }

    fn fresh_endpoint(&self) -> String {
        self.0.fresh_endpoint().to_string()
    }

    fn faulty_context(&self, faults: Faults) -> Option<Result<Context, Error>> {
        let faulty = ferromq_transport::Faulty::new(self.0.transport(), faults);
        Some(context(Arc::new(faulty)))
    }
}

/// The same, with a transport that gets in the way.
pub(super) fn awkward<S: links::Subject>(subject: S, seed: u64) -> Over<Faulting<S>> {
    Over(Faulting::new(subject, Faults::new(seed)))
}

fn context(transport: Arc<dyn Transport>) -> Result<Context, Error> {
    Context::builder().transport(transport).build()
}
