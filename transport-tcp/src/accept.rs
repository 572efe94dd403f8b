//! Taking one connection from a listening socket.

use std::io;

use ferromq_transport::{Cause, Endpoint, Operation, TransportError};
use socket2::{SockAddr, Socket};

use crate::sys;

/// Takes one waiting connection; `None` when nobody waits.
///
/// Connections that are gone already are skipped, because `None` has to mean an
/// empty queue to an edge-triggered caller; after [`MAX_SKIPPED`] of them the
/// caller gets its turn back with an error that says so.
pub(crate) fn accept(
    listener: &Socket,
    endpoint: &Endpoint,
) -> Result<Option<(Socket, SockAddr)>, TransportError> {
    let mut skipped = 0;
    while skipped < MAX_SKIPPED {
        match sys::accept(listener) {
            Ok(accepted) => return Ok(Some(accepted)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(None),
                io::ErrorKind::Interrupted => {}
                _ if sys::concerns_peer_only(&error) => skipped += 1,
                _ => return Err(TransportError::from_io(Operation::Accept, endpoint, &error)),
            },
        }
    }
    Err(peers_gone(endpoint, skipped))
}

/// The error for connections that were lost while they were being accepted.
pub(crate) fn peers_gone(endpoint: &Endpoint, count: u32) -> TransportError {
    TransportError::new(Operation::Accept, endpoint, Cause::PeersGone { count })
}

const MAX_SKIPPED: u32 = 16;
