//! Long bodies on their way into buffers of their own.

use std::io::IoSliceMut;
use std::sync::Arc;

use super::{End, Link, LinkError, OutOfMemory, Pools};
use crate::memory::{LandingBuffer, PayloadBuffer};
use crate::{Frame, PeerInfo};

/// Bodies that miss this much are waited for in large pieces.
const PATIENT_FROM: usize = 1 << 20;
/// Bytes of such a body that are worth waking for: four times as many take a
/// tenth of the CPU off a message of 10 MiB, for the sender pays for the wake-up.
pub(super) const LOW_WATER: usize = 1 << 20;
/// Bytes that a read of a body's end may fetch beyond it. And that any read fetches while
/// the application's memory waits for a body.
pub(super) const SPILL: usize = 4 << 10;

/// A long body on its way into its own buffer.
pub(super) struct Body {
    pub(super) buffer: BodyBuffer,
    /// Bytes that the transport was told to wait for. Without, reading 10 MiB
    /// took 77 reads, and the sender's core had to wake ours for half of them.
    pub(super) low_water: usize,
}

/// Where it is read to.
pub(super) enum BodyBuffer {
    Pooled(PayloadBuffer),
    /// The application's own memory, which it offered.
    Landed(LandingBuffer),
}

impl BodyBuffer {
    pub(super) fn space_mut(&mut self) -> Result<&mut [u8], OutOfMemory> {
        match self {
            Self::Pooled(buffer) => buffer.space_mut(),
            Self::Landed(buffer) => Ok(buffer.space_mut()),
        }
    }

    pub(super) fn filled(&mut self, n: usize) -> &mut [u8] {
        match self {
            Self::Pooled(buffer) => buffer.filled(n),
            Self::Landed(buffer) => buffer.filled(n),
        }
    }

    pub(super) fn missing(&self) -> usize {
        match self {
            Self::Pooled(buffer) => buffer.missing(),
            Self::Landed(buffer) => buffer.missing(),
        }
    }

    pub(super) fn filled_len(&self) -> usize {
        match self {
            Self::Pooled(buffer) => buffer.filled_len(),
            Self::Landed(buffer) => buffer.come().len(),
        }
    }

    /// Ours: what is sealed never lands.
    pub(super) fn pooled(&mut self) -> Option<&mut PayloadBuffer> {
        match self {
            Self::Pooled(buffer) => Some(buffer),
            Self::Landed(_) => None,
        }
    }

    /// A frame of the body, of which nothing is missing.
    pub(super) fn freeze(self, origin: Option<Arc<PeerInfo>>) -> Frame {
        match self {
            Self::Pooled(buffer) => buffer.freeze(origin),
            Self::Landed(buffer) => buffer.into_frame().received_from(origin),
        }
    }

    /// The application's memory, to be dropped where no lock is held.
    pub(super) fn into_landed(self) -> Option<Frame> {
        match self {
            Self::Pooled(_) => None,
            Self::Landed(buffer) => Some(buffer.into_frame()),
        }
    }
}

impl Link {
    fn buffer_for(&mut self, len: u64, pools: &Pools) -> Result<BodyBuffer, OutOfMemory> {
        // Sealed bytes are longer than what they hold, and others.
        if self.unsealing.is_none() && !self.assembly.skipping {
            let landing = pools.offer.take(len, &self.assembly.frames);
            if let Some(buffer) = landing {
                return Ok(BodyBuffer::Landed(buffer));
            }
        }
        pools.buffers.buffer(len).map(BodyBuffer::Pooled)
    }

    /// Reads no more into memory of the application's that lies at `start`: what has
    /// come of it is copied into ours, and so are frames of it. The handles that
    /// held it, for the owner to drop where no lock is held.
    pub(crate) fn leave_landing(
        &mut self,
        start: usize,
        pools: &Pools,
    ) -> Result<Vec<Frame>, OutOfMemory> {
        let mut left = leave_frames(&mut self.assembly.frames, start, pools)?;
        let Some(body) = &mut self.body else {
            return Ok(left);
        };
        let BodyBuffer::Landed(landed) = &body.buffer else {
            return Ok(left);
        };
        let len = landed.come().len() + landed.missing();
        let mut own = pools.buffers.buffer(len as u64)?;
        let mut come = landed.come();
        while !come.is_empty() {
            let space = own.space_mut()?;
            let len = space.len().min(come.len());
            space[..len].copy_from_slice(&come[..len]);
            own.filled(len);
            come = &come[len..];
        }
        let landed = std::mem::replace(&mut body.buffer, BodyBuffer::Pooled(own));
        left.extend(landed.into_landed());
        Ok(left)
    }

