//! What happened to a queue: completions, events, and waiting for them.

use std::io;

use super::{Channel, Over};
use crate::channel::Awaited;
use crate::counters::Count;
use crate::credit::Kind;
use crate::error::{LinkError, Work, errno_of};
use crate::gather::Gathered;
use crate::hello::Header;
use crate::ring::work;
use crate::verbs::{Completion, Event, Notify, Status};

impl Channel {
    /// Takes completions, all there are: what is posted again is so behind the last one,
    /// so that a peer cannot keep a call longer than what was posted lasts.
    pub(crate) fn look(&mut self) {
        let mut places = [Completion::BLANK; 16];
        let mut taken = 0;
        loop {
            let count = self.queue.poll(&mut places);
            taken += count;
            for completion in &places[..count] {
                self.completed(*completion);
            }
            if count < places.len() {
                break;
            }
        }
        self.tally.add(Count::Completions, taken);
        if taken > 0 {
            self.repost();
            self.pay();
        }
    }

    /// Sees to it that whatever a caller waits for makes the descriptor readable, and
    /// looks once more.
    pub(crate) fn arm(&mut self, gathered: &Gathered, awaited: Awaited) {
        let readable = gathered.look();
        if readable.events {
            self.take_events();
        }
        if readable.completions && self.queue.drain() {
            self.armed = None;
            self.tally.add(Count::WakeUps, 1);
        }
        let own = self.reading + self.writing > 0 || !self.sending.has_room(Kind::Data);
        let notify = match own || awaited == Awaited::Read {
            // Only then is what we have sent, read or written worth a wake-up.
            true => Notify::Any,
            false => Notify::Solicited,
        };
        // A peer that sends no more still takes what we send, and may be read from.
        let failed = matches!(self.over, Some(Over::Failed(_)));
        if self.armed < Some(notify) && !failed {
            self.armed = Some(notify);
            self.tally.add(Count::Arms, 1);
            if let Err(error) = self.queue.arm(notify) {
                self.refused(Work::Arm, &error);
            }
        }
        self.look();
    }

    /// Takes what happened to the connection.
    pub(crate) fn take_events(&mut self) -> Option<Vec<u8>> {
        let mut word = None;
        while let Some(event) = self.queue.poll_event() {
            match event {
                Event::Established { private_data } => {
                    self.stands = true;
                    word = Some(private_data);
                }
                // What arrived before is read.
                Event::Disconnected => {
                    self.look();
                    self.fail(LinkError::Lost);
                }
                Event::Rejected { status, .. } => self.fail(LinkError::Rejected { status }),
                Event::Failed { errno } => self.fail(LinkError::Failed { errno }),
                Event::DeviceRemoved => self.fail(LinkError::DeviceRemoved),
            }
        }
        word
    }

    fn completed(&mut self, completion: Completion) {
        let (kind, number) = work::split(completion.work);
        let failed = completion.outcome.err();
        match kind {
            work::RECEIVE => match completion.outcome {
                Ok(len) => self.received(number as usize, len, completion.immediate),
                Err(status) => self.work_failed(Work::Receive, status),
            },
            work::SEND => {
                self.tally.add(Count::SendCompletions, 1);
                self.sending.completed(number);
                if let Some(status) = failed {
                    self.work_failed(Work::Send, status);
                }
            }
            work::WRITE => {
                self.writing = self.writing.saturating_sub(1);
                match failed {
                    None => self.written += 1,
                    Some(status) => self.work_failed(Work::Write, status),
                }
            }
            _ => {
                self.reading = self.reading.saturating_sub(1);
                self.read.push_back((number, failed.map_or(Ok(()), Err)));
                if let Some(status) = failed {
                    self.work_failed(Work::Read, status);
                }
            }
        }
    }

    fn received(&mut self, slot: usize, len: u32, immediate: Option<u32>) {
        // Who sends has seen that the connection stands.
        self.stands = true;
        let taken = match immediate {
            // Nothing is in that slot, whatever its length.
            Some(value) => Err(LinkError::Immediate { value }),
            None => self.take_message(slot, len),
        };
        if let Err(error) = taken {
            self.fail(error);
        }
    }

    fn take_message(&mut self, slot: usize, len: u32) -> Result<(), LinkError> {
        let header = Header::decode(self.receiving.message(slot), len)?;
        if self.over == Some(Over::InOrder) {
            // It said that nothing would follow.
            return Ok(());
        }
        if let Some(credits) = &mut self.credits {
            credits.received(header.kind, header.credits)?;
        }
        match header.kind {
            Kind::Data => self.receiving.hold(slot, header.len as usize),
            Kind::Credits => self.receiving.free(slot),
            Kind::End => self.over = self.over.or(Some(Over::InOrder)),
        }
        Ok(())
    }

    fn work_failed(&mut self, work: Work, status: Status) {
        self.fail(match status {
            // Of what failed first nothing was heard: the other side's doing.
            Status::Flushed => LinkError::Lost,
            status => LinkError::Work { work, status },
        });
    }

    pub(super) fn refused(&mut self, work: Work, error: &io::Error) {
        let errno = errno_of(error);
        self.fail(LinkError::Refused { work, errno });
    }

    /// Returns credits, if they are worth a message.
    pub(super) fn pay(&mut self) {
        let Some(credits) = &mut self.credits else {
            return;
        };
        let well = self.stands && self.over.is_none();
        if well && credits.worth_a_message() && self.sending.has_room(Kind::Credits) {
            self.sending.add(credits, Kind::Credits, 0);
            self.post_sends();
        }
    }

    pub(super) fn post_sends(&mut self) {
        match self.sending.post(&mut *self.queue) {
            Ok(0) => {}
            Ok(count) => {
                self.tally.add(Count::Sends, count);
                self.tally.add(Count::SendCalls, 1);
            }
            Err(error) => self.refused(Work::Send, &error),
        }
    }

    pub(super) fn repost(&mut self) {
        if self.over.is_some() {
            return;
        }
        match self.receiving.post(&mut *self.queue) {
            Ok(count) => self.tally.add(Count::Receives, count),
            Err(error) => self.refused(Work::Receive, &error),
        }
    }
}
