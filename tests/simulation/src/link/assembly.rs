//! Frames become messages, as the pattern decides.

use ferromq_patterns::{Accept, PeerId, Reason};

use super::{Decoded, Moment};
use crate::machine::Machine;
use crate::message::Message;

/// The message that is being received; it dies with its link.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pub(super) frames: Message,
    envelope: Message,
    begun: usize,
    /// The rest of a message that was refused for this is skipped.
    refused: Option<Reason>,
}

impl Assembly {
    pub(super) fn add(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        frame: &[u8],
        more: bool,
        moment: Moment,
    ) -> Option<Decoded> {
        if self.refused.is_none() {
            match machine.accept(id, frame, more) {
                Accept::Deliver => {
                    if self.frames.is_empty() {
                        self.begun = moment.topics;
                    }
                    self.frames.push(frame);
                }
                Accept::Stage => self.envelope.push(frame),
                Accept::Consume => {}
                Accept::Subscription(subscription) => {
                    let topic = frame.get(1..).unwrap_or_default().to_vec();
                    return Some(Decoded::Subscription(subscription, topic));
                }
                Accept::Refuse(reason) => self.refused = Some(reason),
            }
        }
        if more {
            return None;
        }
        let message = std::mem::take(&mut self.frames);
        let envelope = std::mem::take(&mut self.envelope);
        // Counted once, when it has passed: a message that is cut off is the network's loss.
        match self.refused.take() {
            Some(reason) => Some(Decoded::Refused(reason)),
            None => Some(Decoded::Message {
                envelope,
                message,
                begun: self.begun,
            }),
        }
    }
}
