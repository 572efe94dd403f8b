//! Whether a peer is let in: by the socket's own list, and then by whoever
//! decides for the context.

use ferromq_transport::PeerAddress;
use ferromq_wire::{Credentials as Asked, Decision};

use super::{Admission, Dialogue, Failure, Handshake, Turn};
use crate::PeerInfo;
use crate::options::{Credentials, PlainUsers};
use crate::security::{AuthenticationRequest, Claim, Outcome, Password, ip_of};

impl Handshake {
    /// The peer has said who it is: lets it in, or says what that takes.
    pub(super) fn admit(&self, dialogue: &mut Dialogue) -> Result<Option<Turn>, Failure> {
        match dialogue.admission {
            Admission::Asked => return Ok(Some(Turn::Wait)),
            Admission::Answered(_) => {}
            Admission::Unasked => match dialogue.knows_peer(&self.options.credentials) {
                // A password can be guessed, and sooner the sooner one is told.
                false if dialogue.has_password() => {
                    dialogue.admission = Admission::Asked;
                    return Ok(Some(Turn::Refuse));
                }
                false => return dialogue.decided(Decision::Deny).map(|()| None),
                true if self.options.asks_authority() => {
                    dialogue.admission = Admission::Asked;
                    return Ok(Some(Turn::Ask(Box::new(self.request(dialogue)))));
                }
                true => {}
            },
        }
        dialogue.decided(Decision::Allow).map(|()| None)
    }

    /// Whether an answer is awaited.
    pub(in crate::io) fn is_asking(&self) -> bool {
        let asked = |dialogue: &Dialogue| matches!(dialogue.admission, Admission::Asked);
        self.dialogue.as_deref().is_some_and(asked)
    }

    /// What came of [`Progress::Asks`](super::Progress::Asks). The handshake is
    /// to be driven on. Nothing happens unless it [is asking](Self::is_asking).
    ///
    /// # Errors
    /// The peer is not let in, and was told so if its buffer took it.
    pub(in crate::io) fn answer(&mut self, outcome: Outcome) -> Result<(), Failure> {
        let verdict = outcome?;
        let Some(dialogue) = &mut self.dialogue else {
            return Ok(());
        };
        let decision = verdict.decision;
        if decision == Decision::Allow {
            dialogue.admission = Admission::Answered(Box::new(verdict));
            return Ok(());
        }
        dialogue.decided(decision).map_err(|mut failure| {
            let _ = dialogue.write(&mut *self.link);
            if !verdict.reason.is_empty() {
                failure.cause = format!("{}: {}", failure.cause, verdict.reason);
            }
            failure
        })
    }

    fn request(&self, dialogue: &Dialogue) -> AuthenticationRequest {
        let claim = match dialogue.connection.mechanism().credentials() {
            Some(Asked::Plain { username, password }) => Claim::Plain {
                username: username.to_vec(),
                password: Password::from(password),
            },
            Some(Asked::Curve { key }) => Claim::Curve { key },
            None => Claim::Null,
        };
        let identity = dialogue.connection.peer_identity(&dialogue.scratch);
        AuthenticationRequest {
            domain: self.options.zap_domain.clone().unwrap_or_default(),
            address: address_of(self.link.peer()),
            identity: identity.to_vec(),
            claim,
        }
    }
}

impl Dialogue {
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
    fn knows_peer(&self, credentials: &Credentials) -> bool {
        let asked = self.connection.mechanism().credentials();
        match (asked, credentials) {
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
