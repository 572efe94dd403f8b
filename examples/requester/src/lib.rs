//! A REQ socket for places without std and without an allocator, over any stream
//! of bytes: a TCP connection, a serial line, a pipe.
//!
//! ```text
//!   ask(question) ─▶ Req: envelope ─▶ Transmitter ─▶ stream.write ─▶
//!   answer        ◀─ Req: accept   ◀─ Receiver    ◀─ stream.read  ◀─
//!                    who, and when    what the bytes mean
//! ```
//! One question at a time, one peer. `examples/freestanding` runs it over raw
//! system calls, `examples/cortex-m4` over a UART: this file is the same in both.
#![no_std]
#![forbid(unsafe_code)]

mod error;
mod link;

use embedded_io::{Read, Write};
pub use error::Error;
use ferromq_patterns::{
    Accept, Array, Correlation, Pattern, Peer, PeerId, Replier, Req, ReqState, Resend,
};
pub use ferromq_wire::Scratch;
pub use link::FRAME_MAX;
use link::Link;

/// A REQ with its one peer: about 1.3 KiB, of which two buffers are 1.1.
pub struct Requester<S> {
    link: Link<S>,
    machine: Req<Array<Peer<Replier>, 1>>,
    peer: PeerId,
}

impl<S: Read + Write> Requester<S> {
    /// Greets the peer at the other end of `stream`. `scratch` (8 KiB) is needed
    /// for that only.
    ///
    /// `first_request` should be random: questions are numbered from it, so that
    /// a device that restarts does not take its predecessor's answers.
    ///
    /// # Errors
    /// The stream's, or that the peer is none that a REQ can talk to.
    pub fn new(
        stream: S,
        scratch: &mut Scratch,
        first_request: u32,
    ) -> Result<Self, Error<S::Error>> {
        let link = Link::new(stream, scratch)?;
        let mut machine = Req::new(Array::new(), Correlation::On, Resend::Strict, first_request);
        let peer = machine.peer_attached(b"")?;
        machine.peer_has_room(peer); // our writes wait, so there always is
        Ok(Self {
            link,
            machine,
            peer,
        })
    }

    /// Sends a question of one frame, waits for its answer, puts that into
    /// `answer` (several frames one behind the other) and says how long it is.
    ///
    /// # Errors
    /// The stream's, the peer's, or that something is longer than its room. Make
    /// a new connection then.
    pub fn ask(&mut self, question: &[u8], answer: &mut [u8]) -> Result<usize, Error<S::Error>> {
        self.machine.route()?;
        for frame in self.machine.envelope().frames() {
            self.link.send(frame, true)?;
        }
        self.link.send(question, false)?;
        let (mut len, mut skipping) = (0, false);
        while self.machine.state() != ReqState::Answered(self.peer) {
            let (frame, more) = self.link.receive()?;
            if skipping {
                skipping = more; // what follows a refused frame goes with it
                continue;
            }
            match self.machine.accept(self.peer, frame, more) {
                Accept::Deliver => len = append(answer, len, frame).ok_or(Error::TooLong)?,
                // The answer to another question than the last one.
                Accept::Refuse(_) => (len, skipping) = (0, more),
                _ => {} // the envelope
            }
        }
        self.machine.delivered(self.peer); // now the next question may be asked
        Ok(len)
    }
}

/// Puts `frame` behind the first `len` bytes, if there is room.
fn append(answer: &mut [u8], len: usize, frame: &[u8]) -> Option<usize> {
    let end = len.checked_add(frame.len())?;
    answer.get_mut(len..end)?.copy_from_slice(frame);
    Some(end)
}

#[cfg(test)]
mod tests;
