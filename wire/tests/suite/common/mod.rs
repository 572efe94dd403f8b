//! What the scenarios share: two connections and the bytes between them.
// Each test binary uses its part of this.
#![allow(dead_code, unreachable_pub)]

pub mod decode;
pub mod reference;
pub mod vectors;

use ferromq_wire::*;

pub const START: Instant = Instant::from_nanos(1_000_000);

/// A connection with its scratch, and everything that it has written.
pub struct Side<M = Security> {
    pub connection: Connection<M>,
    pub scratch: Box<Scratch>,
}

impl<M: Mechanism> Side<M> {
    pub fn new(config: &Config<'_>, mechanism: M) -> Self {
        let mut scratch = Box::new(Scratch::new());
        let connection = Connection::new(config, mechanism, &mut scratch, START).unwrap();
        Self {
            connection,
            scratch,
        }
    }

    /// Feeds `bytes` in one piece; how many were consumed.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        let mut bytes = bytes.to_vec();
        self.connection.handle_input(&mut bytes, &mut self.scratch)
    }

    /// Everything that is to be written, as written.
    pub fn output(&mut self) -> Vec<u8> {
        let output = self.connection.poll_output(&self.scratch).to_vec();
        self.connection
            .output_written(&mut self.scratch, output.len());
        output
    }

    pub fn status(&self) -> Status {
        self.connection.status()
    }

    pub fn authenticate(&mut self, decision: Decision) -> Result<(), HandshakeError> {
        self.connection.authenticate(decision, &mut self.scratch)
    }

    pub fn identity(&self) -> &[u8] {
        self.connection.peer_identity(&self.scratch)
    }

    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.connection
            .peer_properties(&self.scratch)
            .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    pub fn establish(self, limits: Limits) -> (Receiver, Transmitter) {
        self.connection.establish(limits, 512).unwrap()
    }
}

pub fn null(socket_type: SocketType) -> Side {
    Side::new(&Config::new(socket_type), Security::Null(Null))
}

/// The greeting of a 3.1 peer with this mechanism.
pub fn greeting(mechanism: &str, as_server: u8) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 1];
    bytes.extend_from_slice(mechanism.as_bytes());
    bytes.resize(32, 0);
    bytes.push(as_server);
    bytes.resize(64, 0);
    bytes
}

/// A frame, encoded here and not by the crate: the long form where asked or
/// needed.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if flags & 2 != 0 || body.len() > 255 {
        bytes.push(flags | 2);
        bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
    } else {
        bytes.push(flags);
        bytes.push(body.len() as u8);
    }
    bytes.extend_from_slice(body);
    bytes
}

pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    frame(4, &body)
}

pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

pub fn ready(socket_type: &str) -> Vec<u8> {
    command("READY", &property("Socket-Type", socket_type.as_bytes()))
}

/// Both halves of one side of a fresh connection: its decoder and encoder,
/// whose peer talks `minor` and offers what we offer.
pub fn established(limits: Limits, minor: u8, offer: Option<Offer>) -> (Receiver, Transmitter) {
    let config = Config {
        offer,
        ..Config::new(SocketType::Dealer)
    };
    let mut side: Side = Side::new(&config, Security::Null(Null));
    let mut theirs = greeting("NULL", 0);
    theirs[11] = minor;
    let mut metadata = property("Socket-Type", b"DEALER");
    if let Some(offer) = offer {
        metadata.extend_from_slice(&property("X-FerroMQ", &offer.encode()));
    }
    theirs.extend_from_slice(&command("READY", &metadata));
    assert_eq!(side.feed(&theirs), Ok(theirs.len()));
    side.output();
    side.establish(limits)
}

/// The encoder of a fresh connection of `ours` to a peer that talks `minor`.
pub fn transmitter(ours: SocketType, minor: u8) -> Transmitter {
    let mut side = null(ours);
    let mut theirs = greeting("NULL", 0);
    theirs[11] = minor;
    let peer = SocketType::ALL.into_iter().find(|peer| peer.accepts(ours));
    theirs.extend_from_slice(&ready(peer.unwrap().name()));
    assert_eq!(side.feed(&theirs), Ok(theirs.len()));
    side.output();
    side.establish(Limits::default()).1
}

/// How a pair of sides moves its bytes.
pub trait Network {
    /// Feeds `bytes`, written by one side, to `to`; how many it consumed.
    fn deliver<M: Mechanism>(
        &mut self,
        bytes: &[u8],
        to: &mut Side<M>,
    ) -> Result<usize, HandshakeError>;
}

/// Everything at once.
pub struct Whole;

impl Network for Whole {
    fn deliver<M: Mechanism>(
        &mut self,
        bytes: &[u8],
        to: &mut Side<M>,
    ) -> Result<usize, HandshakeError> {
        to.feed(bytes)
    }
}

/// In pieces of this many bytes.
pub struct Pieces(pub usize);

impl Network for Pieces {
    fn deliver<M: Mechanism>(
        &mut self,
        bytes: &[u8],
        to: &mut Side<M>,
    ) -> Result<usize, HandshakeError> {
        let mut consumed = 0;
        for piece in bytes.chunks(self.0) {
            let taken = to.feed(piece)?;
            consumed += taken;
            if taken < piece.len() {
                break;
            }
        }
        Ok(consumed)
    }
}

/// Lets two sides talk until neither has anything to say, admitting everyone.
pub fn shake_hands<A: Mechanism, B: Mechanism>(
    a: &mut Side<A>,
    b: &mut Side<B>,
    network: &mut impl Network,
) -> Result<(), HandshakeError> {
    loop {
        let (from_a, from_b) = (a.output(), b.output());
        if from_a.is_empty() && from_b.is_empty() {
            return Ok(());
        }
        assert_eq!(network.deliver(&from_a, b)?, from_a.len());
        assert_eq!(network.deliver(&from_b, a)?, from_b.len());
        if a.status() == Status::AwaitingDecision {
            a.authenticate(Decision::Allow)?;
        }
        if b.status() == Status::AwaitingDecision {
            b.authenticate(Decision::Allow)?;
        }
    }
}
