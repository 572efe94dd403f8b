//! A link: the codec's machines over one end of a connection.

mod assembly;
mod output;

use ferromq_patterns::{PeerId, Subscription};
use ferromq_wire::{
    Config, Connection, Event, Features, Heartbeats, Instant, Limits, Null, Offer, ProtocolError,
    Receiver, Scratch, Status, Transmitter,
};
use std::time::Duration;

use crate::machine::Machine;
use crate::message::Message;
use crate::network::ConnectionId;
use crate::socket::Options;
use assembly::Assembly;
pub(crate) use output::Output;

/// The longest body that is waited for in `input`.
const INLINE_MAX: usize = 512;
/// Bytes that `input` holds: the longest frame decoded in place.
pub(crate) const INPUT_MAX: usize = INLINE_MAX + ferromq_wire::FRAME_OVERHEAD;

/// One end of a connection, shaking hands or established.
pub(crate) struct Link {
    pub(crate) connection: ConnectionId,
    pub(crate) side: u8,
    handshake: Option<Box<Handshake>>,
    halves: Option<(Receiver, Transmitter)>,
    pub(crate) heartbeats: Option<Heartbeats>,
    pub(crate) output: Output,
    input: Vec<u8>,
    body: Option<Vec<u8>>,
    assembly: Assembly,
    /// Whole messages that came, by the network's count.
    pub(crate) arrived: u64,
    /// Messages whose last frame was decoded.
    pub(crate) decoded: u64,
}

struct Handshake {
    connection: Connection<Null>,
    scratch: Scratch,
}

/// What decoding came to.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A message for the application, with the envelope in front of it (REP).
    Message {
        envelope: Message,
        message: Message,
        /// Changes of topics that there had been when its first frame came.
        begun: usize,
    },
    /// A message that the pattern refused has ended.
    Refused(ferromq_patterns::Reason),
    /// The peer subscribes or cancels.
    Subscription(Subscription, Vec<u8>),
    /// More bytes are needed.
    Starved,
}

/// When decoding happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// Changes of the socket's topics so far.
    pub(crate) topics: usize,
}

/// How far shaking hands is.
pub(crate) enum Shaken {
    /// Not done.
    Going,
    /// Done: the peer's identity.
    Done(Vec<u8>),
    /// It came to nothing.
    Failed,
}

impl Link {
    pub(crate) fn new(
        connection: ConnectionId,
        side: u8,
        kind: ferromq_wire::SocketType,
        options: &Options,
        identity: &[u8],
        now: Instant,
    ) -> Self {
        let mut scratch = Scratch::new();
        let config = Config {
            identity,
            offer: options.checksums.then(|| Offer::new(Features::CRC)),
            handshake_timeout: Duration::from_micros(options.handshake),
            ..Config::new(kind)
        };
        let handshake = Connection::new(&config, Null, &mut scratch, now)
            .expect("the scenarios' identities are short and start with a letter");
        Self {
            connection,
            side,
            handshake: Some(Box::new(Handshake {
                connection: handshake,
                scratch,
            })),
            halves: None,
            heartbeats: None,
            output: Output::default(),
            input: Vec::new(),
            body: None,
            assembly: Assembly::default(),
            arrived: 0,
            decoded: 0,
        }
    }

    /// Bytes that may be read into `input`.
    pub(crate) fn room(&self) -> usize {
        INPUT_MAX.saturating_sub(self.input.len())
    }

    /// Where read bytes go.
    pub(crate) fn input_mut(&mut self) -> &mut Vec<u8> {
        &mut self.input
    }

    /// Whole messages that came and were not decoded.
    pub(crate) fn undecoded(&self) -> u64 {
        self.arrived - self.decoded
    }

    /// When the handshake or the heartbeats want to be asked.
    pub(crate) fn due(&self) -> Option<Instant> {
        match (&self.handshake, &self.heartbeats) {
            (Some(handshake), _) => handshake.connection.poll_timeout(),
            (None, Some(heartbeats)) => heartbeats.poll_timeout(),
            (None, None) => None,
        }
    }

