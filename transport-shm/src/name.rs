//! `shm://name` as the name of a socket.

use std::hash::{BuildHasher, RandomState};

use ferromq_transport::{Address, Cause, Endpoint, Operation, TransportError};
use rustix::net::SocketAddrUnix;

/// What all names begin with in the abstract namespace, where they leave no file
/// behind and end with their socket.
const PREFIX: &str = "ferromq-shm/";
/// The longest name in bytes: with the prefix and the NUL before it, 108.
pub(crate) const NAME_MAX: usize = 107 - PREFIX.len();

/// Any name that is free, for those who bind.
const ANY: &str = "*";

/// The name in an endpoint of ours.
fn name(endpoint: &Endpoint, operation: Operation) -> Result<&str, TransportError> {
    let fail = |cause| Err(TransportError::new(operation, endpoint, cause));
    match endpoint.address() {
        Address::Other { scheme, rest } if scheme == "shm" => match rest.len() {
            ..=NAME_MAX => Ok(rest),
            len => fail(Cause::PathTooLong {
                len,
                limit: NAME_MAX,
            }),
        },
        _ => fail(Cause::Unsupported),
    }
}

/// Where to listen: a name of its own for the wildcard.
pub(crate) fn to_bind(endpoint: &Endpoint) -> Result<Endpoint, TransportError> {
    match name(endpoint, Operation::Bind)? {
        ANY => {
            let fresh = format!("shm://{:016x}", RandomState::new().hash_one(0));
            let unparsable = |_| TransportError::new(Operation::Bind, endpoint, Cause::Other);
            fresh.parse().map_err(unparsable)
        }
        _ => Ok(endpoint.clone()),
    }
}

/// Where to connect: no wildcard.
pub(crate) fn check(endpoint: &Endpoint, operation: Operation) -> Result<(), TransportError> {
    match name(endpoint, operation)? {
        ANY => Err(TransportError::new(operation, endpoint, Cause::Wildcard)),
        _ => Ok(()),
    }
}

/// The address of the socket behind a name.
pub(crate) fn address(
    endpoint: &Endpoint,
    operation: Operation,
) -> Result<SocketAddrUnix, TransportError> {
    let name = [PREFIX, name(endpoint, operation)?].concat();
    SocketAddrUnix::new_abstract_name(name.as_bytes())
        .map_err(|errno| TransportError::from_io(operation, endpoint, &errno.into()))
}
