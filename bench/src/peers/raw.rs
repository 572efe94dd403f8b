//! Blocking sockets, used as well as they can be: the limit of this machine.
//!
//! Messages are framed as ZMTP frames them, so that the bytes on the wire are
//! the same as the others'; there is no handshake and no queue. Short messages
//! travel in 64 KiB writes and reads, long ones straight from and into the
//! caller's memory, 1 MiB a call.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use super::{Failure, Peer, Receiver, Replier, Requester, Sender};
use crate::job::Job;

/// Short messages are gathered up to this many bytes a write.
const BATCH: usize = 64 << 10;
/// Long messages are read and written in pieces of this many bytes.
const PIECE: usize = 1 << 20;
/// Copying a body of at least this length costs more than a write of its own.
const LONG: usize = 16 << 10;

/// The contender.
pub(crate) struct Raw;

impl Peer for Raw {
    type Receiver = FrameReader;
    type Sender = FrameWriter;
    type Requester = PingPong;
    type Replier = PingPong;

    fn bind_receiver(job: &Job, endpoint: &str) -> Result<(FrameReader, String), Failure> {
        let (listener, endpoint) = Listener::bind(endpoint)?;
        Ok((FrameReader::new(listener, job.cell.size), endpoint))
    }

    fn connect_sender(_: &Job, endpoint: &str) -> Result<FrameWriter, Failure> {
        let batch = Vec::with_capacity(BATCH);
        Ok(FrameWriter {
            stream: Stream::connect(endpoint)?,
            batch,
        })
    }

    fn bind_replier(job: &Job, endpoint: &str) -> Result<(PingPong, String), Failure> {
        let (listener, endpoint) = Listener::bind(endpoint)?;
        let end = End::Listening(listener);
        Ok((
            PingPong {
                end,
                body: vec![0; job.cell.size],
            },
            endpoint,
        ))
    }

    fn connect_requester(job: &Job, endpoint: &str) -> Result<PingPong, Failure> {
        let end = End::Connected(Stream::connect(endpoint)?);
        Ok(PingPong {
            end,
            body: vec![0; job.cell.size],
        })
    }
}

/// Sends frames: short ones gathered, long ones from where they are.
pub(crate) struct FrameWriter {
    stream: Stream,
    batch: Vec<u8>,
}

impl Sender for FrameWriter {
    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        let header = Header::new(body.len());
        let header = header.bytes();
        if body.len() >= LONG {
            return Ok(self.stream.write_frame(header, body)?);
        }
        if self.batch.len() + header.len() + body.len() > BATCH {
            self.flush()?;
        }
        self.batch.extend_from_slice(header);
        self.batch.extend_from_slice(body);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.batch)?;
        self.batch.clear();
        Ok(())
    }
}

/// Receives frames into one reused buffer.
///
/// Short frames are looked at where they lie. A long body is read to the front
/// of the buffer, together with the header that follows it.
pub(crate) struct FrameReader {
    end: End,
    buffer: Vec<u8>,
    /// What was read and not looked at: `start..end_of_data` of the buffer.
    start: usize,
    end_of_data: usize,
}

impl FrameReader {
    fn new(listener: Listener, size: usize) -> Self {
        let capacity = BATCH.max(size + Header::MAX);
        let end = End::Listening(listener);
        Self {
            end,
            buffer: vec![0; capacity],
            start: 0,
            end_of_data: 0,
        }
    }

    /// Reads more behind what is there, after moving that to the front.
    #[cold]
    fn fill(&mut self) -> io::Result<()> {
        self.move_to_front();
        let limit = self.buffer.len().min(self.end_of_data + PIECE);
        self.end_of_data += self
            .end
            .stream()?
            .read_some(&mut self.buffer[self.end_of_data..limit])?;
        Ok(())
    }

    /// Reads the rest of a long body, and no further than the next header.
    #[cold]
    fn read_long(&mut self, len: usize) -> io::Result<()> {
        self.move_to_front();
        let stream = self.end.stream()?;
        let whole = self
            .buffer
            .get_mut(..len + Header::MAX)
            .ok_or(io::ErrorKind::InvalidData)?;
        while self.end_of_data < len {
            let limit = whole.len().min(self.end_of_data + PIECE);
            self.end_of_data += stream.read_some(&mut whole[self.end_of_data..limit])?;
        }
        self.start = len;
        Ok(())
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end_of_data, 0);
        self.end_of_data -= self.start;
        self.start = 0;
    }
}

