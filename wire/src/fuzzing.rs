//! The bodies of the fuzz targets. They panic where the codec is wrong: an
//! answer out of bounds, or another answer to the same bytes in pieces.
//!
//! The first bytes of the data choose the settings, the rest is the stream.

use crate::{
    Config, Connection, Decision, Event, Features, HandshakeError, Instant, Limits, Mechanism,
    Null, NullServer, Offer, PlainClient, PlainServer, ProtocolError, Receiver, Reference, Scratch,
    Security, SocketType, Status,
};
use crc32fast::Hasher;
use heapless::Vec;

/// Streams are cut off here.
const STREAM_MAX: usize = 16 * 1024;
type Buffer = Vec<u8, STREAM_MAX>;

/// Target `greeting`: a NULL socket meets whatever comes.
pub fn fuzz_greeting(data: &[u8]) {
    let setup = Setup {
        security: 0,
        socket_type: SocketType::Dealer,
        decision: Decision::Allow,
        offer: None,
    };
    compare_handshakes(&setup, 0, data);
}

/// Target `handshake`: any mechanism and socket type. Settings: mechanism,
/// socket type, decision, length of the pieces.
pub fn fuzz_handshake(data: &[u8]) {
    let [security, socket_type, decision, piece, stream @ ..] = data else {
        return;
    };
    let at = usize::from(*socket_type).checked_rem(SocketType::ALL.len());
    let setup = Setup {
        security: *security,
        socket_type: at
            .and_then(|at| SocketType::ALL.get(at))
            .copied()
            .unwrap_or(SocketType::Pair),
        decision: match decision & 3 {
            0 => Decision::TryLater,
            1 => Decision::Deny,
            2 => Decision::Fail,
            _ => Decision::Allow,
        },
        offer: match decision & 12 {
            0 | 8 => None,
            4 => Some(Offer::new(Features::CRC)),
            _ => Some(Offer::new(Features::BY_REFERENCE | Features::SWITCH)),
        },
    };
    compare_handshakes(&setup, *piece, stream);
}

/// Target `frames`: the traffic of an established connection. Settings: what is
/// agreed on (checksums, limits, frames by reference), length of the pieces.
pub fn fuzz_frames(data: &[u8]) {
    let [settings, piece, stream @ ..] = data else {
        return;
    };
    let stream = stream.get(..STREAM_MAX).unwrap_or(stream);
    let by_reference = match settings & 4 {
        0 => Features::NONE,
        _ => Features::BY_REFERENCE,
    };
    let features = Features::from_bits(u32::from(settings & 1)) | by_reference;
    let limits = if settings & 2 == 0 {
        Limits::NONE
    } else {
        Limits {
            frame: 600,
            message: 900,
            parts: 4,
            command: 512,
        }
    };
    let receiver = || Receiver::new(limits, 0, features);
    let whole = read(receiver(), stream, STREAM_MAX);
    let pieces = read(receiver(), stream, usize::from(*piece).max(1));
    assert_eq!(whole, pieces);
}

struct Setup {
    security: u8,
    socket_type: SocketType,
    decision: Decision,
    offer: Option<Offer>,
}

/// How a handshake went.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: Status,
    error: Option<HandshakeError>,
    /// Bytes of the stream that the handshake took; of no meaning after an error.
    consumed: usize,
    written: u32,
    traffic: Option<Traffic>,
}

fn compare_handshakes(setup: &Setup, piece: u8, stream: &[u8]) {
    let stream = stream.get(..STREAM_MAX).unwrap_or(stream);
    let whole = shake_hands(setup, stream, STREAM_MAX);
    let pieces = shake_hands(setup, stream, usize::from(piece).max(1));
    assert_eq!(whole, pieces);
}

fn shake_hands(setup: &Setup, stream: &[u8], piece: usize) -> Outcome {
    let security = match (setup.security % 4, PlainClient::new(b"user", b"pass")) {
        (1, Ok(client)) => Security::PlainClient(client),
        (2, _) => Security::PlainServer(PlainServer::new()),
        (3, _) => Security::NullServer(NullServer::new()),
        _ => Security::Null(Null),
    };
    let config = Config {
        offer: setup.offer,
        ..Config::new(setup.socket_type)
    };
    let mut scratch = Scratch::new();
    let Ok(mut connection) =
        Connection::new(&config, security, &mut scratch, Instant::from_nanos(0))
    else {
        unreachable!("the configuration breaks no rule");
    };
    let mut hasher = Hasher::new();
    let mut consumed: usize = 0;
    let mut end: usize = 0;
    let error = loop {
        end = end.saturating_add(piece).min(stream.len());
        let fed = feed(
            &mut connection,
            &mut scratch,
            stream,
            consumed..end,
            setup.decision,
        );
        // Whatever was written before is flushed first, so that pieces do not matter.
        let output = connection.poll_output(&scratch);
        hasher.update(output);
        let len = output.len();
        connection.output_written(&mut scratch, len);
        match fed {
            Ok(taken) => consumed = consumed.saturating_add(taken),
            Err(error) => break Some(error),
        }
        if end == stream.len() {
            break None;
        }
    };
    check_metadata(&connection, &scratch);
    let status = connection.status();
    let rest = stream.get(consumed..).unwrap_or_default();
    let halves = connection.establish(Limits::default(), 0);
    assert_eq!(halves.is_some(), status == Status::Established);
    Outcome {
        status,
        error,
        consumed: if error.is_some() { 0 } else { consumed },
        written: hasher.finalize(),
        traffic: halves.map(|(receiver, _)| read(receiver, rest, piece)),
    }
}

