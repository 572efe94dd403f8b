//! Two sides in memory, with real cryptography.

extern crate std;

use std::vec::Vec;

use crypto_box::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::XSalsa20Poly1305;
use curve25519_dalek::MontgomeryPoint;
use salsa20::cipher::consts::U10;
use zerocopy::FromBytes;

use super::layout::Initiate;
use super::*;
use crate::{
    Config, Connection, Decision, Event, Features, FrameFlags, HandshakeError, Instant, Limits,
    Mechanism, Offer, ProtocolError, Receiver, Scratch, Security, SocketType, Status, Transmitter,
};

/// NaCl by RustCrypto, with randomness that repeats.
#[derive(Clone, Debug)]
struct TestCrypto(u64);

impl Crypto for TestCrypto {
    fn random(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
            *byte = (self.0 >> 33) as u8;
        }
    }

    fn key_pair(&mut self) -> (PublicKey, SecretKey) {
        let mut bytes = [0; 32];
        self.random(&mut bytes);
        let secret = crypto_box::SecretKey::from_bytes(bytes);
        let public = *secret.public_key().as_bytes();
        (PublicKey(public), SecretKey::from_bytes(&bytes).unwrap())
    }

    fn agree(&self, theirs: &PublicKey, ours: &SecretKey) -> Result<SharedKey, Forged> {
        let point = MontgomeryPoint(theirs.0).mul_clamped(*ours.expose());
        if point.0 == [0; 32] {
            return Err(Forged);
        }
        Ok(SharedKey::new(
            salsa20::hsalsa::<U10>((&point.0).into(), &Default::default()).into(),
        ))
    }

    fn seal(&self, key: &SharedKey, nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16] {
        let cipher = XSalsa20Poly1305::new(key.expose().into());
        let tag = cipher.encrypt_in_place_detached(nonce.into(), b"", data);
        tag.unwrap().into()
    }

    fn open(
        &self,
        key: &SharedKey,
        nonce: &[u8; 24],
        tag: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), Forged> {
        let cipher = XSalsa20Poly1305::new(key.expose().into());
        let opened = cipher.decrypt_in_place_detached(nonce.into(), b"", data, tag.into());
        opened.map_err(|_| Forged)
    }
}

/// One side of a handshake.
struct Side<M> {
    connection: Connection<M>,
    scratch: Scratch,
}

impl<M: Mechanism> Side<M> {
    fn new(socket_type: SocketType, identity: &[u8], mechanism: M) -> Self {
        let config = Config {
            identity,
            ..Config::new(socket_type)
        };
        Self::of(&config, mechanism)
    }

    fn of(config: &Config<'_>, mechanism: M) -> Self {
        let mut scratch = Scratch::new();
        let now = Instant::from_nanos(0);
        let connection = Connection::new(config, mechanism, &mut scratch, now).unwrap();
        Self {
            connection,
            scratch,
        }
    }

    fn output(&mut self) -> Vec<u8> {
        let output = self.connection.poll_output(&self.scratch).to_vec();
        self.connection
            .output_written(&mut self.scratch, output.len());
        output
    }

    fn input(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let mut bytes = bytes.to_vec();
        self.connection
            .handle_input(&mut bytes, &mut self.scratch)
            .map(drop)
    }
}

struct Pair {
    client: Side<CurveClient<TestCrypto>>,
    server: Side<CurveServer<TestCrypto>>,
    client_key: PublicKey,
}

impl Pair {
    fn new() -> Self {
        Self::with(|server| server, |server| server)
    }

    /// With other server keys than the true ones, for the client and the server.
    fn with(
        known: impl FnOnce(PublicKey) -> PublicKey,
        believed: impl FnOnce(PublicKey) -> PublicKey,
    ) -> Self {
        let mut keys = TestCrypto(1);
        let (server_public, server_secret) = keys.key_pair();
        let (client_key, client_secret) = keys.key_pair();
        let client = CurveClient::new(
            TestCrypto(2),
            known(server_public),
            client_key,
            client_secret,
        );
        let server = CurveServer::new(TestCrypto(3), believed(server_public), server_secret);
        Self {
            client: Side::new(SocketType::Dealer, b"client", client),
            server: Side::new(SocketType::Router, b"", server),
            client_key,
        }
    }

