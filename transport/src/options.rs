//! What a user may choose about a link, whatever transport carries it.

use std::time::Duration;

use crate::error::{Cause, Operation};

/// Choices for listeners and connections. A transport ignores what it has no
/// use for.
///
/// Set the fields that matter on top of `LinkOptions::default()`; accepted
/// connections get the options of their listener.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkOptions {
    /// TCP keep-alive probes. Default: [`Keepalive::System`].
    pub keepalive: Keepalive,
    /// Send small segments at once (TCP_NODELAY). Default: true; the runtime
    /// gathers messages itself, and Nagle's algorithm would only delay them.
    pub nodelay: bool,
    /// The kernel's send buffer in bytes; `None` leaves it to the system, but that a
    /// Unix socket's grows to 256 KiB before its first write of that much with a long body.
    pub send_buffer: Option<usize>,
    /// The kernel's receive buffer in bytes; `None` leaves it to the system.
    pub receive_buffer: Option<usize>,
    /// How many connections may wait to be accepted; the system may lower it.
    /// Default: 1024.
    pub backlog: u32,
    /// Which IP versions wildcards and names stand for. Default:
    /// [`IpVersion::V4First`].
    pub ip_version: IpVersion,
    /// The IP header's type-of-service or traffic-class byte, if not 0.
    pub traffic_class: Option<u8>,
    /// How long written data may stay unacknowledged before the connection
    /// counts as dead (TCP_USER_TIMEOUT); `None` leaves it to the system.
    /// Ignored where the system has no such option.
    pub unacknowledged_timeout: Option<Duration>,
    /// Whom local transports talk to. Default: [`LocalUsers::Same`].
    pub local_users: LocalUsers,
}

/// Whether the system probes idle TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Keepalive {
    /// Whatever the system does by default (on Linux: no probes).
    #[default]
    System,
    /// No probes.
    Off,
    /// Probes; what is `None` is the system's default.
    On {
        /// Idle time before the first probe, in whole seconds.
        idle: Option<Duration>,
        /// Time between probes, in whole seconds.
        interval: Option<Duration>,
        /// Unanswered probes after which the connection is dead.
        count: Option<u32>,
    },
}

/// Which IP versions `*` and names stand for. Numeric addresses always mean
/// what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IpVersion {
    /// `*` is 0.0.0.0; of a name's addresses the IPv4 ones come first.
    #[default]
    V4First,
    /// `*` and `[::]` are IPv6 sockets that also serve IPv4; a name's addresses
    /// keep the resolver's order.
    Dual,
    /// `*` is `[::]` without IPv4; only the IPv6 addresses of a name count.
    V6Only,
}

/// Which processes of this machine a local transport talks to (by the
/// credentials that the kernel vouches for).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LocalUsers {
    /// Those of our own effective user id. A connecting side also trusts a
    /// listener of the superuser's.
    #[default]
    Same,
    /// Those of every user.
    Any,
}

impl LocalUsers {
    /// Whether the process on the other end, of user `peer` as the kernel says, is
    /// admitted by one of user `ours`. For the transports that ask the kernel.
    ///
    /// A listener admits its own user. Who connects also trusts the superuser, whose
    /// services everybody uses and who could read our memory anyway.
    ///
    /// # Errors
    /// [`Cause::UserRefused`].
    pub fn admit(self, peer: u32, ours: u32, operation: Operation) -> Result<(), Cause> {
        let trusts_superuser = operation == Operation::Connect;
        match self {
            Self::Any => Ok(()),
            Self::Same if peer == ours => Ok(()),
            Self::Same if trusts_superuser && peer == SUPERUSER => Ok(()),
            Self::Same => Err(Cause::UserRefused {
                uid: peer,
                admitted: ours,
            }),
        }
    }
}

const SUPERUSER: u32 = 0;

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            keepalive: Keepalive::System,
            nodelay: true,
            send_buffer: None,
            receive_buffer: None,
            backlog: 1024,
            ip_version: IpVersion::V4First,
            traffic_class: None,
            unacknowledged_timeout: None,
            local_users: LocalUsers::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(peer: u32, ours: u32, users: LocalUsers, operation: Operation) -> bool {
        users.admit(peer, ours, operation).is_ok()
    }

    #[test]
    fn a_listener_admits_its_own_user_only() {
        let (same, accept) = (LocalUsers::Same, Operation::Accept);
        assert!(admits(1000, 1000, same, accept));
        assert!(!admits(1001, 1000, same, accept));
        assert!(!admits(0, 1000, same, accept));
        assert!(admits(1001, 1000, LocalUsers::Any, accept));
    }

    #[test]
    fn who_connects_also_trusts_the_superuser() {
        let (same, connect) = (LocalUsers::Same, Operation::Connect);
        assert!(admits(1000, 1000, same, connect));
        assert!(admits(0, 1000, same, connect));
        assert!(!admits(1001, 1000, same, connect));
        assert!(!admits(1001, 0, same, connect));
    }
}
