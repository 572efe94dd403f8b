//! CURVE between two that are honest, and somebody on the way who is not.
//!
//! ```text
//!   client ──output──► cut, changed, repeated, invented ──pieces──► server
//!          ◄───────────────────────── the same ─────────────────────
//! ```
//! Whatever happens on the way: both see the other's true identity or none, and what
//! one receives is what the other sent, in order. Whole frames may be missing: nonces
//! ascend, and need not ascend by one (26/CURVEZMQ).

use ferromq_wire::{
    Config, Connection, CurveClient, CurveServer, Decision, Event, FrameFlags, Instant, Limits,
    Mechanism, Opener, Opening, PublicKey, Receiver, Scratch, Sealer, Session, SocketType, Status,
};

use super::Input;
use super::crypto::ToyCrypto;
use ferromq_wire::Crypto;

/// What a side may say in a handshake, with its retries.
const OUTPUT_MAX: usize = 8 * 1024;
/// As small as can be asked for: bodies over [`Receiver::INLINE_MIN`] are opened where
/// they were gathered.
const INLINE: usize = 0;

/// Target `curve`. Settings: what whoever decides on the client says; then, for each
/// flight of bytes, what is done to it; then frames, and what is done to them.
pub(crate) fn fuzz_curve(data: &[u8]) {
    let mut input = Input(data.get(..4096).unwrap_or(data));
    let Some(settings) = input.byte() else { return };
    let decision = match settings % 8 {
        0 => Decision::Deny,
        1 => Decision::TryLater,
        _ => Decision::Allow,
    };
    let mut keys = ToyCrypto(1);
    let (server_key, server_secret) = keys.key_pair();
    let (client_key, client_secret) = keys.key_pair();
    let known = match settings & 8 {
        0 => server_key,
        _ => PublicKey([9; 32]),
    };
    let mut client = Side::new(
        SocketType::Dealer,
        b"client",
        CurveClient::new(ToyCrypto(2), known, client_key, client_secret),
    );
    let mut server = Side::new(
        SocketType::Router,
        b"server",
        CurveServer::new(ToyCrypto(3), server_key, server_secret),
    );
    for _ in 0..6 {
        let flight = spoil(client.output(), &mut input);
        server.input(&flight);
        if server.connection.status() == Status::AwaitingDecision {
            let asks = server.connection.mechanism().client_key();
            assert_eq!(asks, Some(client_key), "nobody else has the vouch for it");
            let _ = server
                .connection
                .authenticate(decision, &mut server.scratch);
        }
        let flight = spoil(server.output(), &mut input);
        client.input(&flight);
    }
    let both = client.is_established() && server.is_established();
    let may = decision == Decision::Allow && known == server_key;
    assert!(may || !client.is_established(), "let in by nobody");
    if server.is_established() {
        let identity = server.connection.peer_identity(&server.scratch);
        assert_eq!(identity, b"client");
    }
    if client.is_established() {
        let identity = client.connection.peer_identity(&client.scratch);
        assert_eq!(identity, b"server");
    }
    if both {
        let sent = client.connection.mechanism_mut().take_session();
        let received = server.connection.mechanism_mut().take_session();
        let receiver = server.connection.establish(limits(), INLINE);
        let ends = (sent, received, receiver.map(|(receiver, _)| receiver));
        let (Some(sent), Some(received), Some(receiver)) = ends else {
            panic!("established without a session");
        };
        let end = talk(&sent, &received, receiver, &mut input);
        assert_eq!(end, None, "the data ends the run");
    }
}

/// One side of a handshake.
struct Side<M> {
    connection: Connection<M>,
    scratch: Scratch,
    unread: Vec<u8>,
    said: usize,
}

impl<M: Mechanism> Side<M> {
    fn new(socket_type: SocketType, identity: &[u8], mechanism: M) -> Self {
        let mut scratch = Scratch::new();
        let config = Config {
            identity,
            ..Config::new(socket_type)
        };
        let now = Instant::from_nanos(0);
        let connection = Connection::new(&config, mechanism, &mut scratch, now);
        Self {
            connection: connection.expect("the configuration breaks no rule"),
            scratch,
            unread: Vec::new(),
            said: 0,
        }
    }

    fn is_established(&self) -> bool {
        self.connection.status() == Status::Established
    }

    fn output(&mut self) -> Vec<u8> {
        let output = self.connection.poll_output(&self.scratch).to_vec();
        self.connection
            .output_written(&mut self.scratch, output.len());
        self.said += output.len();
        assert!(
            self.said <= OUTPUT_MAX,
            "one handshake, {} bytes",
            self.said
        );
        output
    }

