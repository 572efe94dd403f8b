//! The decoder: frames and commands of an established connection.

use crate::checksum::{self, Checksums, Hasher};
use crate::command::{self, Received};
use crate::frame::{
    FrameFlags, FrameHeader, LONG_HEADER_LEN, References, SHORT_HEADER_LEN, TRAILER_LEN,
    read_header,
};
use crate::{Event, Features, Limits, Progress, ProtocolError, Reference};
use core::ops::Range;

/// The receiving half of an established connection.
///
/// It keeps no bytes: the caller shows it the undecoded part of its own
/// buffer, and gets ranges of it back. A frame of up to `inline_max` bytes is
/// waited for until the buffer holds it whole, so the buffer has room for
/// `inline_max` and [`FRAME_OVERHEAD`](crate::FRAME_OVERHEAD) bytes. A longer
/// one is announced by [`Event::Body`], and the caller reads it into memory
/// of its own, growing with the bytes that arrive:
///
/// ```text
///  handle_input ─▶ Frame, Ping, Subscribe ..          (again, past `consumed`)
///       │
///       └───────▶ Body ─▶ body_received(piece) ─▶ .. until body_missing() is 0
///                                                 └─▶ handle_input ─▶ BodyDone
/// ```
///
/// After an error nothing that follows means anything: close the connection.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Short bodies of less than this many bytes that end a message begun with
    /// them are delivered without a further look: no limit can be broken, and
    /// there is no trailer. Zero within a message or a long body.
    fast: u16,
    /// What `fast` is between messages.
    fast_between: u16,
    /// The same for short bodies behind an empty delimiter.
    fast_delimited: u16,
    /// The same for bodies behind a size of eight bytes.
    fast_long: u64,
    checksums: Checksums,
    references: References,
    ignored: u32,
    inline_max: u64,
    limits: Limits,
    /// The message so far, in cost ([`Limits::message`]) and in frames.
    cost: u64,
    parts: u32,
    /// The long body that the caller is reading.
    body: Option<LongBody>,
}

#[derive(Clone, Debug)]
struct LongBody {
    missing: u64,
    last: Last,
    hasher: Hasher,
}

/// Whether a frame ends its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    No,
    Yes,
}

impl Receiver {
    /// How many unknown commands and ERRORs are ignored before the connection
    /// is given up.
    pub const IGNORED_MAX: u32 = 16;

    /// Bytes in front of the body that [`short_delimited`](Self::short_delimited)
    /// tells of: those of the delimiter, and its own header.
    pub const DELIMITED_HEADERS: usize = 2 * SHORT_HEADER_LEN;

    /// Bytes in front of the body that [`long_message`](Self::long_message) tells of.
    pub const LONG_HEADER: usize = LONG_HEADER_LEN;

    /// The least `inline_max`: what is smaller is raised to it, so that every
    /// command but a subscription to a very long topic is waited for.
    pub const INLINE_MIN: usize = 512;

    pub(crate) fn new(limits: Limits, inline_max: usize, features: Features) -> Self {
        let checksums = Checksums::from(features);
        let longest = longest_of(&limits, 1, checksums);
        let fast_between = fast_below(&limits, 1, checksums);
        Self {
            fast: fast_between,
            fast_between,
            fast_delimited: fast_below(&limits, 2, checksums),
            fast_long: longest.map_or(0, |longest| longest.saturating_add(1)),
            checksums,
            references: References::from(features),
            ignored: 0,
            inline_max: inline_max.max(Self::INLINE_MIN) as u64,
            limits,
            cost: 0,
            parts: 0,
            body: None,
        }
    }

    /// Looks at the undecoded bytes of the caller's buffer: at most one event.
    ///
    /// O(1) without checksums, O(frame) with them; allocates nothing. Nothing
    /// is consumed while a frame is incomplete; within a long body nothing
    /// happens until [`body_missing`](Self::body_missing) is zero.
    ///
    /// # Errors
    /// The peer broke the protocol or a limit.
    #[inline]
    pub fn handle_input(&mut self, input: &mut [u8]) -> Result<Progress, ProtocolError> {
        if let [0, size, rest @ ..] = &*input
            && u16::from(*size) < self.fast
            && rest.len() >= usize::from(*size)
        {
            let end = SHORT_HEADER_LEN.wrapping_add(usize::from(*size));
            return Ok(Progress::frame(false, SHORT_HEADER_LEN..end, end));
        }
        self.handle_any(input)
    }

