//! Whoever decides on the peers of a context, on a thread of its own.
//!
//! ```text
//!  I/O thread                       this thread                     the handler
//!  handshake is pending ─question─▶ Authenticator::authenticate
//!   (its timer runs)                  or DEALER ──────inproc──────▶ REP, ROUTER
//!  handshake goes on   ◀─Command── Authenticated   ◀────────────────┘
//! ```
//! Nothing here is new to the I/O thread: a verdict comes as a command, which
//! wakes it, and a handshake that was left alone by then reads until there is
//! nothing more, so that no edge of its descriptor counts. It has a timer of its
//! own: what is lost here, late, or never comes is a peer turned away in time.
//! A verdict for a handshake that is gone finds no one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ferromq_wire::SocketType;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::zap::{self, Malformed};
use super::{AuthenticationRequest, Authenticator, Verdict};
use crate::inproc::Inproc;
use crate::io::{Command, ConnectorId, IoHandle, SocketId};
use crate::socket::{Core, Patience, Phase};
use crate::sync::{Mutex, lock_unpoisoned};
use crate::{Error, Options};

/// Which handshake asks: a key of the reactor's, and what tells it from those
/// that had the key before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) key: usize,
    pub(crate) serial: u64,
}

/// A peer to decide on, until then.
pub(crate) struct Question {
    pub(crate) ticket: Ticket,
    pub(crate) request: AuthenticationRequest,
    pub(crate) deadline: Instant,
}

/// Why there is no verdict. The peer is turned away without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVerdict {
    #[error("nobody decides on it: no ZAP handler is bound at {}", zap::ENDPOINT)]
    NoHandler,
    #[error("the ZAP handler has too many requests to answer")]
    Busy,
    #[error("nobody decided on it in time")]
    TimedOut,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("there is no thread to ask for it")]
    NoThread,
}

/// What comes of a question.
pub(crate) type Outcome = Result<Verdict, NoVerdict>;

/// The thread, from the first question on, and what it is told.
pub(crate) struct Authority {
    state: Mutex<State>,
    io: Arc<IoHandle>,
    inproc: Inproc,
}

#[derive(Default)]
struct State {
    authenticator: Option<Arc<dyn Authenticator>>,
    questions: VecDeque<Question>,
    thread: Option<Thread>,
    /// The socket that asks the handler. Here for `stop`.
    socket: Option<Arc<Core>>,
    stopped: bool,
}

struct Thread {
    bell: Arc<OwnedFd>,
    handle: JoinHandle<()>,
}

