//! What a security mechanism is to the handshake.

mod null;
mod plain;
mod security;

pub use null::{Null, NullServer};
pub use plain::{PlainClient, PlainServer};
pub use security::{Credentials, NoCrypto, Security};

use crate::frame::{self, FrameFlags};
use crate::greeting::AsServer;
use crate::scratch::Output;
use crate::{HandshakeError, MechanismName};
use core::ops::Range;

/// A security mechanism: the commands between the greetings and the traffic.
///
/// The [`Connection`](crate::Connection) compares greetings, reads command
/// frames (capped, any split), deals with ERROR, and checks metadata, socket
/// types and identities. A mechanism only says which command follows which,
/// and what it seals.
///
/// ```text
///  greetings match ─▶ start ─▶ Continue ─▶ handle_command ─┬─▶ Continue: the next command
///                                                          ├─▶ Pending ─▶ authenticate
///                                                          └─▶ Metadata: the connection checks
///                              established ◀─ metadata_accepted ◀─ it
/// ```
///
/// # How CURVE fits
///
/// - [`role`](Self::role) is the as-server flag of the greeting.
/// - HELLO and WELCOME are ordinary steps. [`Outbox::reserve`] lends the body
///   of an outgoing command, so that INITIATE and READY seal the metadata
///   where it will be sent from; `handle_command` gets the incoming body
///   mutably, opens it in place, and says with [`Step::Metadata`] where in it
///   the plain metadata lies. The 4,353 bytes taken for one command are the
///   largest metadata and INITIATE's 257 bytes around it.
/// - INITIATE answers [`Step::Pending`] while someone looks at the client's
///   key; `authenticate` then answers with the [`Step::Metadata`] kept back.
/// - [`protection`](Self::protection) says that frames travel sealed, which
///   switches the CRC trailers off.
/// - In traffic every frame and command is a MESSAGE, sealed and opened in
///   place by a layer around the two halves, which do not know of it: see
///   [`Sealer`](crate::Sealer) and [`Opener`](crate::Opener).
pub trait Mechanism {
    /// The name in the greeting.
    fn name(&self) -> MechanismName;

    /// Which side of the mechanism this is.
    fn role(&self) -> Role;

    /// Whether frames travel sealed; if so, they need no checksum.
    fn protection(&self) -> Protection {
        Protection::None
    }

    /// Both greetings are in and match: says the first word, if it is ours.
    ///
    /// # Errors
    /// Any: the handshake ends with it.
    fn start(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError>;

    /// The peer sent the command `name` with the bytes `data` (at most
    /// 4,353 with the name). Never ERROR, which the connection deals with.
    ///
    /// # Errors
    /// A command that is unexpected or malformed; the handshake ends with it.
    fn handle_command(
        &mut self,
        name: &[u8],
        data: &mut [u8],
        out: &mut Outbox<'_>,
    ) -> Result<Step, HandshakeError>;

    /// Where in the `data` of the last command the peer's metadata lies while
    /// [`Step::Pending`] is unanswered; `None` where it has not sent any yet.
    /// Nobody has checked it by then.
    fn pending_metadata(&self) -> Option<Range<usize>> {
        None
    }

    /// [`Step::Pending`] was answered and the peer is let in. (When it is not,
    /// the connection queues the ERROR and ends, without asking here.)
    ///
    /// # Errors
    /// [`HandshakeError::NoDecisionAwaited`] from a mechanism that is never
    /// pending; any other ends the handshake.
    fn authenticated(&mut self, out: &mut Outbox<'_>) -> Result<Step, HandshakeError>;

    /// The metadata of [`Step::Metadata`] is good: says the last word, if it
    /// is ours. With it the handshake is over; the peer's next byte is traffic.
    ///
    /// # Errors
    /// Any: the handshake ends with it.
    fn metadata_accepted(&mut self, out: &mut Outbox<'_>) -> Result<(), HandshakeError>;
}

/// What a mechanism wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The peer's next command.
    Continue,
    /// A [`Decision`] on the peer's credentials; no input is read until then.
    Pending,
    /// The connection's verdict on the peer's metadata, which lies in this
    /// range of the `data` of the last command.
    /// Once it is good, [`Mechanism::metadata_accepted`] ends the handshake.
    Metadata(Range<usize>),
}

/// Which side of a mechanism we are: the as-server flag of the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both sides are alike (NULL): the flag goes out as 0 and is not looked at.
    Either,
    /// The side that proves who it is.
    Client,
    /// The side that decides.
    Server,
}

impl Role {
    pub(crate) fn as_server(self) -> AsServer {
        match self {
            Self::Server => AsServer::Yes,
            Self::Client | Self::Either => AsServer::No,
        }
    }
}

/// What a mechanism does to frames in traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// They travel as they are.
    None,
    /// They are encrypted and authenticated.
    Sealed,
}