    /// A piece of the long body, in order, read by the caller into its own
    /// buffer. O(piece) with checksums, else O(1).
    pub fn body_received(&mut self, piece: &mut [u8]) {
        if let Some(body) = &mut self.body {
            // More than is missing would be the caller's mistake: cut it off.
            let taken = usize::try_from(body.missing).unwrap_or(usize::MAX);
            let piece = piece.get(..taken).unwrap_or(piece);
            if self.checksums == Checksums::On {
                body.hasher.update(piece);
            }
            body.missing = body.missing.saturating_sub(piece.len() as u64);
        }
    }

    /// The long body came by another way than these bytes: whole, and not to be
    /// checked here. Does nothing with checksums, which cover every body.
    pub fn body_handed_over(&mut self) {
        if let (Some(body), Checksums::Off) = (&mut self.body, self.checksums) {
            body.missing = 0;
        }
    }

    /// Bytes of the long body that are still to come; zero outside one.
    #[must_use]
    pub fn body_missing(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| body.missing)
    }

    /// Unknown commands and ERRORs ignored so far, at most
    /// [`IGNORED_MAX`](Self::IGNORED_MAX).
    #[must_use]
    pub fn ignored(&self) -> u32 {
        self.ignored
    }

    /// The length of the body, if `input` starts with a whole short frame that
    /// is a message by itself and can break no limit. Its body lies behind 2
    /// bytes of header; the caller may take both without calling
    /// [`handle_input`](Self::handle_input), whose state it would not change.
    ///
    /// The way round the general event, for receivers of many small messages:
    /// the answer fits a register.
    #[inline]
    #[must_use]
    pub fn short_message(&self, input: &[u8]) -> Option<usize> {
        match input {
            [0, size, rest @ ..]
                if u16::from(*size) < self.fast && rest.len() >= usize::from(*size) =>
            {
                Some(usize::from(*size))
            }
            _ => None,
        }
    }

    /// The length of the body, if `input` starts with a whole frame whose size has
    /// eight bytes (37/ZMTP, long-size), which is a message by itself and can break no
    /// limit. The body lies behind [`LONG_HEADER`](Self::LONG_HEADER) bytes; as with
    /// [`short_message`](Self::short_message), the caller may take all of it.
    #[inline]
    #[must_use]
    pub fn long_message(&self, input: &[u8]) -> Option<usize> {
        const LAST: u8 = FrameFlags::LONG.bits();
        let ([LAST, size @ ..], rest) = input.split_first_chunk::<LONG_HEADER_LEN>()? else {
            return None;
        };
        let len = u64::from_be_bytes(*size);
        // `fast` is zero within a message and within a body.
        if self.fast == 0 || len >= self.fast_long {
            return None;
        }
        let len = usize::try_from(len).ok()?;
        (len <= rest.len()).then_some(len)
    }

    /// The length of the body, if `input` starts with a whole message of an empty
    /// frame and a short one, as plain requests and replies are (28/REQREP), and
    /// it can break no limit. The body lies behind
    /// [`DELIMITED_HEADERS`](Self::DELIMITED_HEADERS) bytes; as with
    /// [`short_message`](Self::short_message), the caller may take all of it.
    #[inline]
    #[must_use]
    pub fn short_delimited(&self, input: &[u8]) -> Option<usize> {
        match input {
            // `fast` is zero within a message.
            [1, 0, 0, size, rest @ ..]
                if self.fast > 0
                    && u16::from(*size) < self.fast_delimited
                    && rest.len() >= usize::from(*size) =>
            {
                Some(usize::from(*size))
            }
            _ => None,
        }
    }

    /// Everything but a short frame that is a message.
    #[inline(never)]
    fn handle_any(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        if self.body.is_some() {
            return self.finish_body(input);
        }
        // A short frame of a longer message, the second most frequent input.
        if let [flags @ (0 | 1), size, rest @ ..] = input
            && rest.len() >= usize::from(*size)
            && self.checksums == Checksums::Off
        {
            let more = *flags == 1;
            let (cost, parts) = self.check_limits(u64::from(*size))?;
            self.account(if more { Last::No } else { Last::Yes }, cost, parts);
            let end = SHORT_HEADER_LEN.wrapping_add(usize::from(*size));
            return Ok(Progress::frame(more, SHORT_HEADER_LEN..end, end));
        }
        self.handle_rarer(input)
    }

    /// Apart, so that what comes often does not save registers for it.
    #[inline(never)]
    fn handle_rarer(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        let mut start: usize = 0;
        loop {
            let rest = input.get(start..).unwrap_or_default();
            let Some(header) = read_header(rest, self.references)? else {
                return Ok(Progress::incomplete(start));
            };
            if header.flags.is_reference() {
                return self.handle_reference(input, start, header);
            }
            if !header.flags.is_command() {
                return self.handle_frame(input, start, header);
            }
            // An ignored command is followed by a look at the next frame, so
            // that "no event" always means "more input". There are 16 at most.
            match self.handle_command(input, start, header)? {
                Some(Progress {
                    consumed,
                    event: None,
                }) => start = consumed,
                Some(progress) => return Ok(progress),
                None => return Ok(Progress::incomplete(start)),
            }
        }
    }

    fn handle_frame(
        &mut self,
        input: &[u8],
        start: usize,
        header: FrameHeader,
    ) -> Result<Progress, ProtocolError> {
        let (cost, parts) = self.check_limits(header.body_len)?;
        let more = header.flags.is_more();
        let last = if more { Last::No } else { Last::Yes };
        let Some((body, end)) = self.locate(input, start, header)? else {
            if header.body_len <= self.inline_max {
                return Ok(Progress::incomplete(start));
            }
            self.account(last, cost, parts);
            return Ok(self.begin_body(input, start, header, last));
        };
        self.account(last, cost, parts);
        Ok(Progress::frame(more, body, end))
    }

    #[cold]
    #[inline(never)]
    fn handle_reference(
        &mut self,
        input: &[u8],
        start: usize,
        header: FrameHeader,
    ) -> Result<Progress, ProtocolError> {
        if header.body_len != Reference::LEN as u64 {
            let len = header.body_len;
            return Err(ProtocolError::MalformedReference { len });
        }
        let Some((body, end)) = self.locate(input, start, header)? else {
            return Ok(Progress::incomplete(start));
        };
        let said = input.get(body.clone()).unwrap_or_default();
        let Some(reference) = Reference::decode(said) else {
            return Ok(Progress::incomplete(start));
        };
        let (cost, parts) = self.check_limits(reference.len)?;
        let more = header.flags.is_more();
        self.account(if more { Last::No } else { Last::Yes }, cost, parts);
        Ok(Progress {
            consumed: end,
            event: Some(Event::Reference { more, body }),
        })
    }

    /// Refuses a frame of `len` bytes that breaks a limit; else the message's
    /// cost and frames with it. (HOSTILE: before anything is waited for.)
    fn check_limits(&self, len: u64) -> Result<(u64, u32), ProtocolError> {
        let Limits {
            frame,
            message,
            parts: parts_max,
            ..
        } = self.limits;
        if len > frame {
            return Err(ProtocolError::FrameTooLarge { len, limit: frame });
        }
        let cost = self
            .cost
            .saturating_add(len)
            .saturating_add(Limits::FRAME_COST);
        if cost > message {
            return Err(ProtocolError::MessageTooLarge {
                len: cost,
                limit: message,
            });
        }
        let parts = self.parts.saturating_add(1);
        if parts > parts_max {
            return Err(ProtocolError::TooManyParts { limit: parts_max });
        }
        Ok((cost, parts))
    }

    /// Where the body lies and where the whole frame ends, its checksum
    /// verified; `None` if it is not all there.
    fn locate(
        &self,
        input: &[u8],
        start: usize,
        header: FrameHeader,
    ) -> Result<Option<(Range<usize>, usize)>, ProtocolError> {
        let body_start = start.saturating_add(header.header_len);
        let body_len = usize::try_from(header.body_len).unwrap_or(usize::MAX);
        let body_end = body_start.saturating_add(body_len);
        let end = match self.checksums {
            Checksums::Off if body_end <= input.len() => body_end,
            Checksums::On => {
                let tail = input.get(body_end..).unwrap_or_default();
                let Some(trailer) = tail.first_chunk::<TRAILER_LEN>() else {
                    return Ok(None);
                };
                let covered = input.get(start..body_end).unwrap_or_default();
                checksum::verify(checksum::of(covered), *trailer)?;
                body_end.saturating_add(TRAILER_LEN)
            }
            Checksums::Off => return Ok(None),
        };
        Ok(Some((body_start..body_end, end)))
    }

    /// Takes a frame into the message's account.
    fn account(&mut self, last: Last, cost: u64, parts: u32) {
        (self.cost, self.parts, self.fast) = match last {
            Last::No => (cost, parts, 0),
            Last::Yes => (0, 0, self.fast_between),
        };
    }

    fn begin_body(
        &mut self,
        input: &[u8],
        start: usize,
        header: FrameHeader,
        last: Last,
    ) -> Progress {
        let consumed = start.saturating_add(header.header_len);
        let mut hasher = Hasher::new();
        hasher.update(input.get(start..consumed).unwrap_or_default());
        self.fast = 0;
        self.body = Some(LongBody {
            missing: header.body_len,
            last,
            hasher,
        });
        Progress {
            consumed,
            event: Some(Event::Body {
                more: last == Last::No,
                len: header.body_len,
                head: 0,
            }),
        }
    }

    fn finish_body(&mut self, input: &[u8]) -> Result<Progress, ProtocolError> {
        let Some(body) = self.body.take_if(|body| body.missing == 0) else {
            return Ok(Progress::incomplete(0));
        };
        let consumed = match self.checksums {
            Checksums::Off => 0,
            Checksums::On => {
                let Some(trailer) = input.first_chunk::<TRAILER_LEN>() else {
                    self.body = Some(body);
                    return Ok(Progress::incomplete(0));
                };
                checksum::verify(body.hasher.finalize(), *trailer)?;
                TRAILER_LEN
            }
        };
        if body.last == Last::Yes {
            self.fast = self.fast_between;
        }
        Ok(Progress {
            consumed,
            event: Some(Event::BodyDone {
                more: body.last == Last::No,
            }),
        })
    }

    /// `None` while the command is incomplete; no event if it was ignored.
    fn handle_command(
        &mut self,
        input: &[u8],
        start: usize,
        header: FrameHeader,
    ) -> Result<Option<Progress>, ProtocolError> {
        if header.body_len > self.limits.command {
            return Err(ProtocolError::CommandTooLarge {
                len: header.body_len,
                limit: self.limits.command,
            });
        }
        let Some((body, consumed)) = self.locate(input, start, header)? else {
            return Ok(None);
        };
        let field = |offset| body.start.saturating_add(offset)..body.end;
        let received = command::read(input.get(body.clone()).unwrap_or_default(), self.references)?;
        let event = match received {
            Received::Ping { ttl, offset } => Some(Event::Ping {
                ttl,
                context: field(offset),
            }),
            Received::Pong => Some(Event::Pong),
            Received::Subscribe { offset } => Some(Event::Subscribe {
                topic: field(offset),
            }),
            Received::Cancel { offset } => Some(Event::Cancel {
                topic: field(offset),
            }),
            Received::Join { offset } => Some(Event::Join {
                group: field(offset),
            }),
            Received::Leave { offset } => Some(Event::Leave {
                group: field(offset),
            }),
            Received::Release { token } => Some(Event::Release { token }),
            Received::Ignored => {
                self.ignore()?;
                None
            }
        };
        Ok(Some(Progress { consumed, event }))
    }

    fn ignore(&mut self) -> Result<(), ProtocolError> {
        if self.ignored >= Self::IGNORED_MAX {
            return Err(ProtocolError::TooManyIgnored {
                limit: Self::IGNORED_MAX,
            });
        }
        self.ignored = self.ignored.saturating_add(1);
        Ok(())
    }
}

/// The longest body that breaks no limit as the last of so many frames, the others
/// being empty; none where each frame has to be looked at.
fn longest_of(limits: &Limits, frames: u32, checksums: Checksums) -> Option<u64> {
    let headers = Limits::FRAME_COST.saturating_mul(u64::from(frames));
    if checksums == Checksums::On || limits.parts < frames {
        return None;
    }
    Some(limits.frame.min(limits.message.checked_sub(headers)?))
}

/// The bound of such bodies that are short.
fn fast_below(limits: &Limits, frames: u32, checksums: Checksums) -> u16 {
    longest_of(limits, frames, checksums).map_or(0, |longest| {
        u8::try_from(longest).map_or(256, |longest| u16::from(longest).saturating_add(1))
    })
}

#[cfg(test)]
mod tests;