    /// Exchanges everything until both are quiet.
    fn run(&mut self) -> Result<(), HandshakeError> {
        for _ in 0..8 {
            let output = self.client.output();
            self.server.input(&output)?;
            let output = self.server.output();
            self.client.input(&output)?;
        }
        Ok(())
    }

    fn established(mut self) -> [Half; 2] {
        self.run().unwrap();
        let server = &mut self.server;
        assert_eq!(server.connection.status(), Status::AwaitingDecision);
        let asks = server.connection.mechanism().client_key();
        assert_eq!(asks, Some(self.client_key));
        // Who decides may look at what the client says about itself.
        assert_eq!(server.connection.peer_identity(&server.scratch), b"client");
        server
            .connection
            .authenticate(Decision::Allow, &mut server.scratch)
            .unwrap();
        self.run().unwrap();
        let identity = self.server.connection.peer_identity(&self.server.scratch);
        assert_eq!(identity, b"client");
        let client = self.client.connection.mechanism_mut().take_session();
        let server = self.server.connection.mechanism_mut().take_session();
        [
            Half::new(self.client.connection, client.unwrap()),
            Half::new(self.server.connection, server.unwrap()),
        ]
    }
}

/// One side of the traffic.
struct Half {
    transmitter: Transmitter,
    receiver: Receiver,
    sealer: Sealer<TestCrypto>,
    opener: Opener<TestCrypto>,
}

impl Half {
    fn new<M: Mechanism>(connection: Connection<M>, session: Session) -> Self {
        let limits = Limits {
            command: 2_000,
            ..Limits::default()
        };
        let (receiver, transmitter) = connection.establish(limits, 1_000).unwrap();
        Self {
            transmitter,
            receiver,
            sealer: Sealer::new(TestCrypto(0), &session),
            opener: Opener::new(TestCrypto(0), &session, &limits, 1_000),
        }
    }

    fn seal(&mut self, flags: FrameFlags, body: &[u8]) -> Vec<u8> {
        let mut out = [0_u8; 10].repeat(body.len() / 10 + 10);
        let len = self.sealer.seal(flags, body, &mut out);
        assert!(len > 0);
        out.truncate(len);
        out
    }

    /// The event and payload of one sealed frame.
    fn open(&mut self, sealed: &[u8]) -> Result<(Option<Event>, Vec<u8>), ProtocolError> {
        let mut input = sealed.to_vec();
        match self.opener.handle_input(&mut input)? {
            Opening::Incomplete => Ok((None, Vec::new())),
            Opening::Plain { skip, len } => {
                assert_eq!(skip + len, input.len());
                let plain = &mut input[skip..];
                let progress = self.receiver.handle_input(plain)?;
                assert_eq!(progress.consumed, len);
                Ok((progress.event, plain.to_vec()))
            }
            Opening::Long {
                header_len,
                body_len,
            } => {
                let body = &mut input[header_len..];
                assert_eq!(body.len() as u64, body_len);
                let Opened { header } = self.opener.open_long(body)?;
                let progress = self.receiver.handle_input(&mut header.as_ref().to_vec())?;
                assert!(matches!(progress.event, Some(Event::Body { .. })));
                self.receiver.body_handed_over();
                let done = self.receiver.handle_input(&mut [])?;
                Ok((done.event, body[Opener::<TestCrypto>::PAYLOAD..].to_vec()))
            }
        }
    }
}

#[test]
fn a_handshake_authenticates_both_sides_and_carries_traffic_both_ways() {
    // D35, D36
    let [mut client, mut server] = Pair::new().established();
    for len in [
        0, 1, 222, 223, 255, 256, 999, 1_000, 1_967, 2_000, 2_001, 70_000,
    ] {
        let body: Vec<u8> = (0..len).map(|at: usize| at as u8).collect();
        for (flags, more) in [(FrameFlags::MORE, true), (FrameFlags::LAST, false)] {
            for towards_server in [true, false] {
                let (from, to) = match towards_server {
                    true => (&mut client, &mut server),
                    false => (&mut server, &mut client),
                };
                let sealed = from.seal(flags, &body);
                let (event, plain) = to.open(&sealed).unwrap();
                let payload = match event.unwrap() {
                    Event::Frame { more: is, body } if is == more => &plain[body],
                    Event::BodyDone { more: is } if is == more => &plain[..],
                    other => panic!("{other:?}"),
                };
                assert!(payload == body, "{len}");
            }
        }
    }
}

