//! `rdma://host:port`: the grammar of `tcp://`, for another network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use ferromq_transport::{
    Address, Cause, Endpoint, Host, IpVersion, Operation, TcpAddress, TransportError,
};

/// The scheme.
pub(crate) const RDMA: &str = "rdma";

/// What stands in an endpoint of ours.
///
/// # Errors
/// Another scheme, or an address that is none.
pub(crate) fn parse(
    endpoint: &Endpoint,
    operation: Operation,
) -> Result<TcpAddress, TransportError> {
    let fail = |cause| TransportError::new(operation, endpoint, cause);
    let rest = match endpoint.address() {
        Address::Other { scheme, rest } if scheme == RDMA => rest,
        _ => return Err(fail(Cause::Unsupported)),
    };
    let parsed: Result<Endpoint, _> = format!("tcp://{rest}").parse();
    match parsed.as_ref().map(Endpoint::address) {
        Ok(Address::Tcp(address)) => Ok(address.clone()),
        Ok(_) => Err(fail(Cause::Unsupported)),
        Err(error) => Err(fail(Cause::Unresolvable).with_detail(error.cause().to_string())),
    }
}

/// The endpoint at an address.
pub(crate) fn endpoint(at: SocketAddr) -> Option<Endpoint> {
    format!("{RDMA}://{at}").parse().ok()
}

/// Where to listen.
///
/// # Errors
/// The name is not known.
pub(crate) fn to_bind(
    endpoint: &Endpoint,
    version: IpVersion,
) -> Result<SocketAddr, TransportError> {
    let TcpAddress { host, port, .. } = parse(endpoint, Operation::Bind)?;
    let all = look_up(&host, port, version);
    first(endpoint, Operation::Bind, all)
}

/// Whether looking an endpoint up may block.
pub(crate) fn has_name(endpoint: &Endpoint) -> bool {
    let address = parse(endpoint, Operation::Resolve);
    let is_name = |host: &Host| matches!(host, Host::Name(_));
    address.is_ok_and(|it| is_name(&it.host) || it.source.is_some_and(|it| is_name(&it.host)))
}

/// Where an endpoint to connect to is, and where to connect from.
///
/// # Errors
/// The name is not known, or it is a wildcard.
pub(crate) fn to_connect(
    endpoint: &Endpoint,
) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), TransportError> {
    let operation = Operation::Resolve;
    let TcpAddress { source, host, port } = parse(endpoint, operation)?;
    if host == Host::Any || port == 0 {
        return Err(TransportError::new(operation, endpoint, Cause::Wildcard));
    }
    let to = look_up(&host, port, IpVersion::V4First);
    first(endpoint, operation, to.as_ref().cloned().map_err(copied))?;
    let from = match source {
        None => Vec::new(),
        Some(source) => {
            let from = look_up(&source.host, source.port, IpVersion::V4First);
            first(endpoint, operation, from.as_ref().cloned().map_err(copied))?;
            from.unwrap_or_default()
        }
    };
    Ok((to.unwrap_or_default(), from))
}

fn copied(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The first of the addresses, or the error that there is none.
fn first(
    endpoint: &Endpoint,
    operation: Operation,
    all: io::Result<Vec<SocketAddr>>,
) -> Result<SocketAddr, TransportError> {
    let fail = |cause| TransportError::new(operation, endpoint, cause);
    let all = all.map_err(|error| fail(Cause::Unresolvable).with_detail(error.to_string()))?;
    all.first()
        .copied()
        .ok_or_else(|| fail(Cause::NoUsableAddress))
}

/// The addresses of a host. Blocks for a name.
fn look_up(host: &Host, port: u16, version: IpVersion) -> io::Result<Vec<SocketAddr>> {
    let at = |address: IpAddr| Ok(vec![SocketAddr::new(address, port)]);
    match host {
        Host::Any if version == IpVersion::V4First => at(Ipv4Addr::UNSPECIFIED.into()),
        Host::Any => at(Ipv6Addr::UNSPECIFIED.into()),
        Host::V4(address) => at((*address).into()),
        Host::V6 {
            address,
            scope: None,
        } => at((*address).into()),
        Host::V6 { address, scope } => {
            let zone = scope.as_deref().unwrap_or_default();
            Ok((format!("{address}%{zone}"), port)
                .to_socket_addrs()?
                .collect())
        }
        Host::Name(name) => Ok((name.as_str(), port).to_socket_addrs()?.collect()),
        _ => Ok(Vec::new()),
    }
}
