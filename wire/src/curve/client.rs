//! The side that connects to a key.

use zerocopy::{FromBytes, IntoBytes};

use super::layout::{
    Cookie, Hello, Initiate, InitiateBox, Ready, Vouch, VouchBox, Welcome, WelcomeBox,
};
use super::{
    Crypto, Forged, NAME, PublicKey, SecretKey, Session, SharedKey, Side, VERSION, long_nonce,
    short_nonce,
};
use crate::mechanism::{HELLO, INITIATE, unexpected};
use crate::{HandshakeError, Mechanism, MechanismName, Outbox, Protection, Role, Step};

/// The client's side of CURVE: it knows the server's public key, and proves its
/// own.
#[derive(Debug)]
pub struct CurveClient<C> {
    crypto: C,
    server: PublicKey,
    public: PublicKey,
    secret: SecretKey,
    state: State,
    /// C', c' from HELLO on.
    transient: Option<(PublicKey, SecretKey)>,
    session: Option<SharedKey>,
    sent: u64,
    received: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    AwaitingWelcome,
    AwaitingReady,
    Complete,
}

impl<C: Crypto> CurveClient<C> {
    /// Will connect to the server with this key, as the owner of these.
    pub fn new(crypto: C, server: PublicKey, public: PublicKey, secret: SecretKey) -> Self {
        Self {
            crypto,
            server,
            public,
            secret,
            state: State::Start,
            transient: None,
            session: None,
            sent: 0,
            received: 0,
        }
    }

    /// The session, once the handshake is over; once.
    pub fn take_session(&mut self) -> Option<Session> {
        if self.state != State::Complete {
            return None;
        }
        Some(Session {
            key: self.session.take()?,
            side: Side::Client,
            sent: self.sent,
            received: self.received,
        })
    }

    fn next_nonce(&mut self) -> u64 {
        self.sent = self.sent.saturating_add(1);
        self.sent
    }

    fn welcome(&mut self, data: &mut [u8]) -> Result<(PublicKey, Cookie), HandshakeError> {
        let len = data.len();
        let welcome = Welcome::mut_from_bytes(data);
        let welcome = welcome.map_err(|_| HandshakeError::MalformedCommand { len })?;
        let (_, secret) = self.transient.as_ref().ok_or(HandshakeError::Forged)?;
        let key = self.crypto.agree(&self.server, secret)?;
        let nonce = long_nonce(b"WELCOME-", &welcome.nonce);
        let sealed = welcome.sealed.as_mut_bytes();
        self.crypto.open(&key, &nonce, &welcome.tag, sealed)?;
        let WelcomeBox { transient, cookie } = &welcome.sealed;
        Ok((PublicKey(*transient), cookie.clone()))
    }

    fn initiate(
        &mut self,
        server_transient: PublicKey,
        cookie: Cookie,
        out: &mut Outbox<'_>,
    ) -> Result<(), HandshakeError> {
        let counter = self.next_nonce();
        let metadata = out.metadata();
        let fixed = size_of::<Initiate>().saturating_add(size_of::<InitiateBox>());
        let room = out.reserve(INITIATE, fixed.saturating_add(metadata.len()))?;
        let len = room.len();
        let full = HandshakeError::OutputFull { len };
        let vouch = self.vouch(server_transient)?;
        let (_, secret) = self.transient.as_ref().ok_or(HandshakeError::Forged)?;
        let session = self.crypto.agree(&server_transient, secret)?;
        let (head, sealed) = Initiate::mut_from_prefix(room).map_err(|_| full)?;
        let (inner, rest) = InitiateBox::mut_from_prefix(sealed).map_err(|_| full)?;
        inner.client = self.public.0;
        inner.vouch = vouch;
        rest.copy_from_slice(metadata);
        head.cookie = cookie;
        head.nonce = counter.into();
        let nonce = short_nonce(b"CurveZMQINITIATE", counter);
        head.tag = self.crypto.seal(&session, &nonce, sealed);
        self.session = Some(session);
        Ok(())
    }

    /// C', S, sealed by c for S' (26/CURVEZMQ, INITIATE).
    fn vouch(&mut self, server_transient: PublicKey) -> Result<Vouch, HandshakeError> {
        let (transient, _) = self.transient.as_ref().ok_or(HandshakeError::Forged)?;
        let mut vouch = Vouch {
            nonce: [0; 16],
            tag: [0; 16],
            sealed: VouchBox {
                transient: transient.0,
                server: self.server.0,
            },
        };
        self.crypto.random(&mut vouch.nonce);
        let key = self.crypto.agree(&server_transient, &self.secret)?;
        let nonce = long_nonce(b"VOUCH---", &vouch.nonce);
        vouch.tag = self.crypto.seal(&key, &nonce, vouch.sealed.as_mut_bytes());
        Ok(vouch)
    }

    fn ready(&mut self, data: &mut [u8]) -> Result<Step, HandshakeError> {
        let len = data.len();
        let (head, sealed) =
            Ready::mut_from_prefix(data).map_err(|_| HandshakeError::MalformedCommand { len })?;
        let session = self.session.as_ref().ok_or(HandshakeError::Forged)?;
        let counter = head.nonce.get();
        let nonce = short_nonce(b"CurveZMQREADY---", counter);
        self.crypto.open(session, &nonce, &head.tag, sealed)?;
        self.received = counter;
        Ok(Step::Metadata(size_of::<Ready>()..len))
    }
}

impl<C: Crypto> Mechanism for CurveClient<C> {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn role(&self) -> Role {
        Role::Client
    }

    fn protection(&self) -> Protection {
        Protection::Sealed
    }

    fn start(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        let (public, secret) = self.crypto.key_pair();
        let key = self.crypto.agree(&self.server, &secret)?;
        let counter = self.next_nonce();
        let room = out.reserve(HELLO, size_of::<Hello>())?;
        let len = room.len();
        let hello = Hello::mut_from_bytes(room).map_err(|_| HandshakeError::OutputFull { len })?;
        hello.version = VERSION;
        hello.transient = public.0;
        hello.nonce = counter.into();
        let nonce = short_nonce(b"CurveZMQHELLO---", counter);
        hello.tag = self.crypto.seal(&key, &nonce, &mut hello.signature);
        self.transient = Some((public, secret));
        self.state = State::AwaitingWelcome;
        Ok(Step::Continue)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        match (self.state, name) {
            (State::AwaitingWelcome, b"WELCOME") => {
                let (transient, cookie) = self.welcome(data)?;
                self.initiate(transient, cookie, out)?;
                self.state = State::AwaitingReady;
                Ok(Step::Continue)
            }
            (State::AwaitingReady, b"READY") => self.ready(data),
            _ => Err(unexpected(name)),
        }
    }

    fn authenticated(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        Err(HandshakeError::NoDecisionAwaited)
    }

    fn metadata_accepted(&mut self, _out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        self.transient = None;
        self.state = State::Complete;
        Ok(())
    }
}

impl From<Forged> for HandshakeError {
    fn from(Forged: Forged) -> Self {
        Self::Forged
    }
}