#[test]
fn of_the_extensions_only_the_switch_goes_with_sealed_frames() {
    let others = Features::CRC | Features::BY_REFERENCE;
    for (features, on) in [
        (others, Features::NONE),
        (others | Features::SWITCH, Features::SWITCH),
    ] {
        let mut keys = TestCrypto(1);
        let [(server, secret), (ours, our_secret)] = [(); 2].map(|()| keys.key_pair());
        let config = |socket_type| Config {
            offer: Some(Offer::new(features)),
            ..Config::new(socket_type)
        };
        let client = CurveClient::new(TestCrypto(2), server, ours, our_secret);
        let server = CurveServer::new(TestCrypto(3), server, secret);
        let mut pair = Pair {
            client: Side::of(&config(SocketType::Push), client),
            server: Side::of(&config(SocketType::Pull), server),
            client_key: ours,
        };
        pair.run().unwrap();
        let server = &mut pair.server;
        let decided = server
            .connection
            .authenticate(Decision::Allow, &mut server.scratch);
        decided.unwrap();
        pair.run().unwrap();
        assert_eq!(pair.client.connection.features(), on);
        assert_eq!(pair.server.connection.features(), on);
    }
}

#[test]
fn commands_have_the_sizes_of_the_rfc() {
    // D35
    let mut pair = Pair::new();
    let greeting = pair.client.output();
    pair.server.input(&greeting).unwrap();
    let greeting = pair.server.output();
    assert_eq!(greeting.len(), 64);
    pair.client.input(&greeting).unwrap();
    let hello = pair.client.output();
    assert_eq!(hello[..9], *b"\x04\xc8\x05HELLO\x01");
    assert_eq!(hello.len(), 2 + 200);
    assert_eq!(hello[10..82], [0; 72]);
    pair.server.input(&hello).unwrap();
    let welcome = pair.server.output();
    assert_eq!(welcome.len(), 2 + 168);
    pair.client.input(&welcome).unwrap();
    let initiate = pair.client.output();
    assert!(initiate.len() >= 257 + 9);
    let mut half = Pair::new().established();
    assert_eq!(half[0].seal(FrameFlags::LAST, b"").len(), 2 + 33);
}

#[test]
fn a_command_travels_with_its_own_flag() {
    // D40: a PING inside a MESSAGE.
    let [mut client, mut server] = Pair::new().established();
    let mut plain = [0; 64];
    let ping = crate::Command::Ping {
        ttl: core::time::Duration::from_secs(1),
        context: b"context",
    };
    let len = client.transmitter.command(ping, &mut plain).unwrap();
    let header = crate::peek_header(&plain).unwrap();
    let sealed = client.seal(header.flags, &plain[header.header_len..len]);
    assert_eq!(sealed[0], 0, "a message frame outside");
    let (event, _) = server.open(&sealed).unwrap();
    assert!(matches!(event, Some(Event::Ping { .. })));
}

#[test]
fn what_is_changed_on_the_way_is_refused_byte_by_byte() {
    // D41
    for at in 0..2 + 33 + 5 {
        let [mut client, mut server] = Pair::new().established();
        let mut sealed = client.seal(FrameFlags::LAST, b"hello");
        sealed[at] ^= 0x10;
        let outcome = server.open(&sealed);
        // A longer size waits for more; everything else is found out.
        assert!(
            matches!(outcome, Err(_) | Ok((None, _))),
            "byte {at}: {outcome:?}"
        );
    }
}

#[test]
fn a_sealed_frame_fits_the_room_that_is_said_to_be_enough() {
    let [mut client, mut server] = Pair::new().established();
    for len in [0, 1, 222, 223, 1_000] {
        let body = [7_u8].repeat(len);
        let mut out = [0_u8].repeat(len + Sealer::<TestCrypto>::OVERHEAD);
        let short = out.len() - 1;
        assert_eq!(
            client
                .sealer
                .seal(FrameFlags::LAST, &body, &mut out[..short]),
            0
        );
        let sealed = client.sealer.seal(FrameFlags::LAST, &body, &mut out);
        assert!(sealed >= len + 35, "{sealed} bytes for {len}");
        let (event, payload) = server.open(&out[..sealed]).unwrap();
        assert!(event.is_some() && payload.ends_with(&body), "{len}");
    }
}

