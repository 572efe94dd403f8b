//! The last part of a handshake between peers of one machine, or on one fabric: they
//! agree to go on over a shorter path, or to stay, before either has sent a message.

mod path;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ferromq_transport::{Endpoint, Link};
use ferromq_wire::{
    Crypto as _, Instant, Introduction, SWITCH_PROOF, Switch, SwitchAction, SwitchOutcome,
    SwitchReason, SwitchSide, SwitchWay,
};

use self::path::Path;
use super::dialogue::{Dialogue, READ};
use super::{Failure, Watcher};
use crate::clock::wire_now;
use crate::link::Sealing;
use crate::security::NaCl;
use crate::switching::{Plan, Reservation, Routes, Switched, SwitchedLink, address_of};

/// A handshake that is complete but for this.
pub(super) struct Moving {
    pub(super) dialogue: Box<Dialogue>,
    pub(super) sealing: Option<Sealing>,
    machine: Switch,
    routes: Routes,
    /// Where the peer came to, as far as it says something of the fabric.
    beside: Option<Endpoint>,
    patience: Duration,
    /// Places of ours that the peer was not shown: the context has as many connections
    /// there as it may.
    hidden: Vec<[u8; 16]>,
    memory: Option<Reservation>,
    path: Path,
    /// Frames of ours that are not written.
    output: Vec<u8>,
    /// The peer closed the connection.
    ended: bool,
}

/// What came of it: the link to go on with, and what the peer sent on it already.
pub(super) struct Moved {
    pub(super) link: Box<dyn Link>,
    pub(super) first_bytes: Vec<u8>,
    pub(super) switched: Switched,
}

impl Moving {
    /// `routes` are those that both know of.
    pub(super) fn new(
        dialogue: Box<Dialogue>,
        sealing: Option<Sealing>,
        side: SwitchSide,
        routes: Routes,
        beside: Option<Endpoint>,
    ) -> Box<Self> {
        let mut hidden = Vec::new();
        let mut shown = |way| {
            let plan = routes.plan(way)?;
            let ground = plan.ground()?;
            let has_room = plan.has_room();
            hidden.extend((!has_room).then_some(ground));
            has_room.then_some(ground)
        };
        let ours = introduction(shown(SwitchWay::Machine), shown(SwitchWay::Fabric));
        // A fabric takes longer, and which it will be is not known yet.
        let slowest = routes.plan(SwitchWay::Fabric);
        let slowest = slowest.or(routes.plan(SwitchWay::Machine));
        let patience = slowest.map_or(Duration::ZERO, |it| it.patience);
        let features = dialogue.connection.features();
        Box::new(Self {
            machine: Switch::new(side, ours, features, patience),
            dialogue,
            sealing,
            routes,
            beside,
            patience,
            hidden,
            memory: None,
            path: Path::None,
            output: Vec::new(),
            ended: false,
        })
    }

    /// Does what can be done without waiting. `Ok(true)`: it is decided.
    ///
    /// # Errors
    /// The connection is over.
    pub(super) fn go_on(
        &mut self,
        link: &mut dyn Link,
        watcher: Watcher<'_>,
    ) -> Result<bool, Failure> {
        self.read(link)?;
        self.act(watcher);
        self.write(link).map_err(|cause| cause.to_string())?;
        let decided = self.output.is_empty() && self.machine.outcome() != SwitchOutcome::Undecided;
        let unread = self.dialogue.unread.len();
        match self.machine.outcome() {
            SwitchOutcome::Go if unread > 0 => {
                Err(format!("{unread} bytes on the connection after it had moved").into())
            }
            _ if self.ended && !decided => {
                Err(String::from("the peer closed the connection before it had moved").into())
            }
            _ => Ok(decided),
        }
    }

    /// The time for it is over.
    pub(super) fn timed_out(&mut self) {
        self.machine
            .handle_timeout(Instant::from_nanos(u64::MAX - 1));
    }

    /// Whether somebody has to tell when the time for it is over.
    pub(super) fn is_limited(&self) -> bool {
        self.machine.poll_timeout().is_some()
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// A poller saw a hang-up on one of the descriptors.
    pub(super) fn handle_hangup(&mut self) {
        self.path.handle_hangup();
    }

    /// The link to go on with, once it is decided.
    pub(super) fn finish(
        mut self,
        met: Box<dyn Link>,
        watcher: Watcher<'_>,
    ) -> (Box<Dialogue>, Option<Sealing>, Moved) {
        let switched = match (self.machine.outcome(), self.plan()) {
            (SwitchOutcome::Go, Some(plan)) => Switched::To(plan.to),
            (SwitchOutcome::Stay(reason), _) => Switched::Refused(reason),
            _ if self.hidden.iter().any(|at| self.machine.is_peer_at(*at)) => Switched::Full,
            _ => Switched::No,
        };
        let (link, first_bytes) = match self.path {
            Path::Meeting(meeting) if switched.path().is_some() => {
                let (short, first_bytes) = meeting.finish(watcher);
                let link: Box<dyn Link> = Box::new(SwitchedLink::new(short, met, self.memory));
                (link, first_bytes)
            }
            _ => (met, std::mem::take(&mut self.dialogue.unread)),
        };
        let moved = Moved {
            link,
            first_bytes,
            switched,
        };
        (self.dialogue, self.sealing, moved)
    }

    /// How it moves, once both know what they share.
    fn plan(&self) -> Option<&Arc<Plan>> {
        self.machine.way().and_then(|way| self.routes.plan(way))
    }

    /// Reads what has come on the connection, and takes the peer's words from it.
    fn read(&mut self, link: &mut dyn Link) -> Result<(), Failure> {
        loop {
            self.decode()?;
            if self.machine.is_heard_out() || self.ended {
                return Ok(());
            }
            if self.dialogue.is_full() {
                return Err(String::from("a long frame before the connection had moved").into());
            }
            let mut buffer = [0; READ];
            match link.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(len) => self.dialogue.unread.extend_from_slice(&buffer[..len]),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(cause.to_string().into()),
            }
        }
    }