impl Receiver for FrameReader {
    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        loop {
            let data = &self.buffer[self.start..self.end_of_data];
            if let Some((header_len, body_len)) = Header::parse(data)? {
                if data.len() - header_len >= body_len {
                    self.start += header_len + body_len;
                    return Ok(body_len);
                }
                if body_len >= LONG {
                    self.start += header_len;
                    self.read_long(body_len)?;
                    return Ok(body_len);
                }
            }
            self.fill()?;
        }
    }
}

/// One unframed message there, one back.
pub(crate) struct PingPong {
    end: End,
    body: Vec<u8>,
}

impl Requester for PingPong {
    fn round_trip(&mut self, request: &'static [u8]) -> Result<usize, Failure> {
        let stream = self.end.stream()?;
        stream.write_all(request)?;
        stream.read_exact(&mut self.body)?;
        Ok(self.body.len())
    }
}

impl Replier for PingPong {
    fn serve(&mut self) -> Result<usize, Failure> {
        let stream = self.end.stream()?;
        stream.read_exact(&mut self.body)?;
        stream.write_all(&self.body)?;
        Ok(self.body.len())
    }
}

/// A ZMTP frame header: flags and a length of one byte or of eight.
struct Header {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Header {
    /// The longest header in bytes.
    const MAX: usize = 9;
    const LONG_FLAG: u8 = 2;

    #[inline]
    fn new(body_len: usize) -> Self {
        let mut bytes = [0; Self::MAX];
        if let Ok(short) = u8::try_from(body_len) {
            bytes[1] = short;
            return Self { bytes, len: 2 };
        }
        bytes[0] = Self::LONG_FLAG;
        bytes[1..].copy_from_slice(&(body_len as u64).to_be_bytes());
        Self {
            bytes,
            len: Self::MAX,
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The lengths of the header and of the body, once the header is whole.
    #[inline]
    fn parse(data: &[u8]) -> io::Result<Option<(usize, usize)>> {
        match data {
            [0, short, ..] => Ok(Some((2, usize::from(*short)))),
            [Self::LONG_FLAG, rest @ ..] => {
                let len = rest
                    .first_chunk()
                    .map(|len| u64::from_be_bytes(*len) as usize);
                Ok(len.map(|len| (Self::MAX, len)))
            }
            [] | [0] => Ok(None),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A listener that turns into a connection when it is first used.
///
/// The endpoint must be told before anybody can connect.
enum End {
    Listening(Listener),
    Connected(Stream),
}

impl End {
    #[inline]
    fn stream(&mut self) -> io::Result<&mut Stream> {
        if let Self::Listening(listener) = self {
            *self = Self::Connected(listener.accept()?);
        }
        match self {
            Self::Connected(stream) => Ok(stream),
            Self::Listening(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn bind(endpoint: &str) -> Result<(Self, String), Failure> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            // A crashed predecessor with our process id may have left it.
            let _ = std::fs::remove_file(path);
            return Ok((Self::Unix(UnixListener::bind(path)?), endpoint.to_owned()));
        }
        let address = endpoint
            .strip_prefix("tcp://")
            .ok_or("neither tcp nor ipc")?;
        let listener = TcpListener::bind(address.replace('*', "0"))?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        Ok((Self::Tcp(listener), endpoint))
    }

    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(listener) = self
            && let Ok(address) = listener.local_addr()
            && let Some(path) = address.as_pathname()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn connect(endpoint: &str) -> Result<Self, Failure> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            return Ok(Self::Unix(UnixStream::connect(path)?));
        }
        let address = endpoint
            .strip_prefix("tcp://")
            .ok_or("neither tcp nor ipc")?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Reads at least a byte: the peer never closes before the last message.
    fn read_some(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.read(room)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }

    /// Writes header and body, at most a piece of the body a call.
    fn write_frame(&mut self, header: &[u8], body: &[u8]) -> io::Result<()> {
        let first = &body[..body.len().min(PIECE)];
        let mut slices: &mut [IoSlice<'_>] = &mut [IoSlice::new(header), IoSlice::new(first)];
        while !slices.is_empty() {
            let written = self.write_vectored(slices)?;
            IoSlice::advance_slices(&mut slices, written);
        }
        body[first.len()..]
            .chunks(PIECE)
            .try_for_each(|piece| self.write_all(piece))
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(slices),
            Self::Unix(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
