//! From hosts and interfaces to addresses. The only part that may block.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

use ferromq_transport::{
    Cause, Endpoint, Host, IpVersion, Operation, Route, TcpAddress, TransportError,
};

use crate::sys;

/// Where to connect to, and where from.
pub(crate) fn route(endpoint: &Endpoint, tcp: &TcpAddress) -> Result<Route, TransportError> {
    if tcp.port == 0 {
        return Err(Failure::from(Cause::Wildcard).at(endpoint, Operation::Resolve));
    }
    let addresses = remote_addresses(&tcp.host, tcp.port)
        .map_err(|failure| failure.at(endpoint, Operation::Resolve))?;
    let sources = match &tcp.source {
        Some(source) => local_addresses(&source.host, source.port)
            .map_err(|failure| failure.at(endpoint, Operation::Resolve))?,
        None => Vec::new(),
    };
    Ok(Route::new(endpoint.clone()).with_addresses(addresses, sources))
}

/// Where to listen, in the order to try.
pub(crate) fn listening_addresses(
    endpoint: &Endpoint,
    tcp: &TcpAddress,
    version: IpVersion,
) -> Result<Vec<SocketAddr>, TransportError> {
    let found = local_addresses(&tcp.host, tcp.port)
        .map_err(|failure| failure.at(endpoint, Operation::Bind))?;
    let is_definite = matches!(tcp.host, Host::V4(_) | Host::V6 { .. });
    let mut addresses = if is_definite {
        found
    } else {
        in_order(found, version)
    };
    if tcp.host == Host::Any && version == IpVersion::V4First {
        addresses.truncate(1);
    }
    if addresses.is_empty() {
        return Err(Failure::from(Cause::NoUsableAddress).at(endpoint, Operation::Bind));
    }
    Ok(addresses)
}

/// Sorts a name's addresses by what the options prefer.
pub(crate) fn in_order(mut addresses: Vec<SocketAddr>, version: IpVersion) -> Vec<SocketAddr> {
    match version {
        IpVersion::V6Only => addresses.retain(SocketAddr::is_ipv6),
        IpVersion::V4First => addresses.sort_by_key(SocketAddr::is_ipv6),
        _ => {}
    }
    addresses
}

/// The addresses of a host to connect to.
fn remote_addresses(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    match host {
        Host::Any => Err(Cause::Wildcard.into()),
        Host::Name(name) => host_addresses(name, port),
        numeric => numeric_addresses(numeric, port),
    }
}

/// The addresses of this machine that a host stands for: of the interface of
/// that name, or else of the host of that name.
fn local_addresses(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let Host::Name(name) = host else {
        return numeric_addresses(host, port);
    };
    let mut addresses = sys::interface_addresses(name).map_err(|error| Failure {
        cause: Cause::from(&error),
        detail: None,
    })?;
    if addresses.is_empty() {
        return host_addresses(name, port);
    }
    for address in &mut addresses {
        address.set_port(port);
    }
    Ok(addresses)
}

/// What needs no look-up. `*` is `[::]` and 0.0.0.0, in this order.
fn numeric_addresses(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    Ok(match host {
        Host::V4(address) => vec![SocketAddr::from((*address, port))],
        Host::V6 { address, scope } => {
            let scope = scope.as_deref().map_or(Ok(0), scope_id)?;
            vec![SocketAddrV6::new(*address, port, 0, scope).into()]
        }
        _ => vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ],
    })
}

/// A zone's number: written as one, or that of the interface it names.
fn scope_id(scope: &str) -> Result<u32, Failure> {
    if let Ok(number) = scope.parse() {
        return Ok(number);
    }
    sys::interface_index(scope).ok_or_else(|| Failure {
        cause: Cause::Unresolvable,
        detail: Some(format!("there is no interface {scope}")),
    })
}

/// Asks the system's resolver. Blocks for as long as that takes.
fn host_addresses(name: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    (name, port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .map_err(|error| Failure {
            cause: match Cause::from(&error) {
                // Out of descriptors is not the name's fault.
                exhausted @ Cause::Exhausted { .. } => exhausted,
                _ => Cause::Unresolvable,
            },
            detail: Some(error.to_string()),
        })
}

/// A cause that does not know its endpoint yet.
struct Failure {
    cause: Cause,
    detail: Option<String>,
}

impl Failure {
    fn at(self, endpoint: &Endpoint, operation: Operation) -> TransportError {
        let error = TransportError::new(operation, endpoint, self.cause);
        match self.detail {
            Some(detail) => error.with_detail(detail),
            None => error,
        }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            detail: None,
        }
    }
}
