//! The handshake: greetings, the mechanism's commands, metadata.

use crate::error::{ConfigError, HandshakeError};
use crate::frame::{self, FrameFlags, FrameHeader};
use crate::greeting::{self, AsServer, GREETING_LEN, Greeting};
use crate::mechanism::{Decision, ERROR, Mechanism, Outbox, Protection, Role, Step};
use crate::metadata::{self, Properties};
use crate::scratch::{COMMAND_MAX, Scratch};
use crate::{Config, Features, Instant, Limits, Offer, Receiver, SocketType, Transmitter, Version};
use core::ops::Range;
use zerocopy::IntoBytes;

/// A connection until it is established: greeting, mechanism, metadata.
///
/// The caller moves bytes and tells the time. In any order, until
/// [`status`](Self::status) says something else than `Handshaking`: give what
/// came in to [`handle_input`](Self::handle_input), write what
/// [`poll_output`](Self::poll_output) shows, and come back with
/// [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
/// The same [`Scratch`] goes with every call. Then
/// [`establish`](Self::establish) turns it into the two halves of the traffic.
#[derive(Debug)]
pub struct Connection<M> {
    mechanism: M,
    state: State,
    /// The deadline of the whole handshake: no byte moves it.
    deadline: Option<Instant>,
    socket_type: SocketType,
    offer: Option<Offer>,
    peer: Peer,
    /// Where the data of the last command starts in `Scratch::input`.
    data_start: usize,
    /// Where in `Scratch::input` the peer's metadata lies, or its reason for
    /// an ERROR.
    kept: Range<usize>,
    /// Bytes in `Scratch::output`, so that `status` needs no scratch.
    unsent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Commands,
    AwaitingDecision,
    /// The last byte that we wait for is in.
    Complete,
    Failed(HandshakeError),
}

/// How far a [`Connection`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for the peer, or for its output to be written.
    Handshaking,
    /// It waits for [`Connection::authenticate`], and reads no input until then.
    AwaitingDecision,
    /// All input is in and all output written: it can be established.
    Established,
    /// It is over. What [`Connection::poll_output`] still shows is worth a try.
    Failed,
}

/// What is known of the peer so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The version in its greeting, `0.0` before that; see
    /// [`Version::negotiated`] for the one in use.
    pub version: Version,
    /// Its socket type, `None` if it has not (yet) said.
    pub socket_type: Option<SocketType>,
    /// What it offers beyond ZMTP, if anything that we understand.
    pub offer: Option<Offer>,
}

impl<M: Mechanism> Connection<M> {
    /// Starts a handshake: our greeting is ready to be written at once.
    ///
    /// # Errors
    /// [`ConfigError`] where `config` breaks a rule that a peer would enforce.
    pub fn new(
        config: &Config<'_>,
        mechanism: M,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        scratch.clear();
        metadata::encode(config, &mut scratch.local)?;
        let greeting = Greeting::new(mechanism.name(), mechanism.role().as_server());
        // The scratch is empty, so that the greeting fits.
        if let Ok(room) = scratch.output.reserve(GREETING_LEN) {
            room.copy_from_slice(greeting.as_bytes());
        }
        let deadline = now.saturating_add(config.handshake_timeout);
        Ok(Self {
            mechanism,
            state: State::Greeting,
            deadline: (deadline.nanos() < u64::MAX).then_some(deadline),
            socket_type: config.socket_type,
            offer: config.offer,
            peer: Peer {
                version: Version { major: 0, minor: 0 },
                socket_type: None,
                offer: None,
            },
            data_start: 0,
            kept: 0..0,
            unsent: GREETING_LEN,
        })
    }