#[test]
fn any_mechanism_gives_its_session_once() {
    let mut keys = TestCrypto(1);
    let (server_public, server_secret) = keys.key_pair();
    let (client_key, client_secret) = keys.key_pair();
    let client = CurveClient::new(TestCrypto(2), server_public, client_key, client_secret);
    let server = CurveServer::new(TestCrypto(3), server_public, server_secret);
    let client = Security::CurveClient(client);
    let server = Security::CurveServer(server);
    let mut client = Side::new(SocketType::Dealer, b"", client);
    let mut server = Side::new(SocketType::Router, b"", server);
    for _ in 0..8 {
        server.input(&client.output()).unwrap();
        client.input(&server.output()).unwrap();
        if server.connection.status() == Status::AwaitingDecision {
            let decided = server
                .connection
                .authenticate(Decision::Allow, &mut server.scratch);
            decided.unwrap();
        }
    }
    for side in [&mut client, &mut server] {
        let mechanism = side.connection.mechanism_mut();
        assert!(mechanism.take_session().is_some());
        assert!(mechanism.take_session().is_none());
    }
}

#[test]
fn a_replay_is_refused_and_a_gap_is_not() {
    // D37
    let [mut client, mut server] = Pair::new().established();
    let first = client.seal(FrameFlags::LAST, b"first");
    let _lost = client.seal(FrameFlags::LAST, b"lost");
    let third = client.seal(FrameFlags::LAST, b"third");
    server.open(&first).unwrap();
    server.open(&third).unwrap();
    let replayed = ProtocolError::NonceReused { nonce: 5 };
    assert_eq!(server.open(&third).unwrap_err(), replayed);
    assert!(server.open(&first).is_err());
}

#[test]
fn a_message_cannot_be_sent_back_to_its_sender() {
    // D36
    let [mut client, _] = Pair::new().established();
    for _ in 0..3 {
        let sealed = client.seal(FrameFlags::LAST, b"mirror");
        assert_eq!(client.open(&sealed).unwrap_err(), ProtocolError::Forged);
    }
}

#[test]
fn a_client_that_expects_another_server_gets_nowhere() {
    let mut pair = Pair::with(|_| PublicKey([9; 32]), |server| server);
    assert_eq!(pair.run(), Err(HandshakeError::Forged));
}

#[test]
fn a_vouch_for_another_server_is_refused() {
    // D38: all boxes open, but the vouch names a server that we are not.
    let mut pair = Pair::with(|server| server, |_| PublicKey([9; 32]));
    assert_eq!(pair.run(), Err(HandshakeError::Forged));
}

#[test]
fn a_cookie_is_good_for_one_initiate() {
    // D39
    let mut pair = Pair::new();
    let mut last = Vec::new();
    for _ in 0..3 {
        let output = pair.client.output();
        if !output.is_empty() {
            last = output.clone();
        }
        pair.server.input(&output).unwrap();
        let output = pair.server.output();
        pair.client.input(&output).unwrap();
    }
    let server = &mut pair.server;
    assert_eq!(server.connection.status(), Status::AwaitingDecision);
    // Of another connection to the same server, whose cookie key is another.
    let mut other = Pair::new();
    other.server = Side::new(
        SocketType::Router,
        b"",
        CurveServer::new(TestCrypto(77), PublicKey([0; 32]), {
            let (_, secret) = TestCrypto(1).key_pair();
            secret
        }),
    );
    for _ in 0..2 {
        let output = other.client.output();
        if output.len() > 257 {
            break;
        }
        other.server.input(&output).unwrap();
        let output = other.server.output();
        other.client.input(&output).unwrap();
    }
    assert!(last.len() > 257, "INITIATE was last");
    assert_eq!(other.server.input(&last), Err(HandshakeError::Forged));
}

#[test]
fn no_bytes_of_a_command_may_change() {
    // Every byte of INITIATE but the cookie's and metadata's sizes is covered.
    let whole = size_of::<Initiate>();
    for at in (0..whole + 140).step_by(7) {
        let mut pair = Pair::new();
        for _ in 0..2 {
            let output = pair.client.output();
            pair.server.input(&output).unwrap();
            let output = pair.server.output();
            pair.client.input(&output).unwrap();
        }
        let mut initiate = pair.client.output();
        let data = initiate.len() - (whole + 128 + 30);
        assert!(Initiate::ref_from_prefix(&initiate[data..]).is_ok());
        initiate[18 + at] ^= 1;
        assert!(pair.server.input(&initiate).is_err(), "byte {at}");
    }
}

