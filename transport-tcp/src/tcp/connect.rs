//! Connecting to each address of a route in turn.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use ferromq_transport::{
    Cause, Connecting, Endpoint, Host, Link, LinkOptions, Operation, PeerAddress, Route,
    TcpAddress, TransportError,
};
use socket2::{SockAddr, Socket};

use super::resolve;
use crate::link::{Kind, StreamLink};
use crate::{options, sys};

/// A TCP connection on its way to one of several addresses.
pub(crate) struct TcpConnecting {
    attempts: Attempts,
    /// The attempt under way; `None` once it became a link or the last failed.
    current: Option<(Socket, SocketAddr)>,
}

impl TcpConnecting {
    /// Starts with the first address that does not fail at once.
    pub(crate) fn start(
        route: &Route,
        tcp: &TcpAddress,
        options: &LinkOptions,
    ) -> Result<Self, TransportError> {
        let mut attempts = Attempts::new(route, tcp, options);
        let current = Some(attempts.start_next()?);
        Ok(Self { attempts, current })
    }

    /// Goes on with the next address because this one failed.
    fn advance(&mut self, address: SocketAddr, cause: Cause) -> Result<(), TransportError> {
        self.attempts.failed = Some((address, cause));
        let next = self.attempts.start_next();
        // Only now is the old socket closed: the number of the new one differs,
        // which is how an event loop sees that there is a new one.
        match next {
            Ok(attempt) => {
                self.current = Some(attempt);
                Ok(())
            }
            Err(error) => {
                self.current = None;
                Err(error)
            }
        }
    }
}

impl Connecting for TcpConnecting {
    fn fd(&self) -> RawFd {
        self.current
            .as_ref()
            .map_or(-1, |(socket, _)| socket.as_raw_fd())
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some((socket, address)) = &self.current else {
            return Err(self.attempts.error());
        };
        let address = *address;
        match outcome(socket) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let peer = PeerAddress::new(Endpoint::from(address));
                let socket = self.current.take().map(|(socket, _)| socket);
                Ok(socket.map(|s| Box::new(StreamLink::new(s, peer, Kind::Tcp)) as Box<dyn Link>))
            }
            Err(error) => {
                self.advance(address, Cause::from(&error))?;
                Ok(None)
            }
        }
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        match self.current {
            Some((_, address)) => self.advance(address, Cause::TimedOut),
            None => Err(self.attempts.error()),
        }
    }
}

/// The addresses still to try, and how the last one failed.
struct Attempts {
    endpoint: Endpoint,
    /// In reverse order: the next one is at the end.
    rest: Vec<SocketAddr>,
    sources: Vec<SocketAddr>,
    options: LinkOptions,
    failed: Option<(SocketAddr, Cause)>,
}

impl Attempts {
    fn new(route: &Route, tcp: &TcpAddress, options: &LinkOptions) -> Self {
        let mut rest = route.addresses.clone();
        if matches!(tcp.host, Host::Name(_)) {
            rest = resolve::in_order(rest, options.ip_version);
        }
        rest.reverse();
        Self {
            endpoint: route.endpoint.clone(),
            rest,
            sources: route.sources.clone(),
            options: options.clone(),
            failed: None,
        }
    }

    /// Starts with the next address that does not fail at once.
    fn start_next(&mut self) -> Result<(Socket, SocketAddr), TransportError> {
        while let Some(address) = self.rest.pop() {
            match self.open(address) {
                Ok(socket) => return Ok((socket, address)),
                Err(cause) => self.failed = Some((address, cause)),
            }
        }
        Err(self.error())
    }

    fn open(&self, address: SocketAddr) -> Result<Socket, Cause> {
        let source = self.source_for(&address)?;
        self.open_from(source, address)
            .map_err(|error| Cause::from(&error))
    }

    fn open_from(&self, source: Option<SocketAddr>, to: SocketAddr) -> io::Result<Socket> {
        let socket = options::open(&to, &self.options)?;
        options::set_stream_options(&socket, &self.options)?;
        if let Some(source) = source {
            // A fixed port may still be waiting out its last connection.
            socket.set_reuse_address(source.port() != 0)?;
            socket.bind(&SockAddr::from(source))?;
        }
        match socket.connect(&SockAddr::from(to)) {
            Err(error) if !sys::is_in_progress(&error) => Err(error),
            _ => Ok(socket),
        }
    }

    /// The local address of the same IP version, if local addresses were named.
    fn source_for(&self, address: &SocketAddr) -> Result<Option<SocketAddr>, Cause> {
        if self.sources.is_empty() {
            return Ok(None);
        }
        let same_version = |source: &&SocketAddr| source.is_ipv4() == address.is_ipv4();
        match self.sources.iter().find(same_version) {
            Some(source) => Ok(Some(*source)),
            None => Err(Cause::NoUsableAddress),
        }
    }

    /// How the last address failed; with no address at all, that.
    fn error(&self) -> TransportError {
        match self.failed {
            Some((address, cause)) => {
                TransportError::new(Operation::Connect, &self.endpoint, cause)
                    .with_detail(address.to_string())
            }
            None => TransportError::new(Operation::Connect, &self.endpoint, Cause::NoUsableAddress),
        }
    }
}

/// Whether the socket is connected; not yet is `false`.
fn outcome(socket: &Socket) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    let peer = match socket.peer_addr() {
        Ok(peer) => peer,
        Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
        Err(error) => return Err(error),
    };
    // A port from the range that the system hands out to connecting sockets may
    // be handed to the very socket that connects to it: TCP then connects the
    // socket to itself (RFC 9293, 3.5, simultaneous open). Nobody listens there.
    if socket.local_addr()?.as_socket() == peer.as_socket() {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(true)
}
