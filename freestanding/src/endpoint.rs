//! One end of a connection, and the memory that stands for the wire.

use ferromq_patterns::Accept;
use ferromq_wire::{
    Config, Connection, Event, Instant, Limits, Null, Receiver, Scratch, SocketType, Status,
    Transmitter,
};

/// What failed; the exit code of the program.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Step {
    Configure = 1,
    Handshake,
    Attach,
    Ask,
    Answer,
    TakeAnswer,
    Send,
    Receive,
}

/// Bytes on their way in one direction.
pub(crate) struct Wire {
    bytes: [u8; 4096],
    len: usize,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; 4096],
            len: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.bytes.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    fn waiting(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    fn consume(&mut self, consumed: usize) {
        self.bytes.copy_within(consumed.min(self.len)..self.len, 0);
        self.len = self.len.saturating_sub(consumed);
    }
}

/// A copy of a short frame's body.
#[derive(Clone, Copy, Default)]
pub(crate) struct Frame {
    bytes: [u8; 32],
    len: usize,
}

impl Frame {
    fn copied(body: &[u8]) -> Option<Self> {
        let mut frame = Self {
            bytes: [0; 32],
            len: body.len(),
        };
        frame.bytes.get_mut(..body.len())?.copy_from_slice(body);
        Some(frame)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A received message: the frames to keep for the reply, and the application's.
#[derive(Default)]
pub(crate) struct Received {
    staged: [Frame; 4],
    staged_len: usize,
    delivered: Frame,
}

impl Received {
    pub(crate) fn staged(&self) -> &[Frame] {
        self.staged.get(..self.staged_len).unwrap_or_default()
    }

    pub(crate) fn delivered(&self) -> &[u8] {
        self.delivered.body()
    }

    fn take(&mut self, body: &[u8], accept: Accept) -> Option<()> {
        let frame = Frame::copied(body)?;
        match accept {
            Accept::Deliver => self.delivered = frame,
            Accept::Stage => {
                *self.staged.get_mut(self.staged_len)? = frame;
                self.staged_len += 1;
            }
            Accept::Consume => {}
            Accept::Subscription(_) | Accept::Refuse(_) => return None,
        }
        Some(())
    }
}

/// A connection and, once it stands, its two halves.
pub(crate) struct Endpoint {
    scratch: Scratch,
    connection: Option<Connection<Null>>,
    halves: Option<(Receiver, Transmitter)>,
}

impl Endpoint {
    pub(crate) fn new(socket_type: SocketType) -> Result<Self, Step> {
        let mut scratch = Scratch::new();
        let config = Config::new(socket_type);
        let connection = Connection::new(&config, Null, &mut scratch, Instant::from_nanos(0))
            .map_err(|_| Step::Configure)?;
        Ok(Self {
            scratch,
            connection: Some(connection),
            halves: None,
        })
    }

    /// Writes one frame.
    pub(crate) fn send(&mut self, body: &[u8], more: bool, out: &mut Wire) -> Result<(), Step> {
        let (_, transmitter) = self.halves.as_mut().ok_or(Step::Send)?;
        let mut frame = [0; 64];
        let len = transmitter.frame(more, body, &mut frame);
        let written = frame.get(..len).filter(|frame| !frame.is_empty());
        written.and_then(|frame| out.write(frame)).ok_or(Step::Send)
    }

    /// Reads one message, as `accept` says.
    pub(crate) fn receive(
        &mut self,
        input: &mut Wire,
        mut accept: impl FnMut(&[u8], bool) -> Accept,
    ) -> Result<Received, Step> {
        let (receiver, _) = self.halves.as_mut().ok_or(Step::Receive)?;
        let mut received = Received::default();
        loop {
            let progress = receiver
                .handle_input(input.waiting())
                .map_err(|_| Step::Receive)?;
            let Some(Event::Frame { more, body }) = progress.event else {
                return Err(Step::Receive);
            };
            let body = input.waiting().get(body).ok_or(Step::Receive)?;
            let fate = accept(body, more);
            received.take(body, fate).ok_or(Step::Receive)?;
            input.consume(progress.consumed);
            if !more {
                return Ok(received);
            }
        }
    }

    /// One turn of the handshake: whether it is complete.
    fn shake(&mut self, input: &mut Wire, output: &mut Wire) -> Option<bool> {
        let Some(connection) = self.connection.as_mut() else {
            return Some(true);
        };
        let consumed = connection
            .handle_input(input.waiting(), &mut self.scratch)
            .ok()?;
        input.consume(consumed);
        let written = connection.poll_output(&self.scratch);
        output.write(written)?;
        let len = written.len();
        connection.output_written(&mut self.scratch, len);
        if connection.status() == Status::Established {
            self.halves = self.connection.take()?.establish(Limits::default(), 512);
        }
        Some(self.halves.is_some())
    }
}

/// Lets both sides greet and exchange their metadata.
pub(crate) fn handshake(
    a: &mut Endpoint,
    b: &mut Endpoint,
    to_a: &mut Wire,
    to_b: &mut Wire,
) -> Result<(), Step> {
    // Each turn moves everything there is: greeting, READY, and one to settle.
    for _ in 0..8 {
        let a_stands = a.shake(to_a, to_b).ok_or(Step::Handshake)?;
        let b_stands = b.shake(to_b, to_a).ok_or(Step::Handshake)?;
        if a_stands && b_stands {
            return Ok(());
        }
    }
    Err(Step::Handshake)
}
