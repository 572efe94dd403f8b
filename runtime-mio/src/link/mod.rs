//! One established connection: a transport's link and the two halves of the
//! codec, with what waits on either side.
//!
//! Undecoded bytes wait in the receive block: the block *is* the queue, and a
//! message is decoded when somebody asks for it.

mod assembly;
mod body;
mod output;
mod parts;
mod references;
mod sealing;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ferromq_patterns::{LimitError, PeerId, Subscription};
use ferromq_transport as transport;
use ferromq_wire::{
    Command, Event, HeartbeatConfig, Heartbeats, Progress, ProtocolError, Receiver, Reference,
    Transmitter,
};

use assembly::{Assembly, asked};
pub(crate) use body::leave_frames;
use body::{Body, SPILL};
pub(crate) use output::{BY_HANDLE, Buffer, Flushed, Output};
pub(crate) use parts::Parts;
use references::Awaited;
pub(crate) use references::{LEND_FROM, LastPart, References, lender_of, shareable};
pub(crate) use sealing::Sealing;
use sealing::Unsealing;

use crate::inproc::End;
use crate::machine::Machine;
use crate::memory::{BlockPool, BufferPool, Offer, OutOfMemory, ReceiveBlock};
use crate::statistics::DropCause;
use crate::{Frame, Message, PeerInfo};

/// Frames up to this length are decoded from the receive block, longer ones
/// are read into a buffer of their own.
pub(crate) const INLINE_MAX: usize = 32 << 10;

