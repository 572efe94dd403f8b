//! Who decides on peers inside the program, and what there is to decide on.

use std::net::IpAddr;

use ferromq_wire::{Decision, PublicKey};

use super::Password;

/// Decides whether a peer is let in: 27/ZAP without a socket. Given to a
/// context with [`Context::set_authenticator`](crate::Context::set_authenticator).
///
/// A function that takes a request and answers a [`Verdict`] is one;
/// [`AuthenticationTable`](crate::AuthenticationTable) is one with rules to be
/// filled in.
///
/// It is called on a thread of the context's, one request after the other, and
/// may take its time: no connection waits for it but those that ask. Whoever
/// has no verdict after
/// [`authentication_timeout`](crate::Options::authentication_timeout) is turned
/// away. A panic counts as [`Verdict::fail`].
pub trait Authenticator: Send + Sync {
    /// Decides on one peer.
    fn authenticate(&self, request: &AuthenticationRequest) -> Verdict;
}

impl<F> Authenticator for F
where
    F: Fn(&AuthenticationRequest) -> Verdict + Send + Sync,
{
    fn authenticate(&self, request: &AuthenticationRequest) -> Verdict {
        self(request)
    }
}

/// What there is to decide on: the request of 27/ZAP.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuthenticationRequest {
    /// The [`zap_domain`](crate::Options::zap_domain) of the socket, empty if
    /// it has none.
    pub domain: String,
    /// The peer's IP address as text; for `ipc://` what the kernel says of its
    /// process, `:uid:gid:pid`, as libzmq has it.
    pub address: String,
    /// The identity that the peer claims; empty if it has none, and always
    /// under PLAIN, where it comes too late to be asked about.
    pub identity: Vec<u8>,
    /// Who the peer says that it is.
    pub claim: Claim,
}

/// Who a peer says that it is, by its security mechanism.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Claim {
    /// NULL: nobody. There is its address.
    Null,
    /// PLAIN: this user, with this password. Nothing is proved yet.
    Plain {
        /// The user's name, up to 255 bytes.
        username: Vec<u8>,
        /// The password, up to 255 bytes.
        password: Password,
    },
    /// CURVE: the owner of this key. That it is, is proved; who that is, is not.
    Curve {
        /// The client's public key.
        key: PublicKey,
    },
}

/// A decision on a peer: the reply of 27/ZAP.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub(crate) decision: Decision,
    pub(crate) reason: String,
    pub(crate) user_id: String,
    pub(crate) properties: Vec<(String, Vec<u8>)>,
}

impl AuthenticationRequest {
    /// The peer's IP address; `None` over `ipc://`.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }

    /// The mechanism's name, as in the greeting.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self.claim {
            Claim::Null => "NULL",
            Claim::Plain { .. } => "PLAIN",
            Claim::Curve { .. } => "CURVE",
        }
    }
}

impl Verdict {
    /// 200: let it in, as this user. Its messages then tell the
    /// [`user_id`](crate::PeerInfo::user_id), unless it is empty.
    #[must_use]
    pub fn allow(user_id: impl Into<String>) -> Self {
        Self::new(Decision::Allow, String::new(), user_id.into())
    }

    /// 300: not now. The connection closes without a word, and the peer may
    /// come back. The reason is for our own events.
    #[must_use]
    pub fn try_later(reason: impl Into<String>) -> Self {
        Self::new(Decision::TryLater, reason.into(), String::new())
    }

    /// 400: no. The peer is told the status; the reason is for our own events.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::new(Decision::Deny, reason.into(), String::new())
    }

    /// 500: who decides is in trouble. The peer is told the status.
    #[must_use]
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::new(Decision::Fail, reason.into(), String::new())
    }

    /// Adds a property to what the peer's messages tell of it, before those
    /// that it sends itself.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// The status code of 27/ZAP.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.decision.status()
    }

    pub(crate) fn new(decision: Decision, reason: String, user_id: String) -> Self {
        Self {
            decision,
            reason,
            user_id,
            properties: Vec::new(),
        }
    }
}
