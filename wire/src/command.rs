//! Commands in traffic: PING, PONG, SUBSCRIBE, CANCEL, JOIN, LEAVE, ERROR
//! (37/ZMTP), and RELEASE (docs/PROTOCOL.md, section 10).

use crate::ProtocolError;
use crate::connection::error_reason;
use crate::frame::References;
use core::time::Duration;

/// Bytes in a PING's context at most.
pub(crate) const CONTEXT_MAX: usize = 16;

/// Bytes in a group at most (48/RADIO-DISH, Group).
const GROUP_MAX: usize = 255;

pub(crate) const PING: &[u8] = b"PING";
pub(crate) const PONG: &[u8] = b"PONG";
pub(crate) const SUBSCRIBE: &[u8] = b"SUBSCRIBE";
pub(crate) const CANCEL: &[u8] = b"CANCEL";
pub(crate) const JOIN: &[u8] = b"JOIN";
pub(crate) const LEAVE: &[u8] = b"LEAVE";
pub(crate) const ERROR: &[u8] = b"ERROR";
pub(crate) const RELEASE: &[u8] = b"RELEASE";
const READY: &[u8] = b"READY";

/// A command to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Asks for a sign of life.
    Ping {
        /// How long the peer may wait for our next byte before it gives us up;
        /// zero for ever. Rounded up to tenths of a second, at most 6553.5 s.
        ttl: Duration,
        /// Up to 16 bytes that the PONG brings back.
        context: &'a [u8],
    },
    /// Answers a PING.
    Pong {
        /// The PING's context, up to 16 bytes.
        context: &'a [u8],
    },
    /// Says why the connection is about to be closed.
    Error {
        /// Up to 255 bytes.
        reason: &'a str,
    },
    /// Gives a payload back that came by reference. Only to a peer with whom
    /// [`Features::BY_REFERENCE`](crate::Features::BY_REFERENCE) is on.
    Release {
        /// The token of its reference.
        token: u64,
    },
}

/// Whether a topic, or a DISH's group, is asked for or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// SUBSCRIBE; JOIN from a DISH.
    Subscribe,
    /// CANCEL; LEAVE from a DISH.
    Cancel,
}

/// A command that was received. `offset` is where its last field starts in
/// the command's body; the field runs to the body's end.
pub(crate) enum Received {
    Ping {
        ttl: Duration,
        offset: usize,
    },
    Pong,
    Subscribe {
        offset: usize,
    },
    Cancel {
        offset: usize,
    },
    Join {
        offset: usize,
    },
    Leave {
        offset: usize,
    },
    Release {
        token: u64,
    },
    /// An ERROR, or a command that nobody knows.
    Ignored,
}

/// Reads the body of a command frame.
pub(crate) fn read(body: &[u8], references: References) -> Result<Received, ProtocolError> {
    let malformed = ProtocolError::MalformedCommand { len: body.len() };
    let (&name_len, rest) = body.split_first().ok_or(malformed)?;
    let name_len = usize::from(name_len);
    let (name, data) = rest.split_at_checked(name_len).ok_or(malformed)?;
    if name.is_empty() {
        return Err(malformed);
    }
    let offset = name_len.saturating_add(1);
    match name {
        SUBSCRIBE => Ok(Received::Subscribe { offset }),
        CANCEL => Ok(Received::Cancel { offset }),
        JOIN => check_group(data).map(|()| Received::Join { offset }),
        LEAVE => check_group(data).map(|()| Received::Leave { offset }),
        PING => {
            let (ttl, context) = data.split_first_chunk().ok_or(malformed)?;
            check_context(context)?;
            let ttl = ttl_from_wire(u16::from_be_bytes(*ttl));
            let offset = offset.saturating_add(2);
            Ok(Received::Ping { ttl, offset })
        }
        PONG => check_context(data).map(|()| Received::Pong),
        ERROR => error_reason(data)
            .map(|_| Received::Ignored)
            .ok_or(malformed),
        RELEASE if references == References::On => match data.try_into() {
            Ok(token) => Ok(Received::Release {
                token: u64::from_be_bytes(token),
            }),
            Err(_) => Err(malformed),
        },
        READY => Err(ProtocolError::LateReady),
        _ => Ok(Received::Ignored),
    }
}

fn check_context(context: &[u8]) -> Result<(), ProtocolError> {
    let len = context.len();
    if len > CONTEXT_MAX {
        return Err(ProtocolError::ContextTooLong { len });
    }
    Ok(())
}

fn check_group(group: &[u8]) -> Result<(), ProtocolError> {
    if is_group(group) {
        return Ok(());
    }
    Err(ProtocolError::MalformedGroup { len: group.len() })
}

/// Whether a group has at most 255 bytes and none of them is zero
/// (48/RADIO-DISH, Group).
pub(crate) fn is_group(bytes: &[u8]) -> bool {
    bytes.len() <= GROUP_MAX && !bytes.contains(&0)
}

/// Tenths of a second, rounded up so that a short time is not "for ever", and
/// at most 6553.5 s.
pub(crate) fn ttl_to_wire(ttl: Duration) -> u16 {
    u16::try_from(ttl.as_nanos().div_ceil(NANOS_PER_TENTH)).unwrap_or(u16::MAX)
}

fn ttl_from_wire(tenths: u16) -> Duration {
    Duration::from_millis(u64::from(tenths).saturating_mul(100))
}

const NANOS_PER_TENTH: u128 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_is_tenths_of_a_second_rounded_up_and_saturating() {
        // E48
        let wire = |millis| ttl_to_wire(Duration::from_millis(millis));
        assert_eq!(wire(0), 0);
        assert_eq!(wire(1), 1);
        assert_eq!(wire(100), 1);
        assert_eq!(wire(101), 2);
        assert_eq!(wire(1_500).to_be_bytes(), [0x00, 0x0F]);
        assert_eq!(wire(6_553_500), 65_535);
        assert_eq!(wire(6_553_501), 65_535);
        assert_eq!(ttl_to_wire(Duration::MAX), 65_535);
        assert_eq!(ttl_from_wire(65_535), Duration::from_millis(6_553_500));
    }
}
