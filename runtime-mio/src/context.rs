//! A context: its transports, its sockets and its I/O thread.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use ferromq_transport::{Endpoint, Transport};
use ferromq_wire::SocketType;

use crate::inproc::Inproc;
use crate::io::{Command, ConnectorId, IoHandle, Reactor, SocketId, Transports};
use crate::security::{Authenticator, Authority, Role, require};
use crate::sight::SocketList;
use crate::socket::{AnySocket, Core, Kind, Phase, Socket};
use crate::switching::{Switching, Ways};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, lock_unpoisoned};
use crate::{ContextObserver, Error, Fabric, FabricError, Options, SocketSnapshot};

/// Where sockets come from: it has the transports and one I/O thread.
///
/// Clones are the same context. When the last of them *and* the last socket
/// are gone, the drop waits until every message was sent or its time to linger
/// is over; then the thread ends.
#[derive(Clone)]
pub struct Context {
    inner: Arc<ContextInner>,
}

/// Puts a context together.
#[derive(Default)]
pub struct ContextBuilder {
    transports: Transports,
    inproc: Inproc,
    /// Within a machine, and over a fabric.
    switchings: [Option<Switching>; 2],
    fabric: Option<Fabric>,
    max_handshakes: Option<NonZeroUsize>,
}

pub(crate) struct ContextInner {
    io: Arc<IoHandle>,
    transports: Transports,
    thread: Mutex<Option<JoinHandle<()>>>,
    sockets: Arc<SocketList>,
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
    authority: Arc<Authority>,
    ways: Arc<Ways>,
    requires_authentication: AtomicBool,
    terminated: AtomicBool,
    ids: AtomicU64,
}

impl Context {
    /// A context with `inproc://`, to add transports to. The facade `ferromq`
    /// has one with all of them.
    pub fn builder() -> ContextBuilder {
        let mut builder = ContextBuilder::default();
        builder.transports.add(Arc::new(builder.inproc.clone()));
        builder
    }

    /// A socket of a type known here, with default options.
    ///
    /// # Errors
    /// [`Error::System`] when a descriptor cannot be had, [`Error::Terminated`].
    pub fn socket<K: Kind>(&self) -> Result<Socket<K>, Error> {
        self.socket_with(Options::new())
    }

    /// A socket of a type known here.
    ///
    /// # Errors
    /// [`Error::Option`] for a value that cannot be, [`Error::System`] when a
    /// descriptor cannot be had, [`Error::Terminated`].
    pub fn socket_with<K: Kind>(&self, options: Options) -> Result<Socket<K>, Error> {
        Ok(Socket::of(self.any_socket(K::SOCKET_TYPE, options)?))
    }