    fn input(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Ok(consumed) = self
            .connection
            .handle_input(&mut self.unread, &mut self.scratch)
        {
            assert!(consumed <= self.unread.len());
            self.unread.drain(..consumed);
            if consumed == 0 {
                return;
            }
        }
        assert_eq!(self.connection.status(), Status::Failed);
    }
}

/// What arrives of a flight of bytes. Without data it arrives as it was.
fn spoil(mut flight: Vec<u8>, input: &mut Input<'_>) -> Vec<u8> {
    if flight.is_empty() {
        return flight;
    }
    let Some(action) = input.byte() else {
        return flight;
    };
    let place = |input: &mut Input<'_>, len: usize| -> usize {
        usize::from(input.word().unwrap_or_default()) % len.max(1)
    };
    match action % 8 {
        0 => {
            let at = place(input, flight.len());
            flight[at] ^= input.byte().unwrap_or(1);
        }
        1 => flight.truncate(place(input, flight.len())),
        2 => {
            let again = flight.clone();
            flight.extend(again);
        }
        3 => {
            let at = place(input, flight.len());
            let invented = input.bytes(64).unwrap_or_default();
            flight.splice(at..at, invented.iter().copied());
        }
        _ => {}
    }
    flight
}

fn limits() -> Limits {
    Limits {
        frame: 800,
        command: 40,
        ..Limits::default()
    }
}

/// What the client sends, frame by frame, and the server hears.
fn talk(
    sent: &Session,
    received: &Session,
    receiver: Receiver,
    input: &mut Input<'_>,
) -> Option<()> {
    let mut sealer = Sealer::new(ToyCrypto(4), sent);
    let mut ear = Ear {
        opener: Opener::new(ToyCrypto(5), received, &limits(), INLINE),
        receiver,
        heard: Vec::new(),
    };
    let mut said: Vec<(bool, Vec<u8>)> = Vec::new();
    loop {
        let body = vec![input.byte()?; usize::from(input.word()?) % 900];
        let more = body.len() % 2 == 1;
        let flags = match more {
            true => FrameFlags::MORE,
            false => FrameFlags::LAST,
        };
        let mut frame = vec![0; body.len() + Sealer::<ToyCrypto>::OVERHEAD];
        let len = sealer.seal(flags, &body, &mut frame);
        frame.truncate(len);
        said.push((more, body));
        let heard = ear.hear(&spoil(frame, input));
        assert!(is_part(&ear.heard, &said), "{:?} of {said:?}", ear.heard);
        heard?;
    }
}

/// Whether `heard` is `said` with some left out.
fn is_part<T: PartialEq>(heard: &[T], said: &[T]) -> bool {
    let mut said = said.iter();
    heard.iter().all(|frame| said.any(|other| other == frame))
}

/// The receiving side of an established connection.
struct Ear {
    opener: Opener<ToyCrypto>,
    receiver: Receiver,
    heard: Vec<(bool, Vec<u8>)>,
}

impl Ear {
    /// `None` once the connection is over.
    fn hear(&mut self, flight: &[u8]) -> Option<()> {
        let mut unread = flight.to_vec();
        while !unread.is_empty() {
            match self.opener.handle_input(&mut unread).ok()? {
                // What was cut off never comes: the connection would wait for it.
                Opening::Incomplete => return None,
                Opening::Plain { skip, len } => {
                    let plain = &mut unread[skip..skip + len];
                    let progress = self.receiver.handle_input(plain).ok()?;
                    assert!(progress.consumed == len);
                    if let Some(Event::Frame { more, body }) = progress.event {
                        let body = plain[body].to_vec();
                        self.heard.push((more, body));
                    }
                    unread.drain(..skip + len);
                }
                Opening::Long {
                    header_len,
                    body_len,
                } => {
                    let end = header_len + usize::try_from(body_len).ok()?;
                    let body = unread.get_mut(header_len..end)?;
                    let opened = self.opener.open_long(body).ok()?;
                    let payload = body[Opener::<ToyCrypto>::PAYLOAD..].to_vec();
                    let mut header = opened.header.as_ref().to_vec();
                    self.receiver.handle_input(&mut header).ok()?;
                    self.receiver.body_handed_over();
                    let done = self.receiver.handle_input(&mut []).ok()?;
                    let Some(Event::BodyDone { more }) = done.event else {
                        panic!("a whole body, and {done:?}");
                    };
                    self.heard.push((more, payload));
                    unread.drain(..end);
                }
            }
        }
        Some(())
    }
}
