//! Listening on a name.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use ferromq_transport::{
    Cause, Endpoint, Link, LinkOptions, Listener, LocalUsers, Operation, TransportError,
};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, accept_with, bind, listen, socket_with};

use crate::arena::Arena;
use crate::kill_point::{KillPoint, passing};
use crate::link::ShmLink;
use crate::{name, peer, ring_len};

/// How many callers in a row may have gone before the turn is given back.
const MAX_SKIPPED: u32 = 16;

pub(crate) struct ShmListener {
    socket: OwnedFd,
    endpoint: Endpoint,
    users: LocalUsers,
    ring_len: usize,
    arena: Arc<Arena>,
}

impl ShmListener {
    pub(crate) fn bind(
        endpoint: &Endpoint,
        options: &LinkOptions,
        arena: Arc<Arena>,
    ) -> Result<Self, TransportError> {
        let endpoint = name::to_bind(endpoint)?;
        let address = name::address(&endpoint, Operation::Bind)?;
        let fail =
            |errno: Errno| TransportError::from_io(Operation::Bind, &endpoint, &errno.into());
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(fail)?;
        bind(&socket, &address).map_err(fail)?;
        passing(KillPoint::NameBound);
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        listen(&socket, backlog).map_err(fail)?;
        passing(KillPoint::Listening);
        Ok(Self {
            socket,
            users: options.local_users,
            ring_len: ring_len(options),
            arena,
            endpoint,
        })
    }

    fn next(&self) -> Result<Option<OwnedFd>, TransportError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let mut gone = 0;
        while gone < MAX_SKIPPED {
            match accept_with(&self.socket, flags) {
                Ok(socket) => return Ok(Some(socket)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(Errno::CONNABORTED) => gone += 1,
                Err(errno) => {
                    let (at, error) = (&self.endpoint, errno.into());
                    return Err(TransportError::from_io(Operation::Accept, at, &error));
                }
            }
        }
        let cause = Cause::PeersGone { count: gone };
        Err(TransportError::new(
            Operation::Accept,
            &self.endpoint,
            cause,
        ))
    }
}

impl Listener for ShmListener {
    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let Some(socket) = self.next()? else {
            return Ok(None);
        };
        passing(KillPoint::SocketAccepted);
        let peer = peer::admit(&socket, &self.endpoint, self.users, Operation::Accept)?;
        let link = ShmLink::accepted(socket, peer, self.ring_len, self.arena.clone());
        Ok(Some(Box::new(link)))
    }
}
