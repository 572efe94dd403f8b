//! A connection that stands: the stream, and both halves of the protocol.

use crate::Error;
use embedded_io::{Read, Write};
use ferromq_wire::{
    Command, Config, Connection, Event, FRAME_OVERHEAD, Instant, Limits, Null, Receiver, Scratch,
    SocketType, Status, Transmitter,
};
use heapless::Vec;

/// The longest frame that we send or take, in bytes; every buffer here has room
/// for one. A peer that sends more is given up before we wait for it.
pub const FRAME_MAX: usize = 512;
const LIMITS: Limits = Limits {
    frame: FRAME_MAX as u64,
    message: 2 * FRAME_MAX as u64,
    parts: 8,
    command: FRAME_MAX as u64,
};

/// A question with the number and the delimiter in front of it.
const OUTPUT_MAX: usize = FRAME_MAX + 4 + 3 * FRAME_OVERHEAD;

pub(crate) struct Link<S> {
    stream: S,
    /// What was read and is not decoded yet.
    input: Vec<u8, { FRAME_MAX + FRAME_OVERHEAD }>,
    /// How much of it is the frame that was given out last.
    given: usize,
    /// The message that is being sent, which goes in one piece.
    output: Vec<u8, OUTPUT_MAX>,
    receiver: Receiver,
    transmitter: Transmitter,
}

impl<S: Read + Write> Link<S> {
    /// Shakes hands.
    pub(crate) fn new(mut stream: S, scratch: &mut Scratch) -> Result<Self, Error<S::Error>> {
        // Without a clock there is no deadline. A device with a timer leaves the
        // ten seconds of the default, and calls `handle_timeout` beside reading.
        let config = Config {
            handshake_timeout: core::time::Duration::MAX,
            ..Config::new(SocketType::Req)
        };
        let mut connection = Connection::new(&config, Null, scratch, Instant::default())?;
        let mut input = Vec::new();
        loop {
            let output = connection.poll_output(scratch);
            stream.write_all(output).map_err(Error::Stream)?;
            let written = output.len();
            connection.output_written(scratch, written);
            if connection.status() == Status::Established {
                break;
            }
            read(&mut stream, &mut input)?;
            let consumed = connection.handle_input(&mut input, scratch)?;
            input.drain(..consumed); // what comes behind the handshake stays
        }
        let halves = connection.establish(LIMITS, FRAME_MAX);
        let (receiver, transmitter) = halves.ok_or(Error::Closed)?;
        Ok(Self {
            stream,
            input,
            given: 0,
            output: Vec::new(),
            receiver,
            transmitter,
        })
    }

    /// Takes one frame, and writes the message with its last.
    pub(crate) fn send(&mut self, frame: &[u8], more: bool) -> Result<(), Error<S::Error>> {
        let mut out = [0; FRAME_MAX + FRAME_OVERHEAD];
        let len = self.transmitter.frame(more, frame, &mut out);
        let fits = self.output.extend_from_slice(&out[..len]);
        if len == 0 || fits.is_err() {
            return Err(Error::TooLong);
        }
        if !more {
            let written = self.stream.write_all(&self.output);
            written.map_err(Error::Stream)?;
            self.output.clear();
        }
        Ok(())
    }

    /// Waits for the next frame, and whether another one of its message follows.
    /// PINGs are answered meanwhile.
    pub(crate) fn receive(&mut self) -> Result<(&[u8], bool), Error<S::Error>> {
        loop {
            self.input.drain(..core::mem::take(&mut self.given));
            let progress = self.receiver.handle_input(&mut self.input)?;
            self.given = progress.consumed;
            match progress.event {
                Some(Event::Frame { more, body }) => return Ok((&self.input[body], more)),
                Some(Event::Ping { context, .. }) => {
                    let context = &self.input[context];
                    let mut out = [0; 64];
                    let pong = Command::Pong { context };
                    let len = self.transmitter.command(pong, &mut out).unwrap_or(0);
                    self.stream.write_all(&out[..len]).map_err(Error::Stream)?;
                }
                Some(_) => {} // nothing that a REQ would care about
                None => {
                    self.input.drain(..core::mem::take(&mut self.given));
                    read(&mut self.stream, &mut self.input)?;
                }
            }
        }
    }
}

/// Waits for some bytes of the peer.
fn read<S: Read, const N: usize>(
    stream: &mut S,
    input: &mut Vec<u8, N>,
) -> Result<(), Error<S::Error>> {
    let mut bytes = [0; 64];
    let room = bytes.len().min(input.capacity() - input.len());
    match stream.read(&mut bytes[..room]).map_err(Error::Stream)? {
        0 => Err(Error::Closed),
        // It fits: no more was read than there was room.
        len => input
            .extend_from_slice(&bytes[..len])
            .map_err(|_| Error::TooLong),
    }
}
