//! One socket: its lock, its epoll, and the flags by which the I/O thread
//! knows whether anybody looks after it.
//!
//! ```text
//!  PRESENT   calls come: each bumps the epoch, the I/O thread keeps off
//!  WAITING   a caller sleeps in the socket's epoll: it will see to everything
//!  AWAY      no call for 4 ms, nobody waiting ──▶ TAKEN: the I/O thread nests
//!            the socket's epoll into its own and does the caller's work, until
//!            a call comes and takes the socket back
//! ```

use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, OnceLock};

use ferromq_patterns::PeerId;
use ferromq_transport::Link;
use ferromq_wire::SocketType;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Registry, Token, Waker};

use super::state::State;
use crate::hand_over::{Awaited, Flags, Turnstile};
use crate::io::{IoHandle, SocketId};
use crate::lock::{BiasedLock, Guard};
use crate::machine::Machine;
use crate::monitor::{Event, EventKind, MonitorHub};
use crate::settings::Settings;
use crate::sync::Mutex;
use crate::{Error, Frame, Options, PeerInfo};

use super::epoll::Sleeper;
use super::exported::Exported;
use super::returns::Returns;
use super::spin::Spin;

/// The token of the socket's waker; no peer has this id.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// A socket's state, locked.
///
/// Frames that nobody needs any more are dropped *after* it is unlocked: the
/// release callback of a user's frame may call the socket.
pub(crate) struct Entered<'a> {
    // Dropped in this order.
    guard: Guard<'a, State>,
    /// Boxed, so that dropping none is one comparison, inline: a vector here
    /// made every call's end a call of its own, 20 ns a message.
    #[allow(clippy::box_collection, reason = "see above")]
    finished: Option<Box<Vec<Frame>>>,
}

impl<'a> Entered<'a> {
    #[inline]
    fn new(guard: Guard<'a, State>) -> Self {
        Self {
            guard,
            finished: None,
        }
    }

    #[cold]
    #[inline(never)]
    fn keep_finished(&mut self) {
        self.finished = Some(Box::new(std::mem::take(&mut self.guard.finished)));
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.guard.finished.is_empty() {
            self.keep_finished();
        }
    }
}

impl Deref for Entered<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        &self.guard
    }
}

impl DerefMut for Entered<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        &mut self.guard
    }
}

/// A socket, shared by its handles and the I/O thread.
pub(crate) struct Core {
    pub(crate) id: SocketId,
    pub(crate) socket_type: SocketType,
    pub(crate) settings: Settings,
    pub(crate) state: BiasedLock<State>,
    pub(crate) flags: Flags,
    pub(crate) io: Arc<IoHandle>,
    pub(crate) monitor: MonitorHub,
    /// Payloads of peers' that are to be given back.
    pub(super) returns: Arc<Returns>,
    /// Threads that wait while another one sleeps in `poll`.
    pub(super) turnstile: Turnstile,
    pub(super) poll: Mutex<Sleeper>,
    registry: Registry,
    waker: Waker,
    exported: OnceLock<Option<Exported>>,
    /// A second descriptor of the epoll, for those who only wait on it.
    epoll: Arc<OwnedFd>,
}

impl Core {
    pub(crate) fn new(
        id: SocketId,
        socket_type: SocketType,
        options: Options,
        io: Arc<IoHandle>,
    ) -> Result<Arc<Self>, Error> {
        options.check(socket_type)?;
        let machine = Machine::new(socket_type, &options);
        let poll = Poll::new().map_err(Error::system("make the socket's epoll"))?;
        let registry = poll
            .registry()
            .try_clone()
            .map_err(Error::system("clone the epoll"))?;
        let epoll = crate::system::duplicate(&poll)
            .map_err(Error::system("copy the epoll's descriptor"))?;
        let epoll = Arc::new(epoll);
        let waker = Waker::new(&registry, WAKE).map_err(Error::system("make the waker"))?;
        Ok(Arc::new_cyclic(|this| Self {
            returns: Arc::new(Returns::new(this.clone())),
            id,
            socket_type,
            settings: Settings::new(options),
            state: BiasedLock::new(State::new(machine, Spin::new())),
            flags: Flags::default(),
            io,
            monitor: MonitorHub::default(),
            turnstile: Turnstile::default(),
            poll: Mutex::new(Sleeper::new(epoll.clone())),
            epoll,
            registry,
            waker,
            exported: OnceLock::new(),
        }))
    }

