//! Receives files into a directory: the socket's side, and who may send what.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Context, Error, Frame, Interest, Options, Poller, Router, Socket};

use super::directory::{Directory, Existing};
use super::event::Event;
use super::mailbox::{Mailbox, Post, mailbox};
use super::orders::Report;
use super::protocol::{CHUNK, Malformed, Request};
use super::serving::{End, REMINDER, Watch};
use super::table::Table;

/// How a [`Receiver`] behaves.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct ReceiverOptions {
    pub(crate) existing: Existing,
    timeout: Option<Duration>,
}

impl ReceiverOptions {
    /// Keeps existing files, waits for ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// What becomes of files that are there already. Default: they stay.
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// How long no sender may say anything before [`Receiver::run`] gives up;
    /// `None` is for ever. Default `None`.
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Receives files over a ROUTER socket of its own, as `docs/FILES.md` says.
///
/// At most 64 files are open at once, each with two threads and 20 MiB of what
/// came and is not yet written or hashed; of each connection the socket holds
/// 32 messages. A process that has a limit on the size of its files should
/// ignore SIGXFSZ, which would end it: then the file is refused.
#[derive(Debug)]
pub struct Receiver {
    pub(crate) socket: Socket<Router>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) options: ReceiverOptions,
    pub(crate) post: Post<Report>,
    pub(crate) mailbox: Mailbox<Report>,
    pub(crate) table: Table,
    pub(crate) next_ticket: u64,
    /// When a sender last said anything.
    heard: Instant,
}

/// Requests that are seen to before the intakes' reports, and as many reports
/// before further requests: neither starves the other.
pub(crate) const ROUND: usize = 64;
/// A peer that is silent so long, and then again so long after a PING, is gone.
const HEARTBEAT: Duration = Duration::from_secs(10);

impl Receiver {
    /// A receiver into an existing directory. Its [`socket`](Self::socket) is
    /// still to be bound.
    ///
    /// # Errors
    /// [`Error::System`] when the directory cannot be opened; what making a
    /// socket fails with.
    pub fn new(
        context: &Context,
        directory: impl AsRef<Path>,
        options: ReceiverOptions,
    ) -> Result<Self, Error> {
        let system = |what| move |cause| Error::System { what, cause };
        let directory = Directory::open(directory.as_ref());
        let directory = directory.map_err(system("open the directory to receive into"))?;
        let (post, mailbox) = mailbox().map_err(system("make a pipe"))?;
        Ok(Self {
            socket: context.socket_with(socket_options())?,
            directory: Arc::new(directory),
            options,
            post,
            mailbox,
            table: Table::default(),
            next_ticket: 1,
            heard: Instant::now(),
        })
    }

    /// The socket, to bind it, to watch it, and to close it, which ends
    /// [`run`](Self::run).
    #[must_use]
    pub fn socket(&self) -> &Socket<Router> {
        &self.socket
    }

    /// Receives files until `watch` breaks, which it is asked after each event.
    ///
    /// Then what senders are owed is in the socket: close it, and let it
    /// linger. Files that are not whole stay as partial files.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when no sender said anything for as long as the
    /// options allow; [`Error::Closed`] when the socket was closed.
    pub fn run(
        &mut self,
        mut watch: impl FnMut(&Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.heard = Instant::now();
        let done = self.serve(&mut watch);
        self.table.close_all();
        match done {
            Err(End::Told) => Ok(()),
            Err(End::Failed(error)) => Err(error),
            Ok(never) => match never {},
        }
    }

    fn serve(&mut self, watch: Watch<'_>) -> Result<Never, End> {
        let mut poller = Poller::new();
        poller.add(&self.socket, 0, Interest::Readable);
        let bell = self.mailbox.descriptor();
        let bell = bell.map_err(|cause| Error::System {
            what: "watch a pipe",
            cause,
        })?;
        poller.add_fd(bell, 1, Interest::Readable);
        let mut ready = Vec::new();
        loop {
            let more = self.take_requests(watch)?;
            self.take_reports(watch)?;
            self.remind(watch)?;
            if !more {
                poller.wait(&mut ready, self.patience()?)?;
            }
        }
    }

    /// True when there may be more.
    fn take_requests(&mut self, watch: Watch<'_>) -> Result<bool, End> {
        for _ in 0..ROUND {
            let message = match self.socket.try_recv() {
                Ok(message) => message,
                Err(Error::WouldBlock) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            self.heard = Instant::now();
            let mut frames = message.into_frames();
            let Some(identity) = frames.next() else {
                continue;
            };
            let frames: Vec<Frame> = frames.collect();
            match Request::parse(&frames) {
                Ok(request) => self.serve_request(&identity, request, watch)?,
                Err(Malformed { id, refusal }) => self.refuse(&identity, id, refusal, watch)?,
            }
        }
        Ok(true)
    }

    /// How long to sleep at most.
    fn patience(&mut self) -> Result<Option<Duration>, End> {
        let reminder = (!self.table.is_empty()).then_some(REMINDER);
        let Some(timeout) = self.options.timeout else {
            return Ok(reminder);
        };
        if self.table.awaits_intake() {
            // It is our disk that takes so long.
            self.heard = Instant::now();
        }
        let left = match timeout.checked_sub(self.heard.elapsed()) {
            Some(left) if !left.is_zero() => left,
            _ => return Err(Error::TimedOut.into()),
        };
        Ok(Some(reminder.map_or(left, |reminder| left.min(reminder))))
    }
}

enum Never {}

/// A chunk and its message's other frames; nothing else is as long.
const LONGEST_FRAME: u64 = CHUNK as u64;
const LONGEST_MESSAGE: u64 = LONGEST_FRAME + 4096;
/// Messages from one peer that wait in the socket: a window and some more.
const QUEUE: usize = 32;

fn socket_options() -> Options {
    Options::new()
        .receive_high_water_mark(QUEUE)
        .max_frame_size(LONGEST_FRAME)
        .max_message_size(LONGEST_MESSAGE)
        .max_parts(8)
        .router_mandatory(true)
        .heartbeat(HEARTBEAT, None, None)
}