    /// Takes whole frames from what was read, up to the peer's last word.
    fn decode(&mut self) -> Result<(), Failure> {
        let unread = &mut self.dialogue.unread;
        while !self.machine.is_heard_out() {
            let opened = match &mut self.sealing {
                None => 0..unread.len(),
                Some(sealing) => match sealing.open(unread).map_err(|it| it.to_string())? {
                    Some(opened) => opened,
                    None => return Ok(()),
                },
            };
            let (start, end) = (opened.start, opened.end);
            let taken = self.machine.handle_input(&unread[opened], wire_now());
            let taken = start + taken.map_err(|cause| cause.to_string())?;
            if self.sealing.is_some() && taken != end {
                return Err(String::from("a sealed frame that is none").into());
            }
            if taken == 0 {
                return Ok(());
            }
            unread.drain(..taken);
        }
        Ok(())
    }

    /// Does our part at the place where both meet, as far as that goes.
    fn act(&mut self, watcher: Watcher<'_>) {
        if let Some(action) = self.machine.poll_action() {
            match self.begin(action, watcher) {
                Ok(path) => self.path = path,
                Err(reason) => self.machine.failed(reason),
            }
        }
        if let Err(reason) = self.path.go_on(&mut self.machine, watcher) {
            self.machine.failed(reason);
        }
        if self.machine.is_over() {
            self.path = Path::None;
            self.memory = None;
        }
    }

    fn begin(&mut self, action: SwitchAction, watcher: Watcher<'_>) -> Result<Path, SwitchReason> {
        let plan = self.plan().ok_or(SwitchReason::NoPlace)?.clone();
        // Not before: who is far away, or never answers, takes nothing.
        self.memory = Some(plan.reserve().ok_or(SwitchReason::Exhausted)?);
        match action {
            SwitchAction::Bind => self.bind(&plan, watcher),
            SwitchAction::Connect => self.connect(&plan, watcher),
        }
    }

    fn bind(&mut self, plan: &Plan, watcher: Watcher<'_>) -> Result<Path, SwitchReason> {
        let place = match plan.way {
            SwitchWay::Machine => self.machine.place().and_then(|name| plan.place(&name)),
            SwitchWay::Fabric => plan.door(self.beside.as_ref()),
        };
        let place = place.ok_or(SwitchReason::NoPlace)?;
        let listener = plan
            .transport
            .bind(&place, &plan.options)
            .map_err(|cause| match cause.is_exhausted() {
                true => SwitchReason::Exhausted,
                false => SwitchReason::NoPlace,
            })?;
        let at = address_of(listener.local_endpoint());
        let path = Path::listening(listener, watcher)?;
        match plan.way {
            SwitchWay::Machine => self.machine.bound(),
            SwitchWay::Fabric => self.machine.bound_at(at.ok_or(SwitchReason::NoPlace)?),
        }
        Ok(path)
    }

    fn connect(&self, plan: &Plan, watcher: Watcher<'_>) -> Result<Path, SwitchReason> {
        let place = match plan.way {
            SwitchWay::Machine => self.machine.place().and_then(|name| plan.place(&name)),
            SwitchWay::Fabric => self.machine.address().and_then(|at| plan.at(at)),
        };
        let place = place.ok_or(SwitchReason::NoPlace)?;
        let route = plan.transport.resolve(&place);
        let route = route.map_err(|_| SwitchReason::Unreachable)?;
        let connecting = plan.transport.connect(&route, &plan.options);
        Path::connecting(connecting.map_err(|it| path::reason(&it))?, watcher)
    }

    /// Writes the words that are due.
    fn write(&mut self, link: &mut dyn Link) -> io::Result<()> {
        let mut frame = [0; Switch::FRAME_MAX];
        loop {
            match self.machine.poll_output(&mut frame) {
                0 => break,
                len => match &mut self.sealing {
                    Some(sealing) => sealing.seal(&frame[..len], &mut self.output),
                    None => self.output.extend_from_slice(&frame[..len]),
                },
            }
        }
        while !self.output.is_empty() {
            match link.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                Err(cause) => return Err(cause),
            }
        }
        Ok(())
    }
}

/// What we say of ourselves: two random numbers, which are nobody else's.
fn introduction(host: Option<[u8; 16]>, fabric: Option<[u8; 16]>) -> Introduction {
    let mut introduction = Introduction {
        host: host.unwrap_or_default(),
        fabric: fabric.unwrap_or_default(),
        label: [0; 16],
        secret: [0; SWITCH_PROOF],
    };
    NaCl.random(&mut introduction.label);
    NaCl.random(&mut introduction.secret);
    introduction
}
