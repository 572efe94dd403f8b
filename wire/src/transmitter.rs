//! The encoder: frames and commands of an established connection.

use crate::checksum::{self, Checksums, Hasher};
use crate::command::{self, CONTEXT_MAX, Command, Subscription};
use crate::frame::{FRAME_OVERHEAD, FrameFlags, Header, TRAILER_LEN, Trailer};
use crate::{Features, Reference, SocketType, Version};

/// The sending half of an established connection.
///
/// It keeps no bytes. A small frame is written whole by [`frame`](Self::frame);
/// around a large body go [`header`](Self::header) and
/// [`trailer`](Self::trailer), in one vectored write, and the body is not
/// touched. Frames must reach the peer in the order in which they were encoded.
#[derive(Clone, Debug)]
pub struct Transmitter {
    /// 3.0 or 3.1.
    version: Version,
    checksums: Checksums,
    form: SubscriptionForm,
}

/// How our subscriptions travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubscriptionForm {
    /// `01` or `00` and the topic, as a message (23/ZMTP).
    Message,
    /// SUBSCRIBE and CANCEL.
    Topic,
    /// JOIN and LEAVE, to peers of every version.
    Group,
}

impl Transmitter {
    pub(crate) fn new(ours: SocketType, peer: Version, features: Features) -> Self {
        let version = peer.negotiated();
        let form = match ours {
            SocketType::Dish => SubscriptionForm::Group,
            _ if version.has_commands() => SubscriptionForm::Topic,
            _ => SubscriptionForm::Message,
        };
        Self {
            version,
            checksums: Checksums::from(features),
            form,
        }
    }

    /// Writes a frame to the start of `out` and says how long it is, or 0
    /// (and `out` is as before) if `out` has less than
    /// `body.len() + FRAME_OVERHEAD` bytes. O(body).
    #[inline]
    pub fn frame(&mut self, more: bool, body: &[u8], out: &mut [u8]) -> usize {
        let needed = body.len().saturating_add(FRAME_OVERHEAD);
        if out.len() < needed {
            return 0;
        }
        if let Ok(size) = u8::try_from(body.len())
            && self.checksums == Checksums::Off
            && let Some((header, rest)) = out.split_first_chunk_mut()
            && let Some(room) = rest.get_mut(..body.len())
        {
            *header = [u8::from(more), size];
            room.copy_from_slice(body);
            return body.len().wrapping_add(header.len());
        }
        let flags = if more {
            FrameFlags::MORE
        } else {
            FrameFlags::LAST
        };
        self.encode(flags, &[body], out).unwrap_or(0)
    }

    /// Writes a frame by reference to the start of `out` and says how long it is,
    /// or 0 (and `out` is as before) if `out` has less than
    /// [`Reference::LEN`]` + FRAME_OVERHEAD` bytes. Only to a peer with whom
    /// [`Features::BY_REFERENCE`] is on.
    pub fn reference(&mut self, more: bool, reference: Reference, out: &mut [u8]) -> usize {
        let flags = if more {
            FrameFlags::MORE
        } else {
            FrameFlags::LAST
        };
        self.encode(flags.by_reference(), &[&reference.encode()], out)
            .unwrap_or(0)
    }

    /// The header of a frame with a body of `body_len` bytes (below 2^63).
    #[inline]
    pub fn header(&mut self, more: bool, body_len: u64) -> Header {
        let flags = if more {
            FrameFlags::MORE
        } else {
            FrameFlags::LAST
        };
        Header::new(flags, body_len)
    }

    /// What follows the frame with this header and body; empty unless
    /// checksums are on. O(body) if they are.
    pub fn trailer(&mut self, header: &Header, body: &[u8]) -> Trailer {
        match self.checksums {
            Checksums::Off => Trailer::NONE,
            Checksums::On => {
                let mut hasher = Hasher::new();
                hasher.update(header.as_ref());
                hasher.update(body);
                Trailer::new(hasher.finalize())
            }
        }
    }

    /// Bytes in every trailer: 4 where checksums are on, else 0.
    #[must_use]
    pub fn trailer_len(&self) -> usize {
        match self.checksums {
            Checksums::Off => 0,
            Checksums::On => TRAILER_LEN,
        }
    }

