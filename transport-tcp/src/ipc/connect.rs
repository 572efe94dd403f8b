//! Connecting to a Unix socket.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use ferromq_transport::{
    Cause, Connecting, Endpoint, IpcAddress, Link, LinkOptions, LocalUsers, Operation,
    TransportError,
};
use socket2::{Domain, Socket};

use super::{abstract_address, path_address, users};
use crate::link::{Kind, StreamLink};
use crate::{options, sys};

/// A connection to a Unix socket, which the kernel completes at once or refuses.
pub(crate) struct IpcConnecting {
    /// `None` once it became a link or failed.
    socket: Option<Socket>,
    endpoint: Endpoint,
    users: LocalUsers,
    send_buffer: Option<usize>,
}

impl IpcConnecting {
    pub(crate) fn start(
        endpoint: &Endpoint,
        ipc: &IpcAddress,
        options: &LinkOptions,
    ) -> Result<Self, TransportError> {
        let socket = connect(ipc, options).map_err(|error| match error.kind() {
            // A TCP connection would wait; a Unix socket's only answer is to try
            // again later (unix(7), EAGAIN).
            io::ErrorKind::WouldBlock => {
                TransportError::new(Operation::Connect, endpoint, Cause::QueueFull)
            }
            _ => TransportError::from_io(Operation::Connect, endpoint, &error),
        })?;
        Ok(Self {
            socket: Some(socket),
            endpoint: endpoint.clone(),
            users: options.local_users,
            send_buffer: options.send_buffer,
        })
    }
}

impl Connecting for IpcConnecting {
    fn fd(&self) -> RawFd {
        self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some(socket) = self.socket.take() else {
            let cause = Cause::ConnectionRefused;
            return Err(TransportError::new(
                Operation::Connect,
                &self.endpoint,
                cause,
            ));
        };
        let peer = users::admit(&socket, &self.endpoint, self.users, Operation::Connect)?;
        let link = StreamLink::local(socket, peer, Kind::IpcConnected, self.send_buffer);
        Ok(Some(Box::new(link)))
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        self.socket = None;
        let cause = Cause::TimedOut;
        Err(TransportError::new(
            Operation::Connect,
            &self.endpoint,
            cause,
        ))
    }
}

fn connect(ipc: &IpcAddress, options: &LinkOptions) -> io::Result<Socket> {
    let address = match ipc {
        IpcAddress::Path(path) => path_address(path.as_ref())?,
        IpcAddress::Abstract(name) => abstract_address(name)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = sys::stream_socket(Domain::UNIX, None)?;
    options::set_buffers(&socket, options)?;
    loop {
        match socket.connect(&address) {
            Ok(()) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