/// Why a link ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the peer closed the connection")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("no sign of life for the heartbeat timeout")]
    Silent,
    #[error("its subscriptions exceed a limit: {0}")]
    Subscriptions(LimitError),
    #[error("no memory for what it sends")]
    Memory(#[from] OutOfMemory),
    #[error("it gave token {token:#x} back, which is not out")]
    UnknownToken { token: u64 },
    #[error("it refers to memory that we cannot reach")]
    Unreachable,
    #[error("{0}")]
    Refused(&'static str),
}

/// What a turn of the decoder found.
pub(crate) enum Decoded {
    /// A whole message for the application.
    Message(Message),
    /// A subscription (or its cancellation) for a publisher.
    Subscription {
        subscription: Subscription,
        topic: Frame,
    },
    /// A message that the pattern refused; it is gone.
    Refused(DropCause),
    /// A payload that the peer is done with.
    GivenBack(Frame),
    /// A PING, whose PONG is pending in the heartbeats.
    Ping { ttl: Duration },
    /// Nothing until more is read.
    Starved,
}

/// The buffers that the links of one socket share.
pub(crate) struct Pools {
    pub(crate) blocks: Arc<BlockPool>,
    pub(crate) buffers: Arc<BufferPool>,
    /// The output buffer that the last idle link gave up.
    pub(crate) output: Buffer,
    /// Memory of the application's for a long body.
    pub(crate) offer: Offer,
}

/// An established connection.
pub(crate) struct Link {
    pub(crate) transport: Box<dyn transport::Link>,
    receiver: Receiver,
    pub(crate) transmitter: Transmitter,
    pub(crate) heartbeats: Option<Box<Heartbeats>>,
    pub(crate) peer: Arc<PeerInfo>,
    pub(crate) output: Output,
    block: Option<ReceiveBlock>,
    /// CURVE: what comes in is opened first.
    unsealing: Option<Box<Unsealing>>,
    body: Option<Body>,
    /// A long body that came as a handle.
    handed_over: Option<Frame>,
    /// A payload that is being fetched, and all that came behind it.
    awaited: Option<Box<Awaited>>,
    assembly: Assembly,
    /// Payloads beside the stream, where both sides have them.
    pub(crate) references: Option<Box<References>>,
    /// The last read found less than it asked for: wait before the next.
    pub(crate) drained: bool,
    /// The peer closed its side: a short read does not mean "drained".
    pub(crate) hangup: bool,
    /// Bytes came since the heartbeat timer last looked.
    pub(crate) heard: bool,
    /// Readiness to write is registered, because the transport was full.
    pub(crate) write_interest: bool,
}

impl Link {
    pub(crate) fn new(
        mut transport: Box<dyn transport::Link>,
        (receiver, transmitter): (Receiver, Transmitter),
        heartbeats: Option<Box<Heartbeats>>,
        peer: Arc<PeerInfo>,
    ) -> Self {
        let mut output = Output::default();
        output.hands_over = End::of(&mut *transport).is_some();
        Self {
            transport,
            receiver,
            transmitter,
            heartbeats,
            peer,
            output,
            block: None,
            unsealing: None,
            body: None,
            handed_over: None,
            awaited: None,
            assembly: Assembly::default(),
            references: None,
            drained: false,
            hangup: false,
            heard: false,
            write_interest: false,
        }
    }

    /// Puts bytes that arrived with the end of the handshake in front of all
    /// that will be read.
    pub(crate) fn preload(&mut self, mut bytes: &[u8], pools: &Pools) -> Result<(), OutOfMemory> {
        while !bytes.is_empty() {
            let block = block(&mut self.block, &self.peer, pools)?;
            block.prepare_fill()?;
            let space = block.space_mut();
            let len = space.len().min(bytes.len());
            space[..len].copy_from_slice(&bytes[..len]);
            block.filled(len);
            bytes = &bytes[len..];
        }
        Ok(())
    }

    /// Unknown commands that the peer sent.
    pub(crate) fn ignored(&self) -> u32 {
        self.receiver.ignored()
    }

    /// The envelope of the message that [`decode`](Self::decode) just
    /// delivered (REP).
    pub(crate) fn take_envelope(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.assembly.envelope)
    }

    /// Takes a message of one frame from the front of the block, if a whole one
    /// is there and the pattern wants it.
    ///
    /// What [`decode`](Self::decode) does, spelt out for the commonest case: its
    /// nested results go through memory, this one stays in registers.
    #[inline(always)]
    pub(crate) fn decode_short(&mut self, machine: &Machine) -> Option<Frame> {
        if self.unsealing.is_some() {
            return None;
        }
        let block = self.block.as_mut()?;
        let input = block.undecoded_mut();
        let (start, len) = match self.receiver.short_message(input) {
            Some(len) => (2, len),
            None => (Receiver::LONG_HEADER, self.receiver.long_message(input)?),
        };
        let body = start..start + len;
        machine
            .takes_single(input.get(body.clone())?)
            .then(|| block.split_frame(body.clone(), body.end))
    }

    /// The same of a plain request or reply: a delimiter, and one short frame,
    /// which is what is taken.
    #[inline]
    pub(crate) fn decode_delimited(&mut self, id: PeerId, machine: &mut Machine) -> Option<Frame> {
        if self.unsealing.is_some() {
            return None;
        }
        let block = self.block.as_mut()?;
        let start = Receiver::DELIMITED_HEADERS;
        let end = start + self.receiver.short_delimited(block.undecoded_mut())?;
        machine
            .accept_delimited(id)
            .then(|| block.split_frame(start..end, end))
    }

    /// Decodes until something is worth telling.
    #[inline]
    pub(crate) fn decode(
        &mut self,
        id: PeerId,
        machine: &mut Machine,
        pools: &Pools,
    ) -> Result<Decoded, LinkError> {
        if self.unsealing.is_some() {
            return self.decode_sealed(id, machine, pools);
        }
        loop {
            let Some(block) = self.block.as_mut() else {
                return match self.awaited {
                    None => Ok(Decoded::Starved),
                    Some(_) => self.decode_awaited(id, machine, pools),
                };
            };
            if self.body.is_some() && self.receiver.body_missing() > 0 {
                return Ok(Decoded::Starved);
            }
            let Progress { consumed, event } = self.receiver.handle_input(block.undecoded_mut())?;
            let decoded = match event {
                Some(Event::Frame { more, body }) => {
                    let frame = block.split_frame(body, consumed);
                    self.assembly.add(id, machine, frame, more)
                }
                None if consumed == 0 => return Ok(Decoded::Starved),
                event => self.decode_rarer(consumed, event, id, machine, pools)?,
            };
            if let Some(decoded) = decoded {
                return Ok(decoded);
            }
        }
    }

    #[cold]
    fn decode_rarer(
        &mut self,
        consumed: usize,
        event: Option<Event>,
        id: PeerId,
        machine: &mut Machine,
        pools: &Pools,
    ) -> Result<Option<Decoded>, LinkError> {
        let Some(block) = self.block.as_mut() else {
            return Ok(None);
        };
        let groups = machine.has_groups();
        if let Some((subscription, topic)) = event.as_ref().and_then(|it| asked(it, groups)) {
            let topic = block.split_frame(topic, consumed);
            return Ok(Some(Decoded::Subscription {
                subscription,
                topic,
            }));
        }
        match event {
            Some(Event::Body { len, .. }) => {
                block.consume(consumed);
                self.start_body(len, pools)?;
                Ok(None)
            }
            Some(Event::BodyDone { more }) => {
                block.consume(consumed);
                let origin = Some(self.peer.clone());
                let frame = match (self.handed_over.take(), self.body.take()) {
                    (Some(frame), _) => frame.received_from(origin),
                    (None, Some(body)) => body.buffer.freeze(origin),
                    (None, None) => return Ok(None),
                };
                Ok(self.assembly.add(id, machine, frame, more))
            }
            Some(Event::Ping { ttl, context }) => {
                let now = crate::clock::wire_now();
                let input = block.undecoded_mut();
                let context = input.get(context).unwrap_or_default();
                let version = self.transmitter.peer_version();
                let heartbeats = self.heartbeats.get_or_insert_with(|| {
                    Box::new(Heartbeats::new(HeartbeatConfig::default(), version, now))
                });
                heartbeats.ping_received(ttl, context, now);
                block.consume(consumed);
                Ok(Some(Decoded::Ping { ttl }))
            }
            Some(Event::Reference { more, body }) => {
                let said = block.undecoded_mut().get(body).unwrap_or_default();
                let reference = Reference::decode(said).ok_or(LinkError::Unreachable)?;
                block.consume(consumed);
                match self.borrow(reference, pools)? {
                    Some(frame) => Ok(self.assembly.add(id, machine, frame, more)),
                    None => Ok(self.await_payload(reference, more)),
                }
            }
            Some(Event::Release { token }) => {
                block.consume(consumed);
                Ok(Some(Decoded::GivenBack(self.given_back(token)?)))
            }
            Some(Event::Pong) => {
                block.consume(consumed);
                if let Some(heartbeats) = &mut self.heartbeats {
                    heartbeats.pong_received();
                }
                Ok(None)
            }
            _ => {
                block.consume(consumed);
                Ok(None)
            }
        }
    }

    /// Reads once. `Ok(false)`: nothing came, and `drained` is set.
    #[inline]
    pub(crate) fn fill(&mut self, pools: &Pools) -> Result<bool, LinkError> {
        let block = block(&mut self.block, &self.peer, pools)?;
        block.prepare_fill()?;
        let (asked, read) = match &mut self.body {
            Some(body) if body.buffer.missing() > 0 => return self.fill_body(),
            _ => {
                let mut space = block.space_mut();
                if pools.offer.stands() && self.unsealing.is_none() {
                    // What of the body is read with its header has to be moved.
                    let len = space.len().min(SPILL);
                    space = &mut space[..len];
                }
                (space.len(), self.transport.read(space))
            }
        };
        match read {
            Ok(0) => Err(LinkError::Closed),
            Ok(len) => {
                block.filled(len);
                self.heard = true;
                self.drained = len < asked && self.tells_by_count();
                Ok(true)
            }
            Err(cause) => self.nothing_read(cause),
        }
    }

    /// Whether a short read means that nothing more is there.
    fn tells_by_count(&self) -> bool {
        !self.hangup && !self.output.hands_over
    }

    /// Sets how many messages may wait to be read, where the transport can
    /// count them (inproc); 0 for any number.
    pub(crate) fn set_capacity(&mut self, messages: usize) {
        if let Some(end) = End::of(&mut *self.transport) {
            end.set_capacity(messages);
        }
    }

    /// Whether the peer is known to have closed where no event tells (inproc).
    pub(crate) fn has_ended(&mut self) -> bool {
        self.output.hands_over && End::of(&mut *self.transport).is_some_and(|end| end.has_ended())
    }

    /// Ends the link: the frames that it held, for the owner to drop where no
    /// lock is held.
    pub(crate) fn shut_down(&mut self) -> Vec<Frame> {
        self.transport.shutdown();
        let mut frames: Vec<_> = self
            .output
            .payloads()
            .chain(self.handed_over.take())
            .collect();
        frames.extend(self.body.take().and_then(|body| body.buffer.into_landed()));
        frames.append(&mut self.assembly.frames);
        frames.append(&mut self.assembly.envelope);
        frames.append(&mut self.assembly.refused);
        if let Some(end) = End::of(&mut *self.transport) {
            frames.append(&mut end.take_undelivered());
        }
        frames
    }

    /// Whether frames were refused that nobody has dropped yet.
    #[inline]
    pub(crate) fn has_refused(&self) -> bool {
        !self.assembly.refused.is_empty()
    }

    /// Gives those to an owner who drops them where no lock is held.
    #[cold]
    pub(crate) fn take_refused(&mut self, into: &mut Vec<Frame>) {
        into.append(&mut self.assembly.refused);
    }

    /// Whether bytes were read that are not decoded.
    pub(crate) fn holds_input(&self) -> bool {
        self.awaited.is_some() || self.block.as_ref().is_some_and(|block| !block.is_empty())
    }

    /// Bytes that were read and are no message yet.
    pub(crate) fn unreceived(&self) -> usize {
        let awaited = self.awaited.as_ref().map(|awaited| &awaited.block);
        let block = self.block.as_ref().or(awaited);
        block.map_or(0, ReceiveBlock::undecoded_len)
            + self
                .body
                .as_ref()
                .map_or(0, |body| body.buffer.filled_len())
    }

    #[cold]
    fn nothing_read(&mut self, cause: io::Error) -> Result<bool, LinkError> {
        if cause.kind() == io::ErrorKind::WouldBlock {
            self.drained = true;
            return Ok(false);
        }
        Err(LinkError::Io(cause))
    }

    /// Appends the PONG that is pending, if one is.
    pub(crate) fn append_pong(&mut self) {
        let pong = self
            .heartbeats
            .as_mut()
            .and_then(|heartbeats| heartbeats.poll_pong());
        if let Some(pong) = pong {
            self.append_command(&Command::Pong {
                context: pong.as_ref(),
            });
        }
    }

    pub(crate) fn append_command(&mut self, command: &Command<'_>) {
        let room = Transmitter::command_len(command);
        self.output.append_command(room, |room| {
            self.transmitter.command(*command, room).unwrap_or(0)
        });
    }

    /// Appends the token that the peer waits for, if it is this link's.
    pub(crate) fn release(&mut self, link: u64, token: u64) -> bool {
        let ours = self.references.as_ref().map(|references| references.link());
        if ours == Some(link) {
            self.append_command(&Command::Release { token });
        }
        ours == Some(link)
    }

    /// Appends a subscription in the form that the peer's version knows.
    pub(crate) fn append_subscription(&mut self, subscription: Subscription, topic: &[u8]) {
        let subscription = match subscription {
            Subscription::Subscribe => ferromq_wire::Subscription::Subscribe,
            Subscription::Cancel => ferromq_wire::Subscription::Cancel,
        };
        let room = Transmitter::subscription_len(topic.len());
        self.output.append_command(room, |room| {
            self.transmitter
                .subscription(subscription, topic, room)
                .unwrap_or(0)
        });
    }

    /// Rests if there is nothing to decode, nor to read as far as is known: with
    /// many peers, each holds a block only while something is in it.
    pub(crate) fn rest_if_read(&mut self, pools: &mut Pools) {
        if self.drained && self.body.is_none() && !self.holds_input() {
            self.rest(pools);
        }
    }

    /// Gives the buffers of an idle link back, so that it costs little.
    pub(crate) fn rest(&mut self, pools: &mut Pools) {
        if self.block.as_ref().is_some_and(ReceiveBlock::is_empty) {
            self.block = None;
        }
        if self.output.is_empty() {
            self.output.swap_buffer(&mut pools.output);
        }
    }
}

/// The block of a link, taken from the pool if it has none.
#[inline]
fn block<'a>(
    block: &'a mut Option<ReceiveBlock>,
    peer: &Arc<PeerInfo>,
    pools: &Pools,
) -> Result<&'a mut ReceiveBlock, OutOfMemory> {
    if block.is_none() {
        *block = Some(pools.blocks.block(Some(peer.clone()))?);
    }
    // Just filled.
    block.as_mut().ok_or(OutOfMemory { bytes: 0 })
}

#[cfg(test)]
mod tests;
