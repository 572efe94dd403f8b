//! A context with the transports of this workspace.

use std::ops::Deref;

use ferromq_transport::Transport;
use ferromq_transport_tcp::{Ipc, Tcp};

use crate::Error;

/// Where sockets come from: a [`ferromq_mio::Context`] that knows `tcp://` and
/// `ipc://`, with all of its calls.
///
/// Clones are the same context. When the last of them and the last socket are
/// gone, the drop waits until everything was sent or its time to linger is
/// over.
#[derive(Debug, Clone)]
pub struct Context(ferromq_mio::Context);

/// Puts a [`Context`] together. It starts with `tcp://` and `ipc://`.
#[derive(Debug)]
pub struct ContextBuilder(ferromq_mio::ContextBuilder);

impl Context {
    /// A context with all transports. Starts its I/O thread.
    ///
    /// # Errors
    /// [`Error::System`] when a descriptor or the thread cannot be had.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// The same with transports of your own.
    #[must_use]
    pub fn builder() -> ContextBuilder {
        ContextBuilder(
            ferromq_mio::Context::builder()
                .transport(Tcp)
                .transport(Ipc),
        )
    }
}

impl Deref for Context {
    type Target = ferromq_mio::Context;

    fn deref(&self) -> &ferromq_mio::Context {
        &self.0
    }
}

impl ContextBuilder {
    /// Adds a transport for its schemes; a later one takes a scheme over.
    #[must_use]
    pub fn transport(self, transport: impl Transport + 'static) -> Self {
        Self(self.0.transport(transport))
    }

    /// Starts the I/O thread.
    ///
    /// # Errors
    /// [`Error::System`] when a descriptor or the thread cannot be had.
    pub fn build(self) -> Result<Context, Error> {
        self.0.build().map(Context)
    }
}
