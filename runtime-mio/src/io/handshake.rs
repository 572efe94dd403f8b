//! A connection on its way to being established.

mod admission;
mod completing;
mod dialogue;
mod moving;
mod opening;

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::Link;
use ferromq_wire::{Status, SwitchReason};
use mio::Registry;

use self::dialogue::{Dialogue, Heard};
use self::moving::Moving;
use super::timers::TimerId;
use super::{ConnectorId, Source, deregister, register};
use crate::Options;
use crate::inproc::End;
use crate::link::lender_of;
use crate::security::{AuthenticationRequest, NaCl, NoVerdict, Verdict};
use crate::socket::{Core, Established, Unauthenticated};
use crate::switching::Routes;

type Security = ferromq_wire::Security<NaCl>;

/// Longest time to decide on a peer: one that has an end.
const LONGEST: Duration = Duration::from_secs(3600);

/// Where a connection came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Accepted,
    Connected(ConnectorId),
}

/// What is offered to the peer beyond ZMTP.
pub(super) struct Offered {
    /// Anything at all.
    pub(super) extensions: bool,
    /// Shorter paths.
    pub(super) routes: Routes,
}

/// Has the reactor wake a handshake for more descriptors than that of its link.
#[derive(Clone, Copy)]
pub(super) struct Watcher<'a> {
    pub(super) registry: &'a Registry,
    pub(super) key: usize,
}

impl Watcher<'_> {
    fn watch(self, fd: RawFd) -> Result<(), SwitchReason> {
        let watched = register(self.registry, fd, Source::Handshake(self.key));
        watched.map_err(|_| SwitchReason::Exhausted)
    }

    fn forget(self, fd: RawFd) {
        deregister(self.registry, fd);
    }
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

/// A connection whose peer has not yet become one. Small until the peer has said
/// a byte: a port scan, or who holds connections open, costs little.
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
    /// None while the peer has our greeting and has said nothing, and once it is
    /// complete.
    dialogue: Option<Box<Dialogue>>,
    /// How it could take a shorter path, if we offered that.
    routes: Routes,
    /// It is complete, and taking it.
    moving: Option<Box<Moving>>,
    /// What fires when that has had its time.
    pub(super) moving_timer: Option<TimerId>,
    /// The peer closed; what it said before is still looked at.
    ended: bool,
    /// We offered extensions, and the peer may have hung up because of it.
    pub(super) offered: bool,
    /// In one process: there is nobody to keep out.
    hands_over: bool,
    /// The transport has memory that the peer can read.
    reaches_memory: bool,
}

