//! `ipc://`.

mod connect;
mod file;
mod listen;
mod users;

use std::io;
use std::path::{Path, PathBuf};

use ferromq_transport::{
    Address, Cause, Connecting, Endpoint, IpcAddress, LinkOptions, Listener, Operation, Route,
    Transport, TransportError,
};
use socket2::SockAddr;

use crate::sys;
use connect::IpcConnecting;
use listen::IpcListener;

/// The `ipc://` transport: Unix sockets.
///
/// - A path that a listener of ours left behind when it was killed is taken over:
///   it has to be a socket, not a link to one, of our own effective user id, and
///   nobody may answer on it. Anything else in the place stays as it is and is an
///   error that says what it is.
/// - `@name` is a name in Linux's abstract namespace, without a file.
/// - `*` is a socket in a fresh directory under the system's temporary one, which
///   only we can enter; [`Listener::local_endpoint`] tells the path.
/// - Files and directories are removed when the listener is dropped, unless they
///   are no longer the listener's own.
/// - Both sides ask the kernel who the other one is, see
///   [`LinkOptions::local_users`] and [`PeerAddress::credentials`].
///
/// Nothing blocks but binding to a path that a socket of ours was made on within
/// the last tenth of a second, which waits until that tenth is over.
///
/// [`PeerAddress::credentials`]: ferromq_transport::PeerAddress::credentials
#[derive(Debug, Clone, Copy, Default)]
pub struct Ipc;

impl Ipc {
    /// The transport. It keeps no state.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Transport for Ipc {
    fn schemes(&self) -> &'static [&'static str] {
        &["ipc"]
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        match ipc_address(endpoint, Operation::Resolve)? {
            IpcAddress::Any => {
                let cause = Cause::Wildcard;
                Err(TransportError::new(Operation::Resolve, endpoint, cause))
            }
            _ => Ok(Route::new(endpoint.clone())),
        }
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        let ipc = ipc_address(endpoint, Operation::Bind)?;
        Ok(Box::new(IpcListener::bind(endpoint, ipc, options)?))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        let ipc = ipc_address(&route.endpoint, Operation::Connect)?;
        Ok(Box::new(IpcConnecting::start(
            &route.endpoint,
            ipc,
            options,
        )?))
    }
}

/// What stands in an `ipc://` endpoint that this system can serve.
fn ipc_address(endpoint: &Endpoint, operation: Operation) -> Result<&IpcAddress, TransportError> {
    match endpoint.address() {
        Address::Ipc(IpcAddress::Abstract(_)) if !sys::HAS_ABSTRACT_NAMES => {}
        Address::Ipc(ipc) => return Ok(ipc),
        _ => {}
    }
    Err(TransportError::new(operation, endpoint, Cause::Unsupported))
}

/// The socket address of a path.
fn path_address(path: &Path) -> io::Result<SockAddr> {
    SockAddr::unix(path)
}

/// The socket address of an abstract name: a NUL, then the name to its end.
fn abstract_address(name: &str) -> io::Result<SockAddr> {
    SockAddr::unix(PathBuf::from(format!("\0{name}")))
}