impl Authority {
    pub(crate) fn new(io: Arc<IoHandle>, inproc: Inproc) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            io,
            inproc,
        })
    }

    /// From now on this one decides; with `None` the handler does.
    pub(crate) fn set_authenticator(&self, authenticator: Option<Arc<dyn Authenticator>>) {
        let before = {
            let mut state = lock_unpoisoned(&self.state);
            std::mem::replace(&mut state.authenticator, authenticator)
        };
        // Not under the lock: it is a user's.
        drop(before);
    }

    /// Has the question answered by [`Command::Authenticated`]. The questions
    /// that wait are as many as there are handshakes.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(crate) fn ask(self: &Arc<Self>, question: Question) -> Result<(), NoVerdict> {
        let mut state = lock_unpoisoned(&self.state);
        if state.stopped {
            return Err(NoVerdict::NoThread);
        }
        let bell = match &state.thread {
            Some(thread) => thread.bell.clone(),
            None => {
                let thread = self.start().map_err(|_| NoVerdict::NoThread)?;
                let bell = thread.bell.clone();
                state.thread = Some(thread);
                bell
            }
        };
        state.questions.push_back(question);
        ring(&bell);
        Ok(())
    }

    /// Answers nothing any more, and frees the I/O thread of our socket.
    pub(crate) fn stop(&self) {
        let (socket, authenticator) = {
            let mut state = lock_unpoisoned(&self.state);
            state.stopped = true;
            if let Some(thread) = &state.thread {
                ring(&thread.bell);
            }
            (state.socket.take(), state.authenticator.take())
        };
        if let Some(socket) = socket {
            socket.close(Phase::Closed);
        }
        drop(authenticator);
    }

    /// After [`stop`](Self::stop): waits until the thread has ended, unless it
    /// is the one that asks.
    pub(crate) fn join(&self) {
        let thread = lock_unpoisoned(&self.state).thread.take();
        let elsewhere =
            |thread: &Thread| thread.handle.thread().id() != std::thread::current().id();
        if let Some(thread) = thread.filter(elsewhere) {
            // A panic there was reported by the panic hook already.
            let _ = thread.handle.join();
        }
    }

    fn start(self: &Arc<Self>) -> io::Result<Thread> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let bell = Arc::new(bell);
        let (authority, heard) = (self.clone(), bell.clone());
        let handle = std::thread::Builder::new()
            .name("ferromq-zap".into())
            .spawn(move || authority.run(&heard))?;
        Ok(Thread { bell, handle })
    }

    fn run(&self, bell: &OwnedFd) {
        let mut handler = Handler::default();
        loop {
            // Before the look: what is asked after it rings again.
            let _ = rustix::io::read(bell, &mut [0; 8]);
            let (questions, authenticator) = {
                let mut state = lock_unpoisoned(&self.state);
                if state.stopped {
                    return;
                }
                let questions = std::mem::take(&mut state.questions);
                (questions, state.authenticator.clone())
            };
            for question in questions {
                self.consider(question, authenticator.as_deref(), &mut handler);
            }
            drop(authenticator);
            while let Some((ticket, outcome)) = handler.next_reply() {
                self.answer(ticket, outcome);
            }
            handler.forget_until(Instant::now());
            handler.ask_again();
            handler.wait(bell);
        }
    }

    fn consider(
        &self,
        question: Question,
        authenticator: Option<&dyn Authenticator>,
        handler: &mut Handler,
    ) {
        let ticket = question.ticket;
        if question.deadline <= Instant::now() {
            // It has waited for others in vain, and its peer is turned away.
            return;
        }
        if let Some(authenticator) = authenticator {
            let asked = || authenticator.authenticate(&question.request);
            // A user's code: its panic is one peer's misfortune, not everybody's.
            let verdict = catch_unwind(AssertUnwindSafe(asked));
            let failed = |_| Verdict::fail("the authenticator panicked");
            return self.answer(ticket, Ok(verdict.unwrap_or_else(failed)));
        }
        if !self.inproc.is_bound(zap::ENDPOINT) {
            return self.answer(ticket, Err(NoVerdict::NoHandler));
        }
        let asked = self.connected(handler).and_then(|()| handler.ask(question));
        if let Err(cause) = asked {
            self.answer(ticket, Err(cause));
        }
    }

    fn answer(&self, ticket: Ticket, outcome: Outcome) {
        let outcome = Box::new(outcome);
        self.io.send(Command::Authenticated { ticket, outcome });
    }

    /// Makes the socket that asks, unless there is one.
    fn connected(&self, handler: &mut Handler) -> Result<(), NoVerdict> {
        if handler.socket.is_some() {
            return Ok(());
        }
        let core = self.connect().map_err(|_| NoVerdict::NoThread)?;
        let mut state = lock_unpoisoned(&self.state);
        if state.stopped {
            drop(state);
            core.close(Phase::Closed);
            return Err(NoVerdict::NoThread);
        }
        state.socket = Some(core.clone());
        handler.socket = Some(core);
        Ok(())
    }

    /// A DEALER for the handler. It belongs to no handle of the context, so that
    /// it keeps none alive.
    fn connect(&self) -> Result<Arc<Core>, Error> {
        let options = Options::new()
            .linger(Some(Duration::ZERO))
            .max_message_size(REPLY_MAX)
            .reconnect_interval(RECONNECT.0, RECONNECT.1);
        let core = Core::new(SOCKET, SocketType::Dealer, options, self.io.clone())?;
        // Before its first event: the I/O thread raises what it knows of.
        core.export_epoll();
        self.io.send(Command::Watch(core.clone()));
        let options = core.settings.current();
        core.connecting(zap::ENDPOINT, CONNECTOR, &options)?;
        self.io.send(Command::Connect {
            core: core.clone(),
            options,
            id: CONNECTOR,
            endpoint: zap::ENDPOINT.parse()?,
            transport: Arc::new(self.inproc.clone()),
        });
        Ok(core)
    }
}

