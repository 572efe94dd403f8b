//! Who is on the other end.

use std::os::fd::OwnedFd;

use ferromq_transport::{
    Credentials, Endpoint, LocalUsers, Operation, PeerAddress, TransportError,
};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::process::geteuid;

/// Whether it can stop us whatever we do, by a signal: a process of our own user, and of
/// no foreign pid namespace, as far as is known.
pub(crate) fn can_stop_us(peer: &PeerAddress) -> bool {
    let user = geteuid().as_raw();
    let known = peer.credentials;
    known.is_some_and(|known| known.uid == user && known.pid.is_some())
}

/// The peer of a connected socket, if it is admitted.
pub(crate) fn admit(
    socket: &OwnedFd,
    endpoint: &Endpoint,
    users: LocalUsers,
    operation: Operation,
) -> Result<PeerAddress, TransportError> {
    // Not rustix's: to it a process id is never 0, as that of a process is that our pid
    // namespace does not have.
    let peer = getsockopt(socket, PeerCredentials)
        .map_err(|errno| TransportError::from_io(operation, endpoint, &errno.into()))?;
    let credentials = Credentials {
        pid: u32::try_from(peer.pid()).ok().filter(|&pid| pid != 0),
        uid: peer.uid(),
        gid: peer.gid(),
    };
    if let Err(cause) = users.admit(credentials.uid, geteuid().as_raw(), operation) {
        let refused = TransportError::new(operation, endpoint, cause);
        return Err(match credentials.pid {
            Some(pid) => refused.with_detail(format!("process {pid}")),
            None => refused.with_detail("a process outside our pid namespace"),
        });
    }
    Ok(PeerAddress::new(endpoint.clone()).with_credentials(credentials))
}
