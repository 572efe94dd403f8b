//! What is said in a handshake, and what was heard of it: 9 KiB, which nobody gets
//! who says nothing.

use std::io;

use ferromq_transport::Link;
use ferromq_wire::{Connection, HandshakeError, Scratch};

use super::opening::Beginning;
use super::{Admission, Failure, Security};
use crate::socket::Unauthenticated;

/// Bytes read at once: more than any handshake needs in one piece.
pub(super) const READ: usize = 4096;
/// Bytes kept that are not the handshake's. More stay with the transport until
/// the peer has taken what we still have to write.
const UNREAD_MAX: usize = 4 * READ;

pub(super) struct Dialogue {
    pub(super) connection: Connection<Security>,
    pub(super) admission: Admission,
    pub(super) scratch: Box<Scratch>,
    /// Bytes read and not consumed: at the end, the first traffic.
    pub(super) unread: Vec<u8>,
    /// The peer has said something.
    heard: bool,
}

/// What came of one look at the link.
pub(super) enum Heard {
    Nothing,
    Bytes(usize),
    End,
}

impl Dialogue {
    /// Our greeting is to be written.
    pub(super) fn begin(beginning: &Beginning<'_>) -> Result<Box<Self>, String> {
        let mut scratch = Box::<Scratch>::default();
        let connection = beginning.connection(&mut scratch)?;
        Ok(Box::new(Self {
            connection,
            admission: Admission::Unasked,
            scratch,
            unread: Vec::new(),
            heard: false,
        }))
    }

    /// Takes up one that [had only greeted](Self::has_only_greeted), with the
    /// peer's first bytes.
    pub(super) fn go_on_with(&mut self, first: &[u8]) {
        let greeted = self.connection.poll_output(&self.scratch).len();
        self.connection.output_written(&mut self.scratch, greeted);
        self.unread.extend_from_slice(first);
    }

    /// Whether our greeting has left, and that is all. It is the same each time,
    /// so that there is nothing to remember.
    pub(super) fn has_only_greeted(&self) -> bool {
        !self.heard && self.connection.poll_output(&self.scratch).is_empty()
    }

    /// Whether to read no more for now.
    pub(super) fn is_full(&self) -> bool {
        self.unread.len() >= UNREAD_MAX
    }

    pub(super) fn decode(&mut self) -> Result<(), Failure> {
        self.heard |= !self.unread.is_empty();
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

    pub(super) fn write(&mut self, link: &mut dyn Link) -> io::Result<()> {
        loop {
            let output = self.connection.poll_output(&self.scratch);
            if output.is_empty() {
                return Ok(());
            }
            match link.write(output) {
                Ok(written) => self.connection.output_written(&mut self.scratch, written),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(cause),
            }
        }
    }

    pub(super) fn explain(&self, error: HandshakeError) -> Failure {
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
}
