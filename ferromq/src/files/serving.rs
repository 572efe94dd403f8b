//! What a receiver answers to what its senders say, and when the threads of
//! its files have something to tell.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Error, Frame};

use super::event::{Event, Incoming};
use super::intake;
use super::name::FileName;
use super::orders::{Report, Source, Told};
use super::protocol::{Answer, Digest, Offer, Request};
use super::receiver::{ROUND, Receiver};
use super::refusal::{Refusal, RefusalCode};
use super::table::Transfer;

/// Whoever is told of events, and may break.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&Event<'_>) -> ControlFlow<()>;

/// How often those who wait for us are told that we are still here.
pub(crate) const REMINDER: Duration = Duration::from_secs(1);

/// Why a receiver ends to serve.
pub(crate) enum End {
    /// Whoever watches has seen enough.
    Told,
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Receiver {
    pub(crate) fn serve_request(
        &mut self,
        identity: &Frame,
        request: Request,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        match request {
            Request::Probe => self.answer(identity, &Answer::Hello, watch),
            Request::Offer(offer) => self.take_offer(identity, offer, watch),
            Request::Abort { id } => match self.table.remove(identity, id) {
                Some(transfer) => tell(
                    watch,
                    &Event::Left {
                        file: &transfer.file,
                    },
                ),
                None => Ok(()),
            },
            Request::Proof { id, length, digest } => {
                self.forward(identity, id, watch, |transfer| {
                    transfer.proof(length, digest)
                })
            }
            Request::Chunk { id, offset, data } => {
                self.forward(identity, id, watch, |transfer| transfer.chunk(offset, data))
            }
            Request::End { id, digest } => {
                self.forward(identity, id, watch, |transfer| transfer.end(digest))
            }
        }
    }

    fn take_offer(&mut self, identity: &Frame, offer: Offer, watch: Watch<'_>) -> Result<(), End> {
        let (id, name) = (offer.id, offer.name.clone());
        match self.hand_over(identity, offer) {
            Ok(None) => Ok(()),
            Ok(Some((former, former_id, file))) => {
                tell(watch, &Event::Left { file: &file })?;
                if (&former, former_id) == (identity, id) {
                    return Ok(());
                }
                let cause = "a newer offer of the same file has taken over";
                let refusal = Refusal::new(RefusalCode::Superseded, cause);
                self.say_refused(&former, former_id, &refusal, watch)
            }
            Err(refusal) => {
                self.say_refused(identity, id, &refusal, watch)?;
                let (name, file, refusal) = (&name[..], None, &refusal);
                tell(
                    watch,
                    &Event::Refused {
                        name,
                        file,
                        refusal,
                    },
                )
            }
        }
    }

    /// Hands an offer to the intake of its file, a new one or that of an
    /// earlier offer, whose it was then.
    fn hand_over(
        &mut self,
        identity: &Frame,
        offer: Offer,
    ) -> Result<Option<(Frame, u64, Incoming)>, Refusal> {
        let name = FileName::new(&offer.name)
            .map_err(|error| Refusal::new(RefusalCode::Name, error.to_string()))?;
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let file = Incoming {
            number: ticket,
            name,
            size: offer.size,
            peer: offer.peer,
        };
        let source = match offer.source.is_empty() {
            true => Source::Unknown(unique(ticket)),
            false => Source::Known(offer.source),
        };
        let open = self
            .table
            .take_over(&file.name, &source, identity, offer.id)?;
        let before = open.as_ref().map(Transfer::whose);
        let taken = match open {
            Some(transfer) => transfer.offered_again(file, identity, offer.id)?,
            None => self.open(file, source, identity, offer.id)?,
        };
        self.table.add(taken);
        Ok(before)
    }

    fn open(
        &self,
        file: Incoming,
        source: Source,
        identity: &Frame,
        id: u64,
    ) -> Result<Transfer, Refusal> {
        let (directory, existing) = (self.directory.clone(), self.options.existing);
        let (name, post) = (file.name.clone(), self.post.clone());
        let started = intake::start(directory, existing, name, &source, post);
        let refused = |cause: io::Error| {
            Refusal::new(
                RefusalCode::Busy,
                format!("a thread cannot be had: {cause}"),
            )
        };
        Transfer::new(file, source, identity, id, started.map_err(refused)?)
    }

    /// Gives a request to the file that it is about, if it is in turn.
    fn forward(
        &mut self,
        identity: &Frame,
        id: u64,
        watch: Watch<'_>,
        hand_over: impl FnOnce(&mut Transfer) -> Result<(), Refusal>,
    ) -> Result<(), End> {
        match self.table.find(identity, id).map(hand_over) {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => self.refuse(identity, id, refusal, watch),
            // Of an earlier connection, perhaps, or of an earlier receiver.
            None => self.answer(identity, &Answer::Again { id }, watch),
        }
    }

    /// Refuses a request, and the file that it is about.
    pub(crate) fn refuse(
        &mut self,
        identity: &Frame,
        id: u64,
        refusal: Refusal,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        let transfer = self.table.remove(identity, id);
        self.say_refused(identity, id, &refusal, watch)?;
        let file = transfer.as_ref().map(|transfer| &transfer.file);
        let name = file.map_or(&b""[..], |file| file.name.as_bytes());
        tell(
            watch,
            &Event::Refused {
                name,
                file,
                refusal: &refusal,
            },
        )
    }

    fn say_refused(
        &mut self,
        identity: &Frame,
        id: u64,
        refusal: &Refusal,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        let refusal = refusal.clone();
        self.answer(identity, &Answer::Refused { id, refusal }, watch)
    }

    pub(crate) fn take_reports(&mut self, watch: Watch<'_>) -> Result<(), End> {
        for _ in 0..ROUND {
            let Some(Report { ticket, told }) = self.mailbox.take() else {
                break;
            };
            // What is told of an earlier offer is for nobody.
            if let Some(transfer) = self.table.by_ticket(ticket) {
                let (identity, id) = (transfer.identity.clone(), transfer.id);
                self.reported(&identity, id, told, watch)?;
            }
        }
        Ok(())
    }

    fn reported(
        &mut self,
        identity: &Frame,
        id: u64,
        told: Told,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        match told {
            Told::Done { digest } => return self.done(identity, id, digest, watch),
            Told::Refused(refusal) => return self.refuse(identity, id, refusal, watch),
            _ => {}
        }
        let Some(transfer) = self.table.find(identity, id) else {
            return Ok(());
        };
        let answer = transfer.reported(&told);
        let file = &transfer.file;
        match told {
            Told::Accept { offset } => tell(watch, &Event::Began { file, from: offset })?,
            Told::Written { offset: written } => tell(watch, &Event::Advanced { file, written })?,
            _ => {}
        }
        match answer {
            Some(answer) => self.answer(identity, &answer, watch),
            None => Ok(()),
        }
    }

    fn done(
        &mut self,
        identity: &Frame,
        id: u64,
        digest: Digest,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        let Some(transfer) = self.table.remove(identity, id) else {
            return Ok(());
        };
        self.answer(identity, &Answer::Done { id, digest }, watch)?;
        let received = Event::Received {
            file: &transfer.file,
            sha256: digest,
        };
        tell(watch, &received)
    }

    /// Answers; a peer that is gone, or takes no answers, loses its files.
    fn answer(&mut self, identity: &Frame, answer: &Answer, watch: Watch<'_>) -> Result<(), End> {
        let mut message = answer.to_message();
        message.push_front(identity);
        match self.socket.try_send(message).map_err(Error::from) {
            Ok(()) => {
                if let Some(id) = answer.id()
                    && let Some(transfer) = self.table.find(identity, id)
                {
                    transfer.answered = Instant::now();
                }
                Ok(())
            }
            Err(Error::HostUnreachable { .. } | Error::WouldBlock) => {
                for transfer in self.table.remove_all_of(identity) {
                    tell(
                        watch,
                        &Event::Left {
                            file: &transfer.file,
                        },
                    )?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells everybody who has heard nothing for a while that we are here. So
    /// we learn who is not.
    pub(crate) fn remind(&mut self, watch: Watch<'_>) -> Result<(), End> {
        for (identity, id) in self.table.unanswered_for(REMINDER) {
            self.answer(&identity, &Answer::Wait { id }, watch)?;
        }
        Ok(())
    }
}

fn tell(watch: Watch<'_>, event: &Event<'_>) -> Result<(), End> {
    match watch(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(End::Told),
    }
}

/// Bytes that no other offer has, in this process or another.
fn unique(ticket: u64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{} {ticket} {now}", std::process::id()).into_bytes()
}
