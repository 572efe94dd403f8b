//! Who may be on the other end.

use ferromq_transport::{
    Credentials, Endpoint, LocalUsers, Operation, PeerAddress, TransportError,
};
use socket2::Socket;

use crate::sys;

/// The peer of a connected socket, if it is admitted.
pub(super) fn admit(
    socket: &Socket,
    endpoint: &Endpoint,
    users: LocalUsers,
    operation: Operation,
) -> Result<PeerAddress, TransportError> {
    let peer = sys::peer_credentials(socket)
        .map_err(|error| TransportError::from_io(operation, endpoint, &error))?;
    match users.admit(peer.uid, sys::effective_uid(), operation) {
        Ok(()) => Ok(PeerAddress::new(endpoint.clone()).with_credentials(peer)),
        Err(cause) => {
            let detail = process(&peer);
            Err(TransportError::new(operation, endpoint, cause).with_detail(detail))
        }
    }
}

fn process(peer: &Credentials) -> String {
    match peer.pid {
        Some(pid) => format!("process {pid}"),
        None => "process unknown".to_owned(),
    }
}