    /// Goes on with the handshake as far as its input goes, and `write` takes its
    /// output.
    pub(crate) fn shake(
        &mut self,
        options: &Options,
        now: Instant,
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Shaken {
        let Some(mut handshake) = self.handshake.take() else {
            return Shaken::Failed;
        };
        let Handshake {
            connection,
            scratch,
        } = &mut *handshake;
        if connection.handle_timeout(now).is_err() {
            return Shaken::Failed;
        }
        let taken = connection.handle_input(&mut self.input, scratch);
        // An ERROR goes out, too: it is worth a try.
        let written = write(connection.poll_output(scratch));
        connection.output_written(scratch, written);
        let Ok(taken) = taken else {
            return Shaken::Failed;
        };
        self.input.drain(..taken);
        if connection.status() != Status::Established {
            self.handshake = Some(handshake);
            return Shaken::Going;
        }
        let identity = connection.peer_identity(scratch).to_vec();
        self.halves = handshake.connection.establish(LIMITS, INLINE_MAX);
        if let (Some(config), Some((_, transmitter))) = (options.heartbeats(), &self.halves) {
            let version = transmitter.peer_version();
            self.heartbeats = Some(Heartbeats::new(config, version, now));
        }
        Shaken::Done(identity)
    }

    /// Decodes until something is worth telling.
    pub(crate) fn decode(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        moment: Moment,
    ) -> Result<Decoded, ProtocolError> {
        loop {
            let Some((receiver, _)) = &mut self.halves else {
                return Ok(Decoded::Starved);
            };
            if let Some(body) = &mut self.body
                && receiver.body_missing() > 0
            {
                let missing = receiver.body_missing() as usize;
                let taken = missing.min(self.input.len());
                receiver.body_received(&mut self.input[..taken]);
                body.extend(self.input.drain(..taken));
                if taken < missing {
                    return Ok(Decoded::Starved);
                }
            }
            let progress = receiver.handle_input(&mut self.input)?;
            let Some(event) = progress.event else {
                self.input.drain(..progress.consumed);
                return Ok(Decoded::Starved);
            };
            let decoded = self.take_event(event, id, machine, moment);
            self.input.drain(..progress.consumed);
            if let Some(decoded) = decoded {
                return Ok(decoded);
            }
        }
    }

    fn take_event(
        &mut self,
        event: Event,
        id: PeerId,
        machine: &mut Machine,
        moment: Moment,
    ) -> Option<Decoded> {
        let subscription = |what, topic| Some(Decoded::Subscription(what, topic));
        match event {
            Event::Frame { more, body } => {
                let decoded = self
                    .assembly
                    .add(id, machine, &self.input[body], more, moment);
                self.count(more, &decoded);
                decoded
            }
            Event::Body { len, .. } => {
                self.body = Some(Vec::with_capacity(len as usize));
                None
            }
            Event::BodyDone { more } => {
                let body = self.body.take().unwrap_or_default();
                self.decoded += u64::from(!more);
                self.assembly.add(id, machine, &body, more, moment)
            }
            Event::Ping { ttl, context } => {
                let context = self.input[context].to_vec();
                self.pinged(ttl, &context, moment.now);
                None
            }
            Event::Pong => {
                if let Some(heartbeats) = &mut self.heartbeats {
                    heartbeats.pong_received();
                }
                None
            }
            Event::Subscribe { topic } | Event::Join { group: topic } => {
                subscription(Subscription::Subscribe, self.input[topic].to_vec())
            }
            Event::Cancel { topic } | Event::Leave { group: topic } => {
                subscription(Subscription::Cancel, self.input[topic].to_vec())
            }
            Event::Reference { .. } | Event::Release { .. } => {
                unreachable!("nobody here offers it, and the decoder knows that")
            }
        }
    }

    /// A subscriber's messages are subscriptions, and not counted as messages.
    fn count(&mut self, more: bool, decoded: &Option<Decoded>) {
        let subscription = matches!(decoded, Some(Decoded::Subscription(..)));
        self.decoded += u64::from(!more && !subscription);
    }

    fn pinged(&mut self, ttl: Duration, context: &[u8], now: Instant) {
        if let Some((_, transmitter)) = &self.halves {
            let version = transmitter.peer_version();
            let idle = ferromq_wire::HeartbeatConfig::default;
            self.heartbeats
                .get_or_insert_with(|| Heartbeats::new(idle(), version, now))
                .ping_received(ttl, context, now);
        }
    }

    /// The sending half and what it writes into, once established.
    pub(crate) fn sending(&mut self) -> Option<(&mut Transmitter, &mut Output)> {
        let (_, transmitter) = self.halves.as_mut()?;
        Some((transmitter, &mut self.output))
    }

    /// Puts the PONG that is due into the output.
    pub(crate) fn append_pong(&mut self) {
        if let (Some((_, transmitter)), Some(heartbeats)) = (&mut self.halves, &mut self.heartbeats)
            && let Some(pong) = heartbeats.poll_pong()
        {
            let context = pong.as_ref();
            let pong = ferromq_wire::Command::Pong { context };
            self.output.append_command(transmitter, pong);
        }
    }

    /// A planted bug: the next link goes on with this one's half message.
    pub(crate) fn inherit(&mut self, partial: Message) {
        self.assembly.frames = partial;
    }

    /// What was assembled of a message that never came whole.
    pub(crate) fn partial(&mut self) -> Message {
        std::mem::take(&mut self.assembly.frames)
    }
}

/// Generous: no peer here is hostile. Long commands do not exist.
const LIMITS: Limits = Limits {
    frame: 4096,
    message: 1 << 16,
    parts: 16,
    command: INLINE_MAX as u64,
};