impl Handshake {
    pub(super) fn new(
        core: Arc<Core>,
        options: Arc<Options>,
        mut link: Box<dyn Link>,
        origin: Origin,
        endpoint: Arc<str>,
        offer: Offered,
        serial: u64,
    ) -> Result<Self, String> {
        let hands_over = End::of(&mut *link).is_some();
        let offered = offer.extensions && options.extensions && !hands_over;
        let routes = match offered {
            true => offer.routes,
            false => Routes::default(),
        };
        // What it moves to may reach the peer's memory; else nothing is sent so.
        let reaches_memory = routes.is_some() || lender_of(&mut *link).is_some();
        let mut handshake = Self {
            deadline: Instant::now().checked_add(options.handshake_timeout),
            offered,
            routes,
            moving: None,
            moving_timer: None,
            core,
            options,
            link,
            origin,
            endpoint,
            serial,
            timer: None,
            dialogue: None,
            ended: false,
            reaches_memory,
            hands_over,
        };
        handshake.dialogue = Some(handshake.begin()?);
        Ok(handshake)
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
    pub(super) fn drive(mut self, watcher: Watcher<'_>) -> (Option<Self>, Progress) {
        if self.moving.is_some() {
            return self.drive_moving(watcher);
        }
        let mut dialogue = match self.resume() {
            Ok(Some(dialogue)) => dialogue,
            Ok(None) => return (Some(self), Progress::Pending),
            Err(cause) => return (Some(self), Progress::Failed(cause.into())),
        };
        let progress = match self.step(&mut dialogue) {
            // It is forgotten, and begun again with the peer's first byte.
            Ok(Turn::Wait) if dialogue.has_only_greeted() => {
                return (Some(self), Progress::Pending);
            }
            Ok(Turn::Wait) => Progress::Pending,
            Ok(Turn::Ask(request)) => Progress::Asks(request),
            Ok(Turn::Refuse) => Progress::IsRefused,
            Ok(Turn::Over) => return self.complete(dialogue, watcher),
            Err(cause) => {
                // The peer is told why, if its buffer takes it.
                let _ = dialogue.write(&mut *self.link);
                Progress::Failed(cause)
            }
        };
        self.dialogue = Some(dialogue);
        (Some(self), progress)
    }

    /// Whether the peer hung up after it saw our metadata, as one does that
    /// cannot take the offer of extensions in it.
    pub(super) fn may_dislike_offer(&self) -> bool {
        let heard = |dialogue: &Dialogue| dialogue.connection.peer().version.major > 0;
        self.offered && self.ended && self.dialogue.as_deref().is_some_and(heard)
    }

    /// Our first words.
    fn begin(&self) -> Result<Box<Dialogue>, String> {
        Dialogue::begin(&opening::Beginning {
            socket_type: self.core.socket_type,
            options: &self.options,
            secured: !self.hands_over,
            accepted: self.origin == Origin::Accepted,
            offered: self.offered,
            switches: self.routes.features(),
            reaches_memory: self.reaches_memory,
        })
    }

    /// The dialogue where it stands. None: the peer has not said its first byte.
    fn resume(&mut self) -> Result<Option<Box<Dialogue>>, String> {
        if let Some(dialogue) = self.dialogue.take() {
            return Ok(Some(dialogue));
        }
        let mut buffer = [0; dialogue::READ];
        match self.read(&mut buffer).map_err(|cause| cause.to_string())? {
            Heard::Nothing => Ok(None),
            Heard::End => Err("the peer closed the connection".into()),
            Heard::Bytes(len) => {
                let mut dialogue = self.begin()?;
                dialogue.go_on_with(&buffer[..len]);
                Ok(Some(dialogue))
            }
        }
    }

    fn step(&mut self, dialogue: &mut Dialogue) -> Result<Turn, Failure> {
        loop {
            dialogue.decode()?;
            dialogue
                .write(&mut *self.link)
                .map_err(|cause| cause.to_string())?;
            match dialogue.connection.status() {
                Status::Established => return Ok(Turn::Over),
                Status::AwaitingDecision => {
                    if let Some(turn) = self.admit(dialogue)? {
                        return Ok(turn);
                    }
                }
                _ if self.ended => {
                    return Err(String::from("the peer closed the connection").into());
                }
                // Traffic before it took our last words: it waits in the kernel.
                _ if dialogue.is_full() => return Ok(Turn::Wait),
                _ => {
                    let mut buffer = [0; dialogue::READ];
                    match self.read(&mut buffer).map_err(|cause| cause.to_string())? {
                        Heard::Nothing => return Ok(Turn::Wait),
                        Heard::End => {}
                        Heard::Bytes(len) => dialogue.unread.extend_from_slice(&buffer[..len]),
                    }
                }
            }
        }
    }

    /// Reads once.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Heard> {
        match self.link.read(buffer) {
            Ok(0) => {
                self.ended = true;
                Ok(Heard::End)
            }
            Ok(len) => Ok(Heard::Bytes(len)),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(Heard::Nothing),
            Err(cause) => {
                // Who closes without having read everything resets.
                self.ended |= cause.kind() == io::ErrorKind::ConnectionReset;
                Err(cause)
            }
        }
    }
}
