//! Sends files: the socket, and what belongs to no one file.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use crate::{Context, Dealer, Error, Interest, Options, Poller, Socket};

use super::delivery::Delivery;
use super::error::FileError;
use super::mailbox::{Mailbox, Post, mailbox};
use super::name::FileName;
use super::protocol::Offer;
use super::source::{Given, Reader};

/// How a [`Sender`] behaves.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct SenderOptions {
    timeout: Option<Duration>,
}

impl SenderOptions {
    /// Waits for a receiver for ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long no receiver may answer before a file is given up; `None` is
    /// for ever. Default `None`.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that the receiver has written.
    pub written: u64,
    /// Bytes that the file has.
    pub size: u64,
}

/// A file that the receiver has, whole, with our hash, and on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The name that it has there.
    pub name: FileName,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes of it that the receiver had from before, all of them if it had
    /// the whole file.
    pub from: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Sends files over a DEALER socket of its own to a
/// [`Receiver`](super::Receiver), as `docs/FILES.md` says.
///
/// Holds at most 20 MiB of a file in memory, and one thread while it sends.
#[derive(Debug)]
pub struct Sender {
    pub(crate) socket: Socket<Dealer>,
    pub(crate) poller: Poller,
    pub(crate) post: Post<Given>,
    pub(crate) mailbox: Mailbox<Given>,
    pub(crate) timeout: Option<Duration>,
    /// The id of the last offer: no two of a sender have the same.
    pub(crate) last_id: u64,
    /// Whether a receiver has ever greeted us.
    pub(crate) greeted: bool,
}

/// A peer that is silent so long, and then again so long after a PING, is gone.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// First and longest time between attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Longest answer that is read: a refusal.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// Messages that may wait to be written: some windows of them, for those of a
/// lost connection are among them.
const QUEUE: usize = 128;

impl Sender {
    /// A sender. Its [`socket`](Self::socket) is still to be connected, to one
    /// receiver.
    ///
    /// # Errors
    /// What making a socket fails with; [`Error::System`] for want of
    /// descriptors.
    pub fn new(context: &Context, options: SenderOptions) -> Result<Self, Error> {
        let system = |cause| Error::System {
            what: "make a pipe",
            cause,
        };
        let (post, mailbox) = mailbox().map_err(system)?;
        let socket: Socket<Dealer> = context.socket_with(socket_options())?;
        let mut poller = Poller::new();
        poller.add(&socket, 0, Interest::Readable);
        let bell = mailbox.descriptor().map_err(system)?;
        poller.add_fd(bell, 1, Interest::Readable);
        Ok(Self {
            socket,
            poller,
            post,
            mailbox,
            timeout: options.timeout,
            last_id: 0,
            greeted: false,
        })
    }

    /// The socket, to connect it, to watch it, and to close it, which ends
    /// [`send`](Self::send).
    #[must_use]
    pub fn socket(&self) -> &Socket<Dealer> {
        &self.socket
    }

    /// Sends a file under the last component of its path, and waits until the
    /// receiver has it on disk under that name. Calls `watch` now and then.
    ///
    /// Whenever the connection or the receiver is lost it waits for another,
    /// and goes on where that one has proved to be.
    ///
    /// # Errors
    /// [`FileError`]; other files may be sent after most.
    pub fn send(
        &mut self,
        path: impl AsRef<Path>,
        mut watch: impl FnMut(Progress),
    ) -> Result<Sent, FileError> {
        let path = path.as_ref();
        let name = FileName::of_path(path)?;
        let (file, opened) = open(path)?;
        let offer = Offer {
            id: 0,
            size: opened.len(),
            name: name.as_bytes().to_vec(),
            source: source_of(path),
            peer: String::new(),
        };
        let reader = Reader::start(file, opened, self.post.clone()).map_err(FileError::Read)?;
        let done = Delivery::new(self, offer, reader, &mut watch).run()?;
        Ok(Sent {
            name,
            size: done.size,
            from: done.from,
            sha256: done.digest,
        })
    }
}

fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    // A pipe without a writer must not hold us up.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(FileError::Read)?;
    let metadata = file.metadata().map_err(FileError::Read)?;
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok((file, metadata)),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(FileError::NotAFile { what })
}

/// What the file is the same by when it is offered again: this machine and the
/// whole path, hashed, for neither is the receiver's business.
fn source_of(path: &Path) -> Vec<u8> {
    let read = |path| std::fs::read(path).unwrap_or_default();
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut hash = Sha256::new();
    for part in [
        &read("/etc/machine-id")[..],
        &read("/proc/sys/kernel/hostname"),
        whole.as_os_str().as_bytes(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

fn socket_options() -> Options {
    Options::new()
        .send_high_water_mark(QUEUE)
        .max_message_size(LONGEST_ANSWER)
        .max_parts(8)
        // The receiver greets us on each new connection.
        .probe_router(true)
        .reconnect_interval(RECONNECT.0, RECONNECT.1)
        .heartbeat(HEARTBEAT, None, None)
        // What is left after the last answer is for nobody.
        .linger(Some(Duration::from_millis(200)))
}
