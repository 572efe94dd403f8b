//! Rules instead of code: who is let in, by address, password and key.

use std::collections::HashMap;

use ferromq_wire::PublicKey;

use super::address::AddressRules;
use super::{AddressRange, AuthenticationRequest, Authenticator, Claim, Password, Verdict};

/// An [`Authenticator`] by rules. Empty, it lets nobody in.
///
/// Users and keys belong to a domain, or with `"*"` to all of them. Addresses
/// come first: whoever is denied, or not allowed where any are, is refused
/// whatever it can prove. NULL peers prove nothing and are let in by
/// [`allow`](Self::allow) alone. Peers over `ipc://` have no address, so that
/// the rules for addresses let NULL peers of theirs never in, and do not hold
/// for the others.
///
/// ```
/// use ferromq_mio::{AuthenticationTable, Context, Options, Pull};
///
/// # fn example(context: &Context) -> Result<(), Box<dyn std::error::Error>> {
/// let table = AuthenticationTable::new()
///     .deny("192.0.2.0/24".parse()?)
///     .user("plant", "ann", "secret");
/// context.set_authenticator(table);
/// let options = Options::new().plain_zap_server().zap_domain("plant");
/// let pull = context.socket_with::<Pull>(options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct AuthenticationTable {
    addresses: AddressRules,
    domains: HashMap<String, Domain>,
}

#[derive(Debug, Clone, Default)]
struct Domain {
    users: HashMap<Vec<u8>, Password>,
    keys: HashMap<PublicKey, String>,
    any_key: bool,
}

/// The name that stands for every domain.
const EVERY: &str = "*";

impl AuthenticationTable {
    /// A table that lets nobody in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Peers from this range may come; all others may not, unless they are
    /// allowed too.
    pub fn allow(mut self, range: AddressRange) -> Self {
        self.addresses.allowed.push(range);
        self
    }

    /// Peers from this range may not come, whatever else is said of them.
    pub fn deny(mut self, range: AddressRange) -> Self {
        self.addresses.denied.push(range);
        self
    }

    /// PLAIN: this user is let in with this password. Its name is the user id.
    pub fn user(mut self, domain: &str, username: &str, password: impl Into<Password>) -> Self {
        let users = &mut self.domain(domain).users;
        users.insert(username.into(), password.into());
        self
    }

    /// CURVE: the owner of this key is let in. The key in Z85 is the user id.
    pub fn key(self, domain: &str, key: PublicKey) -> Self {
        let user_id = key.to_string();
        self.key_of(domain, key, user_id)
    }

    /// CURVE: the owner of this key is let in, as this user.
    pub fn key_of(mut self, domain: &str, key: PublicKey, user_id: impl Into<String>) -> Self {
        self.domain(domain).keys.insert(key, user_id.into());
        self
    }

    /// CURVE: the owners of all keys are let in. Encrypted, and authenticated
    /// by nothing but their addresses. The key in Z85 is the user id.
    pub fn any_key(mut self, domain: &str) -> Self {
        self.domain(domain).any_key = true;
        self
    }

    fn domain(&mut self, name: &str) -> &mut Domain {
        self.domains.entry(name.to_owned()).or_default()
    }

    /// The domain that was asked about, and the one that stands for all.
    fn asked<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Domain> {
        let names = [name, EVERY].into_iter();
        names.filter_map(|name| self.domains.get(name))
    }
}

impl Authenticator for AuthenticationTable {
    fn authenticate(&self, request: &AuthenticationRequest) -> Verdict {
        let ip = request.ip();
        if ip.is_some_and(|ip| !self.addresses.admit(ip)) {
            return Verdict::deny("the address is not allowed");
        }
        match &request.claim {
            Claim::Null if ip.is_some() && !self.addresses.allowed.is_empty() => Verdict::allow(""),
            Claim::Null => Verdict::deny("no address is allowed"),
            Claim::Plain { username, password } => {
                let mut passwords = self
                    .asked(&request.domain)
                    .filter_map(|domain| domain.users.get(username));
                match passwords.any(|known| known.matches(password.expose())) {
                    true => Verdict::allow(String::from_utf8_lossy(username)),
                    false => Verdict::deny("no such user, or another password"),
                }
            }
            Claim::Curve { key } => {
                let known = self.asked(&request.domain).find_map(|domain| {
                    let named = domain.keys.get(key).cloned();
                    named.or_else(|| domain.any_key.then(|| key.to_string()))
                });
                match known {
                    Some(user_id) => Verdict::allow(user_id),
                    None => Verdict::deny("no such key"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(domain: &str, address: &str, claim: Claim) -> AuthenticationRequest {
        AuthenticationRequest {
            domain: domain.into(),
            address: address.into(),
            identity: Vec::new(),
            claim,
        }
    }

    fn plain(username: &str, password: &str) -> Claim {
        Claim::Plain {
            username: username.into(),
            password: password.into(),
        }
    }

    fn status(table: &AuthenticationTable, domain: &str, address: &str, claim: Claim) -> u16 {
        table
            .authenticate(&request(domain, address, claim))
            .status()
    }

    #[test]
    fn an_empty_table_lets_nobody_in() {
        let table = AuthenticationTable::new();
        let key = PublicKey([7; 32]);
        for claim in [Claim::Null, plain("ann", ""), Claim::Curve { key }] {
            assert_eq!(status(&table, "", "127.0.0.1", claim), 400);
        }
    }

    #[test]
    fn users_belong_to_their_domain_or_to_all() {
        let table = AuthenticationTable::new()
            .user("plant", "ann", "secret")
            .user("*", "root", "secret");
        let of =
            |domain, user, password| status(&table, domain, "192.0.2.1", plain(user, password));
        assert_eq!(of("plant", "ann", "secret"), 200);
        assert_eq!(of("other", "root", "secret"), 200);
        assert_eq!(of("other", "ann", "secret"), 400);
        assert_eq!(of("plant", "ann", "secreT"), 400);
        assert_eq!(of("plant", "bob", "secret"), 400);
        assert_eq!(of("plant", "bob", ""), 400);
    }

    #[test]
    fn keys_have_a_user_and_belong_to_their_domain() {
        let (known, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let table = AuthenticationTable::new()
            .key_of("plant", known, "ann")
            .any_key("lobby");
        let of = |domain, key| {
            let verdict = table.authenticate(&request(domain, "::1", Claim::Curve { key }));
            (verdict.status(), verdict.user_id)
        };
        assert_eq!(of("plant", known), (200, "ann".into()));
        assert_eq!(of("plant", other).0, 400);
        assert_eq!(of("lobby", other), (200, other.to_string()));
        assert_eq!(of("elsewhere", known).0, 400);
    }

    #[test]
    fn addresses_come_first() {
        let table = AuthenticationTable::new()
            .allow("192.0.2.0/24".parse().unwrap())
            .deny("192.0.2.9".parse().unwrap())
            .user("*", "ann", "secret");
        let of = |address, claim| status(&table, "", address, claim);
        for (address, expected) in [
            ("192.0.2.1", 200),
            ("::ffff:192.0.2.1", 200),
            ("192.0.2.9", 400),
            ("198.51.100.1", 400),
        ] {
            assert_eq!(of(address, plain("ann", "secret")), expected, "{address}");
            assert_eq!(of(address, Claim::Null), expected, "{address}");
        }
        assert_eq!(of(":0:0:1", plain("ann", "secret")), 200);
        assert_eq!(of(":0:0:1", Claim::Null), 400);
    }
}