    /// Writes a command to the start of `out` and says how long it is.
    ///
    /// `Some(0)` for a PING to a 3.0 peer, which does not know it. `None`, and
    /// `out` is as before, if `out` is too small (see
    /// [`command_len`](Self::command_len)), or the command's context is over
    /// 16 or its reason over 255 bytes.
    pub fn command(&mut self, command: Command<'_>, out: &mut [u8]) -> Option<usize> {
        match command {
            Command::Ping { ttl, context } if context.len() <= CONTEXT_MAX => {
                if !self.version.has_commands() {
                    return Some(0);
                }
                let ttl = command::ttl_to_wire(ttl).to_be_bytes();
                self.encode_command(command::PING, &[&ttl, context], out)
            }
            Command::Pong { context } if context.len() <= CONTEXT_MAX => {
                self.encode_command(command::PONG, &[context], out)
            }
            Command::Error { reason } => {
                let len = u8::try_from(reason.len()).ok()?;
                self.encode_command(command::ERROR, &[&[len], reason.as_bytes()], out)
            }
            Command::Release { token } => {
                self.encode_command(command::RELEASE, &[&token.to_be_bytes()], out)
            }
            Command::Ping { .. } | Command::Pong { .. } => None,
        }
    }

    /// Room that is enough for `command`.
    #[must_use]
    pub fn command_len(command: &Command<'_>) -> usize {
        let data = match command {
            Command::Ping { context, .. } => context.len().saturating_add(2),
            Command::Pong { context } => context.len(),
            Command::Error { reason } => reason.len().saturating_add(1),
            Command::Release { .. } => size_of::<u64>(),
        };
        data.saturating_add(COMMAND_OVERHEAD)
    }

    /// Writes a subscription to the start of `out` and says how long it is.
    ///
    /// From a DISH it is JOIN or LEAVE of a group (48/RADIO-DISH). From others
    /// it is a command to a 3.1 peer, and a message of `01` or `00` and the
    /// topic to a 3.0 peer (23/ZMTP). `None`, and `out` is as before, if `out`
    /// is too small (see [`subscription_len`](Self::subscription_len)), or a
    /// group is over 255 bytes or has a zero byte.
    pub fn subscription(
        &mut self,
        subscription: Subscription,
        topic: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        use Subscription::{Cancel, Subscribe};
        use SubscriptionForm::{Group, Message, Topic};
        let name = match (self.form, subscription) {
            (Group, _) if !command::is_group(topic) => return None,
            (Group, Subscribe) => command::JOIN,
            (Group, Cancel) => command::LEAVE,
            (Topic, Subscribe) => command::SUBSCRIBE,
            (Topic, Cancel) => command::CANCEL,
            (Message, Subscribe) => return self.encode(FrameFlags::LAST, &[&[1], topic], out),
            (Message, Cancel) => return self.encode(FrameFlags::LAST, &[&[0], topic], out),
        };
        self.encode_command(name, &[topic], out)
    }

    /// Room that is enough for a subscription to a topic of `topic_len` bytes.
    #[must_use]
    pub fn subscription_len(topic_len: usize) -> usize {
        topic_len.saturating_add(COMMAND_OVERHEAD)
    }

    /// The version in use with the peer: 3.0 or 3.1.
    #[must_use]
    pub fn peer_version(&self) -> Version {
        self.version
    }

    fn encode_command(&self, name: &[u8], data: &[&[u8]], out: &mut [u8]) -> Option<usize> {
        let name_len = [u8::try_from(name.len()).ok()?];
        match *data {
            [first] => self.encode(FrameFlags::COMMAND, &[&name_len, name, first], out),
            [first, second] => {
                self.encode(FrameFlags::COMMAND, &[&name_len, name, first, second], out)
            }
            _ => None,
        }
    }

    /// Writes header, fields and trailer; all or nothing.
    fn encode(&self, flags: FrameFlags, fields: &[&[u8]], out: &mut [u8]) -> Option<usize> {
        let body_len = fields
            .iter()
            .try_fold(0usize, |sum, field| sum.checked_add(field.len()))?;
        let header = Header::new(flags, body_len as u64);
        let covered = header.as_ref().len().checked_add(body_len)?;
        let total = covered.checked_add(self.trailer_len())?;
        let (covered, trailer) = out.get_mut(..total)?.split_at_mut_checked(covered)?;
        let mut room = &mut *covered;
        for field in core::iter::once(&header.as_ref()).chain(fields) {
            let (slot, rest) = room.split_at_mut_checked(field.len())?;
            slot.copy_from_slice(field);
            room = rest;
        }
        if self.checksums == Checksums::On {
            trailer.copy_from_slice(Trailer::new(checksum::of(covered)).as_ref());
        }
        Some(total)
    }
}

/// Header, trailer, and the longest command name with its length.
const COMMAND_OVERHEAD: usize = FRAME_OVERHEAD + 1 + command::SUBSCRIBE.len();

#[cfg(test)]
mod tests;
