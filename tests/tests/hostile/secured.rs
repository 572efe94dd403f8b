//! Peers of secured sockets, with every byte of PLAIN and CURVE written by hand
//! (24/ZMTP-PLAIN, 26/CURVEZMQ); only the boxes are a library's.

use crypto_box::aead::{Aead, OsRng};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use ferromq::{CurveClients, CurveKeys, Options};
use ferromq_tests::{COMMAND, Greeting, MORE, Ours, RawPeer, Via, command_body, metadata};

use crate::arena::{Arena, Kind, NEIGHBOUR, Neighbour};

/// Flag of a command inside a MESSAGE.
const INNER_COMMAND: u8 = 2;

/// A CURVE client, before it has connected.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) server: [u8; 32],
    pub(crate) secret: SecretKey,
    pub(crate) transient: SecretKey,
    /// What it says its keys are: the right ones, unless a test knows better.
    pub(crate) public: [u8; 32],
    pub(crate) transient_public: [u8; 32],
}

impl Client {
    pub(crate) fn of(server: [u8; 32]) -> Self {
        let secret = SecretKey::generate(&mut OsRng);
        let transient = SecretKey::generate(&mut OsRng);
        Self {
            server,
            public: *secret.public_key().as_bytes(),
            transient_public: *transient.public_key().as_bytes(),
            secret,
            transient,
        }
    }

    /// HELLO as 26/CURVEZMQ wants it, sealed by these.
    pub(crate) fn hello_sealed_by(&self, boxed: &SalsaBox) -> Vec<u8> {
        let signature = seal(boxed, &short_nonce(b"CurveZMQHELLO---", 1), &[0; 64]);
        let nonce = 1_u64.to_be_bytes();
        let data = [
            &[1, 0],
            &[0; 72][..],
            &self.transient_public,
            &nonce,
            &signature,
        ];
        command_body("HELLO", &data.concat())
    }

    pub(crate) fn hello(&self) -> Vec<u8> {
        self.hello_sealed_by(&between(&self.server, &self.transient))
    }

    /// What a WELCOME holds: S' and the cookie.
    pub(crate) fn open_welcome(&self, data: &[u8]) -> ([u8; 32], Vec<u8>) {
        let boxed = between(&self.server, &self.transient);
        let nonce = long_nonce(b"WELCOME-", &data[..16]);
        let inside = open(&boxed, &nonce, &data[16..]);
        let transient = inside[..32].try_into().expect("32 bytes");
        (transient, inside[32..].to_vec())
    }

    /// INITIATE with this vouch and cookie.
    pub(crate) fn initiate(
        &self,
        session: &SalsaBox,
        cookie: &[u8],
        vouch: &[u8],
        properties: &[u8],
    ) -> Vec<u8> {
        let inside = [&self.public[..], vouch, properties].concat();
        let sealed = seal(session, &short_nonce(b"CurveZMQINITIATE", 2), &inside);
        let nonce = 2_u64.to_be_bytes();
        command_body("INITIATE", &[cookie, &nonce, &sealed].concat())
    }

    /// The vouch of our long-term key for the transient one, sealed by these.
    pub(crate) fn vouch_sealed_by(&self, boxed: &SalsaBox) -> Vec<u8> {
        let inside = [self.transient_public, self.server].concat();
        let sealed = seal(boxed, &long_nonce(b"VOUCH---", &[7; 16]), &inside);
        [&[7; 16][..], &sealed].concat()
    }

    /// Greets and sends HELLO.
    pub(crate) fn begin(&self, endpoint: &str) -> RawPeer {
        let mut peer = greeted(endpoint, "CURVE");
        peer.send_frame(COMMAND, &self.hello());
        peer
    }

    /// Connects and is let in.
    pub(crate) fn connect(&self, endpoint: &str, kind: Kind, more: &[(&str, &[u8])]) -> CurvePeer {
        let mut peer = self.begin(endpoint);
        let (name, data) = peer.read_command();
        assert_eq!(name, "WELCOME");
        let (server_transient, cookie) = self.open_welcome(&data);
        let session = between(&server_transient, &self.transient);
        let vouch = self.vouch_sealed_by(&between(&server_transient, &self.secret));
        let initiate = self.initiate(&session, &cookie, &vouch, &properties(kind, more));
        peer.send_frame(COMMAND, &initiate);
        let (name, _) = peer.read_command();
        assert_eq!(name, "READY");
        CurvePeer {
            peer,
            session,
            sent: 2,
            initiate,
        }
    }
}

/// A CURVE client that was let in.
pub(crate) struct CurvePeer {
    pub(crate) peer: RawPeer,
    session: SalsaBox,
    pub(crate) sent: u64,
    /// The body of the INITIATE that it was let in by.
    pub(crate) initiate: Vec<u8>,
}

impl CurvePeer {
    /// The body of a MESSAGE with this nonce.
    pub(crate) fn message(&self, nonce: u64, flags: u8, payload: &[u8]) -> Vec<u8> {
        let inside = [&[flags], payload].concat();
        let sealed = seal(
            &self.session,
            &short_nonce(b"CurveZMQMESSAGEC", nonce),
            &inside,
        );
        command_body("MESSAGE", &[&nonce.to_be_bytes()[..], &sealed].concat())
    }

