//! Whether a peer is let in: by the socket's own list, and then by whoever
//! decides for the context.

use ferromq_transport::PeerAddress;
use ferromq_wire::{Credentials as Asked, Decision};

use super::{Admission, Failure, Handshake, Turn};
use crate::PeerInfo;
use crate::options::{Credentials, PlainUsers};
use crate::security::{AuthenticationRequest, Claim, Outcome, Password, ip_of};

impl Handshake {
    /// The peer has said who it is: lets it in, or says what that takes.
    pub(super) fn admit(&mut self) -> Result<Option<Turn>, Failure> {
        match self.admission {
            Admission::Asked => return Ok(Some(Turn::Wait)),
            Admission::Answered(_) => {}
            Admission::Unasked => match self.knows_peer() {
                // A password can be guessed, and sooner the sooner one is told.
                false if self.has_password() => {
                    self.admission = Admission::Asked;
                    return Ok(Some(Turn::Refuse));
                }
                false => return self.decided(Decision::Deny).map(|()| None),
                true if self.options.asks_authority() => {
                    self.admission = Admission::Asked;
                    return Ok(Some(Turn::Ask(Box::new(self.request()))));
                }
                true => {}
            },
        }
        self.decided(Decision::Allow).map(|()| None)
    }

    /// Whether an answer is awaited.
    pub(in crate::io) fn is_asking(&self) -> bool {
        matches!(self.admission, Admission::Asked)
    }

    /// What came of [`Progress::Asks`](super::Progress::Asks). The handshake is
    /// to be driven on.
    ///
    /// # Errors
    /// The peer is not let in, and was told so if its buffer took it.
    pub(in crate::io) fn answer(&mut self, outcome: Outcome) -> Result<(), Failure> {
        let verdict = outcome?;
        let decision = verdict.decision;
        if decision == Decision::Allow {
            self.admission = Admission::Answered(Box::new(verdict));
            return Ok(());
        }
        self.decided(decision).map_err(|mut failure| {
            let _ = self.write();
            if !verdict.reason.is_empty() {
                failure.cause = format!("{}: {}", failure.cause, verdict.reason);
            }
            failure
        })
    }

    /// What is known of the peer besides its address, type and identity. What
    /// was decided on it comes first: nobody names himself.
    pub(super) fn with_properties(&self, mut info: PeerInfo) -> PeerInfo {
        let mut user = match self.connection.mechanism().credentials() {
            Some(Asked::Plain { username, .. }) => Some(String::from_utf8_lossy(username).into()),
            Some(Asked::Curve { key }) => Some(key.to_string()),
            None => None,
        };
        if let Admission::Answered(verdict) = &self.admission {
            for (name, value) in &verdict.properties {
                info = info.with_property(&name[..], value);
            }
            if !verdict.user_id.is_empty() {
                user = Some(verdict.user_id.clone());
            }
        }
        if let Some(user) = user {
            info = info
                .with_property(USER_ID, user.as_bytes())
                .with_user_id(user);
        }
        for (name, value) in self.connection.peer_properties(&self.scratch) {
            if !name.eq_ignore_ascii_case(USER_ID.as_bytes()) {
                info = info.with_property(String::from_utf8_lossy(name), value);
            }
        }
        info
    }

    fn decided(&mut self, decision: Decision) -> Result<(), Failure> {
        let decided = self.connection.authenticate(decision, &mut self.scratch);
        decided.map_err(|cause| self.explain(cause))
    }

    /// Whether the socket's own list has the peer, if there is one.
    fn knows_peer(&self) -> bool {
        let asked = self.connection.mechanism().credentials();
        match (asked, &self.options.credentials) {
            (Some(Asked::Plain { username, password }), Credentials::PlainServer { users }) => {
                users.admit(username, password)
            }
            (Some(Asked::Curve { key }), Credentials::CurveServer { clients, .. }) => {
                clients.admit(&key)
            }
            (None, Credentials::Null) => true,
            _ => false,
        }
    }

    fn has_password(&self) -> bool {
        let asked = self.connection.mechanism().credentials();
        matches!(asked, Some(Asked::Plain { .. }))
    }

    fn request(&self) -> AuthenticationRequest {
        let claim = match self.connection.mechanism().credentials() {
            Some(Asked::Plain { username, password }) => Claim::Plain {
                username: username.to_vec(),
                password: Password::from(password),
            },
            Some(Asked::Curve { key }) => Claim::Curve { key },
            None => Claim::Null,
        };
        AuthenticationRequest {
            domain: self.options.zap_domain.clone().unwrap_or_default(),
            address: address_of(self.link.peer()),
            identity: self.connection.peer_identity(&self.scratch).to_vec(),
            claim,
        }
    }
}

/// The property of libzmq's messages that names who was let in.
const USER_ID: &str = "User-Id";

impl PlainUsers {
    /// Whether the name and password are in the table, if there is one.
    fn admit(&self, username: &[u8], password: &[u8]) -> bool {
        let Self::Table(table) = self else {
            return true;
        };
        let known = std::str::from_utf8(username)
            .ok()
            .and_then(|name| table.get(name));
        known.is_some_and(|expected| expected.matches(password))
    }
}

/// A peer's address as 27/ZAP wants it. What the kernel says of a local
/// process is written as libzmq does.
fn address_of(peer: &PeerAddress) -> String {
    match (ip_of(&peer.endpoint), peer.credentials) {
        (Some(ip), _) => ip.to_string(),
        (None, Some(process)) => {
            let pid = process.pid.unwrap_or_default();
            format!(":{}:{}:{pid}", process.uid, process.gid)
        }
        (None, None) => String::new(),
    }
}
