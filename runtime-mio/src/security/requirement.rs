//! What a context demands that requires authentication, and a warning for one
//! that does not.

use ferromq_transport::{Address, Endpoint, Host, LocalUsers};

use super::CurveClients;
use crate::options::Credentials;
use crate::{Error, Options};

/// Which side of a connection an endpoint makes us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Others connect to it.
    Bound,
    /// We connect to it.
    Connected,
}

/// Refuses an endpoint over which peers would come unauthenticated.
///
/// In one process there is nobody to keep out, and over `ipc://` the kernel
/// vouches for the peer's user, unless any will do.
pub(crate) fn require(endpoint: &Endpoint, options: &Options, role: Role) -> Result<(), Error> {
    let vouched_for = match endpoint.address() {
        Address::Ipc(_) => options.link.local_users == LocalUsers::Same,
        Address::Tcp(_) => false,
        _ => match endpoint.scheme() {
            "inproc" => true,
            "shm" => options.link.local_users == LocalUsers::Same,
            _ => false,
        },
    };
    match missing(options, role) {
        Some(missing) if !vouched_for => Err(Error::Unauthenticated {
            endpoint: endpoint.to_string(),
            missing,
        }),
        _ => Ok(()),
    }
}

/// What options lack for authentication.
fn missing(options: &Options, role: Role) -> Option<&'static str> {
    let asks = options.asks_authority();
    match (&options.credentials, role) {
        (Credentials::Null, Role::Bound) if asks => None,
        (Credentials::Null, Role::Bound) => Some("NULL peers prove nothing, and nobody is asked"),
        (Credentials::Null, Role::Connected) => Some("NULL proves nothing to either side"),
        (Credentials::CurveServer { clients, .. }, _) => match clients {
            CurveClients::Any if !asks => Some("CURVE clients of any key are let in"),
            _ => None,
        },
        _ => None,
    }
}

/// Whether other machines can reach this bound endpoint and nothing keeps them
/// out.
pub(crate) fn is_exposed(bound: &Endpoint, options: &Options) -> bool {
    let Address::Tcp(tcp) = bound.address() else {
        return false;
    };
    let is_public = match &tcp.host {
        Host::V4(address) => !address.is_loopback(),
        Host::V6 { address, .. } => !address.to_canonical().is_loopback(),
        _ => true,
    };
    let null = matches!(options.credentials, Credentials::Null);
    is_public && null && !options.asks_authority()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{CurveKeys, PublicKey};

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    fn refused(text: &str, options: &Options, role: Role) -> bool {
        require(&endpoint(text), options, role).is_err()
    }

    #[test]
    fn what_authenticates_is_let_through() {
        let keys = CurveKeys::generate;
        let nobody: [(&str, &str); 0] = [];
        let tcp = "tcp://127.0.0.1:5555";
        let bound = |options| refused(tcp, &options, Role::Bound);
        let new = Options::new;
        assert!(bound(new()));
        assert!(bound(new().curve_server(keys(), CurveClients::Any)));
        assert!(!bound(new().zap_domain("plant")));
        assert!(!bound(new().plain_server(nobody)));
        assert!(!bound(new().plain_zap_server()));
        assert!(!bound(new().curve_server(keys(), CurveClients::Zap)));
        assert!(!bound(new().curve_server(keys(), CurveClients::keys([]))));
        let any = new().curve_server(keys(), CurveClients::Any);
        assert!(!bound(any.zap_domain("")));

        let connected = |options| refused(tcp, &options, Role::Connected);
        assert!(connected(new()));
        assert!(connected(new().zap_domain("plant")), "nobody is asked");
        assert!(!connected(new().plain_client("ann", "secret")));
        assert!(!connected(new().curve_client(PublicKey([1; 32]), keys())));
    }

    #[test]
    fn who_is_vouched_for_needs_nothing_else() {
        let null = Options::new();
        for role in [Role::Bound, Role::Connected] {
            assert!(!refused("inproc://a", &null, role));
            assert!(!refused("ipc:///tmp/a", &null, role));
            assert!(!refused("shm://a", &null, role));
            assert!(refused("pigeon://a", &null, role));
        }
        let mut link = crate::LinkOptions::default();
        link.local_users = LocalUsers::Any;
        assert!(refused(
            "shm://a",
            &null.clone().link(link.clone()),
            Role::Bound
        ));
        assert!(refused("ipc:///tmp/a", &null.link(link), Role::Bound));
    }

    #[test]
    fn only_what_others_reach_without_proof_is_exposed() {
        let null = Options::new();
        for (text, exposed) in [
            ("tcp://*:5555", true),
            ("tcp://0.0.0.0:5555", true),
            ("tcp://192.0.2.1:5555", true),
            ("tcp://[::]:5555", true),
            ("tcp://127.0.0.1:5555", false),
            ("tcp://127.9.9.9:5555", false),
            ("tcp://[::1]:5555", false),
            ("ipc:///tmp/a", false),
            ("inproc://a", false),
        ] {
            assert_eq!(is_exposed(&endpoint(text), &null), exposed, "{text}");
        }
        let asking = Options::new().zap_domain("plant");
        assert!(!is_exposed(&endpoint("tcp://*:5555"), &asking));
    }
}
