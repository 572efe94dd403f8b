//! The side whose key is known, and that decides on its clients'.

use core::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use super::keys::wipe;
use super::layout::{
    Cookie, CookieBox, Hello, Initiate, InitiateBox, Ready, VouchBox, Welcome, WelcomeBox,
};
use super::{
    Crypto, NAME, PublicKey, SecretKey, Session, SharedKey, Side, VERSION, long_nonce, short_nonce,
};
use crate::mechanism::{READY, WELCOME, unexpected};
use crate::{HandshakeError, Mechanism, MechanismName, Outbox, Protection, Role, Step};

/// Where the metadata starts in the data of an INITIATE that was opened.
const METADATA_START: usize = size_of::<Initiate>() + size_of::<InitiateBox>();

/// The server's side of CURVE. It lets nobody in by itself: after INITIATE it is
/// [`Step::Pending`] until somebody has looked at the client's key.
#[derive(Debug)]
pub struct CurveServer<C> {
    crypto: C,
    public: PublicKey,
    secret: SecretKey,
    state: State,
    /// From HELLO on: C', S' and s', and the key of the only cookie.
    hello: Option<Greeted>,
    client: Option<PublicKey>,
    session: Option<SharedKey>,
    sent: u64,
    received: u64,
}

#[derive(Debug)]
struct Greeted {
    client: PublicKey,
    secret: SecretKey,
    cookie: SharedKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitingHello,
    AwaitingInitiate,
    /// INITIATE has data of so many bytes.
    AwaitingDecision {
        len: usize,
    },
    AwaitingVerdict,
    Complete,
}

impl<C: Crypto> CurveServer<C> {
    /// A server with these keys.
    pub fn new(crypto: C, public: PublicKey, secret: SecretKey) -> Self {
        Self {
            crypto,
            public,
            secret,
            state: State::AwaitingHello,
            hello: None,
            client: None,
            session: None,
            sent: 0,
            received: 0,
        }
    }

    /// The client's long-term key, from when a decision is awaited on. It has
    /// proved that it owns it.
    #[must_use]
    pub fn client_key(&self) -> Option<PublicKey> {
        self.client
    }

    /// The session, once the handshake is over; once.
    pub fn take_session(&mut self) -> Option<Session> {
        if self.state != State::Complete {
            return None;
        }
        Some(Session {
            key: self.session.take()?,
            side: Side::Server,
            sent: self.sent,
            received: self.received,
        })
    }

    fn hello(&mut self, data: &mut [u8], out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        let len = data.len();
        let hello = Hello::mut_from_bytes(data);
        let hello = hello.map_err(|_| HandshakeError::MalformedCommand { len })?;
        if hello.version != VERSION {
            let [major, minor] = hello.version;
            return Err(HandshakeError::CurveVersion { major, minor });
        }
        let client = PublicKey(hello.transient);
        let key = self.crypto.agree(&client, &self.secret)?;
        let counter = hello.nonce.get();
        let nonce = short_nonce(b"CurveZMQHELLO---", counter);
        self.crypto
            .open(&key, &nonce, &hello.tag, &mut hello.signature)?;
        if hello.signature != [0; 64] {
            return Err(HandshakeError::Forged);
        }
        self.received = counter;
        self.welcome(client, &key, out)
    }

    fn welcome(
        &mut self,
        client: PublicKey,
        key: &SharedKey,
        out: &mut Outbox<'_>,
    ) -> Result<(), HandshakeError> {
        let (transient, secret) = self.crypto.key_pair();
        let mut cookie_key = [0; 32];
        self.crypto.random(&mut cookie_key);
        let greeted = Greeted {
            client,
            secret,
            cookie: SharedKey::new(cookie_key),
        };
        wipe(&mut cookie_key);
        let room = out.reserve(WELCOME, size_of::<Welcome>())?;
        let len = room.len();
        let welcome =
            Welcome::mut_from_bytes(room).map_err(|_| HandshakeError::OutputFull { len })?;
        self.crypto.random(&mut welcome.nonce);
        welcome.sealed = WelcomeBox {
            transient: transient.0,
            cookie: self.cookie(&greeted),
        };
        let nonce = long_nonce(b"WELCOME-", &welcome.nonce);
        welcome.tag = self.crypto.seal(key, &nonce, welcome.sealed.as_mut_bytes());
        self.hello = Some(greeted);
        Ok(())
    }

    fn cookie(&mut self, greeted: &Greeted) -> Cookie {
        let mut cookie = Cookie {
            nonce: [0; 16],
            tag: [0; 16],
            sealed: CookieBox {
                client: greeted.client.0,
                secret: *greeted.secret.expose(),
            },
        };
        self.crypto.random(&mut cookie.nonce);
        let nonce = long_nonce(b"COOKIE--", &cookie.nonce);
        cookie.tag = self
            .crypto
            .seal(&greeted.cookie, &nonce, cookie.sealed.as_mut_bytes());
        cookie
    }

