//! Who may be on the other end.

use ferromq_transport::{
    Cause, Credentials, Endpoint, LocalUsers, Operation, PeerAddress, TransportError,
};
use socket2::Socket;

use crate::sys;

/// The peer of a connected socket, if it is admitted.
///
/// A listener admits our own user. Who connects also trusts the superuser, whose
/// services everybody uses and who could read our memory anyway.
pub(super) fn admit(
    socket: &Socket,
    endpoint: &Endpoint,
    users: LocalUsers,
    operation: Operation,
) -> Result<PeerAddress, TransportError> {
    let peer = sys::peer_credentials(socket)
        .map_err(|error| TransportError::from_io(operation, endpoint, &error))?;
    let admitted = sys::effective_uid();
    let trusts_superuser = operation == Operation::Connect;
    if is_admitted(peer.uid, admitted, users, trusts_superuser) {
        return Ok(PeerAddress::new(endpoint.clone()).with_credentials(peer));
    }
    let cause = Cause::UserRefused {
        uid: peer.uid,
        admitted,
    };
    Err(TransportError::new(operation, endpoint, cause).with_detail(process(&peer)))
}

fn is_admitted(uid: u32, ours: u32, users: LocalUsers, trusts_superuser: bool) -> bool {
    match users {
        LocalUsers::Any => true,
        _ => uid == ours || (trusts_superuser && uid == SUPERUSER),
    }
}

fn process(peer: &Credentials) -> String {
    match peer.pid {
        Some(pid) => format!("process {pid}"),
        None => "process unknown".to_owned(),
    }
}

const SUPERUSER: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_admits_its_own_user_only() {
        assert!(is_admitted(1000, 1000, LocalUsers::Same, false));
        assert!(!is_admitted(1001, 1000, LocalUsers::Same, false));
        assert!(!is_admitted(0, 1000, LocalUsers::Same, false));
        assert!(is_admitted(1001, 1000, LocalUsers::Any, false));
    }

    #[test]
    fn who_connects_also_trusts_the_superuser() {
        assert!(is_admitted(1000, 1000, LocalUsers::Same, true));
        assert!(is_admitted(0, 1000, LocalUsers::Same, true));
        assert!(!is_admitted(1001, 1000, LocalUsers::Same, true));
        assert!(!is_admitted(1001, 0, LocalUsers::Same, true));
    }
}