    /// Moves what has already come of a long body into its buffer.
    pub(super) fn start_body(&mut self, len: u64, pools: &Pools) -> Result<(), OutOfMemory> {
        // What follows the header in the block is the body: then it was written.
        let ahead = self.block.as_ref().is_some_and(|block| !block.is_empty());
        if self.output.hands_over && !ahead {
            self.handed_over = End::of(&mut *self.transport).and_then(|end| end.take_body(len));
            if self.handed_over.is_some() {
                self.receiver.body_handed_over();
                return Ok(());
            }
        }
        let mut body = Body {
            buffer: self.buffer_for(len, pools)?,
            low_water: 1,
        };
        if let Some(block) = self.block.as_mut() {
            while body.buffer.missing() > 0 && !block.is_empty() {
                let have = block.undecoded_mut();
                let space = body.buffer.space_mut()?;
                let len = space.len().min(have.len());
                space[..len].copy_from_slice(&have[..len]);
                self.receiver.body_received(body.buffer.filled(len));
                block.consume(len);
            }
        }
        self.body = Some(body);
        Ok(())
    }

    pub(super) fn fill_body(&mut self) -> Result<bool, LinkError> {
        let tells_by_count = self.tells_by_count();
        let (Some(body), Some(block)) = (&mut self.body, &mut self.block) else {
            return Ok(false);
        };
        let missing = body.buffer.missing();
        let space = body.buffer.space_mut()?;
        let asked = space.len();
        // The block may take what follows the body, but only behind its end.
        let read = if asked == missing {
            let spill = block.space_mut();
            let spill_len = spill.len().min(SPILL);
            let mut slices = [
                IoSliceMut::new(space),
                IoSliceMut::new(&mut spill[..spill_len]),
            ];
            self.transport.read_vectored(&mut slices)
        } else {
            self.transport.read(space)
        };
        match read {
            Ok(0) => Err(LinkError::Closed),
            Ok(len) => {
                let of_body = len.min(asked);
                self.receiver.body_received(body.buffer.filled(of_body));
                block.filled(len - of_body);
                self.heard = true;
                self.drained = len < asked && tells_by_count;
                self.wait_for_more();
                Ok(true)
            }
            Err(cause) => {
                let nothing = self.nothing_read(cause);
                // What is still to come may be less than was asked for before.
                self.wait_for_more();
                nothing
            }
        }
    }

    /// Tells the transport how much of a long body is worth waking for. Not
    /// with heartbeats: there, any byte is a sign of life.
    fn wait_for_more(&mut self) {
        let Some(body) = self.body.as_mut().filter(|_| self.heartbeats.is_none()) else {
            return;
        };
        let missing = body.buffer.missing();
        let wanted = match missing {
            0 => 1,
            _ if body.low_water > 1 || missing >= PATIENT_FROM => missing.min(LOW_WATER),
            _ => 1,
        };
        if wanted != body.low_water && (self.drained || missing == 0) {
            body.low_water = wanted;
            self.transport.set_read_low_water(wanted);
        }
    }

    /// Whether the next read is for a long body.
    pub(crate) fn is_within_body(&self) -> bool {
        self.body.is_some()
    }

    /// Whether a long body is under way: what comes next is no message yet.
    pub(crate) fn awaits_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.low_water > 1)
    }
}

/// Replaces the frames of the memory at `start` by copies; they come back.
pub(crate) fn leave_frames(
    frames: &mut [Frame],
    start: usize,
    pools: &Pools,
) -> Result<Vec<Frame>, OutOfMemory> {
    let mut left = Vec::new();
    for frame in frames {
        if frame.as_ptr().addr() == start {
            let origin = frame.shared_origin();
            let copy = pools.buffers.copy(frame)?.received_from(origin);
            left.push(std::mem::replace(frame, copy));
        }
    }
    Ok(left)
}
