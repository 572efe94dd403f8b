//! Receives files into a directory: the socket's side, and who may send what.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Context, Error, Frame, Interest, Options, Poller, Router, Socket};

use super::directory::{Directory, Existing};
use super::intake::{self, Report, Source, Told};
use super::mailbox::{Mailbox, Post, mailbox};
use super::name::FileName;
use super::protocol::{Answer, CHUNK, Digest, Malformed, Offer, Request};
use super::refusal::{Refusal, RefusalCode};
use super::table::{Table, Transfer};

/// How a [`Receiver`] behaves.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct ReceiverOptions {
    existing: Existing,
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

/// Something that a [`Receiver`] has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file begins to arrive.
    Began {
        /// Which.
        file: &'a Incoming,
        /// Bytes that are there from before.
        from: u64,
    },
    /// More of it was written.
    Advanced {
        /// Which.
        file: &'a Incoming,
        /// Bytes that are written.
        written: u64,
    },
    /// It is there under its name, whole, on disk and with the sender's hash.
    Received {
        /// Which.
        file: &'a Incoming,
        /// Its SHA-256.
        sha256: [u8; 32],
    },
    /// It is not taken, and the sender was told why.
    Refused {
        /// Its name as the sender says it: any bytes, or none.
        name: &'a [u8],
        /// Which; `None` when it was never begun.
        file: Option<&'a Incoming>,
        /// Why.
        refusal: &'a Refusal,
    },
    /// The sender gave it up or is gone. What came is kept, for when it is
    /// offered again.
    Left {
        /// Which.
        file: &'a Incoming,
    },
}

/// A file that somebody sends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// A number of its own in this receiver.
    pub number: u64,
    /// Its name.
    pub name: FileName,
    /// Its length in bytes.
    pub size: u64,
    /// Where it comes from, as an endpoint.
    pub peer: String,
}

/// Receives files over a ROUTER socket of its own, as `docs/FILES.md` says.
///
/// Each open file has a thread; all of them together hold at most 16 MiB a
/// file of what came and is not yet written.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket<Router>,
    directory: Arc<Directory>,
    options: ReceiverOptions,
    post: Post<Report>,
    mailbox: Mailbox<Report>,
    table: Table,
    next_ticket: u64,
    /// When a sender last said anything.
    heard: Instant,
}

/// Requests that are seen to before the intakes' reports, and as many reports
/// before further requests: neither starves the other.
const ROUND: usize = 64;
/// How often those who wait for us are told that we are still here.
const REMINDER: Duration = Duration::from_secs(1);
/// A peer that is silent so long, and then again so long after a PING, is gone.
const HEARTBEAT: Duration = Duration::from_secs(10);

