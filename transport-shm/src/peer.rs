//! Who is on the other end.

use std::os::fd::OwnedFd;

use ferromq_transport::{
    Credentials, Endpoint, LocalUsers, Operation, PeerAddress, TransportError,
};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

/// The peer of a connected socket, if it is admitted.
pub(crate) fn admit(
    socket: &OwnedFd,
    endpoint: &Endpoint,
    users: LocalUsers,
    operation: Operation,
) -> Result<PeerAddress, TransportError> {
    let peer = socket_peercred(socket)
        .map_err(|errno| TransportError::from_io(operation, endpoint, &errno.into()))?;
    let uid = peer.uid.as_raw();
    if let Err(cause) = users.admit(uid, geteuid().as_raw(), operation) {
        let detail = format!("process {}", peer.pid.as_raw_nonzero());
        return Err(TransportError::new(operation, endpoint, cause).with_detail(detail));
    }
    let credentials = Credentials {
        pid: u32::try_from(peer.pid.as_raw_nonzero().get()).ok(),
        uid,
        gid: peer.gid.as_raw(),
    };
    Ok(PeerAddress::new(endpoint.clone()).with_credentials(credentials))
}
