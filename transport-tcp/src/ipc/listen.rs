//! Listening on a Unix socket.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use ferromq_transport::{
    Endpoint, IpcAddress, Link, LinkOptions, Listener, Operation, TransportError,
};
use socket2::{Domain, Socket};

use super::file::{Claim, SocketFile};
use super::{abstract_address, users};
use crate::accept::accept;
use crate::link::{Kind, StreamLink};
use crate::{options, sys};

/// A listening Unix socket.
pub(crate) struct IpcListener {
    /// Before the socket, so that the file goes first: as long as the socket is
    /// open, no other file can have its inode number.
    _file: Option<SocketFile>,
    socket: Socket,
    endpoint: Endpoint,
    options: LinkOptions,
}

impl IpcListener {
    pub(crate) fn bind(
        endpoint: &Endpoint,
        ipc: &IpcAddress,
        options: &LinkOptions,
    ) -> Result<Self, TransportError> {
        let system_error =
            |error: io::Error| TransportError::from_io(Operation::Bind, endpoint, &error);
        let socket = open(options).map_err(system_error)?;
        let (claim, endpoint) = match ipc {
            IpcAddress::Abstract(name) => {
                abstract_address(name)
                    .and_then(|address| socket.bind(&address))
                    .map_err(system_error)?;
                (None, endpoint.clone())
            }
            IpcAddress::Path(path) => (Some(Claim::on_path(path.as_ref())), endpoint.clone()),
            _ => {
                let (claim, fresh) = Claim::on_fresh_path(endpoint)?;
                (Some(claim), fresh)
            }
        };
        let file = match claim {
            Some(claim) => Some(claim.bind(&socket, options.local_users, &endpoint)?),
            None => None,
        };
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        socket
            .listen(backlog)
            .map_err(|error| TransportError::from_io(Operation::Bind, &endpoint, &error))?;
        Ok(Self {
            _file: file,
            socket,
            endpoint,
            options: options.clone(),
        })
    }
}

impl Listener for IpcListener {
    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some((socket, _unnamed)) = accept(&self.socket, &self.endpoint)? else {
            return Ok(None);
        };
        let users = self.options.local_users;
        let peer = users::admit(&socket, &self.endpoint, users, Operation::Accept)?;
        // A TCP connection has its listener's buffers, a Unix socket the system's.
        options::set_buffers(&socket, &self.options)
            .map_err(|error| TransportError::from_io(Operation::Accept, &self.endpoint, &error))?;
        let send_buffer = self.options.send_buffer;
        let link = StreamLink::local(socket, peer, Kind::IpcAccepted, send_buffer);
        Ok(Some(Box::new(link)))
    }
}

fn open(options: &LinkOptions) -> io::Result<Socket> {
    let socket = sys::stream_socket(Domain::UNIX, None)?;
    options::set_buffers(&socket, options)?;
    Ok(socket)
}