    pub(crate) fn send(&mut self, flags: u8, payload: &[u8]) {
        self.sent += 1;
        let message = self.message(self.sent, flags, payload);
        self.peer.send_frame(0, &message);
    }

    fn read(&mut self) -> (u8, Vec<u8>) {
        let frame = self.peer.read_frame();
        let (name, data) = frame.command();
        assert_eq!((frame.flags & COMMAND, &name[..]), (0, "MESSAGE"));
        let nonce = u64::from_be_bytes(data[..8].try_into().expect("8 bytes"));
        let nonce = short_nonce(b"CurveZMQMESSAGES", nonce);
        let inside = open(&self.session, &nonce, &data[8..]);
        (inside[0], inside[1..].to_vec())
    }
}

impl Neighbour for CurvePeer {
    fn send_message(&mut self, parts: &[&[u8]]) {
        for (index, part) in parts.iter().enumerate() {
            let more = if index + 1 < parts.len() { MORE } else { 0 };
            self.send(more, part);
        }
    }

    fn read_message(&mut self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        loop {
            let (flags, payload) = self.read();
            assert_eq!(flags & INNER_COMMAND, 0, "a command");
            parts.push(payload);
            if flags & MORE == 0 {
                return parts;
            }
        }
    }

    fn subscribe(&mut self, topic: &[u8]) {
        self.send(INNER_COMMAND, &command_body("SUBSCRIBE", topic));
    }

    fn settle(&mut self) {
        self.send(INNER_COMMAND, &command_body("PING", b"\0\0set"));
        assert_eq!(self.read(), (INNER_COMMAND, command_body("PONG", b"set")));
    }
}

/// An arena whose socket is a CURVE server for any key, and its public key.
pub(crate) fn curve_arena(kind: Kind, options: Options) -> (Arena, [u8; 32]) {
    let keys = CurveKeys::generate();
    let server = keys.public.0;
    let options = options.curve_server(keys, CurveClients::Any);
    let ours = Ours::bound(kind.socket_type(), options, Via::Tcp);
    let neighbour = Client::of(server).connect(ours.endpoint(), kind, &[("Identity", NEIGHBOUR)]);
    (Arena::around(kind, ours, neighbour), server)
}

/// An arena whose socket is a PLAIN server that knows ann by her password.
pub(crate) fn plain_arena(kind: Kind, options: Options) -> Arena {
    let options = options.plain_server([("ann", "secret")]);
    let ours = Ours::bound(kind.socket_type(), options, Via::Tcp);
    let mut neighbour = greeted(ours.endpoint(), "PLAIN");
    neighbour.send_frame(COMMAND, &plain_hello(b"ann", b"secret"));
    assert_eq!(neighbour.read_command().0, "WELCOME");
    let identity = properties(kind, &[("Identity", NEIGHBOUR)]);
    neighbour.send_command("INITIATE", &identity);
    assert_eq!(neighbour.read_command().0, "READY");
    Arena::around(kind, ours, neighbour)
}

/// The body of a HELLO of PLAIN.
pub(crate) fn plain_hello(name: &[u8], password: &[u8]) -> Vec<u8> {
    let field = |text: &[u8]| {
        let len = u8::try_from(text.len()).expect("at most 255 bytes");
        [&[len], text].concat()
    };
    command_body("HELLO", &[field(name), field(password)].concat())
}

/// A connection on which both have greeted with this mechanism.
pub(crate) fn greeted(endpoint: &str, mechanism: &str) -> RawPeer {
    let mut peer = RawPeer::connect(endpoint);
    peer.send(&Greeting::of(mechanism).bytes());
    let _ = peer.read_greeting();
    peer
}

/// The metadata of a peer of this pattern.
pub(crate) fn properties(kind: Kind, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut properties = vec![("Socket-Type", kind.peer_type().as_bytes())];
    properties.extend_from_slice(more);
    metadata(&properties)
}

/// Boxes between the owner of this public key and us.
pub(crate) fn between(theirs: &[u8; 32], ours: &SecretKey) -> SalsaBox {
    SalsaBox::new(&PublicKey::from_bytes(*theirs), ours)
}

fn short_nonce(prefix: &[u8; 16], counter: u64) -> [u8; 24] {
    let nonce = [&prefix[..], &counter.to_be_bytes()].concat();
    nonce.try_into().expect("24 bytes")
}

fn long_nonce(prefix: &[u8; 8], rest: &[u8]) -> [u8; 24] {
    [prefix, rest].concat().try_into().expect("24 bytes")
}

fn seal(boxed: &SalsaBox, nonce: &[u8; 24], inside: &[u8]) -> Vec<u8> {
    boxed.encrypt(nonce.into(), inside).expect("it is short")
}

fn open(boxed: &SalsaBox, nonce: &[u8; 24], sealed: &[u8]) -> Vec<u8> {
    boxed.decrypt(nonce.into(), sealed).expect("it is ours")
}
