//! The handshake: greetings, the mechanism's commands, metadata.

mod reading;

use crate::error::{ConfigError, HandshakeError};
use crate::greeting::{GREETING_LEN, Greeting};
use crate::mechanism::{Decision, ERROR, Mechanism, Outbox, Protection, Step};
use crate::metadata::{self, Properties};
use crate::scratch::Scratch;
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

    /// The mechanism, to take the session of CURVE from once it is established.
    pub fn mechanism_mut(&mut self) -> &mut M {
        &mut self.mechanism
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
        let (Some(ours), Some(theirs)) = (self.offer, self.peer.offer) else {
            return Features::NONE;
        };
        let agreed = ours.agreed(theirs);
        match self.mechanism.protection() {
            // A payload elsewhere is in no frame that a checksum covers.
            Protection::None if agreed.contains(Features::CRC) => {
                agreed.without(Features::BY_REFERENCE)
            }
            Protection::None => agreed,
            // Frames are sealed, and pass over any path.
            _ => agreed & (Features::SWITCH | Features::FABRIC),
        }
    }

    /// The peer's identity; empty if it has none, or until its metadata is in.
    /// While a decision is awaited it is what the peer claims so far.
    #[must_use]
    pub fn peer_identity<'s>(&self, scratch: &'s Scratch) -> &'s [u8] {
        let metadata = match self.state {
            State::AwaitingDecision => self.kept(scratch),
            _ => self.peer_metadata(scratch),
        };
        metadata::identity(metadata).unwrap_or_default()
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
        let transmitter = Transmitter::new(self.socket_type, self.peer.version, features);
        Some((receiver, transmitter))
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
            Step::Pending => {
                let metadata = self.mechanism.pending_metadata().unwrap_or_default();
                let start = self.data_start.saturating_add(metadata.start);
                let end = self.data_start.saturating_add(metadata.end);
                self.kept = start..end;
                State::AwaitingDecision
            }
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
