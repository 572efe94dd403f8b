//! Connecting: our memory goes to the listener, whose own comes back later.

use std::os::fd::{AsFd, RawFd};
use std::sync::Arc;

use ferromq_transport::{
    Cause, Connecting, Endpoint, Link, LinkOptions, Operation, TransportError,
};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::arena::Arena;
use crate::doorbell::Doorbell;
use crate::kill_point::{KillPoint, passing};
use crate::link::ShmLink;
use crate::segment::Segment;
use crate::{name, peer, ring_len};

/// A connection, which the kernel completes at once or refuses.
pub(crate) struct ShmConnecting {
    /// `None` once it was given away.
    link: Option<ShmLink>,
    endpoint: Endpoint,
}

impl ShmConnecting {
    pub(crate) fn start(
        endpoint: &Endpoint,
        options: &LinkOptions,
        arena: Arc<Arena>,
    ) -> Result<Self, TransportError> {
        let address = name::address(endpoint, Operation::Connect)?;
        let fail = |errno: Errno| match errno {
            // The listener's queue is full: a Unix socket's only answer (unix(7)).
            Errno::AGAIN => TransportError::new(Operation::Connect, endpoint, Cause::QueueFull),
            _ => TransportError::from_io(Operation::Connect, endpoint, &errno.into()),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(fail)?;
        rustix::io::retry_on_intr(|| connect(&socket, &address)).map_err(fail)?;
        passing(KillPoint::SocketConnected);
        let peer = peer::admit(&socket, endpoint, options.local_users, Operation::Connect)?;
        let (mine, hello, memory) = Segment::new(ring_len(options), 0).map_err(|none| {
            // Whatever keeps it away; the text says what was asked for, and which limit.
            let errno = none.errno().raw_os_error();
            TransportError::new(Operation::Connect, endpoint, Cause::Exhausted { errno })
                .with_detail(none.to_string())
        })?;
        let mut doorbell = Doorbell::with(&peer);
        hello
            .send(&socket, &memory, doorbell.prepare(socket.as_fd()))
            .map_err(|error| TransportError::from_io(Operation::Connect, endpoint, &error))?;
        Ok(Self {
            link: Some(ShmLink::connected(
                socket, peer, mine, hello, doorbell, arena,
            )),
            endpoint: endpoint.clone(),
        })
    }
}

impl Connecting for ShmConnecting {
    fn fd(&self) -> RawFd {
        self.link.as_ref().map_or(-1, |link| link.fd())
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        match self.link.take() {
            Some(link) => Ok(Some(Box::new(link))),
            None => {
                let cause = Cause::ConnectionRefused;
                Err(TransportError::new(
                    Operation::Connect,
                    &self.endpoint,
                    cause,
                ))
            }
        }
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        self.link = None;
        let cause = Cause::TimedOut;
        Err(TransportError::new(
            Operation::Connect,
            &self.endpoint,
            cause,
        ))
    }
}
