//! A context with the transports of this workspace.

use std::num::NonZeroUsize;
use std::ops::Deref;

use ferromq_transport::Transport;
#[cfg(all(feature = "rdma", target_os = "linux"))]
use ferromq_transport_rdma::Rdma;
#[cfg(target_os = "linux")]
use ferromq_transport_shm::Shm;
use ferromq_transport_tcp::{Ipc, Tcp};

#[cfg(feature = "status")]
use crate::status::{StatusError, StatusPlace};
use crate::{Error, Fabric, Switching};

/// Where sockets come from: a [`ferromq_mio::Context`] that knows `tcp://`, `ipc://` and
/// `shm://`, and `rdma://` with the feature of this name, with all of its calls. Connections between two of these on one machine take
/// shared memory by themselves ([`Options::switch`](crate::Options::switch)).
///
/// Clones are the same context. When the last of them and the last socket are
/// gone, the drop waits until everything was sent or its time to linger is
/// over.
#[derive(Debug, Clone)]
pub struct Context(ferromq_mio::Context);

/// Puts a [`Context`] together. It starts with `tcp://`, `ipc://` and `shm://`, and with the
/// feature `rdma` with `rdma://`.
#[derive(Debug)]
pub struct ContextBuilder {
    builder: ferromq_mio::ContextBuilder,
    #[cfg(feature = "status")]
    status: Option<StatusPlace>,
}

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
        let builder = ferromq_mio::Context::builder()
            .transport(Tcp)
            .transport(Ipc);
        #[cfg(target_os = "linux")]
        let builder = builder
            .transport(Shm::new())
            .switching(Switching::new(&["tcp", "ipc"], "shm"));
        #[cfg(all(feature = "rdma", target_os = "linux"))]
        let builder = builder
            .transport(Rdma::new())
            .switching(Switching::over_fabric(&["tcp"], "rdma"));
        ContextBuilder {
            builder,
            #[cfg(feature = "status")]
            status: None,
        }
    }

    /// Serves what this context's sockets are doing, to processes of the same
    /// user, until the context is gone; see [`status`](crate::status). With
    /// other contexts of this process that serve in the same place, it is told
    /// as one.
    ///
    /// # Errors
    /// [`StatusError`] says which directory or endpoint cannot be had.
    #[cfg(feature = "status")]
    pub fn serve_status(&self, place: &StatusPlace) -> Result<(), StatusError> {
        self.keep(crate::status::serve(place, self.observer())?);
        Ok(())
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
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.builder = self.builder.transport(transport);
        self
    }

    /// Which connections move to shared memory, or to a fabric, and at what cost; see
    /// [`ferromq_mio::ContextBuilder::switching`]. Those of `tcp` and `ipc` by default,
    /// and with the feature `rdma` those of `tcp` to `rdma`, unless another transport was
    /// added for these.
    #[must_use]
    pub fn switching(mut self, switching: Switching) -> Self {
        self.builder = self.builder.switching(switching);
        self
    }

    /// How many handshakes may be under way before no more connections are accepted; see
    /// [`ferromq_mio::ContextBuilder::max_handshakes`]. Default 4,096.
    #[must_use]
    pub fn max_handshakes(mut self, count: NonZeroUsize) -> Self {
        self.builder = self.builder.max_handshakes(count);
        self
    }

    /// What sockets ask for that do not say it by
    /// [`Options::fabric`](crate::Options::fabric); see
    /// [`ferromq_mio::ContextBuilder::fabric`].
    #[must_use]
    pub fn fabric(mut self, fabric: Fabric) -> Self {
        self.builder = self.builder.fabric(fabric);
        self
    }

    /// Serves what the context's sockets are doing, as
    /// [`Context::serve_status`] does.
    #[cfg(feature = "status")]
    #[must_use]
    pub fn status(mut self, place: StatusPlace) -> Self {
        self.status = Some(place);
        self
    }

    /// Starts the I/O thread. `FERROMQ_STATUS` in the environment serves status
    /// as [`status`](Self::status) does, but what stands in its way is a line on
    /// standard error and no error.
    ///
    /// # Errors
    /// [`Error::System`] when a descriptor or the thread cannot be had, or the
    /// place for status.
    pub fn build(self) -> Result<Context, Error> {
        let context = self.builder.build().map(Context)?;
        #[cfg(feature = "status")]
        {
            if let Some(place) = &self.status {
                let refused = |cause| Error::System {
                    what: "serve status",
                    cause: std::io::Error::other(cause),
                };
                context.serve_status(place).map_err(refused)?;
            }
            context.serve_status_if_asked();
        }
        Ok(context)
    }
}

#[cfg(feature = "status")]
impl Context {
    /// Serves status where the environment says. Whoever set it wants to see
    /// into the program, and not to stop it.
    fn serve_status_if_asked(&self) {
        let Some(place) = crate::status::from_environment() else {
            return;
        };
        if let Err(cause) = place.and_then(|place| self.serve_status(&place)) {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "ferromq: FERROMQ_STATUS: {cause}");
        }
    }
}