    /// Takes what the peer sent, and says how many bytes of it are consumed:
    /// all, unless the handshake is over or awaits a decision. A byte past the
    /// handshake is never consumed. O(bytes), allocates nothing.
    ///
    /// # Errors
    /// The connection has failed: write what `poll_output` still shows, close.
    pub fn handle_input(
        &mut self,
        input: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<usize, HandshakeError> {
        let mut consumed: usize = 0;
        while let Some(rest) = input.get(consumed..).filter(|rest| !rest.is_empty()) {
            let taken = match self.state {
                State::Greeting => self.read_greeting(rest, scratch),
                State::Commands => self.read_command(rest, scratch),
                State::AwaitingDecision | State::Complete => break,
                State::Failed(error) => Err(error),
            };
            consumed = consumed.saturating_add(self.settle(taken, scratch)?);
        }
        Ok(consumed)
    }

    /// The bytes to write now, also after an error (the ERROR command).
    #[must_use]
    pub fn poll_output<'s>(&self, scratch: &'s Scratch) -> &'s [u8] {
        scratch.output.pending()
    }

    /// The first `n` bytes of `poll_output` are written.
    pub fn output_written(&mut self, scratch: &mut Scratch, n: usize) {
        scratch.output.advance(n);
        self.unsent = scratch.output.pending().len();
    }

    /// When to call `handle_timeout`; `None` once the handshake is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.status() {
            Status::Handshaking | Status::AwaitingDecision => self.deadline,
            Status::Established | Status::Failed => None,
        }
    }

    /// It is `now`.
    ///
    /// # Errors
    /// [`HandshakeError::TimedOut`] once the handshake's time is up.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), HandshakeError> {
        if self.poll_timeout().is_some_and(|deadline| now >= deadline) {
            self.state = State::Failed(HandshakeError::TimedOut);
            return Err(HandshakeError::TimedOut);
        }
        Ok(())
    }

    /// Answers [`Status::AwaitingDecision`]. Call `handle_input` again then
    /// with the input that was left.
    ///
    /// # Errors
    /// [`HandshakeError::Denied`] where the decision is not `Allow`,
    /// [`HandshakeError::NoDecisionAwaited`] where none was awaited (no harm
    /// is done), or the earlier failure.
    pub fn authenticate(
        &mut self,
        decision: Decision,
        scratch: &mut Scratch,
    ) -> Result<(), HandshakeError> {
        match self.state {
            State::AwaitingDecision => {
                let outcome = self.decide(decision, scratch);
                self.settle(outcome, scratch)
            }
            State::Failed(error) => Err(error),
            _ => Err(HandshakeError::NoDecisionAwaited),
        }
    }

    /// How far the handshake is.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.state {
            State::Complete if self.unsent == 0 => Status::Established,
            State::Greeting | State::Commands | State::Complete => Status::Handshaking,
            State::AwaitingDecision => Status::AwaitingDecision,
            State::Failed(_) => Status::Failed,
        }
    }

    /// The mechanism, for the credentials to decide on.
    #[must_use]
    pub fn mechanism(&self) -> &M {
        &self.mechanism
    }

    /// What is known of the peer so far; all of it once established.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The extensions that are on: what both sides offered, and the mechanism
    /// leaves room for. Final once established.
    #[must_use]
    pub fn features(&self) -> Features {
        match (self.offer, self.peer.offer, self.mechanism.protection()) {
            (Some(ours), Some(theirs), Protection::None) => ours.agreed(theirs),
            _ => Features::NONE,
        }
    }

    /// The peer's identity; empty if it has none, or until its metadata is in.
    #[must_use]
    pub fn peer_identity<'s>(&self, scratch: &'s Scratch) -> &'s [u8] {
        metadata::identity(self.peer_metadata(scratch)).unwrap_or_default()
    }

    /// The peer's properties, its own as well as ZMTP's; none until its
    /// metadata is in.
    #[must_use]
    pub fn peer_properties<'s>(&self, scratch: &'s Scratch) -> Properties<'s> {
        Properties::new(self.peer_metadata(scratch))
    }

    /// Why the peer refused us, in its words; empty unless the handshake
    /// failed with [`HandshakeError::RefusedByPeer`].
    #[must_use]
    pub fn peer_reason<'s>(&self, scratch: &'s Scratch) -> &'s [u8] {
        match self.state {
            State::Failed(HandshakeError::RefusedByPeer { .. }) => self.kept(scratch),
            _ => &[],
        }
    }

    /// The two halves of the traffic, or `None` unless the status is
    /// [`Status::Established`].
    ///
    /// `inline_max` is the longest body that the receiver waits for in the
    /// caller's buffer (at least 512), see [`Receiver`].
    #[must_use]
    pub fn establish(self, limits: Limits, inline_max: usize) -> Option<(Receiver, Transmitter)> {
        if self.status() != Status::Established {
            return None;
        }
        let features = self.features();
        let receiver = Receiver::new(limits, inline_max, features);
        let transmitter = Transmitter::new(self.peer.version, features);
        Some((receiver, transmitter))
    }

    fn read_greeting(
        &mut self,
        input: &[u8],
        scratch: &mut Scratch,
    ) -> Result<usize, HandshakeError> {
        let missing = GREETING_LEN.saturating_sub(scratch.input.len());
        let taken = take(input, missing, scratch)?;
        greeting::check_prefix(&scratch.input)?;
        if taken == missing {
            self.greeting_received(scratch)?;
        }
        Ok(taken)
    }

    fn greeting_received(&mut self, scratch: &mut Scratch) -> Result<(), HandshakeError> {
        if let Some(greeting) = Greeting::read(&scratch.input) {
            let (ours, theirs) = (self.mechanism.name(), greeting.mechanism());
            if ours != theirs {
                return Err(HandshakeError::MechanismMismatch { ours, theirs });
            }
            // 37/ZMTP: exactly one side is the server. libzmq's servers say 0,
            // so that only a 1 from both is proof of the opposite.
            if self.mechanism.role() == Role::Server && greeting.as_server() == AsServer::Yes {
                return Err(HandshakeError::BothServers);
            }
            self.peer.version = greeting.version();
        }
        scratch.input.clear();
        self.state = State::Commands;
        let mut out = Outbox::new(&mut scratch.output, &scratch.local);
        let step = self.mechanism.start(&mut out)?;
        self.take_step(step, scratch)
    }

    fn read_command(
        &mut self,
        input: &[u8],
        scratch: &mut Scratch,
    ) -> Result<usize, HandshakeError> {
        let (wanted, header) = match command_header(&scratch.input)? {
            Err(header_len) => (header_len, None),
            Ok(header) => (header.total(), Some(header)),
        };
        let missing = wanted.saturating_sub(scratch.input.len());
        let taken = take(input, missing, scratch)?;
        // A header that completes here may complete its frame too: an empty one.
        let header = match header {
            Some(header) => Some(header),
            None => command_header(&scratch.input)?.ok(),
        };
        if let Some(header) = header
            && scratch.input.len() == header.total()
        {
            self.command_received(header, scratch)?;
        }
        Ok(taken)
    }

    fn command_received(
        &mut self,
        header: CommandHeader,
        scratch: &mut Scratch,
    ) -> Result<(), HandshakeError> {
        let malformed = HandshakeError::MalformedCommand {
            len: header.body_len,
        };
        let frame = scratch
            .input
            .get_mut(header.header_len..)
            .unwrap_or_default();
        if let Some(data) = frame.strip_prefix(GARBLED_ERROR) {
            let reason = error_reason(data).ok_or(malformed)?;
            let start = header.header_len.saturating_add(GARBLED_ERROR.len());
            return Err(self.refused(reason, start.saturating_add(1)));
        }
        let (name_len, rest) = frame.split_first_mut().ok_or(malformed)?;
        let name_len = usize::from(*name_len);
        let (name, data) = rest.split_at_mut_checked(name_len).ok_or(malformed)?;
        if name.is_empty() {
            return Err(malformed);
        }
        self.data_start = header.header_len.saturating_add(name_len).saturating_add(1);
        if name == ERROR.as_bytes() {
            let reason = error_reason(data).ok_or(malformed)?;
            return Err(self.refused(reason, self.data_start.saturating_add(1)));
        }
        let mut out = Outbox::new(&mut scratch.output, &scratch.local);
        let step = self.mechanism.handle_command(name, data, &mut out)?;
        self.take_step(step, scratch)
    }

    /// The peer sent ERROR with this reason, found there in the scratch.
    fn refused(&mut self, reason: &[u8], start: usize) -> HandshakeError {
        self.kept = start..start.saturating_add(reason.len());
        let status = status_code(reason);
        HandshakeError::RefusedByPeer { status }
    }

    fn decide(&mut self, decision: Decision, scratch: &mut Scratch) -> Result<(), HandshakeError> {
        let mut out = Outbox::new(&mut scratch.output, &scratch.local);
        let reason = match decision {
            Decision::Allow => {
                let step = self.mechanism.authenticated(&mut out)?;
                return self.take_step(step, scratch);
            }
            Decision::TryLater => None,
            Decision::Deny => Some("400"),
            Decision::Fail => Some("500"),
        };
        if let Some(reason) = reason {
            send_error(reason, &mut out)?;
        }
        let status = decision.status();
        Err(HandshakeError::Denied { status })
    }

    fn take_step(&mut self, step: Step, scratch: &mut Scratch) -> Result<(), HandshakeError> {
        self.state = match step {
            Step::Continue => {
                scratch.input.clear();
                State::Commands
            }
            Step::Pending => State::AwaitingDecision,
            Step::Metadata(range) => {
                let start = self.data_start.saturating_add(range.start);
                let end = self.data_start.saturating_add(range.end);
                self.kept = start..end;
                self.check_metadata(scratch)?;
                let mut out = Outbox::new(&mut scratch.output, &scratch.local);
                self.mechanism.metadata_accepted(&mut out)?;
                State::Complete
            }
        };
        Ok(())
    }

    fn check_metadata(&mut self, scratch: &mut Scratch) -> Result<(), HandshakeError> {
        let metadata = scratch.input.get(self.kept.clone()).unwrap_or_default();
        metadata::check(metadata)?;
        metadata::identity(metadata)?;
        let offer = metadata::find(metadata, Offer::PROPERTY);
        self.peer.offer = offer.and_then(Offer::decode);
        if let Some(theirs) = metadata::socket_type(metadata) {
            self.peer.socket_type = theirs;
            let ours = self.socket_type;
            if !theirs.is_some_and(|theirs| ours.accepts(theirs)) {
                let mut out = Outbox::new(&mut scratch.output, &scratch.local);
                send_error("incompatible socket types", &mut out)?;
                return Err(HandshakeError::IncompatibleSocketTypes { ours, theirs });
            }
        }
        Ok(())
    }

    /// Takes note of a failure, and of what is to be written.
    fn settle<T>(
        &mut self,
        outcome: Result<T, HandshakeError>,
        scratch: &Scratch,
    ) -> Result<T, HandshakeError> {
        self.unsent = scratch.output.pending().len();
        if let Err(error) = outcome {
            self.state = State::Failed(error);
        }
        outcome
    }

    fn peer_metadata<'s>(&self, scratch: &'s Scratch) -> &'s [u8] {
        match self.state {
            State::Complete => self.kept(scratch),
            _ => &[],
        }
    }

    fn kept<'s>(&self, scratch: &'s Scratch) -> &'s [u8] {
        scratch.input.get(self.kept.clone()).unwrap_or_default()
    }
}

