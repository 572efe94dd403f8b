//! A connection on its way to being established.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use ferromq_transport::Link;
use ferromq_wire::{
    Config, Connection, Credentials as Asked, CurveClient, CurveServer, Decision, Features,
    HandshakeError, Null, Offer, PlainClient, PlainServer, Scratch, SocketType, Status,
};

use super::ConnectorId;
use crate::inproc::End;
use crate::link::Sealing;
use crate::options::Credentials;
use crate::security::NaCl;
use crate::socket::{Core, Established};
use crate::{Options, PeerInfo};

type Security = ferromq_wire::Security<NaCl>;

/// Bytes read at once: more than any handshake needs in one piece.
const READ: usize = 4096;
/// Bytes kept that are not the handshake's. More stay with the transport until
/// the peer has taken what we still have to write.
const UNREAD_MAX: usize = 4 * READ;

/// Where a connection came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Accepted,
    Connected(ConnectorId),
}

/// How far a handshake has come.
pub(super) enum Progress {
    Pending,
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
}

impl From<String> for Failure {
    fn from(cause: String) -> Self {
        Self {
            cause,
            is_final: false,
        }
    }
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
    connection: Connection<Security>,
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
        // In one process there is nobody to keep out.
        let credentials = match hands_over {
            true => &Credentials::Null,
            false => &options.credentials,
        };
        let connection = connection(
            core.socket_type,
            &options,
            credentials,
            offered,
            &mut scratch,
        )?;
        let deadline = Instant::now().checked_add(options.handshake_timeout);
        Ok(Self {
            core,
            options,
            link,
            origin,
            endpoint,
            serial,
            deadline,
            connection,
            scratch,
            unread: Vec::new(),
            ended: false,
            offered,
        })
    }

    /// Writes and reads as far as it goes without waiting.
    pub(super) fn drive(mut self) -> (Option<Self>, Progress) {
        match self.step() {
            Ok(false) => (Some(self), Progress::Pending),
            Ok(true) => match self.establish() {
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

    fn step(&mut self) -> Result<bool, Failure> {
        loop {
            self.decode()?;
            self.write().map_err(|cause| cause.to_string())?;
            match self.connection.status() {
                Status::Established => return Ok(true),
                Status::AwaitingDecision => {
                    let decision = self.decide();
                    let decided = self.connection.authenticate(decision, &mut self.scratch);
                    decided.map_err(|cause| cause.to_string())?;
                }
                _ if self.ended => {
                    return Err(String::from("the peer closed the connection").into());
                }
                // Traffic before it took our last words: it waits in the kernel.
                _ if self.unread.len() >= UNREAD_MAX => return Ok(false),
                _ if !self.read().map_err(|cause| cause.to_string())? => return Ok(false),
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
        Failure { cause, is_final }
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

    /// Whether the peer's credentials are good.
    fn decide(&self) -> Decision {
        let asked = self.connection.mechanism().credentials();
        let admitted = match (asked, &self.options.credentials) {
            (Some(Asked::Plain { username, password }), Credentials::PlainServer { table }) => {
                knows(table, username, password)
            }
            (Some(Asked::Curve { key }), Credentials::CurveServer { clients, .. }) => {
                clients.admits(&key)
            }
            _ => false,
        };
        match admitted {
            true => Decision::Allow,
            false => Decision::Deny,
        }
    }

    fn establish(mut self) -> Option<Established> {
        let peer = self.connection.peer();
        let socket_type = peer
            .socket_type
            .map_or("", |socket_type| socket_type.name());
        let address = self.link.peer().endpoint.to_string();
        let identity = self.connection.peer_identity(&self.scratch);
        let mut info = PeerInfo::new(socket_type, address).with_identity(identity);
        for (name, value) in self.connection.peer_properties(&self.scratch) {
            info = info.with_property(String::from_utf8_lossy(name), value);
        }
        match self.connection.mechanism().credentials() {
            Some(Asked::Plain { username, .. }) => {
                info = info.with_user_id(String::from_utf8_lossy(username));
            }
            Some(Asked::Curve { key }) => info = info.with_user_id(key.to_string()),
            None => {}
        }
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

fn connection(
    socket_type: SocketType,
    options: &Options,
    credentials: &Credentials,
    offered: bool,
    scratch: &mut Scratch,
) -> Result<Connection<Security>, String> {
    let Options {
        identity,
        properties,
        crc,
        handshake_timeout,
        ..
    } = options;
    let security = match credentials {
        Credentials::Null => Ok(Security::Null(Null)),
        Credentials::PlainClient { username, password } => {
            PlainClient::new(username.as_bytes(), password.as_bytes()).map(Security::PlainClient)
        }
        Credentials::PlainServer { .. } => Ok(Security::PlainServer(PlainServer::new())),
        Credentials::CurveClient { server, keys } => {
            let (public, secret) = (keys.public, keys.secret.clone());
            let client = CurveClient::new(NaCl, *server, public, secret);
            Ok(Security::CurveClient(client))
        }
        Credentials::CurveServer { keys, .. } => {
            let server = CurveServer::new(NaCl, keys.public, keys.secret.clone());
            Ok(Security::CurveServer(server))
        }
    };
    let properties: Vec<(&str, &[u8])> = properties
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    let features = if *crc { Features::CRC } else { Features::NONE };
    let config = Config {
        identity,
        properties: &properties,
        offer: offered.then(|| Offer::new(features)),
        handshake_timeout: *handshake_timeout,
        ..Config::new(socket_type)
    };
    security
        .and_then(|security| Connection::new(&config, security, scratch, crate::clock::wire_now()))
        .map_err(|cause| cause.to_string())
}

/// PLAIN: whether the name and password are in the table. Every name costs the
/// same comparison, known or not.
fn knows(table: &HashMap<String, String>, username: &[u8], password: &[u8]) -> bool {
    let known = std::str::from_utf8(username)
        .ok()
        .and_then(|name| table.get(name));
    let expected = known.map_or(&b""[..], |password| password.as_bytes());
    same(expected, password) && known.is_some()
}

/// Compares in a time that depends on the lengths only.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a
        .iter()
        .zip(b)
        .fold(0, |differences, (a, b)| differences | (a ^ b));
    std::hint::black_box(differences) == 0 && a.len() == b.len()
}
