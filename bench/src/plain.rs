//! Many peers in one thread: plain sockets that speak just enough ZMTP.
//!
//! They stand for the thousands of connections of a PUB or a ROUTER. They are
//! the same for every contender, so that what is compared is the contender's
//! own side, and as cheap as can be, so that it is what limits.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::channel::{Answer, Channel};
use crate::job::{Contender, Job, Workload};
use crate::meter::Meter;
use crate::peers::Failure;
use crate::statistics::round_trip;
use crate::topics;
use crate::worker::{HEARD, await_endpoint};

/// Bytes that one read asks for.
const BLOCK: usize = 256 << 10;
/// Bytes of subscriptions that one write takes along.
const BATCH: usize = 64 << 10;

/// A stream of either kind.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn connect(endpoint: &str) -> Result<Self, Failure> {
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

    /// Another handle of the same stream.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
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
    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(slices),
            Self::Unix(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a ZMTP 3.0 handshake with the NULL mechanism, as a socket of
/// `socket_type`, and leaves the stream behind the peer's READY.
pub(crate) fn shake_hands(stream: &mut Stream, socket_type: &str) -> io::Result<()> {
    let mut greeting = [0_u8; 64];
    greeting[..10].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f");
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    let mut ready = b"\x05READY\x0bSocket-Type".to_vec();
    ready.extend((socket_type.len() as u32).to_be_bytes());
    ready.extend(socket_type.as_bytes());
    stream.write_all(&greeting)?;
    stream.write_all(&[&[4, ready.len() as u8], &ready[..]].concat())?;
    stream.read_exact(&mut greeting)?;
    // The server's READY: a command with a length of one byte.
    let mut header = [0; 2];
    stream.read_exact(&mut header)?;
    let mut command = [0; 255];
    let command = &mut command[..usize::from(header[1])];
    stream.read_exact(command)?;
    if header[0] != 4 || !command.starts_with(b"\x05READY") {
        let error = io::ErrorKind::InvalidData;
        return Err(io::Error::new(error, "the server is not ready"));
    }
    Ok(())
}

/// `body` as ZMTP frames it.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = match u8::try_from(body.len()) {
        Ok(short) => vec![0, short],
        Err(_) => [&[2], &(body.len() as u64).to_be_bytes()[..]].concat(),
    };
    frame.extend_from_slice(body);
    frame
}

/// The SUBs of a job: subscribes, waits until each was heard, and counts what
/// arrives.
pub(crate) fn subscribe(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let endpoint = await_endpoint(channel)?;
    let setup = Instant::now();
    let mut crowd = Crowd::new();
    for index in 0..job.cell.shape.peers {
        let mut stream = Stream::connect(&endpoint)?;
        if job.contender != Contender::Raw {
            shake_hands(&mut stream, "SUB")?;
            send_subscriptions(&mut stream, job, index)?;
        }
        crowd.add(stream)?;
    }
    channel.answer(Answer::Ready)?;
    let mut taken = crowd.await_greetings()?;
    let setup_seconds = setup.elapsed().as_secs_f64();
    channel.answer(Answer::Ready)?;
    let bytes = framed(&vec![0; job.cell.shape.size]).len() as u64 * job.cell.deliveries();
    taken = crowd.drain(taken, bytes * job.warm_up)?;
    let meter = Meter::start();
    crowd.drain(taken, bytes * (job.warm_up + job.count))?;
    let mut report = meter.stop()?;
    report.setup_seconds = setup_seconds;
    channel.answer(Answer::Done(report))?;
    channel.await_end();
    Ok(())
}

/// What the `index`th peer asks for: everything, or its share of the topics
/// and the greeting.
fn send_subscriptions(stream: &mut Stream, job: &Job, index: usize) -> io::Result<()> {
    if job.cell.workload != Workload::Topics {
        return stream.write_all(&framed(b"\x01"));
    }
    let share = job.cell.shape.load / job.cell.shape.peers;
    let mut batch = Vec::with_capacity(BATCH + 64);
    for topic in index * share..(index + 1) * share {
        batch.extend([0, 1 + topics::LEN as u8, 1]);
        batch.extend(topics::topic(topic));
        if batch.len() >= BATCH {
            stream.write_all(&batch)?;
            batch.clear();
        }
    }
    // Whoever hears the greeting knows that the rest was heard before.
    batch.extend(framed(&[&[1], HEARD].concat()));
    stream.write_all(&batch)
}

/// The clients of a ROUTER: so many of them are busy, each with one request.
pub(crate) fn ask(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let endpoint = await_endpoint(channel)?;
    let setup = Instant::now();
    let mut crowd = Crowd::new();
    for _ in 0..job.cell.shape.peers {
        let mut stream = Stream::connect(&endpoint)?;
        if job.contender != Contender::Raw {
            shake_hands(&mut stream, "DEALER")?;
        }
        crowd.add(stream)?;
    }
    let setup_seconds = setup.elapsed().as_secs_f64();
    let frame = framed(&vec![0x5a; job.cell.shape.size]);
    crowd.ask(&frame, job.cell.shape.load, job.warm_up, &mut Vec::new())?;
    let mut times = Vec::with_capacity(job.count as usize);
    let meter = Meter::start();
    crowd.ask(&frame, job.cell.shape.load, job.count, &mut times)?;
    let mut report = meter.stop()?;
    report.round_trip = round_trip(&mut times);
    report.setup_seconds = setup_seconds;
    channel.answer(Answer::Done(report))?;
    channel.await_end();
    Ok(())
}

