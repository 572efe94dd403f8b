//! `tcp://`.

mod connect;
mod listen;
mod resolve;

use ferromq_transport::{
    Address, Cause, Connecting, Endpoint, Host, LinkOptions, Listener, Operation, Route,
    TcpAddress, Transport, TransportError,
};

use connect::TcpConnecting;
use listen::TcpListener;

/// The `tcp://` transport.
///
/// - Connecting tries all addresses of a name in turn, IPv4 first unless
///   [`LinkOptions::ip_version`] says otherwise, from the source address that
///   the endpoint names, if any.
/// - Binding takes a numeric address, `*`, an interface's name or a host name
///   (looked up in this order), and any free port for `*` or 0, which
///   [`Listener::local_endpoint`] then tells.
/// - A host name or an interface's name makes `resolve` and `bind` block; numeric
///   addresses never do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Tcp {
    /// The transport. It keeps no state.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Transport for Tcp {
    fn schemes(&self) -> &'static [&'static str] {
        &["tcp"]
    }

    fn needs_resolver(&self, endpoint: &Endpoint) -> bool {
        let is_name = |host: &Host| matches!(host, Host::Name(_));
        match endpoint.address() {
            Address::Tcp(tcp) => {
                is_name(&tcp.host) || tcp.source.as_ref().is_some_and(|s| is_name(&s.host))
            }
            _ => false,
        }
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        let tcp = tcp_address(endpoint, Operation::Resolve)?;
        resolve::route(endpoint, tcp)
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        let tcp = tcp_address(endpoint, Operation::Bind)?;
        Ok(Box::new(TcpListener::bind(endpoint, tcp, options)?))
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        let tcp = tcp_address(&route.endpoint, Operation::Connect)?;
        Ok(Box::new(TcpConnecting::start(route, tcp, options)?))
    }
}

/// What stands in a `tcp://` endpoint; other endpoints are not ours to serve.
fn tcp_address(endpoint: &Endpoint, operation: Operation) -> Result<&TcpAddress, TransportError> {
    match endpoint.address() {
        Address::Tcp(tcp) => Ok(tcp),
        _ => Err(TransportError::new(operation, endpoint, Cause::Unsupported)),
    }
}