    fn initiate(&mut self, data: &mut [u8]) -> Result<(), HandshakeError> {
        let len = data.len();
        let malformed = HandshakeError::MalformedCommand { len };
        // Taken: a cookie is good for one INITIATE, whatever comes of it.
        let greeted = self.hello.take().ok_or(HandshakeError::Forged)?;
        let (head, sealed) = Initiate::mut_from_prefix(data).map_err(|_| malformed)?;
        self.check_cookie(&greeted, &mut head.cookie)?;
        let counter = head.nonce.get();
        if counter <= self.received {
            return Err(HandshakeError::NonceReused { nonce: counter });
        }
        let session = self.crypto.agree(&greeted.client, &greeted.secret)?;
        let nonce = short_nonce(b"CurveZMQINITIATE", counter);
        self.crypto.open(&session, &nonce, &head.tag, sealed)?;
        let (inner, _) = InitiateBox::mut_from_prefix(sealed).map_err(|_| malformed)?;
        self.check_vouch(&greeted, inner)?;
        self.client = Some(PublicKey(inner.client));
        self.session = Some(session);
        self.received = counter;
        self.state = State::AwaitingDecision { len };
        Ok(())
    }

    fn check_cookie(&self, greeted: &Greeted, cookie: &mut Cookie) -> Result<(), HandshakeError> {
        let nonce = long_nonce(b"COOKIE--", &cookie.nonce);
        let sealed = cookie.sealed.as_mut_bytes();
        self.crypto
            .open(&greeted.cookie, &nonce, &cookie.tag, sealed)?;
        let ours = cookie.sealed.client == greeted.client.0
            && cookie.sealed.secret == *greeted.secret.expose();
        wipe(&mut cookie.sealed.secret);
        match ours {
            true => Ok(()),
            false => Err(HandshakeError::Forged),
        }
    }

    /// The client's long-term key vouches for C', and to this server.
    fn check_vouch(
        &self,
        greeted: &Greeted,
        inner: &mut InitiateBox,
    ) -> Result<(), HandshakeError> {
        let key = self
            .crypto
            .agree(&PublicKey(inner.client), &greeted.secret)?;
        let vouch = &mut inner.vouch;
        let nonce = long_nonce(b"VOUCH---", &vouch.nonce);
        let sealed = vouch.sealed.as_mut_bytes();
        self.crypto.open(&key, &nonce, &vouch.tag, sealed)?;
        let VouchBox { transient, server } = &vouch.sealed;
        match *transient == greeted.client.0 && *server == self.public.0 {
            true => Ok(()),
            false => Err(HandshakeError::Forged),
        }
    }
}

impl<C: Crypto> Mechanism for CurveServer<C> {
    fn name(&self) -> MechanismName {
        NAME
    }

    fn role(&self) -> Role {
        Role::Server
    }

    fn protection(&self) -> Protection {
        Protection::Sealed
    }

    fn start(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        Ok(Step::Continue)
    }

    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError> {
        match (self.state, name) {
            (State::AwaitingHello, b"HELLO") => {
                self.hello(data, out)?;
                self.state = State::AwaitingInitiate;
                Ok(Step::Continue)
            }
            (State::AwaitingInitiate, b"INITIATE") => {
                self.initiate(data)?;
                Ok(Step::Pending)
            }
            _ => Err(unexpected(name)),
        }
    }

    fn pending_metadata(&self) -> Option<Range<usize>> {
        match self.state {
            State::AwaitingDecision { len } => Some(METADATA_START..len),
            _ => None,
        }
    }

    fn authenticated(&mut self, _out: &mut Outbox<'_>) -> Result<Step, HandshakeError> {
        let State::AwaitingDecision { len } = self.state else {
            return Err(HandshakeError::NoDecisionAwaited);
        };
        self.state = State::AwaitingVerdict;
        Ok(Step::Metadata(METADATA_START..len))
    }

    fn metadata_accepted(&mut self, out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
        let metadata = out.metadata();
        let room = out.reserve(READY, size_of::<Ready>().saturating_add(metadata.len()))?;
        let len = room.len();
        let session = self.session.as_ref().ok_or(HandshakeError::Forged)?;
        let (head, sealed) =
            Ready::mut_from_prefix(room).map_err(|_| HandshakeError::OutputFull { len })?;
        sealed.copy_from_slice(metadata);
        self.sent = self.sent.saturating_add(1);
        head.nonce = self.sent.into();
        let nonce = short_nonce(b"CurveZMQREADY---", self.sent);
        head.tag = self.crypto.seal(session, &nonce, sealed);
        self.state = State::Complete;
        Ok(())
    }
}