/// The verdict on a peer's credentials, in the status codes of 27/ZAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// 200: let it in.
    Allow,
    /// 300: try again later. The connection closes without a word.
    TryLater,
    /// 400: the credentials are wrong. The peer is told.
    Deny,
    /// 500: the authority failed. The peer is told.
    Fail,
}

impl Decision {
    /// The status code of 27/ZAP.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Allow => 200,
            Self::TryLater => 300,
            Self::Deny => 400,
            Self::Fail => 500,
        }
    }
}

/// Where a mechanism puts its commands, and where it finds our metadata.
#[derive(Debug)]
pub struct Outbox<'a> {
    output: &'a mut Output,
    metadata: &'a [u8],
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(output: &'a mut Output, metadata: &'a [u8]) -> Self {
        Self { output, metadata }
    }

    /// Our metadata, encoded, for READY or INITIATE.
    #[must_use]
    pub fn metadata(&self) -> &'a [u8] {
        self.metadata
    }

    /// Queues the command `name` with `fields` one after the other.
    ///
    /// # Errors
    /// [`HandshakeError::OutputFull`]; nothing is queued then.
    pub fn command(&mut self, name: &str, fields: &[&[u8]]) -> Result<(), HandshakeError> {
        let len = fields.iter().map(|field| field.len()).sum();
        let mut room = self.reserve(name, len)?;
        for field in fields {
            let Some((slot, rest)) = room.split_at_mut_checked(field.len()) else {
                return Err(HandshakeError::OutputFull { len });
            };
            slot.copy_from_slice(field);
            room = rest;
        }
        Ok(())
    }

    /// Queues the command `name` (up to 255 bytes) with `len` bytes of data,
    /// and lends these, all zero, to be filled in or sealed where they are.
    ///
    /// # Errors
    /// [`HandshakeError::OutputFull`]; nothing is queued then.
    pub fn reserve(&mut self, name: &str, len: usize) -> Result<&mut [u8], HandshakeError> {
        let full = HandshakeError::OutputFull { len };
        let name_len = u8::try_from(name.len()).map_err(|_| full)?;
        let body_len = len.checked_add(name.len()).and_then(|n| n.checked_add(1));
        let body_len = body_len.ok_or(full)?;
        let header = frame::Header::new(FrameFlags::COMMAND, body_len as u64);
        let header = header.as_ref();
        let total = body_len.checked_add(header.len()).ok_or(full)?;
        let frame = self.output.reserve(total)?;
        let (head, body) = frame.split_at_mut_checked(header.len()).ok_or(full)?;
        head.copy_from_slice(header);
        let (len_slot, body) = body.split_first_mut().ok_or(full)?;
        *len_slot = name_len;
        let (name_slot, data) = body.split_at_mut_checked(name.len()).ok_or(full)?;
        name_slot.copy_from_slice(name.as_bytes());
        Ok(data)
    }
}

pub(crate) const READY: &str = "READY";
pub(crate) const ERROR: &str = "ERROR";
pub(crate) const HELLO: &str = "HELLO";
pub(crate) const WELCOME: &str = "WELCOME";
pub(crate) const INITIATE: &str = "INITIATE";

pub(crate) fn unexpected(name: &[u8]) -> HandshakeError {
    HandshakeError::UnexpectedCommand {
        name_len: name.len(),
    }
}
