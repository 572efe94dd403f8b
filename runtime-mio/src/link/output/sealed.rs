//! Output of a CURVE link.

use ferromq_wire::{FrameFlags, Sealer, peek_header};

use super::{BY_HANDLE, CHUNK, Output, Segment};
use crate::Frame;
use crate::security::NaCl;

impl Output {
    /// Everything that is appended from now on is sealed.
    pub(crate) fn seal(&mut self, sealer: Sealer<NaCl>) {
        self.sealer = Some(Box::new(sealer));
    }

    /// Whether what waits here can only be sent to this link's peer: then
    /// messages had better wait in their pipe, where they are still plain.
    pub(crate) fn seals(&self) -> bool {
        self.sealer.is_some()
    }

    /// Appends a frame: a copy, encrypted.
    #[cold]
    pub(super) fn append_sealed(&mut self, more: bool, body: &[u8]) {
        let flags = match more {
            true => FrameFlags::MORE,
            false => FrameFlags::LAST,
        };
        self.append_sealed_frame(flags, body);
    }

    #[cold]
    pub(super) fn append_sealed_command(
        &mut self,
        room: usize,
        encode: impl FnOnce(&mut [u8]) -> usize,
    ) {
        let mut plain = vec![0; room];
        let len = encode(&mut plain);
        let command = plain.get(..len).unwrap_or_default();
        if let Some(header) = peek_header(command) {
            let body = command.get(header.header_len..).unwrap_or_default();
            self.append_sealed_frame(header.flags, body);
        }
    }

    fn append_sealed_frame(&mut self, flags: FrameFlags, body: &[u8]) {
        let Some(sealer) = self.sealer.as_deref_mut() else {
            return;
        };
        let needed = body.len() + Sealer::<NaCl>::OVERHEAD;
        if body.len() >= BY_HANDLE {
            // In memory of its own, as a payload is: the tail stays short.
            let mut sealed = vec![0; needed];
            let len = sealer.seal(flags, body, &mut sealed);
            sealed.truncate(len);
            self.seal_tail();
            self.total_appended += len as u64;
            let frame = Frame::from(sealed);
            self.segments
                .push_back(Segment::Payload { frame, start: 0 });
            return;
        }
        if self.tail.end + needed > CHUNK {
            self.seal_tail();
        }
        if let Some(sealer) = self.sealer.as_deref_mut() {
            let len = sealer.seal(flags, body, self.tail.room(needed));
            self.tail.end += len;
            self.total_appended += len as u64;
        }
    }
}
