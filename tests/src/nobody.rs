//! A place where nobody listens, for as long as it takes.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A TCP port that is bound and does not listen: who connects is refused. A port that was
/// let go is anybody's, also another test's.
pub struct Nobody {
    _held: Socket,
    endpoint: String,
}

impl Nobody {
    /// # Panics
    /// Without a port to be had.
    #[must_use]
    pub fn listens() -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        held.bind(&any.into()).expect("a port");
        let bound = held.local_addr().expect("it is bound").as_socket();
        let endpoint = format!("tcp://{}", bound.expect("of IPv4"));
        Self {
            _held: held,
            endpoint,
        }
    }

    /// To be connected to in vain.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
