//! A connection on its way to being established.

mod admission;
mod opening;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::Link;
use ferromq_wire::{Connection, HandshakeError, Scratch, Status};

use super::ConnectorId;
use super::timers::TimerId;
use crate::inproc::End;
use crate::link::Sealing;
use crate::security::{AuthenticationRequest, NaCl, NoVerdict, Verdict};
use crate::socket::{Core, Established, Unauthenticated};
use crate::{Options, PeerInfo};

type Security = ferromq_wire::Security<NaCl>;

/// Bytes read at once: more than any handshake needs in one piece.
const READ: usize = 4096;
/// Bytes kept that are not the handshake's. More stay with the transport until
/// the peer has taken what we still have to write.
const UNREAD_MAX: usize = 4 * READ;

/// Longest time to decide on a peer: one that has an end.
const LONGEST: Duration = Duration::from_secs(3600);

/// Where a connection came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Accepted,
    Connected(ConnectorId),
}

/// How far a handshake has come.
pub(super) enum Progress {
    Pending,
    /// It waits for [`Handshake::answer`] to this.
    Asks(Box<AuthenticationRequest>),
    /// It waits for [`Handshake::answer`], which is no, and late.
    IsRefused,
    Established(Box<Established>),
    Failed(Failure),
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: String,
    /// The peer said no to who we are: asking again would not change that
    /// (37/ZMTP, ERROR).
    pub(super) is_final: bool,
    /// It is about who somebody is: the peer, or we.
    pub(super) unauthenticated: Option<Unauthenticated>,
}

impl From<String> for Failure {
    fn from(cause: String) -> Self {
        Self {
            cause,
            is_final: false,
            unauthenticated: None,
        }
    }
}

impl From<NoVerdict> for Failure {
    /// Not the peer's fault: it is told nothing, so that it comes back.
    fn from(cause: NoVerdict) -> Self {
        Self {
            unauthenticated: Some(Unauthenticated::NoVerdict),
            ..Self::from(cause.to_string())
        }
    }
}

/// How a handshake stands with whoever decides on its peer.
enum Admission {
    /// The socket's own list is all there is, or the peer has not yet said who
    /// it is.
    Unasked,
    /// Somebody was asked and has not answered.
    Asked,
    /// This was the answer.
    Answered(Box<Verdict>),
}

/// What a handshake needs next.
enum Turn {
    /// Its peer, or an answer that is under way.
    Wait,
    /// An answer to this.
    Ask(Box<AuthenticationRequest>),
    /// To be told no, after a while.
    Refuse,
    /// Nothing.
    Over,
}

pub(super) struct Handshake {
    pub(super) core: Arc<Core>,
    options: Arc<Options>,
    pub(super) link: Box<dyn Link>,
    pub(super) origin: Origin,
    /// The endpoint that was bound or connected.
    pub(super) endpoint: Arc<str>,
    pub(super) serial: u64,
    pub(super) deadline: Option<Instant>,
    /// What fires then.
    pub(super) timer: Option<TimerId>,
    connection: Connection<Security>,
    admission: Admission,
    scratch: Box<Scratch>,
    /// Bytes read and not consumed: at the end, the first traffic.
    unread: Vec<u8>,
    /// The peer closed; what it said before is still looked at.
    ended: bool,
    /// We offered extensions, and the peer may have hung up because of it.
    pub(super) offered: bool,
}

impl Handshake {
    pub(super) fn new(
        core: Arc<Core>,
        options: Arc<Options>,
        mut link: Box<dyn Link>,
        origin: Origin,
        endpoint: Arc<str>,
        offer: bool,
        serial: u64,
    ) -> Result<Self, String> {
        let mut scratch = Box::<Scratch>::default();
        let hands_over = End::of(&mut *link).is_some();
        let offered = offer && options.extensions && !hands_over;
        let beginning = opening::Beginning {
            socket_type: core.socket_type,
            options: &options,
            // In one process there is nobody to keep out.
            secured: !hands_over,
            accepted: origin == Origin::Accepted,
            offered,
        };
        let connection = beginning.connection(&mut scratch)?;
        let deadline = Instant::now().checked_add(options.handshake_timeout);
        Ok(Self {
            core,
            options,
            link,
            origin,
            endpoint,
            serial,
            deadline,
            timer: None,
            connection,
            admission: Admission::Unasked,
            scratch,
            unread: Vec::new(),
            ended: false,
            offered,
        })
    }

    /// How long somebody may take to decide on the peer.
    pub(super) fn authentication_timeout(&self) -> Duration {
        let Options {
            handshake_timeout,
            authentication_timeout,
            ..
        } = *self.options;
        authentication_timeout.min(handshake_timeout).min(LONGEST)
    }