/// How libzmq 4.3.5's PLAIN server starts an ERROR: the name's length 05 and
/// its first letter have become one byte. Without this, a wrong password
/// would look like a broken peer that is worth another try.
const GARBLED_ERROR: &[u8] = b"\x5ERROR";

/// A handshake command's header, judged.
#[derive(Clone, Copy)]
struct CommandHeader {
    header_len: usize,
    /// At most [`COMMAND_MAX`].
    body_len: usize,
}

impl CommandHeader {
    fn total(self) -> usize {
        self.header_len.saturating_add(self.body_len)
    }
}

/// The header at the start of `received`, or how many bytes it needs.
fn command_header(received: &[u8]) -> Result<Result<CommandHeader, usize>, HandshakeError> {
    let Some(&flags) = received.first() else {
        return Ok(Err(1));
    };
    let checked = FrameFlags::check(flags).map_err(|_| HandshakeError::BadFlags { flags })?;
    if !checked.is_command() {
        return Err(HandshakeError::TrafficTooEarly { flags });
    }
    let too_large = |len| HandshakeError::CommandTooLarge {
        len,
        limit: COMMAND_MAX,
    };
    match frame::read_header(received) {
        Ok(Some(FrameHeader {
            header_len,
            body_len,
            ..
        })) => {
            let len = usize::try_from(body_len).map_err(|_| too_large(body_len))?;
            if len > COMMAND_MAX {
                return Err(too_large(body_len));
            }
            Ok(Ok(CommandHeader {
                header_len,
                body_len: len,
            }))
        }
        Ok(None) if checked.is_long() => Ok(Err(frame::LONG_HEADER_LEN)),
        Ok(None) => Ok(Err(frame::SHORT_HEADER_LEN)),
        // The flags were fine, so it is the size.
        Err(_) => Err(too_large(u64::MAX)),
    }
}

/// Moves up to `wanted` bytes of `input` into the scratch, and says how many.
fn take(input: &[u8], wanted: usize, scratch: &mut Scratch) -> Result<usize, HandshakeError> {
    let piece = input.get(..wanted).unwrap_or(input);
    let too_large = HandshakeError::CommandTooLarge {
        len: wanted as u64,
        limit: COMMAND_MAX,
    };
    scratch
        .input
        .extend_from_slice(piece)
        .map_err(|_| too_large)?;
    Ok(piece.len())
}

fn send_error(reason: &str, out: &mut Outbox<'_>) -> Result<(), HandshakeError> {
    let len = u8::try_from(reason.len()).unwrap_or(u8::MAX);
    out.command(ERROR, &[&[len], reason.as_bytes()])
}

/// The reason in the data of an ERROR command, or `None` if it overruns.
pub(crate) fn error_reason(data: &[u8]) -> Option<&[u8]> {
    let (&len, rest) = data.split_first()?;
    rest.get(..usize::from(len))
}

/// The status code that a reason of three digits is (27/ZAP).
fn status_code(reason: &[u8]) -> Option<u16> {
    let digits: &[u8; 3] = reason.try_into().ok()?;
    core::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}