    /// Begins a call of the application.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Entered<'_> {
        match self.state.lock_owned() {
            Some(inside) => {
                self.io.call_made(&self.flags);
                Entered::new(inside.guard())
            }
            None => self.enter_contended(),
        }
    }

    #[cold]
    fn enter_contended(&self) -> Entered<'_> {
        let guard = self.state.lock();
        self.io.call_made(&self.flags);
        Entered::new(guard)
    }

    /// The I/O thread looks in. That is no call: nobody is present for it.
    pub(crate) fn enter_foreign(&self) -> Entered<'_> {
        Entered::new(self.state.lock_foreign())
    }

    /// The descriptor that tells of readiness.
    pub(crate) fn epoll(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    /// Wakes whoever waits for the socket, in whichever way.
    pub(crate) fn wake(&self) {
        self.wake_epoll();
        self.raise_exported();
    }

    /// Wakes whoever sleeps in the socket's epoll, or polls it.
    pub(super) fn wake_epoll(&self) {
        // An eventfd that cannot be written is full, that is, already ready.
        let _ = self.waker.wake();
    }

    /// Makes the descriptor of a user's loop readable, if there is one.
    pub(super) fn raise_exported(&self) {
        match self.exported.get() {
            Some(Some(exported)) => exported.raise(),
            // The loop waits for the socket's own.
            Some(None) => self.wake_epoll(),
            None => {}
        }
    }

    /// The descriptor that a poller waits on.
    pub(crate) fn epoll_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// The descriptor for the application's own event loop.
    pub(crate) fn export_epoll(&self) -> BorrowedFd<'_> {
        let exported = self
            .exported
            .get_or_init(|| Exported::new(self.epoll_fd()).ok());
        self.export_begins();
        // Without descriptors to spare, the socket's own does almost as well.
        exported.as_ref().map_or(self.epoll_fd(), Exported::fd)
    }

    /// Takes that back: a call looks for what the loop may have been told of.
    pub(super) fn clear_exported(&self) {
        if let Some(Some(exported)) = self.exported.get() {
            exported.clear();
        }
    }

    /// Registers a link's descriptor, edge-triggered, once.
    pub(crate) fn register(&self, fd: RawFd, id: PeerId) -> std::io::Result<()> {
        self.registry
            .register(&mut SourceFd(&fd), token(id), Interest::READABLE)
    }

    /// Registers a descriptor whose hang-up, and nothing else of it, tells of a link.
    pub(crate) fn register_end(&self, fd: RawFd, id: PeerId) -> std::io::Result<()> {
        crate::system::watch_end(self.epoll_fd(), fd, token(id))
    }

    pub(crate) fn reregister(&self, fd: RawFd, id: PeerId, interest: Interest) {
        // Fails only for a descriptor that is not registered, and links are.
        let _ = self
            .registry
            .reregister(&mut SourceFd(&fd), token(id), interest);
    }

    /// Takes a link's descriptors out, which may stay open for longer than the link.
    pub(crate) fn deregister_link(&self, link: &dyn Link) {
        let fds = [Some(link.fd()), link.end_fd(), link.wake_fd()];
        for fd in fds.into_iter().flatten() {
            let _ = self.registry.deregister(&mut SourceFd(&fd));
        }
    }

    /// Tells the monitors, if there are any.
    pub(crate) fn tell(
        &self,
        endpoint: &str,
        peer: Option<&PeerInfo>,
        kind: impl FnOnce() -> EventKind,
    ) {
        self.monitor.tell(|| Event {
            kind: kind(),
            endpoint: endpoint.to_owned(),
            peer: peer.map(|peer| peer.address().to_owned()),
        });
    }
}

fn token(id: PeerId) -> Token {
    Token(id.to_bits() as usize)
}
