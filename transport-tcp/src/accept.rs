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
    first_alive(endpoint, || sys::accept(listener))
}

fn first_alive<T>(
    endpoint: &Endpoint,
    mut accept: impl FnMut() -> io::Result<T>,
) -> Result<Option<T>, TransportError> {
    let mut skipped = 0;
    while skipped < MAX_SKIPPED {
        match accept() {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of an accept(2) that answers with these errors, then succeeds.
    fn after(errors: &[i32]) -> Result<Option<()>, Cause> {
        let endpoint = "tcp://127.0.0.1:5555".parse().unwrap();
        let mut errors = errors.iter();
        first_alive(&endpoint, || match errors.next() {
            Some(&errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        })
        .map_err(|error| error.cause())
    }

    #[test]
    fn vanished_peers_and_signals_are_passed_over() {
        let errors = [libc::ECONNABORTED, libc::EINTR, libc::EPROTO];
        assert_eq!(after(&errors), Ok(Some(())));
        assert_eq!(after(&[libc::ECONNABORTED, libc::EAGAIN]), Ok(None));
    }

    #[test]
    fn a_flood_of_vanished_peers_gives_the_turn_back() {
        let count = MAX_SKIPPED;
        assert_eq!(after(&[libc::ECONNABORTED; 15]), Ok(Some(())));
        let gone = Cause::PeersGone { count };
        assert_eq!(after(&[libc::ECONNABORTED; 16]), Err(gone));
    }

    #[test]
    fn errors_of_the_listener_are_not_passed_over() {
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
            assert_eq!(after(&[errno]), Err(Cause::Exhausted { errno }));
        }
        let errno = libc::EBADF;
        assert_eq!(after(&[errno]), Err(Cause::System { errno }));
    }
}