#[test]
fn keys_are_read_as_bytes_and_as_z85() {
    // D42; the vector is that of 32/Z85, doubled to 32 bytes by our own.
    let raw: [u8; 32] = core::array::from_fn(|at| (at * 37) as u8);
    let key = PublicKey::from_bytes(&raw).unwrap();
    let text = std::format!("{key}");
    assert_eq!(text.len(), 40);
    assert_eq!(text.parse(), Ok(key));
    assert_eq!(PublicKey::from_bytes(text.as_bytes()), Ok(key));
    let with_nul = [text.as_bytes(), b"\0"].concat();
    assert_eq!(PublicKey::from_bytes(&with_nul), Ok(key));
    assert_eq!(
        SecretKey::from_bytes(text.as_bytes()).unwrap().expose(),
        &raw
    );
    for len in [0, 31, 33, 39, 42] {
        let bad = PublicKey::from_bytes(&std::vec![b'a'; len]);
        assert_eq!(bad, Err(KeyError::Length { len }));
    }
    let mut bad = text.clone().into_bytes();
    bad[7] = b'~';
    assert_eq!(
        PublicKey::from_bytes(&bad),
        Err(KeyError::Character { at: 7 })
    );
    let overflow = [b"#####", &text.as_bytes()[5..]].concat();
    assert_eq!(
        PublicKey::from_bytes(&overflow),
        Err(KeyError::Overflow { at: 0 })
    );
    assert_eq!(
        std::format!("{:?}", SecretKey::from_bytes(&raw).unwrap()),
        "SecretKey(..)"
    );
}

#[test]
fn z85_is_that_of_the_rfc() {
    // 32/Z85, "HelloWorld", and the key of the RFC's CURVE example text form.
    let word = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B];
    let raw: [u8; 32] = [word; 4].concat().try_into().unwrap();
    assert_eq!(
        PublicKey(raw).to_z85(),
        *b"HelloWorldHelloWorldHelloWorldHelloWorld"
    );
}

/// A frame of the outer layer, of which `body` has arrived.
fn outer(flags: u8, len: u64, body: &[u8]) -> Vec<u8> {
    [&[flags | 2][..], &len.to_be_bytes(), body].concat()
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_header() {
    let limits = Limits {
        frame: 700,
        ..Limits::default()
    };
    let mut pair = Pair::new();
    pair.run().unwrap();
    let server = &mut pair.server;
    let decision = Decision::Allow;
    let decided = server
        .connection
        .authenticate(decision, &mut server.scratch);
    decided.unwrap();
    pair.run().unwrap();
    let session = pair.server.connection.mechanism_mut().take_session();
    let session = session.unwrap();
    let opener = || Opener::new(TestCrypto(0), &session, &limits, 0);
    let opening = |flags, len| opener().handle_input(&mut outer(flags, len, b""));
    assert_eq!(opening(0, 33), Ok(Opening::Incomplete));
    let long = Opening::Long {
        header_len: 9,
        body_len: 733,
    };
    // Commands of up to 64 KiB are waited for, so this is not yet long.
    assert_eq!(opening(0, 733), Ok(Opening::Incomplete));
    let few = Limits {
        command: 16,
        ..limits
    };
    let mut short_commands = Opener::new(TestCrypto(0), &session, &few, 0);
    assert_eq!(
        short_commands.handle_input(&mut outer(0, 733, b"")),
        Ok(long)
    );
    let inline = 33 + Receiver::INLINE_MIN as u64;
    let waits = short_commands.handle_input(&mut outer(0, inline, b""));
    assert_eq!(
        waits,
        Ok(Opening::Incomplete),
        "the receiver waits for it, too"
    );
    let too_large = ProtocolError::FrameTooLarge {
        len: 701,
        limit: 700,
    };
    assert_eq!(opening(0, 734), Err(too_large));
    for (flags, len) in [(0, 32), (0, 0), (1, 100)] {
        let malformed = ProtocolError::MalformedMessage { len };
        assert_eq!(opening(flags, len), Err(malformed));
    }
}
