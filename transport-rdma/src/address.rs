//! `rdma://host:port`: the grammar of `tcp://`, for another network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use ferromq_transport::{
    Address, Cause, Endpoint, Host, IpVersion, Operation, TcpAddress, TransportError,
};

use crate::verbs::Provider;

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

/// Where to listen. Blocks for a host's name.
///
/// # Errors
/// The name is not known, or it is that of an interface without a device.
pub(crate) fn to_bind(
    endpoint: &Endpoint,
    version: IpVersion,
    provider: &dyn Provider,
) -> Result<SocketAddr, TransportError> {
    let TcpAddress { host, port, .. } = parse(endpoint, Operation::Bind)?;
    let all = our_own(&host, port, version, provider);
    first(endpoint, Operation::Bind, &all)
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
/// The name is not known, or it is a wildcard; or an interface is named where nobody
/// but another host can be.
pub(crate) fn to_connect(
    endpoint: &Endpoint,
    provider: &dyn Provider,
) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), TransportError> {
    let operation = Operation::Resolve;
    let TcpAddress { source, host, port } = parse(endpoint, operation)?;
    if host == Host::Any || port == 0 {
        return Err(TransportError::new(operation, endpoint, Cause::Wildcard));
    }
    let to = look_up(&host, port, IpVersion::V4First).map_err(|error| match &host {
        Host::Name(name) if is_interface(name) => io::Error::other(format!(
            "{name} is an interface of this machine: connect to an address"
        )),
        _ => error,
    });
    first(endpoint, operation, &to)?;
    let from = match source {
        None => Ok(Vec::new()),
        Some(source) => {
            let from = our_own(&source.host, source.port, IpVersion::V4First, provider);
            first(endpoint, operation, &from)?;
            from
        }
    };
    Ok((to.unwrap_or_default(), from.unwrap_or_default()))
}

/// Addresses of ours: of the interface of this name, where it has a device, or else of
/// the host.
fn our_own(
    host: &Host,
    port: u16,
    version: IpVersion,
    provider: &dyn Provider,
) -> io::Result<Vec<SocketAddr>> {
    let Host::Name(name) = host else {
        return look_up(host, port, version);
    };
    let served = provider.addresses().unwrap_or_default();
    let of_it = served.iter().filter(|served| served.interface == *name);
    let mut all: Vec<_> = of_it
        .map(|served| SocketAddr::new(served.address, port))
        .collect();
    if version == IpVersion::V4First {
        all.sort_by_key(SocketAddr::is_ipv6);
    }
    match all.is_empty() {
        false => Ok(all),
        true if is_interface(name) => Err(io::Error::other(format!(
            "the interface {name} has no address that an RDMA device serves; run `ferromq rdma`"
        ))),
        true => look_up(host, port, version),
    }
}

/// Whether this machine has a network interface of this name.
fn is_interface(name: &str) -> bool {
    // A name of the grammar has no slash; one of dots is none of an interface.
    !name.starts_with('.') && Path::new("/sys/class/net").join(name).exists()
}

/// The first of the addresses, or the error that there is none.
fn first(
    endpoint: &Endpoint,
    operation: Operation,
    all: &io::Result<Vec<SocketAddr>>,
) -> Result<SocketAddr, TransportError> {
    let fail = |cause| TransportError::new(operation, endpoint, cause);
    match all {
        Err(error) => Err(fail(Cause::Unresolvable).with_detail(error.to_string())),
        Ok(all) => all
            .first()
            .copied()
            .ok_or_else(|| fail(Cause::NoUsableAddress)),
    }
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