type Watch<'a> = &'a mut dyn FnMut(&Event<'_>) -> ControlFlow<()>;

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
            let peer = message.peer().map(|peer| peer.address().to_owned());
            let mut frames = message.into_frames();
            let Some(identity) = frames.next() else {
                continue;
            };
            let frames: Vec<Frame> = frames.collect();
            match Request::parse(&frames) {
                Ok(request) => self.serve_request(&identity, peer, request, watch)?,
                Err(Malformed { id, refusal }) => self.refuse(&identity, id, refusal, watch)?,
            }
        }
        Ok(true)
    }

    fn serve_request(
        &mut self,
        identity: &Frame,
        peer: Option<String>,
        request: Request,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        match request {
            Request::Probe => self.answer(identity, &Answer::Hello, watch),
            Request::Offer(offer) => {
                let (id, name) = (offer.id, offer.name.clone());
                match self.offered(identity, peer.unwrap_or_default(), offer, watch)? {
                    Ok(()) => Ok(()),
                    Err(refusal) => {
                        self.say_refused(identity, id, &refusal, watch)?;
                        tell(
                            watch,
                            &Event::Refused {
                                name: &name,
                                file: None,
                                refusal: &refusal,
                            },
                        )
                    }
                }
            }
            Request::Abort { id } => match self.table.remove(identity, id) {
                Some(transfer) => tell(
                    watch,
                    &Event::Left {
                        file: &transfer.file,
                    },
                ),
                None => Ok(()),
            },
            Request::Proof { id, length, digest } => {
                self.forward(identity, id, watch, |transfer| {
                    transfer.proof(length, digest)
                })
            }
            Request::Chunk { id, offset, data } => {
                self.forward(identity, id, watch, |transfer| transfer.chunk(offset, data))
            }
            Request::End { id, digest } => {
                self.forward(identity, id, watch, |transfer| transfer.end(digest))
            }
        }
    }

    /// Hands an offer to the intake of its file.
    fn offered(
        &mut self,
        identity: &Frame,
        peer: String,
        offer: Offer,
        watch: Watch<'_>,
    ) -> Result<Result<(), Refusal>, End> {
        let name = match FileName::new(&offer.name) {
            Ok(name) => name,
            Err(error) => return Ok(Err(Refusal::new(RefusalCode::Name, error.to_string()))),
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let file = Incoming {
            number: ticket,
            name,
            size: offer.size,
            peer,
        };
        let source = match offer.source.is_empty() {
            true => Source::Unknown(unique(ticket)),
            false => Source::Known(offer.source),
        };
        let id = offer.id;
        let overtaken = match self.table.take_over(&file.name, &source, identity, id) {
            Ok(overtaken) => overtaken,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = overtaken.as_ref().map(Transfer::clone_names);
        let taken = match overtaken {
            Some(transfer) => transfer.offered_again(file, identity, id),
            None => self.open(file, source, identity, id),
        };
        match taken {
            Ok(transfer) => self.table.add(transfer),
            Err(refusal) => return Ok(Err(refusal)),
        }
        if let Some((former, former_id, file)) = before {
            tell(watch, &Event::Left { file: &file })?;
            if (&former, former_id) != (identity, id) {
                let cause = "a newer offer of the same file has taken over";
                let refusal = Refusal::new(RefusalCode::Superseded, cause);
                self.say_refused(&former, former_id, &refusal, watch)?;
            }
        }
        Ok(Ok(()))
    }

    fn open(
        &self,
        file: Incoming,
        source: Source,
        identity: &Frame,
        id: u64,
    ) -> Result<Transfer, Refusal> {
        let (directory, existing) = (self.directory.clone(), self.options.existing);
        let (name, post) = (file.name.clone(), self.post.clone());
        let started = intake::start(directory, existing, name, &source, post);
        let refused = |cause: io::Error| {
            Refusal::new(
                RefusalCode::Busy,
                format!("a thread cannot be had: {cause}"),
            )
        };
        Transfer::new(file, source, identity, id, started.map_err(refused)?)
    }

    /// Gives a request to the file that it is about, if it is in turn.
    fn forward(
        &mut self,
        identity: &Frame,
        id: u64,
        watch: Watch<'_>,
        hand_over: impl FnOnce(&mut Transfer) -> Result<(), Refusal>,
    ) -> Result<(), End> {
        match self.table.find(identity, id).map(hand_over) {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => self.refuse(identity, id, refusal, watch),
            // Of an earlier connection, perhaps, or of an earlier receiver.
            None => self.answer(identity, &Answer::Again { id }, watch),
        }
    }

    /// Refuses a request, and the file that it is about.
    fn refuse(
        &mut self,
        identity: &Frame,
        id: u64,
        refusal: Refusal,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        let transfer = self.table.remove(identity, id);
        self.say_refused(identity, id, &refusal, watch)?;
        let file = transfer.as_ref().map(|transfer| &transfer.file);
        let name = file.map_or(&b""[..], |file| file.name.as_bytes());
        tell(
            watch,
            &Event::Refused {
                name,
                file,
                refusal: &refusal,
            },
        )
    }

    fn say_refused(
        &mut self,
        identity: &Frame,
        id: u64,
        refusal: &Refusal,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        let refusal = refusal.clone();
        self.answer(identity, &Answer::Refused { id, refusal }, watch)
    }

    fn take_reports(&mut self, watch: Watch<'_>) -> Result<(), End> {
        for _ in 0..ROUND {
            let Some(Report { ticket, told }) = self.mailbox.take() else {
                break;
            };
            // What is told of an earlier offer is for nobody.
            if let Some(transfer) = self.table.by_ticket(ticket) {
                let (identity, id) = (transfer.identity.clone(), transfer.id);
                self.reported(&identity, id, told, watch)?;
            }
        }
        Ok(())
    }

    fn reported(
        &mut self,
        identity: &Frame,
        id: u64,
        told: Told,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        match told {
            Told::Done { digest } => return self.done(identity, id, digest, watch),
            Told::Refused(refusal) => return self.refuse(identity, id, refusal, watch),
            _ => {}
        }
        let Some(transfer) = self.table.find(identity, id) else {
            return Ok(());
        };
        let answer = transfer.reported(&told);
        let file = &transfer.file;
        match told {
            Told::Accept { offset } => tell(watch, &Event::Began { file, from: offset })?,
            Told::Written { offset: written } => tell(watch, &Event::Advanced { file, written })?,
            _ => {}
        }
        match answer {
            Some(answer) => self.answer(identity, &answer, watch),
            None => Ok(()),
        }
    }

    fn done(
        &mut self,
        identity: &Frame,
        id: u64,
        digest: Digest,
        watch: Watch<'_>,
    ) -> Result<(), End> {
        let Some(transfer) = self.table.remove(identity, id) else {
            return Ok(());
        };
        self.answer(identity, &Answer::Done { id, digest }, watch)?;
        let received = Event::Received {
            file: &transfer.file,
            sha256: digest,
        };
        tell(watch, &received)
    }

    /// Answers; a peer that is gone, or takes no answers, loses its files.
    fn answer(&mut self, identity: &Frame, answer: &Answer, watch: Watch<'_>) -> Result<(), End> {
        let mut message = answer.to_message();
        message.push_front(identity);
        match self.socket.try_send(message).map_err(Error::from) {
            Ok(()) => {
                if let Some(id) = answer.id()
                    && let Some(transfer) = self.table.find(identity, id)
                {
                    transfer.answered = Instant::now();
                }
                Ok(())
            }
            Err(Error::HostUnreachable { .. } | Error::WouldBlock) => {
                for transfer in self.table.remove_all_of(identity) {
                    tell(
                        watch,
                        &Event::Left {
                            file: &transfer.file,
                        },
                    )?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells everybody who has heard nothing for a while that we are here. So
    /// we learn who is not.
    fn remind(&mut self, watch: Watch<'_>) -> Result<(), End> {
        for (identity, id) in self.table.unanswered_for(REMINDER) {
            self.answer(&identity, &Answer::Wait { id }, watch)?;
        }
        Ok(())
    }

    /// How long to sleep at most.
    fn patience(&self) -> Result<Option<Duration>, End> {
        let reminder = (!self.table.is_empty()).then_some(REMINDER);
        let Some(timeout) = self.options.timeout else {
            return Ok(reminder);
        };
        let left = match timeout.checked_sub(self.heard.elapsed()) {
            Some(left) if !left.is_zero() => left,
            _ => return Err(Error::TimedOut.into()),
        };
        Ok(Some(reminder.map_or(left, |reminder| left.min(reminder))))
    }
}

enum Never {}

/// Why [`Receiver::serve`] ended.
enum End {
    /// Whoever watches has seen enough.
    Told,
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn tell(watch: Watch<'_>, event: &Event<'_>) -> Result<(), End> {
    match watch(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(End::Told),
    }
}

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

/// Bytes that no other offer has, in this process or another.
fn unique(ticket: u64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{} {ticket} {now}", std::process::id()).into_bytes()
}