/// Feeds a range of the stream, deciding where a decision is awaited.
fn feed(
    connection: &mut Connection<Security>,
    scratch: &mut Scratch,
    stream: &[u8],
    range: core::ops::Range<usize>,
    decision: Decision,
) -> Result<usize, HandshakeError> {
    let mut input: Buffer = Vec::new();
    let fits = input.extend_from_slice(stream.get(range).unwrap_or_default());
    assert!(fits.is_ok());
    let mut consumed: usize = 0;
    loop {
        let rest = input.get_mut(consumed..).unwrap_or_default();
        let available = rest.len();
        let taken = connection.handle_input(rest, scratch)?;
        assert!(taken <= available);
        consumed = consumed.saturating_add(taken);
        if connection.status() != Status::AwaitingDecision {
            return Ok(consumed);
        }
        connection.authenticate(decision, scratch)?;
    }
}

fn check_metadata<M: Mechanism>(connection: &Connection<M>, scratch: &Scratch) {
    assert!(connection.peer_properties(scratch).count() <= 32);
    assert!(connection.peer_identity(scratch).len() <= 255);
    assert!(connection.peer_reason(scratch).len() <= 255);
}

/// What a stream of traffic comes to.
#[derive(Debug, PartialEq)]
struct Traffic {
    events: u32,
    /// Over all complete events and their bytes.
    digest: u32,
    ignored: u32,
    error: Option<ProtocolError>,
}

/// Reads `stream` in pieces, as a runtime would.
fn read(receiver: Receiver, stream: &[u8], piece: usize) -> Traffic {
    let mut reader = Reader {
        receiver,
        buffer: Vec::new(),
        events: 0,
        complete: Hasher::new(),
        partial: Hasher::new(),
    };
    let error = stream
        .chunks(piece)
        .try_for_each(|piece| reader.read(piece))
        .err();
    Traffic {
        events: reader.events,
        digest: reader.complete.finalize(),
        ignored: reader.receiver.ignored(),
        error,
    }
}

struct Reader {
    receiver: Receiver,
    buffer: Buffer,
    events: u32,
    complete: Hasher,
    /// `complete`, and as much of a long body as there is.
    partial: Hasher,
}

impl Reader {
    fn read(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        assert!(self.buffer.extend_from_slice(piece).is_ok());
        loop {
            self.read_body();
            let progress = self.receiver.handle_input(&mut self.buffer)?;
            assert!(progress.consumed <= self.buffer.len());
            if let Some(event) = &progress.event {
                self.note(event, progress.consumed);
            }
            self.discard(progress.consumed);
            if progress.event.is_none() {
                return Ok(());
            }
        }
    }

    fn read_body(&mut self) {
        let missing = usize::try_from(self.receiver.body_missing()).unwrap_or(usize::MAX);
        let len = missing.min(self.buffer.len());
        let body = self.buffer.get_mut(..len).unwrap_or_default();
        self.receiver.body_received(body);
        self.partial.update(body);
        self.discard(len);
    }

    fn note(&mut self, event: &Event, consumed: usize) {
        let (tag, range) = match event {
            Event::Frame { more, body } => (u8::from(*more), body.clone()),
            Event::Body { more, .. } => {
                self.partial = self.complete.clone();
                self.partial.update(&[u8::from(*more)]);
                return;
            }
            Event::BodyDone { .. } => {
                self.complete = self.partial.clone();
                self.events = self.events.saturating_add(1);
                return;
            }
            Event::Ping { context, .. } => (2, context.clone()),
            Event::Pong => (3, 0..0),
            Event::Subscribe { topic } => (4, topic.clone()),
            Event::Cancel { topic } => (5, topic.clone()),
            Event::Join { group } => (6, group.clone()),
            Event::Leave { group } => (7, group.clone()),
            Event::Reference { more, body } => {
                let said = self.buffer.get(body.clone()).unwrap_or_default();
                assert!(Reference::decode(said).is_some());
                self.complete.update(&[8, u8::from(*more)]);
                (9, body.clone())
            }
            Event::Release { token } => {
                self.complete.update(&token.to_be_bytes());
                (10, 0..0)
            }
        };
        assert!(range.start <= range.end && range.end <= consumed);
        self.complete.update(&[tag]);
        self.complete
            .update(self.buffer.get(range).unwrap_or_default());
        self.events = self.events.saturating_add(1);
    }

    fn discard(&mut self, len: usize) {
        let left = self.buffer.len().saturating_sub(len);
        self.buffer.copy_within(len.., 0);
        self.buffer.truncate(left);
    }
}
