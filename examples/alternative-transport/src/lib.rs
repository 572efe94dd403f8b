//! A transport of one's own: `fifo:///directory/name`, over named pipes.
//!
//! ```text
//!   directory/name             the door: the listener reads tickets from it
//!   directory/name.TICKET.up   made by who connects, for what it writes
//!   directory/name.TICKET.down … and for what it reads
//! ```
//! Who connects makes two pipes and writes their ticket to the door. The listener
//! opens them and says so with a byte; then they are unlinked. (`docs/transports.md`)

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use ferromq_transport::*;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use tempfile::TempPath;

/// The `fifo://` transport, for processes of one user on one machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fifo;

impl Transport for Fifo {
    fn schemes(&self) -> &'static [&'static str] {
        &["fifo"]
    }

    fn bind(&self, at: &Endpoint, _: &LinkOptions) -> Result<Box<dyn Listener>, TransportError> {
        listening(at, path(at).and_then(Door::make))
    }

    fn connect(&self, to: &Route, _: &LinkOptions) -> Result<Box<dyn Connecting>, TransportError> {
        connecting(&to.endpoint, path(&to.endpoint).and_then(Visitor::knock))
    }
}

/// A place to connect to.
struct Door {
    tickets: File,
    path: PathBuf,
}

impl Door {
    fn make(path: PathBuf) -> io::Result<Self> {
        // One that nobody reads was left by a listener that was killed.
        if open(&path, OFlags::WRONLY).is_err_and(|e| Cause::from(e) == Cause::ConnectionRefused) {
            fs::remove_file(&path)?;
        }
        let tickets = make_pipe(&path)?;
        Ok(Self { tickets, path })
    }
}

impl Accepting for Door {
    type Caller = [u8; 8];

    fn fd(&self) -> RawFd {
        self.tickets.as_raw_fd()
    }

    fn next(&mut self) -> io::Result<[u8; 8]> {
        let mut ticket = [0; 8];
        self.tickets.read_exact(&mut ticket)?;
        Ok(ticket)
    }

    fn admit(&mut self, ticket: &[u8; 8], at: &Endpoint) -> io::Result<Box<dyn Link>> {
        let [up, down] = pipes(&self.path, ticket);
        let (input, output) = (open(&up, OFlags::RDONLY)?, open(&down, OFlags::WRONLY)?);
        let mut link = Duplex::new(input, output, PeerAddress::new(at.clone()))?;
        // Last: who hears it goes on, and cannot be admitted again.
        link.write(b"!")?;
        Ok(Box::new(link))
    }

    fn close(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Who waits to be let in.
struct Visitor {
    /// What it writes, and what it reads: paths that it leaves empty.
    pipes: [TempPath; 2],
    held: [File; 2],
}

impl Visitor {
    fn knock(door: PathBuf) -> io::Result<Self> {
        let mut tickets = open(&door, OFlags::WRONLY)?;
        let ticket = RandomState::new().hash_one(0).to_ne_bytes();
        let [up, down] = pipes(&door, &ticket).map(TempPath::try_from_path);
        let pipes = [up?, down?];
        let held = [make_pipe(&pipes[0])?, make_pipe(&pipes[1])?];
        // So short a write is whole, or an error (PIPE_BUF).
        tickets.write_all(&ticket)?;
        Ok(Self { pipes, held })
    }
}

impl Opening for Visitor {
    fn fd(&self) -> RawFd {
        self.held[1].as_raw_fd()
    }

    fn open(&mut self, to: &Endpoint) -> io::Result<Box<dyn Link>> {
        self.held[1].read_exact(&mut [0])?;
        let [up, down] = &self.pipes;
        let (input, output) = (open(down, OFlags::RDONLY)?, open(up, OFlags::WRONLY)?);
        let peer = PeerAddress::new(to.clone());
        Ok(Box::new(Duplex::new(input, output, peer)?))
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
fn pipes(door: &Path, ticket: &[u8; 8]) -> [PathBuf; 2] {
    let stem = format!("{}.{:016x}", door.display(), u64::from_ne_bytes(*ticket));
    ["up", "down"].map(|way| format!("{stem}.{way}").into())
}

/// A new pipe, open both ways for the time being: one without a reader cannot be
/// opened to write, and one without a writer is at its end.
fn make_pipe(path: &Path) -> io::Result<File> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    open(path, OFlags::RDWR)
}

/// Opens a pipe without waiting for whoever has its other end.
fn open(path: &Path, way: OFlags) -> io::Result<File> {
    let flags = way | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// The code in the guide compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/transports.md")]
struct Guide;
