//! One direction through a proxy.

use super::station::{Put, Station};
use super::{ProxyError, ProxyRole, ProxyStatistics};
use crate::Message;

/// Messages that one direction moves before it is the other one's turn.
const MESSAGES: usize = 256;
/// And bytes, whichever comes first.
const BYTES: usize = 1 << 20;

/// From one socket to the other, or back to the same.
pub(super) struct Lane {
    from: Station,
    to: Station,
    /// A message that was taken and then found no room: what there was is not
    /// its peer's. Nothing more is taken before it is gone.
    held: Option<Message>,
}

impl Lane {
    pub(super) fn new(from: &Station, to: &Station) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            held: None,
        }
    }

    /// Gives up the message that found no room, and says where it was to go.
    pub(super) fn give_up(&mut self) -> Option<(ProxyRole, Message)> {
        Some((self.to.role(), self.held.take()?))
    }

    /// Tries once more to put the message that found no room. False: there is
    /// none, or there is still no room.
    pub(super) fn retry(
        &mut self,
        capture: Option<&Station>,
        counted: &mut ProxyStatistics,
    ) -> Result<bool, ProxyError> {
        let Some(message) = self.held.take() else {
            return Ok(false);
        };
        self.put(message, capture, counted)?;
        Ok(self.held.is_none())
    }

    /// Moves what there is, as long as there is room, and not for long. True:
    /// something moved.
    pub(super) fn turn(
        &mut self,
        capture: Option<&Station>,
        counted: &mut ProxyStatistics,
    ) -> Result<bool, ProxyError> {
        let mut bytes = 0;
        for moved in 0..MESSAGES {
            if self.held.is_some() || bytes >= BYTES || !self.to.has_room() {
                return Ok(moved > 0);
            }
            let Some(message) = self.from.take()? else {
                return Ok(moved > 0);
            };
            let len = message.body_len();
            bytes += len;
            let side = counted.side(self.from.role());
            side.messages_received += 1;
            side.bytes_received += len as u64;
            self.put(message, capture, counted)?;
        }
        Ok(true)
    }

    /// Puts a message, or holds it.
    #[inline]
    fn put(
        &mut self,
        message: Message,
        capture: Option<&Station>,
        counted: &mut ProxyStatistics,
    ) -> Result<(), ProxyError> {
        match self.to.put(&message) {
            Ok(Put::Sent) => {}
            Ok(Put::Full) => {
                self.held = Some(message);
                return Ok(());
            }
            Ok(Put::Refused) => {
                counted.refused += 1;
                return Ok(());
            }
            Err(failure) => {
                self.held = Some(message);
                return Err(failure);
            }
        }
        let side = counted.side(self.to.role());
        side.messages_sent += 1;
        side.bytes_sent += message.body_len() as u64;
        match capture {
            Some(capture) => copy(&message, capture, counted),
            None => Ok(()),
        }
    }
}

/// Gives the capture socket its copy, unless it has no room.
fn copy(
    message: &Message,
    capture: &Station,
    counted: &mut ProxyStatistics,
) -> Result<(), ProxyError> {
    // Asked first: an attempt without room is a system call a message.
    if capture.has_room() && capture.put(message)? == Put::Sent {
        counted.captured += 1;
    } else {
        counted.capture_missed += 1;
    }
    Ok(())
}
