//! CURVE around one link: what goes out is sealed, what comes in is opened in
//! the receive block, and the plain codec sees plain frames (26/CURVEZMQ).

use std::ops::Range;

use ferromq_patterns::PeerId;
use ferromq_wire::{
    Event, Limits, Opened, Opener, Opening, Progress, ProtocolError, Sealer, Session,
};

use super::{Decoded, INLINE_MAX, Link, LinkError, Pools};
use crate::machine::Machine;
use crate::security::NaCl;

/// Both directions of a session, on its way to a link.
pub(crate) struct Sealing {
    sealer: Sealer<NaCl>,
    opener: Opener<NaCl>,
    inline_max: usize,
}

/// The receiving side of a sealed link.
pub(super) struct Unsealing {
    opener: Opener<NaCl>,
    /// Bytes at the front of the receive block that are opened already.
    plain: usize,
}

impl Sealing {
    pub(crate) fn new(session: &Session, limits: &Limits) -> Self {
        Self {
            sealer: Sealer::new(NaCl, session),
            opener: Opener::new(NaCl, session, limits, INLINE_MAX),
            inline_max: INLINE_MAX.max(limits.command as usize),
        }
    }

    /// Appends a whole frame to `out`, sealed.
    pub(crate) fn seal(&mut self, frame: &[u8], out: &mut Vec<u8>) {
        let Some(header) = ferromq_wire::peek_header(frame) else {
            return;
        };
        let body = &frame[header.header_len..];
        let start = out.len();
        out.resize(start + body.len() + Sealer::<NaCl>::OVERHEAD, 0);
        let len = self.sealer.seal(header.flags, body, &mut out[start..]);
        out.truncate(start + len);
    }

    /// Opens the frame at the front of `input`: where it lies then. `None` while it
    /// is incomplete.
    pub(crate) fn open(&mut self, input: &mut [u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        match self.opener.handle_input(input)? {
            Opening::Incomplete => Ok(None),
            Opening::Plain { skip, len } => Ok(Some(skip..skip + len)),
            Opening::Long { body_len, .. } => {
                Err(ProtocolError::MalformedMessage { len: body_len })
            }
        }
    }

    /// The longest plain frame that lies opened in the receive block.
    pub(crate) fn inline_max(&self) -> usize {
        self.inline_max
    }
}

impl Link {
    /// Everything from now on is sealed.
    pub(crate) fn seal(&mut self, sealing: Sealing) {
        self.output.seal(sealing.sealer);
        self.unsealing = Some(Box::new(Unsealing {
            opener: sealing.opener,
            plain: 0,
        }));
    }

    /// [`decode`](Self::decode) for a sealed link.
    #[cold]
    pub(super) fn decode_sealed(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        pools: &Pools,
    ) -> Result<Decoded, LinkError> {
        if self.awaits_payload() {
            return self.decode_awaited(id, machine, pools);
        }
        loop {
            let decoded = match self.body {
                Some(_) => self.open_body(id, machine)?,
                None => self.decode_opened(id, machine, pools)?,
            };
            match decoded {
                Turn::Found(decoded) => return Ok(decoded),
                Turn::Again => {}
                Turn::Starved => return Ok(Decoded::Starved),
            }
        }
    }

    /// Opens the next frame in the block if need be, and decodes it.
    fn decode_opened(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        pools: &Pools,
    ) -> Result<Turn, LinkError> {
        let (Some(block), Some(unsealing)) = (self.block.as_mut(), &mut self.unsealing) else {
            return Ok(Turn::Starved);
        };
        if unsealing.plain == 0 {
            match unsealing.opener.handle_input(block.undecoded_mut())? {
                Opening::Incomplete => return Ok(Turn::Starved),
                Opening::Plain { skip, len } => {
                    block.consume(skip);
                    unsealing.plain = len;
                }
                Opening::Long {
                    header_len,
                    body_len,
                } => {
                    block.consume(header_len);
                    self.start_body(body_len, pools)?;
                    return Ok(Turn::Again);
                }
            }
        }
        let plain = block.undecoded_mut().get_mut(..unsealing.plain);
        let Progress { consumed, event } = self.receiver.handle_input(plain.unwrap_or_default())?;
        if consumed == 0 {
            // Whole frames are consumed; one that is not has no place here.
            let len = unsealing.plain as u64;
            return Err(ProtocolError::MalformedMessage { len }.into());
        }
        unsealing.plain = unsealing.plain.saturating_sub(consumed);
        let decoded = match event {
            Some(Event::Frame { more, body }) => {
                let frame = block.split_frame(body, consumed);
                self.assembly.add(id, machine, frame, more)
            }
            event => self.decode_rarer(consumed, event, id, machine, pools)?,
        };
        Ok(decoded.map_or(Turn::Again, Turn::Found))
    }

    /// Opens a long body once all of it has come.
    fn open_body(&mut self, id: PeerId, machine: &mut Machine) -> Result<Turn, LinkError> {
        let (Some(mut body), Some(unsealing)) = (self.body.take(), &mut self.unsealing) else {
            return Ok(Turn::Starved);
        };
        if body.buffer.missing() > 0 {
            self.body = Some(body);
            return Ok(Turn::Starved);
        }
        let Some(buffer) = body.buffer.pooled() else {
            return Ok(Turn::Starved);
        };
        let Opened { header } = unsealing.opener.open_long(buffer.whole_mut())?;
        let mut bytes = [0; 9];
        let header = header.as_ref();
        let header = match bytes.get_mut(..header.len()) {
            Some(room) => {
                room.copy_from_slice(header);
                room
            }
            None => &mut [],
        };
        self.receiver.handle_input(header)?;
        self.receiver.body_handed_over();
        let Some(Event::BodyDone { more }) = self.receiver.handle_input(&mut [])?.event else {
            return Ok(Turn::Again);
        };
        buffer.drop_front(Opener::<NaCl>::PAYLOAD);
        let frame = body.buffer.freeze(Some(self.peer.clone()));
        let decoded = self.assembly.add(id, machine, frame, more);
        Ok(decoded.map_or(Turn::Again, Turn::Found))
    }
}

/// What a turn gave.
enum Turn {
    Found(Decoded),
    Again,
    Starved,
}