    /// A socket of a type chosen at run time.
    ///
    /// # Errors
    /// As [`socket_with`](Self::socket_with), and [`Error::Unsupported`] for
    /// types that are not built yet.
    pub fn any_socket(
        &self,
        socket_type: SocketType,
        options: Options,
    ) -> Result<AnySocket, Error> {
        let inner = &self.inner;
        let id = SocketId(inner.next_id());
        let core = Core::new(id, socket_type, options, inner.io.clone())?;
        let mut sockets = lock_unpoisoned(&inner.sockets);
        // Under the lock: `terminate` sees this socket, or we see it.
        if inner.terminated.load(Ordering::Relaxed) {
            return Err(Error::Terminated);
        }
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(&core));
        drop(sockets);
        inner.io.send(Command::Watch(core.clone()));
        Ok(AnySocket::new(core, inner.clone()))
    }

    /// Every socket of this context at this moment, as
    /// [`ContextObserver::sockets`] tells it.
    pub fn sockets(&self) -> Vec<SocketSnapshot> {
        self.observer().sockets()
    }

    /// Somebody to look at the sockets who keeps nothing alive.
    pub fn observer(&self) -> ContextObserver {
        ContextObserver::new(self.inner.sockets.clone(), self.inner.io.clone())
    }

    /// Keeps something for as long as the context lives: it is dropped when the
    /// last handle, the last socket and the I/O thread are gone.
    pub fn keep(&self, thing: impl Send + 'static) {
        lock_unpoisoned(&self.inner.kept).push(Box::new(thing));
    }

    /// Decides from now on whether peers are let in, for every socket that asks
    /// ([`Options::zap_domain`], [`Options::plain_zap_server`],
    /// [`CurveClients::Zap`](crate::CurveClients::Zap)), instead of the ZAP
    /// handler. It lives as long as the context: it must hold no handle of it,
    /// or of a socket.
    pub fn set_authenticator(&self, authenticator: impl Authenticator + 'static) {
        let authenticator = Some(Arc::new(authenticator) as Arc<dyn Authenticator>);
        self.inner.authority.set_authenticator(authenticator);
    }

    /// Takes [`set_authenticator`](Self::set_authenticator) back: the ZAP
    /// handler decides, the REP or ROUTER that is bound to
    /// `inproc://zeromq.zap.01`, and without one nobody is let in.
    pub fn clear_authenticator(&self) {
        self.inner.authority.set_authenticator(None);
    }

    /// From now on no socket binds or connects where its peers would come
    /// unauthenticated: [`AnySocket::bind`] and [`AnySocket::connect`] answer
    /// [`Error::Unauthenticated`] instead. There is no way back. The
    /// environment variable `FERROMQ_REQUIRE_AUTH=1` does it for every context
    /// from its making.
    ///
    /// Who binds must have a list of its own (PLAIN's table, CURVE's keys) or
    /// ask ([`Options::zap_domain`] and the like); who connects must prove who
    /// it is (PLAIN, CURVE). `inproc://` needs nothing, nor does `ipc://` among
    /// processes of one user, for whom the kernel vouches.
    pub fn require_authentication(&self) {
        // Relaxed: it says nothing about other memory.
        let required = &self.inner.requires_authentication;
        required.store(true, Ordering::Relaxed);
    }

    /// The scheme of the transport over a fabric to which connections of this context can
    /// move, for programs that would rather stop than do without
    /// ([`Options::fabric`]). Looks for a device, which may read files.
    ///
    /// # Errors
    /// There is no such transport, or no device for it.
    pub fn fabric(&self) -> Result<&'static str, FabricError> {
        self.inner.ways.fabric().map(|plan| plan.to)
    }

    /// Ends every call on every socket with [`Error::Terminated`], now and from
    /// now on. What waits is sent in the background, within each socket's
    /// linger.
    pub fn terminate(&self) {
        let sockets = lock_unpoisoned(&self.inner.sockets);
        self.inner.terminated.store(true, Ordering::Relaxed);
        for core in sockets.iter().filter_map(Weak::upgrade) {
            core.close(Phase::Terminated);
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl ContextBuilder {
    /// Adds a transport for its schemes; a later one takes a scheme over.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        for switching in self.switchings.iter_mut().flatten() {
            switching.exempt(transport.schemes());
        }
        self.transports.add(Arc::new(transport));
        self
    }

    /// Moves connections between two sockets of one machine, or of machines with a
    /// fabric between them, to a shorter path before their first message, where both
    /// contexts do so, and both sockets have [`Options::switch`], and for a fabric
    /// [`Options::fabric`]. Users see a [`Switched`](crate::EventKind::Switched) or
    /// [`SwitchRefused`](crate::EventKind::SwitchRefused) event, and all else as
    /// before. For the transports that are there now: one that is added later keeps
    /// its connections. One [`Switching`] within a machine and one over a fabric: the
    /// later one of each holds. `FERROMQ_SWITCH=0` in the environment turns it off.
    #[must_use]
    pub fn switching(mut self, switching: Switching) -> Self {
        let [machine, fabric] = &mut self.switchings;
        match switching.is_over_fabric() {
            true => *fabric = Some(switching),
            false => *machine = Some(switching),
        }
        self
    }

    /// What sockets ask for that do not say it by [`Options::fabric`]. By default what
    /// the environment says: `MC_RPC_PROTOCOL=rdma` is [`Fabric::Preferred`].
    #[must_use]
    pub fn fabric(mut self, fabric: Fabric) -> Self {
        self.fabric = Some(fabric);
        self
    }

    /// How many handshakes may be under way before no more connections are accepted:
    /// whoever comes then waits in the system's queue until one is over. Each costs some
    /// 10 KiB from its peer's first byte on. Default 4,096.
    #[must_use]
    pub fn max_handshakes(mut self, count: NonZeroUsize) -> Self {
        self.max_handshakes = Some(count);
        self
    }

    /// Starts the I/O thread.
    ///
    /// # Errors
    /// [`Error::System`] when a descriptor or the thread cannot be had.
    pub fn build(self) -> Result<Context, Error> {
        let (io, poll) = IoHandle::new()?;
        let authority = Authority::new(io.clone(), self.inproc);
        let ways = Ways::new(self.switchings, self.fabric, &self.transports);
        let ways = Arc::new(ways);
        let mut reactor = Reactor::new(poll, io.clone(), authority.clone(), ways.clone())
            .map_err(Error::system("clone the context's epoll"))?;
        if let Some(count) = self.max_handshakes {
            reactor.set_max_handshakes(count);
        }
        // Measured once here, so that no call of a user's pays for it.
        crate::clock::ticks(std::time::Duration::from_micros(1));
        let thread = std::thread::Builder::new()
            .name("ferromq-io".into())
            .spawn(move || reactor.run())
            .map_err(Error::system("start the I/O thread"))?;
        let inner = ContextInner {
            io,
            transports: self.transports,
            thread: Mutex::new(Some(thread)),
            sockets: Arc::default(),
            kept: Mutex::default(),
            authority,
            ways,
            requires_authentication: AtomicBool::new(is_required_by_environment()),
            terminated: AtomicBool::new(false),
            ids: AtomicU64::new(0),
        };
        Ok(Context {
            inner: Arc::new(inner),
        })
    }
}

impl std::fmt::Debug for ContextBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextBuilder").finish_non_exhaustive()
    }
}

impl ContextInner {
    pub(crate) fn transports(&self) -> &Transports {
        &self.transports
    }

    pub(crate) fn next_connector(&self) -> ConnectorId {
        ConnectorId(self.next_id())
    }

    /// Refuses an endpoint over which nobody is authenticated, if that is
    /// required.
    pub(crate) fn check(
        &self,
        endpoint: &Endpoint,
        options: &Options,
        role: Role,
    ) -> Result<(), Error> {
        match self.requires_authentication.load(Ordering::Relaxed) {
            true => require(endpoint, options, role),
            false => Ok(()),
        }
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for ContextInner {
    fn drop(&mut self) {
        // First: a socket of its own keeps the I/O thread.
        self.authority.stop();
        self.io.send(Command::Shutdown);
        let thread = lock_unpoisoned(&self.thread).take();
        // A buffer that somebody lent may own the last handle, and be released
        // by the I/O thread itself: that thread then ends without being waited
        // for.
        let elsewhere =
            |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = thread.filter(elsewhere) {
            // A panic there was reported by the panic hook already.
            let _ = thread.join();
            self.authority.join();
        }
    }
}

/// Whether every context of this process requires authentication.
fn is_required_by_environment() -> bool {
    std::env::var_os("FERROMQ_REQUIRE_AUTH").is_some_and(|value| value == "1")
}
