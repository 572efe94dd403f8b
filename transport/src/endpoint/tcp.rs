//! `tcp://[source[:port];]host:port`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::error::EndpointCause;

/// The address of a `tcp://` endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpAddress {
    /// Where a connection comes from; `None` leaves it to the system. Only
    /// connecting uses it.
    pub source: Option<TcpSource>,
    /// The host to connect to, or the local address to bind.
    pub host: Host,
    /// The port; 0 is the wildcard: any free port, for binding only.
    pub port: u16,
}

/// The local end that a connecting socket is to use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpSource {
    /// A local address or an interface's name.
    pub host: Host,
    /// The local port; 0 is any free port.
    pub port: u16,
}

/// What stands in the host's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// `*`: every local address.
    Any,
    /// A dotted IPv4 address.
    V4(Ipv4Addr),
    /// A bracketed IPv6 address.
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// The zone after `%`: an interface's name or number (RFC 4007, 11).
        scope: Option<String>,
    },
    /// A host name or an interface's name; only looking it up can tell.
    Name(String),
}

impl TcpAddress {
    pub(super) fn parse(text: &str) -> Result<Self, EndpointCause> {
        let (source, target) = match text.split_once(';') {
            Some((source, target)) => (Some(TcpSource::parse(source)?), target),
            None => (None, text),
        };
        let (host, port) = split_port(target)?;
        Ok(Self {
            source,
            host: Host::parse(host)?,
            port: parse_port(port.ok_or(EndpointCause::MissingPort)?)?,
        })
    }
}

impl TcpSource {
    fn parse(text: &str) -> Result<Self, EndpointCause> {
        let (host, port) = split_port(text)?;
        Ok(Self {
            host: Host::parse(host)?,
            port: port.map_or(Ok(0), parse_port)?,
        })
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, EndpointCause> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(inner) = text.strip_prefix('[') {
            return Self::parse_v6(inner.strip_suffix(']').ok_or(EndpointCause::BadIpv6)?);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        check_name(text)?;
        Ok(Self::Name(text.to_owned()))
    }

    fn parse_v6(text: &str) -> Result<Self, EndpointCause> {
        let (address, scope) = match text.split_once('%') {
            Some((address, scope)) => (address, Some(scope)),
            None => (text, None),
        };
        if scope.is_some_and(|s| s.is_empty() || s.len() > NAME_MAX || !s.chars().all(is_name)) {
            return Err(EndpointCause::BadScope);
        }
        Ok(Self::V6 {
            address: address.parse().map_err(|_| EndpointCause::BadIpv6)?,
            scope: scope.map(str::to_owned),
        })
    }
}

impl From<SocketAddr> for TcpAddress {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V4(v4) => Host::V4(*v4.ip()),
            SocketAddr::V6(v6) => Host::V6 {
                address: *v6.ip(),
                scope: (v6.scope_id() != 0).then(|| v6.scope_id().to_string()),
            },
        };
        Self {
            source: None,
            host,
            port: address.port(),
        }
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source};")?;
        }
        match self.port {
            0 => write!(f, "{}:*", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

impl fmt::Display for TcpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            0 => self.host.fmt(f),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6 { address, scope } => match scope {
                Some(scope) => write!(f, "[{address}%{scope}]"),
                None => write!(f, "[{address}]"),
            },
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Splits `host:port` or `[v6]:port`; the port is `None` where no colon is.
fn split_port(text: &str) -> Result<(&str, Option<&str>), EndpointCause> {
    if text.starts_with('[') {
        let end = text.find(']').ok_or(EndpointCause::BadIpv6)? + 1;
        let (host, rest) = text.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(EndpointCause::BadIpv6),
        };
    }
    match text.split_once(':') {
        // `::1:5555` could be a port or the address's last group: ask for
        // brackets instead of guessing.
        Some((_, rest)) if rest.contains(':') => Err(EndpointCause::UnbracketedIpv6),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointCause> {
    match text {
        "" => Err(EndpointCause::MissingPort),
        "*" => Ok(0),
        // `u16::from_str` would take a plus sign.
        _ if !text.bytes().all(|b| b.is_ascii_digit()) => Err(EndpointCause::BadPort),
        _ => text.parse().map_err(|_| EndpointCause::BadPort),
    }
}

fn check_name(name: &str) -> Result<(), EndpointCause> {
    if name.is_empty() {
        return Err(EndpointCause::EmptyHost);
    }
    if name.len() > NAME_MAX {
        return Err(EndpointCause::HostTooLong {
            len: name.len(),
            limit: NAME_MAX,
        });
    }
    // Old resolvers read `127.1` and `0177.0.0.1` as addresses: refuse them
    // here, where the user still sees what was written. A VLAN interface such
    // as `eth0.100` has a letter and passes.
    if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(EndpointCause::BadIpv4);
    }
    if name.chars().all(is_name) {
        Ok(())
    } else {
        Err(EndpointCause::BadHost)
    }
}

/// Interfaces may be called almost anything, host names may be international:
/// only what the grammar itself uses, spaces and control characters are out.
fn is_name(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || "/:;[]*%\\\"".contains(c))
}

/// The longest host name in the DNS's text form (RFC 1035, 2.3.4).
const NAME_MAX: usize = 253;
