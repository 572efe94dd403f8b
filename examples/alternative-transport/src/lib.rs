//! A transport of one's own: `fifo:///directory/name`, over named pipes.
//!
//! ```text
//!   directory/name             the door: the listener reads tickets from it
//!   directory/name.TICKET.up   made by who connects, for what it writes
//!   directory/name.TICKET.down … and for what it reads
//! ```
//! Who connects makes two pipes and writes their ticket to the door. The listener
//! opens them and says so with a byte; then they leave the directory. How one
//! comes to write such a thing is told in `docs/transports.md`.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use ferromq_transport::*;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

/// The `fifo://` transport, for processes of one user on one machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fifo;

impl Transport for Fifo {
    fn schemes(&self) -> &'static [&'static str] {
        &["fifo"]
    }

    fn bind(&self, at: &Endpoint, _: &LinkOptions) -> Result<Box<dyn Listener>, TransportError> {
        let door = Door::make(at).map_err(failed(Operation::Bind, at))?;
        Ok(Box::new(door))
    }

    fn connect(&self, to: &Route, _: &LinkOptions) -> Result<Box<dyn Connecting>, TransportError> {
        let visitor = Visitor::knock(&to.endpoint);
        Ok(Box::new(
            visitor.map_err(failed(Operation::Connect, &to.endpoint))?,
        ))
    }
}

/// A place to connect to.
struct Door {
    tickets: File,
    path: PathBuf,
    endpoint: Endpoint,
}

impl Door {
    fn make(endpoint: &Endpoint) -> io::Result<Self> {
        let (path, endpoint) = (path(endpoint)?, endpoint.clone());
        // One that nobody reads was left by a listener that was killed.
        if open(&path, OFlags::WRONLY).is_err_and(|e| Cause::from(e) == Cause::ConnectionRefused) {
            fs::remove_file(&path)?;
        }
        make_pipe(&path)?;
        // To write too, or it would be at its end whenever nobody knocks.
        let tickets = open(&path, OFlags::RDWR)?;
        Ok(Self {
            tickets,
            path,
            endpoint,
        })
    }

    fn open(&self, ticket: [u8; 8]) -> io::Result<Box<dyn Link>> {
        let [up, down] = pipes(&self.path, ticket);
        let (input, mut output) = (open(&up, OFlags::RDONLY)?, open(&down, OFlags::WRONLY)?);
        output.write_all(b"!")?;
        link(input, output, &self.endpoint)
    }
}

impl Listener for Door {
    fn fd(&self) -> RawFd {
        self.tickets.as_raw_fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let mut ticket = [0; 8];
        loop {
            match self.tickets.read(&mut ticket) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
                read => read.map_err(failed(Operation::Accept, &self.endpoint))?,
            };
            match self
                .open(ticket)
                .map_err(failed(Operation::Accept, &self.endpoint))
            {
                Ok(link) => return Ok(Some(link)),
                Err(error) if error.is_exhausted() => {
                    // Whoever it is still waits.
                    let _ = self.tickets.write(&ticket);
                    return Err(error);
                }
                // Who gave up took the pipes away.
                Err(_) => {}
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        // Those who wait are let in and out, and so learn that it is over.
        while let Ok(Some(_)) = self.accept() {}
    }
}

/// Who waits to be let in.
struct Visitor {
    /// What it writes, and what it reads.
    pipes: [PathBuf; 2],
    /// Open both ways for the time being: a pipe without a reader cannot be
    /// opened to write, and one without a writer is at its end.
    held: Vec<File>,
    endpoint: Endpoint,
}

impl Visitor {
    fn knock(endpoint: &Endpoint) -> io::Result<Self> {
        let (door, endpoint) = (path(endpoint)?, endpoint.clone());
        let mut tickets = open(&door, OFlags::WRONLY)?;
        let ticket = RandomState::new().hash_one(0).to_ne_bytes();
        let mut visitor = Self {
            pipes: pipes(&door, ticket),
            held: Vec::new(),
            endpoint,
        };
        for path in &visitor.pipes {
            make_pipe(path)?;
            visitor.held.push(open(path, OFlags::RDWR)?);
        }
        // So short a write is whole, or an error (PIPE_BUF).
        tickets.write_all(&ticket)?;
        Ok(visitor)
    }

    fn enter(&mut self) -> io::Result<Option<Box<dyn Link>>> {
        match self.held[1].read(&mut [0]) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
            read => read?,
        };
        let [up, down] = &self.pipes;
        let (input, output) = (open(down, OFlags::RDONLY)?, open(up, OFlags::WRONLY)?);
        link(input, output, &self.endpoint).map(Some)
    }
}

impl Connecting for Visitor {
    fn fd(&self) -> RawFd {
        self.held[1].as_raw_fd()
    }

    fn poll_connected(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        self.enter()
            .map_err(failed(Operation::Connect, &self.endpoint))
    }

    fn timed_out(&mut self) -> Result<(), TransportError> {
        Err(failed(Operation::Connect, &self.endpoint)(
            ErrorKind::TimedOut.into(),
        ))
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let _ = self.pipes.each_ref().map(fs::remove_file);
    }
}

/// The file of an endpoint. What the grammar does not know comes as it was written.
fn path(endpoint: &Endpoint) -> io::Result<PathBuf> {
    match endpoint.address() {
        Address::Other { scheme, rest } if scheme == "fifo" => Ok(rest.into()),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

/// The pipes of a ticket: to the listener, and from it.
fn pipes(door: &Path, ticket: [u8; 8]) -> [PathBuf; 2] {
    let stem = format!("{}.{:016x}", door.display(), u64::from_ne_bytes(ticket));
    ["up", "down"].map(|way| format!("{stem}.{way}").into())
}

fn make_pipe(path: &Path) -> io::Result<()> {
    Ok(mknodat(
        CWD,
        path,
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )?)
}

/// Opens a pipe without waiting for whoever has its other end.
fn open(path: &Path, way: OFlags) -> io::Result<File> {
    let flags = way | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn link(input: File, output: File, peer: &Endpoint) -> io::Result<Box<dyn Link>> {
    let peer = PeerAddress::new(peer.clone());
    Ok(Box::new(Duplex::new(input, output, peer)?))
}

fn failed(operation: Operation, endpoint: &Endpoint) -> impl Fn(io::Error) -> TransportError {
    move |error| TransportError::from_io(operation, endpoint, &error)
}

/// The code in the guide compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/transports.md")]
struct Guide;
