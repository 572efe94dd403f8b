//! Listening on TCP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use ferromq_transport::{
    Cause, Endpoint, IpVersion, Link, LinkOptions, Listener, Operation, PeerAddress, TcpAddress,
    TransportError,
};
use socket2::{SockAddr, Socket};

use super::resolve;
use crate::accept::{accept, peers_gone};
use crate::link::{Kind, StreamLink, tcp_address};
use crate::{options, sys};

/// A listening TCP socket.
pub(crate) struct TcpListener {
    socket: Socket,
    endpoint: Endpoint,
    options: LinkOptions,
}

impl TcpListener {
    /// Listens on the first address that the endpoint stands for and that this
    /// machine has.
    pub(crate) fn bind(
        endpoint: &Endpoint,
        tcp: &TcpAddress,
        options: &LinkOptions,
    ) -> Result<Self, TransportError> {
        let addresses = resolve::listening_addresses(endpoint, tcp, options.ip_version)?;
        let mut failed = Cause::NoUsableAddress;
        for address in addresses {
            match listen(address, options) {
                Ok((socket, local)) => {
                    return Ok(Self {
                        socket,
                        endpoint: Endpoint::from(local),
                        options: options.clone(),
                    });
                }
                Err(error) => failed = Cause::from(&error),
            }
            // Another address helps only against one that is not there. Where
            // the port is taken, half of a service would be a surprise.
            if !is_absent(failed) {
                break;
            }
        }
        Err(TransportError::new(Operation::Bind, endpoint, failed))
    }
}

impl Listener for TcpListener {
    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some((socket, address)) = accept(&self.socket, &self.endpoint)? else {
            return Ok(None);
        };
        // Neither fails while the peer is there.
        let peer = tcp_address(&address).ok_or_else(|| peers_gone(&self.endpoint, 1))?;
        options::set_stream_options(&socket, &self.options)
            .map_err(|_| peers_gone(&self.endpoint, 1))?;
        let peer = PeerAddress::new(Endpoint::from(peer));
        Ok(Some(Box::new(StreamLink::new(socket, peer, Kind::Tcp))))
    }
}

/// A listening socket, and where it listens.
fn listen(address: SocketAddr, options: &LinkOptions) -> io::Result<(Socket, SocketAddr)> {
    let socket = options::open(&address, options)?;
    if let SocketAddr::V6(v6) = address {
        let serves_v4 = v6.ip().is_unspecified() && options.ip_version == IpVersion::Dual;
        socket.set_only_v6(!serves_v4)?;
    }
    // A restarted service takes its port back from connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let local = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((socket, local))
}

/// Whether the machine does not have the address, or not its IP version.
fn is_absent(cause: Cause) -> bool {
    match cause {
        Cause::AddressNotAvailable => true,
        Cause::System { errno } => sys::is_unknown_family(errno),
        _ => false,
    }
}
