//! The thread that answers. It sleeps until somebody asks, and waits for nobody
//! who does not read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ferromq_mio::ContextObserver;
use ferromq_transport::{LinkOptions, Listener, Transport};
use ferromq_transport_tcp::Ipc;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::connection::{Connection, Turn};
use super::{Report, StatusError, StatusPlace};

/// Clients at once. One more takes the place of the quietest.
const CLIENTS: usize = 16;
/// Shortest time between two snapshots.
const PAUSE: Duration = Duration::from_millis(50);
/// A snapshot that took long is followed by a pause so much longer, so that
/// looking takes a fifth of a core at most.
const REST: u32 = 4;
/// Clients accepted in one turn, so that a storm of them leaves the others their
/// answers.
const ACCEPTS: usize = 64;
/// Pause after the process ran out of descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// The token of the waker; the others do not matter, for everybody is looked at
/// whenever something happens.
const WAKE: Token = Token(0);
const ANY: Token = Token(1);

/// A place where status is served.
pub(super) struct Server {
    place: StatusPlace,
    shared: Arc<Shared>,
    waker: Waker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    contexts: Mutex<Vec<(u64, ContextObserver)>>,
}

impl Server {
    /// Binds the place and starts the thread.
    pub(super) fn start(place: &StatusPlace) -> Result<Self, StatusError> {
        let endpoint = place.prepare()?;
        let listener = Ipc.bind(&endpoint, &LinkOptions::default())?;
        let poll = Poll::new().map_err(StatusError::system("make an epoll for status"))?;
        poll.registry()
            .register(&mut SourceFd(&listener.fd()), ANY, Interest::READABLE)
            .map_err(StatusError::system("watch the status endpoint"))?;
        let waker = Waker::new(poll.registry(), WAKE)
            .map_err(StatusError::system("make a waker for status"))?;
        let shared = Arc::new(Shared::default());
        let work = Work::new(poll, listener, shared.clone());
        let thread = std::thread::Builder::new()
            .name("ferromq-status".into())
            .spawn(move || work.run())
            .map_err(StatusError::system("start the status thread"))?;
        Ok(Self {
            place: place.clone(),
            shared,
            waker,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn place(&self) -> &StatusPlace {
        &self.place
    }

    pub(super) fn add(&self, context: u64, observer: ContextObserver) {
        let mut contexts = lock(&self.shared.contexts);
        // One context that asked twice is told once, as the first.
        contexts.push((context, observer));
    }

    /// Answers how many contexts are left.
    pub(super) fn remove(&self, context: u64) -> usize {
        let mut contexts = lock(&self.shared.contexts);
        contexts.retain(|(other, _)| *other != context);
        contexts.len()
    }

    /// Ends the thread and removes the endpoint's file. A second time, nothing.
    pub(super) fn stop(&self) {
        // Release: the thread is woken after it, and looks.
        self.shared.stopped.store(true, Ordering::Release);
        // An eventfd that cannot be written is full, that is, already ready.
        let _ = self.waker.wake();
        let thread = lock(&self.thread).take();
        // It drops what it looked at, and may so end a context itself, by way of
        // a frame's release callback: then nobody waits for it.
        let elsewhere =
            |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = thread.filter(elsewhere) {
            // A panic there was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn report(&self, program: &str, origin: Instant) -> Report {
        let contexts = lock(&self.contexts).clone();
        let mut snapshots = Vec::new();
        for (index, (context, observer)) in contexts.iter().enumerate() {
            let told = contexts[..index].iter().any(|(_, o)| o.is_same(observer));
            if !told {
                snapshots.extend(observer.sockets().into_iter().map(|s| (*context, s)));
            }
        }
        let clock_us = origin.elapsed().as_micros() as u64;
        Report::new(program, clock_us, snapshots)
    }
}

/// What the thread owns.
struct Work {
    poll: Poll,
    /// Its drop removes the file.
    listener: Box<dyn Listener>,
    shared: Arc<Shared>,
    /// The one that has been quiet the longest is the first.
    clients: Vec<Connection>,
    program: String,
    origin: Instant,
    /// No snapshot before.
    rested: Instant,
    /// Somebody may wait to be accepted of whom no event will tell: when to look.
    accept_after: Option<Duration>,
}

impl Work {
    fn new(poll: Poll, listener: Box<dyn Listener>, shared: Arc<Shared>) -> Self {
        let program = std::env::args_os().next().unwrap_or_default();
        let program = std::path::Path::new(&program).file_name();
        Self {
            poll,
            listener,
            shared,
            clients: Vec::new(),
            program: program.unwrap_or_default().to_string_lossy().into(),
            origin: Instant::now(),
            rested: Instant::now(),
            accept_after: None,
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(CLIENTS + 2);
        let mut timeout = None;
        // Acquire: with the Release in `stop`.
        while !self.shared.stopped.load(Ordering::Acquire) {
            // An interrupted wait is a spurious wake-up, and those are harmless.
            let _ = self.poll.poll(&mut events, timeout);
            self.accept();
            self.clients
                .retain_mut(|client| client.turn() == Turn::Stays);
            timeout = match (self.answer(), self.accept_after) {
                (Some(answer), Some(accept)) => Some(answer.min(accept)),
                (answer, accept) => answer.or(accept),
            };
        }
    }

    /// Takes those who wait.
    fn accept(&mut self) {
        self.accept_after = Some(Duration::ZERO);
        for _ in 0..ACCEPTS {
            let link = match self.listener.accept() {
                Ok(Some(link)) => link,
                Ok(None) => {
                    self.accept_after = None;
                    return;
                }
                // Another user's: the next, please.
                Err(cause) if cause.is_refused() => continue,
                Err(_) => {
                    self.accept_after = Some(EXHAUSTED);
                    return;
                }
            };
            let both = Interest::READABLE | Interest::WRITABLE;
            let fd = link.fd();
            if self
                .poll
                .registry()
                .register(&mut SourceFd(&fd), ANY, both)
                .is_err()
            {
                continue;
            }
            if self.clients.len() == CLIENTS {
                self.clients.remove(0);
            }
            self.clients.push(Connection::new(link));
        }
    }

    /// Gives everybody who asked the same snapshot, when it is time for one;
    /// answers how long to sleep.
    fn answer(&mut self) -> Option<Duration> {
        if !self.clients.iter().any(Connection::asks) {
            return None;
        }
        let begun = Instant::now();
        if begun < self.rested {
            return Some(self.rested - begun);
        }
        let line = self.line();
        let took = begun.elapsed();
        self.rested = Instant::now() + PAUSE.max(took * REST);
        let (mut quiet, mut asking): (Vec<_>, Vec<_>) =
            self.clients.drain(..).partition(|client| !client.asks());
        asking.iter_mut().for_each(|client| client.answer(&line));
        quiet.append(&mut asking);
        self.clients = quiet;
        Some(Duration::ZERO)
    }

    fn line(&self) -> Arc<[u8]> {
        let report = self.shared.report(&self.program, self.origin);
        // Numbers and text: there is nothing that JSON cannot hold.
        let mut line = serde_json::to_vec(&report).unwrap_or_default();
        line.push(b'\n');
        line.into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
