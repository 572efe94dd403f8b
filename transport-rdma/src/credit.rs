//! Who may send how much: a receive is always posted.
//!
//! ```text
//!   our slots = granted (the peer may send so many) + held (came, and are not read)
//!               + owed (free again, and the peer does not know)
//! ```
//!
//! A message of the stream costs its sender a credit. What is owed rides on the next
//! message that goes the other way; if none goes, half of all slots are worth a message
//! that carries nothing else. Such a message costs no credit, for who waits for credits
//! has none: it is sent into [`CONTROL_SLOTS`] that are posted beside the others and
//! posted again as soon as they are looked at. Two of them are enough, and they cannot be
//! overrun: each brings half of what its receiver can have spent, so that a third one comes
//! only to somebody who has spent what one of the first two brought, and who has thereby
//! looked at it. The end of a stream is sent once, so it costs none either.

use crate::error::LinkError;

/// Slots beside those of the stream: for two messages of credits, and for the end.
pub(crate) const CONTROL_SLOTS: u16 = 3;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of the stream.
    Data,
    /// Nothing but credits.
    Credits,
    /// No more is coming.
    End,
}

/// The accounts of one link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credits {
    /// Slots of ours for the peer's messages.
    ours: u16,
    /// Slots of the peer's.
    theirs: u16,
    /// Messages that we may send.
    available: u16,
    /// Messages that the peer may send.
    granted: u16,
    /// Slots of ours that are free, and the peer does not know.
    owed: u16,
}

impl Credits {
    /// Both sides know how many slots the other one has, and all are free.
    pub(crate) fn new(ours: u16, theirs: u16) -> Self {
        Self {
            ours,
            theirs,
            available: theirs,
            granted: ours,
            owed: 0,
        }
    }

    /// Messages of the stream that may be sent.
    pub(crate) fn available(&self) -> u16 {
        self.available
    }

    /// Whether what is owed is worth a message of its own.
    pub(crate) fn worth_a_message(&self) -> bool {
        self.owed >= half(self.ours)
    }

    /// A message of this kind is about to be sent: the credits that go with it.
    pub(crate) fn sending(&mut self, kind: Kind) -> u16 {
        if kind == Kind::Data {
            self.available = self.available.saturating_sub(1);
        }
        let paid = std::mem::take(&mut self.owed);
        self.granted += paid;
        paid
    }

    /// A message of this kind came, with so many credits.
    ///
    /// # Errors
    /// [`LinkError::Overrun`], [`LinkError::Credits`].
    pub(crate) fn received(&mut self, kind: Kind, returned: u16) -> Result<(), LinkError> {
        let spent = self.theirs - self.available;
        let too_few = kind == Kind::Credits && returned < half(self.theirs);
        if returned > spent || too_few {
            let spent = spent.into();
            return Err(LinkError::Credits { returned, spent });
        }
        self.available += returned;
        if kind == Kind::Data {
            let slots = self.ours;
            self.granted = self
                .granted
                .checked_sub(1)
                .ok_or(LinkError::Overrun { slots })?;
        }
        Ok(())
    }

    /// A message of the stream was read, and its slot is posted again.
    pub(crate) fn freed(&mut self) {
        self.owed += 1;
    }
}

/// What is worth a message: at least one.
fn half(slots: u16) -> u16 {
    slots.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both ends, and what is under way between them.
    struct Model {
        ends: [Credits; 2],
        wires: [Vec<(Kind, u16)>; 2],
        held: [u16; 2],
        /// Messages of credits that lie at an end and were not looked at.
        slots: [u16; 2],
    }

    impl Model {
        fn send(&mut self, from: usize, kind: Kind) {
            let credits = self.ends[from].sending(kind);
            self.wires[1 - from].push((kind, credits));
            let control = self.wires[1 - from]
                .iter()
                .filter(|(kind, _)| *kind == Kind::Credits);
            assert!(control.count() <= 2, "a message of credits finds no slot");
            let data = self.wires[1 - from]
                .iter()
                .filter(|(kind, _)| *kind == Kind::Data);
            let room = self.slots[1 - from] - self.held[1 - from];
            assert!(data.count() <= room.into(), "a message finds no slot");
        }

        fn look(&mut self, at: usize) {
            for (kind, credits) in std::mem::take(&mut self.wires[at]) {
                self.ends[at].received(kind, credits).unwrap();
                self.held[at] += u16::from(kind == Kind::Data);
            }
        }

        fn read(&mut self, at: usize) {
            if self.held[at] > 0 {
                self.held[at] -= 1;
                self.ends[at].freed();
            }
            if self.ends[at].worth_a_message() {
                self.send(at, Kind::Credits);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_sent_without_room_and_nobody_waits_for_ever(
            slots in [1_u16..20, 1_u16..20],
            steps in prop::collection::vec((0..3, 0..2_usize), 0..400),
        ) {
            let ends = [
                Credits::new(slots[0], slots[1]),
                Credits::new(slots[1], slots[0]),
            ];
            let mut model = Model { ends, wires: Default::default(), held: [0; 2], slots };
            for (step, end) in steps {
                match step {
                    0 if model.ends[end].available() > 0 => model.send(end, Kind::Data),
                    0 => {}
                    1 => model.look(end),
                    _ => model.read(end),
                }
            }
            // One that reads all lets the other one send, whatever that one does not read.
            for end in 0..2 {
                model.look(end);
                while model.held[end] > 0 {
                    model.read(end);
                }
                model.look(1 - end);
                prop_assert!(model.ends[1 - end].available() > 0);
            }
        }
    }

    #[test]
    fn who_sends_without_a_credit_overruns() {
        let mut credits = Credits::new(2, 2);
        credits.received(Kind::Data, 0).unwrap();
        credits.received(Kind::Data, 0).unwrap();
        let overrun = LinkError::Overrun { slots: 2 };
        assert_eq!(credits.received(Kind::Data, 0), Err(overrun));
    }

    #[test]
    fn credits_that_were_not_spent_cannot_come_back() {
        let mut credits = Credits::new(8, 8);
        credits.sending(Kind::Data);
        let wrong = |returned, spent| Err(LinkError::Credits { returned, spent });
        assert_eq!(credits.received(Kind::Data, 2), wrong(2, 1));
        assert_eq!(credits.received(Kind::Data, 1), Ok(()));
        assert_eq!(credits.available(), 8);
        // Nor is a message worth sending that brings none, or hardly any.
        for _ in 0..5 {
            credits.sending(Kind::Data);
        }
        assert_eq!(credits.received(Kind::Credits, 0), wrong(0, 5));
        assert_eq!(credits.received(Kind::Credits, 3), wrong(3, 5));
        assert_eq!(credits.received(Kind::Credits, 4), Ok(()));
    }
}
