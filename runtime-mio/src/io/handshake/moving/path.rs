//! The short path while it is made: one side waits at the place, the other comes, and
//! each proves to be who the other one talks to.

use std::io;
use std::os::fd::RawFd;

use ferromq_transport::{Connecting, Link, Listener, TransportError};
use ferromq_wire::{SWITCH_PROOF, Switch, SwitchReason, SwitchWay};
use rustix::process::geteuid;

use super::super::Watcher;
use super::super::dialogue::READ;

/// Callers who were turned away before nobody is waited for any more.
const TURNED_AWAY_MAX: u32 = 16;
/// Bytes that are taken before it is decided; more stay with the transport.
const HEARD_MAX: usize = 4 * READ;

pub(super) enum Path {
    None,
    Listening(Box<dyn Listener>, u32),
    /// And the descriptor that is watched.
    Connecting(Box<dyn Connecting>, RawFd),
    Meeting(Meeting),
}

/// The short link, over which nothing but proofs passes yet.
pub(super) struct Meeting {
    link: Box<dyn Link>,
    /// What came: the proof, and what the peer has sent behind it.
    heard: Vec<u8>,
    /// What is left to be written of our proof.
    proof: Vec<u8>,
    proof_due: bool,
    proof_heard: bool,
}

impl Path {
    pub(super) fn listening(
        listener: Box<dyn Listener>,
        watcher: Watcher<'_>,
    ) -> Result<Self, SwitchReason> {
        watcher.watch(listener.fd())?;
        Ok(Self::Listening(listener, 0))
    }

    pub(super) fn connecting(
        connecting: Box<dyn Connecting>,
        watcher: Watcher<'_>,
    ) -> Result<Self, SwitchReason> {
        let fd = connecting.fd();
        watcher.watch(fd)?;
        Ok(Self::Connecting(connecting, fd))
    }

    /// Does what can be done without waiting, and tells `machine`.
    ///
    /// # Errors
    /// There is no short path, and why.
    pub(super) fn go_on(
        &mut self,
        machine: &mut Switch,
        watcher: Watcher<'_>,
    ) -> Result<(), SwitchReason> {
        if let Some(link) = self.arrive(watcher)? {
            if machine.way() == Some(SwitchWay::Machine) && !is_own(&*link) {
                return Err(SwitchReason::OtherUser);
            }
            watcher.watch(link.fd())?;
            machine.connected();
            *self = Self::Meeting(Meeting {
                link,
                heard: Vec::new(),
                proof: Vec::new(),
                proof_due: false,
                proof_heard: false,
            });
        }
        match self {
            Self::Meeting(meeting) => meeting.go_on(machine).map_err(|cause| broken(&cause)),
            _ => Ok(()),
        }
    }

    pub(super) fn handle_hangup(&mut self) {
        if let Self::Meeting(meeting) = self {
            meeting.link.handle_hangup();
        }
    }

    /// The link, once there is one.
    fn arrive(&mut self, watcher: Watcher<'_>) -> Result<Option<Box<dyn Link>>, SwitchReason> {
        match self {
            Self::Listening(listener, turned_away) => loop {
                match listener.accept() {
                    Ok(link) => return Ok(link),
                    Err(cause) if cause.is_refused() && *turned_away < TURNED_AWAY_MAX => {
                        *turned_away += 1;
                    }
                    Err(cause) if cause.is_refused() => return Err(SwitchReason::OtherUser),
                    Err(cause) => return Err(reason(&cause)),
                }
            },
            Self::Connecting(connecting, watched) => {
                let arrived = connecting.poll_connected().map_err(|it| reason(&it))?;
                // It may have gone on to another descriptor, or the link keeps it.
                let fd = connecting.fd();
                if arrived.is_some() {
                    watcher.forget(*watched);
                } else if fd != *watched {
                    watcher.forget(*watched);
                    watcher.watch(fd)?;
                    *watched = fd;
                }
                Ok(arrived)
            }
            Self::None | Self::Meeting(_) => Ok(None),
        }
    }
}

impl Meeting {
    /// The link, and what the peer has sent on it behind its proof.
    pub(super) fn finish(self, watcher: Watcher<'_>) -> (Box<dyn Link>, Vec<u8>) {
        watcher.forget(self.link.fd());
        let mut heard = self.heard;
        heard.drain(..SWITCH_PROOF.min(heard.len()));
        (self.link, heard)
    }

    fn go_on(&mut self, machine: &mut Switch) -> io::Result<()> {
        self.write(machine)?;
        // A link that ended may still be spoken of.
        let read = self.read();
        if !self.proof_heard
            && let Some(proof) = self.heard.first_chunk::<SWITCH_PROOF>()
        {
            self.proof_heard = true;
            machine.handle_proof(proof);
            self.write(machine)?;
        }
        read
    }

    /// Writes our proof when it is due.
    fn write(&mut self, machine: &mut Switch) -> io::Result<()> {
        if let Some(proof) = machine.poll_proof() {
            self.proof = proof.to_vec();
            self.proof_due = true;
        }
        while !self.proof.is_empty() {
            match self.link.write(&self.proof) {
                Ok(written) => drop(self.proof.drain(..written)),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(cause),
            }
        }
        if std::mem::take(&mut self.proof_due) {
            machine.proof_written();
        }
        Ok(())
    }

    /// Reads what is there. With room to spare in the buffer, so that the link
    /// promises an event for whatever comes next.
    fn read(&mut self) -> io::Result<()> {
        while self.heard.len() < HEARD_MAX {
            let mut buffer = [0; READ];
            match self.link.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.heard.extend_from_slice(&buffer[..len]),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(cause),
            }
        }
        Ok(())
    }
}

/// Whether it is a process of our user. The transport has let nobody in but that or,
/// some, the superuser. (On a fabric no kernel vouches: there the proof is all.)
fn is_own(link: &dyn Link) -> bool {
    let user = link.peer().credentials.map(|peer| peer.uid);
    user == Some(geteuid().as_raw())
}

/// What it means to the peer that the short link did not come about.
fn broken(cause: &io::Error) -> SwitchReason {
    use io::ErrorKind as Kind;
    match cause.kind() {
        Kind::OutOfMemory | Kind::QuotaExceeded => SwitchReason::Exhausted,
        Kind::PermissionDenied | Kind::Unsupported => SwitchReason::Exhausted,
        _ => SwitchReason::Broken,
    }
}

/// What a transport's refusal means to the peer.
pub(super) fn reason(cause: &TransportError) -> SwitchReason {
    match cause.cause() {
        _ if cause.is_exhausted() => SwitchReason::Exhausted,
        ferromq_transport::Cause::UserRefused { .. } => SwitchReason::OtherUser,
        _ => SwitchReason::Unreachable,
    }
}
