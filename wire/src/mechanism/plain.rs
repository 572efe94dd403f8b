//! PLAIN: a user name and a password in clear text (24/ZMTP-PLAIN).
//!
//! ```text
//!  client                      server
//!  HELLO(user, password)  ──▶  Pending: somebody decides
//!                         ◀──  WELCOME, or ERROR
//!  INITIATE(metadata)     ──▶
//!                         ◀──  READY(metadata), or ERROR
//! ```

use super::{HELLO, INITIATE, Mechanism, Outbox, READY, Role, Step, WELCOME, unexpected};
use crate::curve::wipe;
use crate::{ConfigError, HandshakeError, MechanismName};
use core::fmt;
use heapless::Vec;

/// A user name or a password: up to 255 bytes.
type Credential = Vec<u8, 255, u8>;

/// The client's side of PLAIN.
#[derive(Clone)]
pub struct PlainClient {
    username: Credential,
    password: Credential,
    state: ClientState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    Start,
    AwaitingWelcome,
    AwaitingReady,
    Complete,
}

impl PlainClient {
    /// Will say that it is `username` with `password`.
    ///
    /// # Errors
    /// [`ConfigError::CredentialTooLong`] where one is over 255 bytes.
    pub fn new(username: &[u8], password: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self {
            username: credential(username)?,
            password: credential(password)?,
            state: ClientState::Start,
        })
    }
}

impl Mechanism for PlainClient {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn role(&self) -> Role {
        Role::Client
    }

    fn start(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        let (username, password) = (&self.username, &self.password);
        out.command(
            HELLO,
            &[
                &[username.len_byte()],
                username,
                &[password.len_byte()],
                password,
            ],
        )?;
        self.state = ClientState::AwaitingWelcome;
        Ok(Step::Continue)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        match (self.state, name) {
            (ClientState::AwaitingWelcome, b"WELCOME") => {
                if !data.is_empty() {
                    let len = data.len();
                    return Err(HandshakeError::MalformedCommand { len });
                }
                let metadata = out.metadata();
                out.command(INITIATE, &[metadata])?;
                self.state = ClientState::AwaitingReady;
                Ok(Step::Continue)
            }
            (ClientState::AwaitingReady, b"READY") => Ok(Step::Metadata(0..data.len())),
            _ => Err(unexpected(name)),
        }
    }

    fn authenticated(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        Err(HandshakeError::NoDecisionAwaited)
    }

    fn metadata_accepted(&mut self, _out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        self.state = ClientState::Complete;
        Ok(())
    }
}

/// The server's side of PLAIN. It lets nobody in by itself: after HELLO it is
/// [`Step::Pending`] until somebody has looked at the credentials.
#[derive(Clone, Default)]
pub struct PlainServer {
    username: Credential,
    password: Credential,
    state: ServerState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ServerState {
    #[default]
    AwaitingHello,
    AwaitingDecision,
    AwaitingInitiate,
    Complete,
}

impl PlainServer {
    /// A server that has not heard of its client yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The client's user name, once a decision is awaited.
    #[must_use]
    pub fn username(&self) -> &[u8] {
        &self.username
    }

    /// The client's password while a decision is awaited, empty before and
    /// after. Compare it in constant time.
    #[must_use]
    pub fn password(&self) -> &[u8] {
        &self.password
    }

    fn read_hello(&mut self, data: &[u8]) -> Option<()> {
        let (username, rest) = split_credential(data)?;
        let (password, rest) = split_credential(rest)?;
        if !rest.is_empty() {
            return None;
        }
        self.username = Vec::from_slice(username).ok()?;
        self.password = Vec::from_slice(password).ok()?;
        Some(())
    }
}

impl Mechanism for PlainServer {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn start(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        Ok(Step::Continue)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        _out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        match (self.state, name) {
            (ServerState::AwaitingHello, b"HELLO") => {
                let len = data.len();
                self.read_hello(data)
                    .ok_or(HandshakeError::MalformedCommand { len })?;
                self.state = ServerState::AwaitingDecision;
                Ok(Step::Pending)
            }
            (ServerState::AwaitingInitiate, b"INITIATE") => Ok(Step::Metadata(0..data.len())),
            _ => Err(unexpected(name)),
        }
    }

    fn authenticated(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        if self.state != ServerState::AwaitingDecision {
            return Err(HandshakeError::NoDecisionAwaited);
        }
        out.command(WELCOME, &[])?;
        wipe(&mut self.password);
        self.password.clear();
        self.state = ServerState::AwaitingInitiate;
        Ok(Step::Continue)
    }

    fn metadata_accepted(&mut self, out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        let metadata = out.metadata();
        out.command(READY, &[metadata])?;
        self.state = ServerState::Complete;
        Ok(())
    }
}

// A password is not to be found in memory later.
impl Drop for PlainClient {
    fn drop(&mut self) {
        wipe(&mut self.password);
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        wipe(&mut self.password);
    }
}

// Debug says who it is about, and never the password.
impl fmt::Debug for PlainClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainClient")
            .field(
                "username",
                &format_args!("{}", self.username.escape_ascii()),
            )
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PlainServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainServer")
            .field(
                "username",
                &format_args!("{}", self.username.escape_ascii()),
            )
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

const NAME: MechanismName = MechanismName::new("PLAIN");

fn credential(bytes: &[u8]) -> Result<Credential, ConfigError> {
    let len = bytes.len();
    Vec::from_slice(bytes).map_err(|_| ConfigError::CredentialTooLong { len })
}

/// A credential behind its length byte, and what follows it.
fn split_credential(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(len))
}

/// The length of something that has at most 255 bytes, as PLAIN sends it.
trait LenByte {
    fn len_byte(&self) -> u8;
}

impl LenByte for Credential {
    fn len_byte(&self) -> u8 {
        u8::try_from(self.len()).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests;
