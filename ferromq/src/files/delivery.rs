//! One file on its way, as the sender sees it.
//!
//! ```text
//!   Meeting ─ HELLO ─▶ Offered ─ PROVE ─▶ Proving ─▶ Proved ─ ACCEPT ─▶ Sending ─▶ Ended ─ DONE ─▶
//!                       ▲   └──────────────── ACCEPT 0 ──────────────────▲
//!                       └── from anywhere: HELLO of a new connection, AGAIN, silence
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::{Error, Frame};

use super::error::FileError;
use super::protocol::{Answer, CHUNK, Digest, Grant, Offer, Request};
use super::refusal::{Refusal, RefusalCode};
use super::sender::{Progress, Sender};
use super::source::{Given, Reader, Want, What};

/// A file being delivered.
pub(crate) struct Delivery<'a> {
    sender: &'a mut Sender,
    offer: Offer,
    reader: Reader,
    watch: &'a mut dyn FnMut(Progress),
    phase: Phase,
    /// Read and not yet sent, the next first.
    chunks: VecDeque<(u64, Frame)>,
    /// The hash of the whole file, once it was read.
    whole: Option<Digest>,
    from: u64,
    /// When the receiver last said something that helps.
    heard: Instant,
    /// When this file was last offered.
    offered: Instant,
    pause: Duration,
    /// Why the receiver could not take it for now.
    busy: Option<Refusal>,
}

/// A file that was delivered.
pub(crate) struct Delivered {
    pub(crate) size: u64,
    pub(crate) from: u64,
    pub(crate) digest: Digest,
}

/// What is awaited.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// A first connection.
    Meeting,
    /// A time to offer the file again.
    Pausing { until: Instant },
    /// The receiver's answer.
    Offered,
    /// Our own hash of the first bytes.
    Proving,
    /// The receiver's answer to it.
    Proved { length: u64, digest: Digest },
    /// Chunks of the file, and room for them: `acked <= sent <= acked + window`.
    Sending { sent: u64, acked: u64, window: u64 },
    /// The receiver's last word.
    Ended { digest: Digest },
}

/// A receiver that has a file open says something every second. One that is
/// silent for so long has forgotten it.
const SILENCE: Duration = Duration::from_secs(15);
/// First and longest pause before an offer that could not be taken is made
/// again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Answers that are read before anything is sent.
const ROUND: usize = 64;

impl<'a> Delivery<'a> {
    /// A file that is not yet offered. The offer's id is of no importance.
    pub(crate) fn new(
        sender: &'a mut Sender,
        offer: Offer,
        reader: Reader,
        watch: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let now = Instant::now();
        Self {
            sender,
            offer,
            reader,
            watch,
            phase: Phase::Meeting,
            chunks: VecDeque::new(),
            whole: None,
            from: 0,
            heard: now,
            offered: now,
            pause: PAUSE.0,
            busy: None,
        }
    }

    /// Delivers it.
    pub(crate) fn run(mut self) -> Result<Delivered, FileError> {
        let delivered = self.deliver();
        if delivered.is_err() && self.offer.id != 0 {
            let id = self.offer.id;
            let _ = self.say(&Request::Abort { id });
        }
        delivered
    }