/// Numbers that no socket or connection of the context's users ever gets.
const SOCKET: SocketId = SocketId(u64::MAX);
const CONNECTOR: ConnectorId = ConnectorId(u64::MAX);
/// First and longest time until a handler that came back is asked again.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// Bytes of a reply: its metadata has 4 KiB at most.
const REPLY_MAX: u64 = 64 << 10;

/// The handler at the other end of our socket, and what it was asked.
#[derive(Default)]
struct Handler {
    socket: Option<Arc<Core>>,
    asked: HashMap<u64, Asked>,
    last_id: u64,
}

/// A question that has gone to the handler.
struct Asked {
    question: Question,
    /// The connection that it went over, counted from 1.
    connection: u64,
}

impl Handler {
    fn ask(&mut self, question: Question) -> Result<(), NoVerdict> {
        let socket = self.socket.as_ref().ok_or(NoVerdict::NoThread)?;
        self.last_id += 1;
        let request = zap::encode(&question.request, self.last_id);
        // Before it goes: if the connection is lost meanwhile it is asked again.
        let connection = connection_of(socket);
        let sent = socket.send(&request, Patience::None);
        sent.map_err(|_| NoVerdict::Busy)?;
        let asked = Asked {
            question,
            connection,
        };
        self.asked.insert(self.last_id, asked);
        Ok(())
    }

    /// Asks whoever is the handler now what the one before took along: he had it,
    /// went, and no reply will come.
    fn ask_again(&mut self) {
        let Some(socket) = self.socket.clone() else {
            return;
        };
        if self.asked.is_empty() {
            return;
        }
        let connection = connection_of(&socket);
        let lost = self
            .asked
            .extract_if(|_, asked| asked.connection < connection);
        for (_, asked) in lost.collect::<Vec<_>>() {
            // Who cannot be asked about again is turned away when his time is over.
            let _ = self.ask(asked.question);
        }
        socket.enter().flush_deferred(&socket);
    }

    /// The next reply to something that we asked and still want to know.
    /// Receives until there is nothing more, as the descriptor in `wait` needs.
    fn next_reply(&mut self) -> Option<(Ticket, Outcome)> {
        loop {
            let reply = self.socket.as_ref()?.receive(Patience::None).ok()?;
            let asked = zap::id_of(&reply).and_then(|id| self.asked.remove(&id));
            if let Some(Asked { question, .. }) = asked {
                let verdict = zap::decode(&reply).map_err(NoVerdict::from);
                return Some((question.ticket, verdict));
            }
        }
    }

    /// Forgets what nobody waits for: the I/O thread has turned the peer away.
    fn forget_until(&mut self, now: Instant) {
        self.asked.retain(|_, asked| asked.question.deadline > now);
    }

    /// Sleeps until somebody asks or the handler replies.
    fn wait(&self, bell: &OwnedFd) {
        let socket = self.socket.as_ref().map(|socket| socket.export_epoll());
        let fds = std::iter::once(bell.as_fd()).chain(socket);
        let mut fds: Vec<_> = fds
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        // An interrupted wait is a look too many.
        let _ = poll(&mut fds, None);
    }
}

/// The connection that what is sent now goes over: the one that stands, or the next.
fn connection_of(socket: &Core) -> u64 {
    let inside = socket.enter();
    let pipe = inside.pipes.iter().flatten().next();
    pipe.map_or(0, |pipe| pipe.links + u64::from(pipe.link.is_none()))
}

fn ring(bell: &OwnedFd) {
    // Fails only when the counter is full, that is, when it rings already.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}
