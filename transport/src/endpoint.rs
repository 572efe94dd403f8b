//! The endpoint grammar: one place that turns text into addresses.

mod ipc;
mod tcp;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

pub use ipc::{IPC_NAME_MAX, IpcAddress};
pub use tcp::{Host, TcpAddress, TcpSource};

use crate::error::{EndpointCause, EndpointError};

/// Where a socket binds or connects: a scheme and an address, checked.
///
/// ```text
/// tcp://host:port              host: 192.0.2.1, [2001:db8::1], [fe80::1%eth0],
///                              a host name, an interface name, or * (all)
///                              port: 1-65535, or * or 0 (any free port)
/// tcp://source;host:port       connect from this address or interface
/// tcp://source:port;host:port  … and from this port
/// ipc://path                   a Unix socket in the file system
/// ipc://@name                  a Unix socket in Linux's abstract namespace
/// ipc://*                      a Unix socket in a fresh private directory
/// scheme://rest                anything else: a foreign transport's own
/// ```
///
/// Parsing settles only what the text can settle: whether a name is a host's
/// or an interface's, and whether a wildcard makes sense, is the transport's
/// business when it binds or connects. `Display` writes the canonical form
/// (`*` for a port of 0), and parsing that gives the same endpoint again.
///
/// ```
/// use ferromq_transport::{Address, Endpoint, Host};
///
/// let endpoint: Endpoint = "tcp://eth0;backend.example:5555".parse()?;
/// let Address::Tcp(tcp) = endpoint.address() else { unreachable!() };
/// assert_eq!(tcp.host, Host::Name("backend.example".into()));
/// assert_eq!(tcp.port, 5555);
/// assert_eq!(endpoint.to_string(), "tcp://eth0;backend.example:5555");
/// # Ok::<(), ferromq_transport::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    address: Address,
}

/// The parsed half of an [`Endpoint`] after its scheme.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// `tcp://`
    Tcp(TcpAddress),
    /// `ipc://`
    Ipc(IpcAddress),
    /// Any other scheme. The transport that owns it parses the rest.
    Other {
        /// What stands before `://`: lower-case letters, digits, `+`, `-`, `.`.
        scheme: String,
        /// What stands after it, never empty, otherwise unchecked.
        rest: String,
    },
}

impl Endpoint {
    /// The scheme, without `://`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        match &self.address {
            Address::Tcp(_) => TCP,
            Address::Ipc(_) => IPC,
            Address::Other { scheme, .. } => scheme,
        }
    }

    /// The parsed address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl From<SocketAddr> for Endpoint {
    /// The `tcp://` endpoint of a numeric address; its scope id becomes the zone.
    fn from(address: SocketAddr) -> Self {
        Self {
            address: Address::Tcp(TcpAddress::from(address)),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Checks and takes apart an endpoint's text. Never blocks: looks nothing up.
    ///
    /// # Errors
    /// [`EndpointError`] with the whole text and the first thing wrong with it.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        parse(text)
            .map(|address| Self { address })
            .map_err(|cause| EndpointError::new(text, cause))
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Tcp(tcp) => write!(f, "tcp://{tcp}"),
            Address::Ipc(ipc) => write!(f, "ipc://{ipc}"),
            Address::Other { scheme, rest } => write!(f, "{scheme}://{rest}"),
        }
    }
}

fn parse(text: &str) -> Result<Address, EndpointCause> {
    let (scheme, rest) = text.split_once("://").ok_or(EndpointCause::MissingScheme)?;
    check_scheme(scheme)?;
    if rest.is_empty() {
        return Err(EndpointCause::EmptyAddress);
    }
    Ok(match scheme {
        TCP => Address::Tcp(TcpAddress::parse(rest)?),
        IPC => Address::Ipc(IpcAddress::parse(rest)?),
        _ => Address::Other {
            scheme: scheme.to_owned(),
            rest: rest.to_owned(),
        },
    })
}

/// As in a URI (RFC 3986, 3.1), but lower case only, as ZeroMQ compares it.
fn check_scheme(scheme: &str) -> Result<(), EndpointCause> {
    let mut bytes = scheme.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on_well =
        bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    if starts_well && goes_on_well {
        Ok(())
    } else {
        Err(EndpointCause::BadScheme)
    }
}

const TCP: &str = "tcp";
const IPC: &str = "ipc";

#[cfg(test)]
mod tests;
