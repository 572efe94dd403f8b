//! Frames become messages, as the pattern decides.

use std::ops::Range;

use ferromq_patterns::{Accept, PeerId, Reason, Subscription};
use ferromq_wire::Event;

use super::Decoded;
use crate::machine::Machine;
use crate::statistics::DropCause;
use crate::{Frame, Message};

/// The message that is being received. It belongs to its link, and dies with
/// it: nobody sees half a message.
#[derive(Default)]
pub(super) struct Assembly {
    pub(super) frames: Vec<Frame>,
    pub(super) envelope: Vec<Frame>,
    /// Frames that nobody gets, for an owner to drop where no lock is held.
    pub(super) refused: Vec<Frame>,
    /// The rest of a refused message is being skipped.
    pub(super) skipping: bool,
}

impl Assembly {
    /// Adds a frame, as the pattern decides.
    #[inline]
    pub(super) fn add(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        frame: Frame,
        more: bool,
    ) -> Option<Decoded> {
        if self.skipping {
            self.skipping = more;
            self.refused.push(frame);
            return None;
        }
        match machine.accept(id, &frame, more) {
            Accept::Deliver if !more && self.frames.is_empty() => {
                Some(Decoded::Message(Message::from(frame)))
            }
            Accept::Deliver => {
                self.frames.push(frame);
                (!more).then(|| Decoded::Message(Message::from(std::mem::take(&mut self.frames))))
            }
            other => self.add_rarer(other, frame, more),
        }
    }

    #[cold]
    fn add_rarer(&mut self, accept: Accept, frame: Frame, more: bool) -> Option<Decoded> {
        match accept {
            Accept::Stage => self.envelope.push(frame),
            Accept::Consume => {}
            Accept::Subscription(subscription) => {
                let topic = frame.slice(1..);
                return Some(Decoded::Subscription {
                    subscription,
                    topic,
                });
            }
            Accept::Refuse(reason) => {
                self.skipping = more;
                self.refused.push(frame);
                self.refused.append(&mut self.frames);
                self.refused.append(&mut self.envelope);
                return Some(Decoded::Refused(match reason {
                    Reason::NotSubscribed => DropCause::Unsubscribed,
                    _ => DropCause::Refused,
                }));
            }
            Accept::Deliver => self.frames.push(frame),
        }
        None
    }
}

/// What a command asks of a publisher, and where its topic or group lies. A
/// RADIO is joined and left, all others are subscribed to; what is not in the
/// type's own words is nothing.
pub(super) fn asked(event: &Event, groups: bool) -> Option<(Subscription, Range<usize>)> {
    let (subscription, lies) = match (event, groups) {
        (Event::Subscribe { topic }, false) => (Subscription::Subscribe, topic),
        (Event::Cancel { topic }, false) => (Subscription::Cancel, topic),
        (Event::Join { group }, true) => (Subscription::Subscribe, group),
        (Event::Leave { group }, true) => (Subscription::Cancel, group),
        _ => return None,
    };
    Some((subscription, lies.clone()))
}