    /// Writes and reads as far as it goes without waiting.
    pub(super) fn drive(mut self) -> (Option<Self>, Progress) {
        match self.step() {
            Ok(Turn::Wait) => (Some(self), Progress::Pending),
            Ok(Turn::Ask(request)) => (Some(self), Progress::Asks(request)),
            Ok(Turn::Refuse) => (Some(self), Progress::IsRefused),
            Ok(Turn::Over) => match self.establish() {
                Some(established) => (None, Progress::Established(Box::new(established))),
                None => (
                    None,
                    Progress::Failed(String::from("the handshake did not complete").into()),
                ),
            },
            Err(cause) => {
                // The peer is told why, if its buffer takes it.
                let _ = self.write();
                (Some(self), Progress::Failed(cause))
            }
        }
    }

    /// Whether the peer hung up after it saw our metadata, as one does that
    /// cannot take the offer of extensions in it.
    pub(super) fn may_dislike_offer(&self) -> bool {
        self.offered && self.ended && self.connection.peer().version.major > 0
    }

    fn step(&mut self) -> Result<Turn, Failure> {
        loop {
            self.decode()?;
            self.write().map_err(|cause| cause.to_string())?;
            match self.connection.status() {
                Status::Established => return Ok(Turn::Over),
                Status::AwaitingDecision => {
                    if let Some(turn) = self.admit()? {
                        return Ok(turn);
                    }
                }
                _ if self.ended => {
                    return Err(String::from("the peer closed the connection").into());
                }
                // Traffic before it took our last words: it waits in the kernel.
                _ if self.unread.len() >= UNREAD_MAX => return Ok(Turn::Wait),
                _ if !self.read().map_err(|cause| cause.to_string())? => return Ok(Turn::Wait),
                _ => {}
            }
        }
    }

    fn decode(&mut self) -> Result<(), Failure> {
        loop {
            let consumed = self
                .connection
                .handle_input(&mut self.unread, &mut self.scratch);
            let consumed = consumed.map_err(|cause| self.explain(cause))?;
            self.unread.drain(..consumed);
            if consumed == 0 || self.unread.is_empty() {
                return Ok(());
            }
        }
    }

    fn explain(&self, error: HandshakeError) -> Failure {
        let reason = self.connection.peer_reason(&self.scratch);
        let cause = match reason.is_empty() {
            true => error.to_string(),
            false => format!("{error}: {}", reason.escape_ascii()),
        };
        // 300 is the one status that asks to come back (27/ZAP).
        let is_final =
            matches!(error, HandshakeError::RefusedByPeer { status } if status != Some(300));
        let unauthenticated = match error {
            HandshakeError::RefusedByPeer { status } => status.map(Unauthenticated::Status),
            HandshakeError::Denied { status } => Some(Unauthenticated::Status(status)),
            _ => None,
        };
        Failure {
            cause,
            is_final,
            unauthenticated,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        loop {
            let output = self.connection.poll_output(&self.scratch);
            if output.is_empty() {
                return Ok(());
            }
            match self.link.write(output) {
                Ok(written) => self.connection.output_written(&mut self.scratch, written),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(cause),
            }
        }
    }

    /// Reads once. False: nothing came.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ];
        match self.link.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(len) => self.unread.extend_from_slice(&buffer[..len]),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(cause) => {
                // Who closes without having read everything resets.
                self.ended |= cause.kind() == io::ErrorKind::ConnectionReset;
                return Err(cause);
            }
        }
        Ok(true)
    }

    fn establish(mut self) -> Option<Established> {
        let peer = self.connection.peer();
        let socket_type = peer
            .socket_type
            .map_or("", |socket_type| socket_type.name());
        let address = self.link.peer().endpoint.to_string();
        let identity = self.connection.peer_identity(&self.scratch);
        let info = PeerInfo::new(socket_type, address).with_identity(identity);
        let info = self.with_properties(info);
        let version = peer.version.negotiated();
        let limits = self.options.limits;
        let session = self.connection.mechanism_mut().take_session();
        let sealing = session.map(|session| Sealing::new(&session, &limits));
        let inline_max = match (End::of(&mut *self.link), &sealing) {
            // What was handed over is looked for there, not in the stream.
            (Some(_), _) => crate::link::BY_HANDLE - 1,
            (None, Some(sealing)) => sealing.inline_max(),
            (None, None) => crate::link::INLINE_MAX,
        };
        let halves = self.connection.establish(limits, inline_max)?;
        Some(Established {
            link: self.link,
            options: self.options,
            halves,
            sealing,
            version,
            peer: Arc::new(info),
            first_bytes: self.unread,
            endpoint: self.endpoint,
            connector: match self.origin {
                Origin::Accepted => None,
                Origin::Connected(connector) => Some(connector),
            },
        })
    }
}