/// Connections that are waited for together.
struct Crowd {
    streams: Vec<Stream>,
    block: Vec<u8>,
    greeting: Vec<u8>,
}

impl Crowd {
    fn new() -> Self {
        Self {
            streams: Vec::new(),
            block: vec![0; BLOCK],
            greeting: framed(HEARD),
        }
    }

    fn add(&mut self, stream: Stream) -> io::Result<()> {
        stream.set_nonblocking()?;
        self.streams.push(stream);
        Ok(())
    }

    fn poll(&self) -> io::Result<Poll> {
        let poll = Poll::new()?;
        for (index, stream) in self.streams.iter().enumerate() {
            let descriptor = stream.as_raw_fd();
            let mut source = SourceFd(&descriptor);
            poll.registry()
                .register(&mut source, Token(index), Interest::READABLE)?;
        }
        Ok(poll)
    }

    /// Reads until each connection brought something: the greeting, and
    /// perhaps some more of them.
    fn await_greetings(&mut self) -> Result<Greeted, Failure> {
        let poll = self.poll()?;
        let mut greeted = Greeted { poll, ahead: 0 };
        let mut heard = vec![false; self.streams.len()];
        let mut missing = heard.len();
        let mut events = Events::with_capacity(1024);
        while missing > 0 {
            wait(&mut greeted.poll, &mut events)?;
            for event in &events {
                let Token(index) = event.token();
                let mut read = 0;
                while let Some(more) = read_some(&mut self.streams[index], &mut self.block)? {
                    read += more;
                }
                if read > 0 && !std::mem::replace(&mut heard[index], true) {
                    missing -= 1;
                }
            }
        }
        Ok(greeted)
    }

    /// Reads until `bytes` of the job's messages arrived, over all connections.
    fn drain(&mut self, mut greeted: Greeted, bytes: u64) -> Result<Greeted, Failure> {
        let mut events = Events::with_capacity(1024);
        while greeted.ahead < bytes {
            wait(&mut greeted.poll, &mut events)?;
            for event in &events {
                let Token(index) = event.token();
                while let Some(read) = read_some(&mut self.streams[index], &mut self.block)? {
                    let greetings = greetings(&self.block[..read], &self.greeting);
                    greeted.ahead += (read - greetings) as u64;
                }
            }
        }
        Ok(greeted)
    }

    /// Has `busy` connections, spread over all, ask and ask again until `count`
    /// replies arrived.
    fn ask(
        &mut self,
        frame: &[u8],
        busy: usize,
        count: u64,
        times: &mut Vec<std::time::Duration>,
    ) -> Result<(), Failure> {
        let mut poll = self.poll()?;
        let busy = busy.clamp(1, self.streams.len());
        let stride = self.streams.len() / busy;
        let mut asked = vec![Instant::now(); self.streams.len()];
        let mut arrived = vec![0; self.streams.len()];
        let (mut sent, mut done) = (0, 0);
        for index in (0..busy).map(|index| index * stride) {
            if sent < count {
                asked[index] = Instant::now();
                self.streams[index].write_all(frame)?;
                sent += 1;
            }
        }
        let mut events = Events::with_capacity(1024);
        while done < count {
            wait(&mut poll, &mut events)?;
            for event in &events {
                let Token(index) = event.token();
                let stream = &mut self.streams[index];
                while arrived[index] < frame.len() {
                    let missing = frame.len() - arrived[index];
                    match read_some(stream, &mut self.block[..missing])? {
                        Some(read) => arrived[index] += read,
                        None => break,
                    }
                }
                if arrived[index] < frame.len() {
                    continue;
                }
                arrived[index] = 0;
                times.push(asked[index].elapsed());
                done += 1;
                if sent < count {
                    asked[index] = Instant::now();
                    stream.write_all(frame)?;
                    sent += 1;
                }
            }
        }
        self.streams.iter().try_for_each(|stream| {
            let descriptor = stream.as_raw_fd();
            poll.registry().deregister(&mut SourceFd(&descriptor))
        })?;
        Ok(())
    }
}

/// Connections over which the publisher was heard.
struct Greeted {
    poll: Poll,
    /// Bytes of the job's messages that arrived so far.
    ahead: u64,
}

/// The bytes of whole greetings at the front of what was read.
fn greetings(bytes: &[u8], greeting: &[u8]) -> usize {
    let whole = bytes.chunks_exact(greeting.len());
    whole.take_while(|chunk| *chunk == greeting).count() * greeting.len()
}

fn wait(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
    loop {
        match poll.poll(events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// What is there now; `None`: nothing.
fn read_some(stream: &mut Stream, room: &mut [u8]) -> io::Result<Option<usize>> {
    match stream.read(room) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_zmtp_has_them() {
        assert_eq!(framed(b"abc"), b"\0\x03abc");
        assert_eq!(framed(&[7; 256])[..10], *b"\x02\0\0\0\0\0\0\x01\0\x07");
    }

    #[test]
    fn greetings_are_told_from_the_jobs_messages() {
        let (job, greeting) = (framed(&[0x5a; 64]), framed(HEARD));
        let read = [&greeting[..], &greeting, &job].concat();
        assert_eq!(greetings(&read, &greeting), 2 * greeting.len());
        assert_eq!(greetings(&job, &greeting), 0);
        assert_eq!(greetings(&job[1..], &greeting), 0);
    }
}
