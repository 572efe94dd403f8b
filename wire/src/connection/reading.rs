//! Reading the handshake: bytes to greeting, bytes to commands.

use super::{Connection, State, error_reason};
use crate::HandshakeError;
use crate::frame::{self, FrameFlags, FrameHeader, References};
use crate::greeting::{self, AsServer, GREETING_LEN, Greeting};
use crate::mechanism::{ERROR, Mechanism, Outbox, Role};
use crate::scratch::{COMMAND_MAX, Scratch};

impl<M: Mechanism> Connection<M> {
    pub(super) fn read_greeting(
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

    pub(super) fn read_command(
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
    let checked = FrameFlags::check(flags, References::Off)
        .map_err(|_| HandshakeError::BadFlags { flags })?;
    if !checked.is_command() {
        return Err(HandshakeError::TrafficTooEarly { flags });
    }
    let too_large = |len| HandshakeError::CommandTooLarge {
        len,
        limit: COMMAND_MAX,
    };
    match frame::read_header(received, References::Off) {
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
