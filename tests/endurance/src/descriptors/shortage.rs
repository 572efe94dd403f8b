//! Ways to have no descriptors.

use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::Context;
use ferromq_transport::{
    Connecting, Endpoint, Link, LinkOptions, Listener, Operation, Route, Transport, TransportError,
};
use ferromq_transport_tcp::Tcp;

use crate::Failure;
use crate::meter::{most_descriptors, set_descriptors};

/// The system's number of "too many open files in the system".
const ENFILE: i32 = 23;

/// One way.
#[derive(Debug)]
pub(super) enum Shortage {
    /// The process has as many as it may (EMFILE).
    OfProcess,
    /// The machine has (ENFILE): `tcp` says so while this is set.
    OfMachine(Arc<AtomicBool>),
}

impl Shortage {
    pub(super) fn of_process() -> Self {
        Self::OfProcess
    }

    pub(super) fn of_machine() -> Self {
        Self::OfMachine(Arc::default())
    }

    /// A context that can be brought into it.
    pub(super) fn context(&self) -> Result<Context, Failure> {
        let builder = Context::builder();
        let builder = match self {
            Self::OfProcess => builder,
            Self::OfMachine(short) => builder.transport(Short(short.clone())),
        };
        Ok(builder.build()?)
    }

    /// From now on there are no descriptors, until what this answers is dropped.
    pub(super) fn begin(&self) -> Result<Short, Failure> {
        let short = match self {
            Self::OfMachine(short) => short.clone(),
            Self::OfProcess => {
                use_up_descriptors()?;
                Arc::default()
            }
        };
        short.store(true, Ordering::Relaxed);
        Ok(Short(short))
    }
}

/// Forbids every descriptor that is not open now.
fn use_up_descriptors() -> Result<(), Failure> {
    use std::os::fd::AsRawFd;
    let next = File::open("/dev/null")?;
    set_descriptors(Some(u64::try_from(next.as_raw_fd())?))?;
    drop(next);
    // There may be holes below.
    let mut fillers = Vec::new();
    while let Ok(filler) = File::open("/dev/null") {
        fillers.push(filler);
    }
    // Kept as long as the process lives: they are few, and come to an end with it.
    std::mem::forget(fillers);
    Ok(())
}

/// A shortage that goes on; and a `tcp` that knows of it.
#[derive(Debug)]
pub(super) struct Short(Arc<AtomicBool>);

impl Drop for Short {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        // Of no consequence where it was not lowered.
        let _ = set_descriptors(most_descriptors());
    }
}

impl Short {
    fn check(&self, operation: Operation, endpoint: &Endpoint) -> Result<(), TransportError> {
        match self.0.load(Ordering::Relaxed) {
            false => Ok(()),
            true => {
                let error = io::Error::from_raw_os_error(ENFILE);
                Err(TransportError::from_io(operation, endpoint, &error))
            }
        }
    }
}

impl Transport for Short {
    fn schemes(&self) -> &'static [&'static str] {
        Tcp.schemes()
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        Tcp.resolve(endpoint)
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(ShortListener {
            listener: Tcp.bind(endpoint, options)?,
            short: Self(self.0.clone()),
        }))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        self.check(Operation::Connect, &route.endpoint)?;
        Tcp.connect(route, options)
    }
}

struct ShortListener {
    listener: Box<dyn Listener>,
    short: Short,
}

impl Listener for ShortListener {
    fn fd(&self) -> RawFd {
        self.listener.fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        self.listener.local_endpoint()
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        self.short
            .check(Operation::Accept, self.listener.local_endpoint())?;
        self.listener.accept()
    }
}