    fn deliver(&mut self) -> Result<Delivered, FileError> {
        if self.sender.greeted {
            self.make_offer()?;
        }
        let mut ready = Vec::new();
        loop {
            for _ in 0..ROUND {
                match self.sender.socket.try_recv() {
                    Ok(message) => {
                        if let Some(delivered) = self.answered(message.parts())? {
                            return Ok(delivered);
                        }
                    }
                    Err(Error::WouldBlock) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            while let Some(Given { id, what }) = self.sender.mailbox.take() {
                // What was read for an earlier offer, or file, is for nobody.
                if id == self.offer.id {
                    self.given(what)?;
                }
            }
            self.send_on()?;
            let patience = self.look_at_clock()?;
            self.sender.poller.wait(&mut ready, patience)?;
        }
    }

    fn answered(&mut self, frames: &[Frame]) -> Result<Option<Delivered>, FileError> {
        let answer = Answer::parse(frames);
        let answer = answer.ok_or(FileError::Protocol("it sent what is no answer"))?;
        if answer.id().is_some_and(|id| id != self.offer.id) {
            return Ok(None);
        }
        match answer {
            Answer::Hello => {
                self.sender.greeted = true;
                self.make_offer()?;
            }
            Answer::Prove { length, .. } => self.prove(length)?,
            Answer::Accept { grant, .. } => self.accepted(grant)?,
            Answer::Ack { offset, .. } => self.acknowledged(offset)?,
            Answer::Wait { .. } => {}
            Answer::Done { digest, .. } => return self.done(digest).map(Some),
            Answer::Refused { refusal, .. } if refusal.code == RefusalCode::Busy => {
                self.busy = Some(refusal);
                self.offer_later();
                return Ok(None);
            }
            Answer::Refused { refusal, .. } => return Err(FileError::Refused(refusal)),
            Answer::Again { .. } => {
                self.offer_later();
                return Ok(None);
            }
        }
        self.heard = Instant::now();
        self.busy = None;
        Ok(None)
    }

    /// Offers the file, as if for the first time.
    fn make_offer(&mut self) -> Result<(), FileError> {
        self.sender.last_id += 1;
        self.offer.id = self.sender.last_id;
        self.chunks.clear();
        self.whole = None;
        self.phase = Phase::Offered;
        self.offered = Instant::now();
        let offer = self.offer.clone();
        self.say(&Request::Offer(offer))
    }

    fn offer_later(&mut self) {
        let until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
        self.phase = Phase::Pausing { until };
    }

    fn prove(&mut self, length: u64) -> Result<(), FileError> {
        match self.phase {
            Phase::Offered | Phase::Proved { .. } if length <= self.offer.size => {
                let id = self.offer.id;
                self.reader.want(Want::Proof { id, length });
                self.phase = Phase::Proving;
                Ok(())
            }
            Phase::Offered | Phase::Proved { .. } => {
                Err(FileError::Protocol("it wants more proved than there is"))
            }
            _ => Err(FileError::Protocol("it wants a proof out of turn")),
        }
    }

    fn accepted(&mut self, grant: Grant) -> Result<(), FileError> {
        let proved = match self.phase {
            Phase::Offered => 0,
            Phase::Proved { length, .. } => length,
            _ => return Err(FileError::Protocol("it accepts out of turn")),
        };
        let Grant {
            offset,
            window,
            chunk,
        } = grant;
        if offset != 0 && offset != proved {
            return Err(FileError::Protocol("it goes on where nothing was proved"));
        }
        if window == 0 || chunk == 0 {
            return Err(FileError::Protocol("it grants nothing"));
        }
        let chunk = usize::try_from(chunk.min(window)).map_or(CHUNK, |chunk| chunk.min(CHUNK));
        let id = self.offer.id;
        self.reader.want(Want::Chunks { id, offset, chunk });
        self.from = offset;
        self.phase = Phase::Sending {
            sent: offset,
            acked: offset,
            window,
        };
        self.tell(offset);
        Ok(())
    }

    fn acknowledged(&mut self, offset: u64) -> Result<(), FileError> {
        match &mut self.phase {
            Phase::Sending { sent, acked, .. } if (*acked..=*sent).contains(&offset) => {
                *acked = offset;
            }
            Phase::Ended { .. } if offset <= self.offer.size => {}
            _ => return Err(FileError::Protocol("it acknowledges what was not sent")),
        }
        self.pause = PAUSE.0;
        self.tell(offset);
        Ok(())
    }

    fn done(&mut self, digest: Digest) -> Result<Delivered, FileError> {
        let size = self.offer.size;
        let (ours, from) = match self.phase {
            Phase::Ended { digest } => (digest, self.from),
            Phase::Proved { length, digest } if length == size => (digest, size),
            _ => return Err(FileError::Protocol("it is done before the end")),
        };
        if digest != ours {
            return Err(FileError::Protocol("it is done with another file"));
        }
        self.tell(size);
        Ok(Delivered { size, from, digest })
    }

    /// What was read.
    fn given(&mut self, what: What) -> Result<(), FileError> {
        match (what, self.phase) {
            (What::Proof { length, digest }, Phase::Proving) => {
                self.phase = Phase::Proved { length, digest };
                let id = self.offer.id;
                self.say(&Request::Proof { id, length, digest })
            }
            (What::Chunk { offset, data }, Phase::Sending { .. }) => {
                self.chunks.push_back((offset, data));
                Ok(())
            }
            (What::End { digest }, Phase::Sending { .. }) => {
                self.whole = Some(digest);
                Ok(())
            }
            (What::Failed(error), _) => Err(error),
            // Read before a pause.
            _ => Ok(()),
        }
    }

    /// Sends what was read and is granted, and the end after it.
    fn send_on(&mut self) -> Result<(), FileError> {
        let id = self.offer.id;
        let Phase::Sending {
            mut sent,
            acked,
            window,
        } = self.phase
        else {
            return Ok(());
        };
        let limit = acked.saturating_add(window);
        while let Some((offset, data)) = self.chunks.front()
            && *offset + data.len() as u64 <= limit
        {
            let (offset, data) = (*offset, data.clone());
            self.chunks.pop_front();
            sent = offset + data.len() as u64;
            self.say(&Request::Chunk { id, offset, data })?;
        }
        self.phase = Phase::Sending {
            sent,
            acked,
            window,
        };
        if let Some(digest) = self.whole
            && self.chunks.is_empty()
        {
            self.phase = Phase::Ended { digest };
            self.say(&Request::End { id, digest })?;
        }
        Ok(())
    }

    /// Does what is due; how long to sleep at most.
    fn look_at_clock(&mut self) -> Result<Option<Duration>, FileError> {
        let now = Instant::now();
        if let Phase::Pausing { until } = self.phase
            && until <= now
        {
            self.make_offer()?;
        }
        let silent_until = self.heard.max(self.offered) + SILENCE;
        let next = match self.phase {
            Phase::Meeting => None,
            Phase::Pausing { until } => Some(until),
            _ if silent_until <= now => {
                self.offered = now;
                // Without a connection there is nobody to offer it to.
                if self.sender.socket.statistics().connected() > 0 {
                    self.make_offer()?;
                }
                Some(now + SILENCE)
            }
            _ => Some(silent_until),
        };
        let end = match self.sender.timeout {
            Some(after) if self.heard + after <= now => {
                let busy = self.busy.take().map(FileError::Refused);
                return Err(busy.unwrap_or(FileError::TimedOut { after }));
            }
            Some(after) => Some(self.heard + after),
            None => None,
        };
        let wake = [next, end].into_iter().flatten().min();
        Ok(wake.map(|at| at.saturating_duration_since(now)))
    }

    fn say(&mut self, request: &Request) -> Result<(), FileError> {
        match self
            .sender
            .socket
            .try_send(request.to_message())
            .map_err(Error::from)
        {
            Ok(()) => Ok(()),
            // More than a receiver lets wait: it is lost, and with it what
            // was granted. Another greets us.
            Err(Error::WouldBlock) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn tell(&mut self, written: u64) {
        let size = self.offer.size;
        (self.watch)(Progress { written, size });
    }
}
