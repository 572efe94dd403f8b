//! Sockets without a library, used as well as they can be: the limit of this
//! machine.
//!
//! Messages are framed as ZMTP frames them, so that the bytes on the wire are
//! the same as the others'; there is no handshake and no queue. Short messages
//! travel in 64 KiB writes and reads, long ones straight from and into the
//! caller's memory, 1 MiB a call.

mod echo;
mod ends;
mod frames;

use std::io::{self, Read, Write};

use self::echo::Echo;
use self::ends::{End, Listener};
use self::frames::{BATCH, FrameReader, FrameWriter, read_some};
use super::{Failure, Kind, Peer};
use crate::job::{Contender, Job};
use crate::plain::Stream;

/// One end of some connections.
pub(crate) enum Raw {
    Writer(FrameWriter),
    Reader(FrameReader),
    /// Unframed messages, one there and one back.
    PingPong {
        end: End,
        body: Vec<u8>,
        busy: bool,
    },
    /// Both ways at once: what is written is held back until a read must wait.
    Duplex(FrameWriter, FrameReader),
    Publisher(Publisher),
    Echo(Echo),
}

impl Peer for Raw {
    type Context = ();

    fn context(_: &Job) -> Result<(), Failure> {
        Ok(())
    }

    fn bind((): &(), kind: Kind, endpoint: &str, job: &Job) -> Result<(Self, String), Failure> {
        let (listener, endpoint) = Listener::bind(endpoint)?;
        let size = job.cell.shape.size;
        let socket = match kind {
            Kind::Router => Self::Echo(Echo::new(listener, size)?),
            Kind::Pub => Self::Publisher(Publisher {
                listener,
                expected: job.cell.shape.peers,
                streams: Vec::new(),
                batch: Vec::with_capacity(BATCH),
            }),
            Kind::Rep => Self::ping_pong(End::Listening(listener), job),
            _ => Self::Reader(FrameReader::new(End::Listening(listener), size)),
        };
        Ok((socket, endpoint))
    }

    fn connect((): &(), kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let stream = Stream::connect(endpoint)?;
        let size = job.cell.shape.size;
        Ok(match kind {
            Kind::Req => Self::ping_pong(End::Connected(stream), job),
            Kind::Sub => Self::Reader(FrameReader::new(End::Connected(stream), size)),
            Kind::Dealer => {
                let writer = FrameWriter::new(stream.duplicate()?);
                let reader = FrameReader::new(End::Connected(stream), size);
                Self::Duplex(writer, reader)
            }
            _ => Self::Writer(FrameWriter::new(stream)),
        })
    }

    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        match self {
            Self::Writer(writer) | Self::Duplex(writer, _) => writer.send(body),
            Self::Publisher(publisher) => Ok(publisher.send(body)?),
            Self::PingPong { end, busy, .. } => {
                let stream = end.stream()?;
                if *busy {
                    stream.set_nonblocking()?;
                    *busy = false;
                }
                Ok(stream.write_all(body)?)
            }
            _ => Err("it only receives".into()),
        }
    }

    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        match self {
            Self::Reader(reader) => reader.recv(),
            Self::Duplex(writer, reader) => {
                if !reader.has_frame()? {
                    writer.flush()?;
                }
                reader.recv()
            }
            Self::PingPong { end, body, .. } => {
                read_whole(end.stream()?, body)?;
                Ok(body.len())
            }
            _ => Err("it only sends".into()),
        }
    }

    #[inline]
    fn answer(&mut self) -> Result<usize, Failure> {
        let Self::PingPong { end, body, busy } = self else {
            return Err("it only receives".into());
        };
        let stream = end.stream()?;
        if *busy {
            stream.set_nonblocking()?;
            *busy = false;
        }
        read_whole(stream, body)?;
        stream.write_all(body)?;
        Ok(body.len())
    }

    fn subscribe(&mut self, _: &'static [u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Writer(writer) | Self::Duplex(writer, _) => writer.flush(),
            Self::Publisher(publisher) => Ok(publisher.flush()?),
            _ => Ok(()),
        }
    }

    fn answer_all(&mut self, count: u64, size: usize) -> Result<(), Failure> {
        if let Self::Echo(echo) = self {
            return Ok(echo.serve(count)?);
        }
        for _ in 0..count {
            super::check_size(self.answer()?, size)?;
        }
        Ok(())
    }

    fn forward(front: Self, back: Self) -> Result<(), Failure> {
        let (Self::Reader(mut front), Self::Writer(mut back)) = (front, back) else {
            return Err("it forwards from a reader to a writer".into());
        };
        let stream = front.end.stream()?;
        let mut block = vec![0; BATCH];
        loop {
            let read = read_some(stream, &mut block)?;
            back.stream.write_all(&block[..read])?;
        }
    }
}

impl Raw {
    fn ping_pong(end: End, job: &Job) -> Self {
        Self::PingPong {
            end,
            body: vec![0; job.cell.shape.size],
            busy: job.contender == Contender::RawBusy,
        }
    }
}

/// Writes what it gathered to each connection in turn.
pub(crate) struct Publisher {
    listener: Listener,
    expected: usize,
    streams: Vec<Stream>,
    batch: Vec<u8>,
}

impl Publisher {
    fn send(&mut self, body: &[u8]) -> io::Result<()> {
        while self.streams.len() < self.expected {
            self.streams.push(self.listener.accept()?);
        }
        if self.batch.len() + body.len() + 9 > BATCH {
            self.flush()?;
        }
        let short = u8::try_from(body.len());
        let short = short.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.batch.extend([0, short]);
        self.batch.extend_from_slice(body);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        for stream in &mut self.streams {
            stream.write_all(&self.batch)?;
        }
        self.batch.clear();
        Ok(())
    }
}

/// Fills `body`; again and again where the stream does not wait.
fn read_whole(stream: &mut Stream, body: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < body.len() {
        match stream.read(&mut body[done..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
