//! Contexts: made on demand, ended without the GIL, and seen through at the end
//! of the program.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ferromq::{AnySocket, Error};
use pyo3::prelude::*;

use crate::authenticator::Function;
use crate::errors;
use crate::fork::Generation;
use crate::socket::Slot;
use crate::wait::SLICE;

/// Where sockets come from: the transports and one I/O thread.
#[pyclass(frozen, subclass, weakref, module = "ferromq._native")]
pub(crate) struct Context {
    cell: Arc<ContextCell>,
}

/// What a context and its sockets share.
pub(crate) struct ContextCell {
    generation: Generation,
    inner: Mutex<Option<ferromq::Context>>,
    slots: Mutex<Vec<Weak<Slot>>>,
}

/// Every context that may have messages to send when the program ends.
static CONTEXTS: Mutex<Vec<Weak<ContextCell>>> = Mutex::new(Vec::new());

impl Context {
    pub(crate) fn cell(&self) -> &Arc<ContextCell> {
        &self.cell
    }
}

#[pymethods]
impl Context {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let inner = py.detach(ferromq::Context::new);
        let inner = inner.map_err(|error| errors::raise(py, &error))?;
        let cell = Arc::new(ContextCell {
            generation: Generation::current(),
            inner: Mutex::new(Some(inner)),
            slots: Mutex::default(),
        });
        let mut contexts = lock(&CONTEXTS);
        contexts.retain(|context| context.strong_count() > 0);
        contexts.push(Arc::downgrade(&cell));
        Ok(Self { cell })
    }

    /// Whether it was terminated.
    #[getter]
    fn closed(&self) -> bool {
        lock(&self.cell.inner).is_none()
    }

    /// Decides from now on whether peers are let in, for every socket that asks (the
    /// options zap_domain, and "zap" for plain_server or the clients of curve_server),
    /// instead of a ZAP handler, which decides again after None. The function is
    /// given a dict (domain, address, identity, mechanism, username, password, key)
    /// on a thread of the context's, and answers True or the user's name to let it in.
    /// PermissionError is a no with a reason; what else it raises is a no, and goes to
    /// sys.unraisablehook.
    #[pyo3(signature = (function, /))]
    fn set_authenticator(&self, py: Python<'_>, function: Option<Py<PyAny>>) -> PyResult<()> {
        let context = self.cell.context(py)?;
        py.detach(|| match function {
            Some(function) => context.set_authenticator(Function(function)),
            None => context.clear_authenticator(),
        });
        Ok(())
    }

    /// From now on no socket binds or connects where its peers would come
    /// unauthenticated: Unauthenticated is raised instead. There is no way back.
    fn require_authentication(&self, py: Python<'_>) -> PyResult<()> {
        self.cell.context(py)?.require_authentication();
        Ok(())
    }

    /// Closes every socket, and waits until what they had to send is sent or
    /// their time to linger is over. Calls that wait in other threads raise
    /// Terminated. A second call does nothing.
    fn term(&self, py: Python<'_>) -> PyResult<()> {
        self.cell.terminate(py)
    }
}

impl ContextCell {
    /// The runtime's context.
    pub(crate) fn context(&self, py: Python<'_>) -> PyResult<ferromq::Context> {
        self.generation.check(py)?;
        let inner = lock(&self.inner).clone();
        inner.ok_or_else(|| errors::raise(py, &Error::Terminated))
    }

    /// Remembers a socket, to end it with the context.
    pub(crate) fn add(&self, slot: &Arc<Slot>) {
        let mut slots = lock(&self.slots);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(slot));
    }

    fn terminate(&self, py: Python<'_>) -> PyResult<()> {
        self.generation.check(py)?;
        let Some(context) = lock(&self.inner).take() else {
            return Ok(());
        };
        // It may know the context, which would keep both for ever.
        context.clear_authenticator();
        context.terminate();
        let slots = std::mem::take(&mut *lock(&self.slots));
        let sockets = slots.iter().filter_map(Weak::upgrade);
        let sockets: Vec<AnySocket> = sockets.filter_map(|slot| slot.terminate()).collect();
        drop_elsewhere(py, (sockets, context))
    }
}

impl Drop for ContextCell {
    fn drop(&mut self) {
        let inner = lock(&self.inner).take();
        if !self.generation.is_current() {
            // Its thread is another process's: nobody could wait for it.
            std::mem::forget(inner);
        } else if let Some(context) = inner {
            // The collector must not wait for peers.
            REAPERS.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
            let reaped = std::thread::Builder::new().spawn(move || {
                drop(context);
                REAPERS.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
            });
            if reaped.is_err() {
                REAPERS.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
            }
        }
    }
}

/// Threads that see contexts through which the collector found.
static REAPERS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Terminates every context; called when the program ends.
#[pyfunction(name = "_close_all")]
pub(crate) fn close_all(py: Python<'_>) -> PyResult<()> {
    let contexts: Vec<_> = lock(&CONTEXTS).drain(..).collect();
    for context in contexts.iter().filter_map(Weak::upgrade) {
        if context.generation.is_current() {
            context.terminate(py)?;
        }
    }
    while REAPERS.load(std::sync::atomic::Ordering::Acquire) > 0 {
        py.detach(|| std::thread::sleep(SLICE / 20));
        py.check_signals()?;
    }
    Ok(())
}

/// Drops what takes its time to go, on a thread that nobody interrupts, and
/// waits for that as long as no signal handler raises.
fn drop_elsewhere<T: Send + 'static>(py: Python<'_>, thing: T) -> PyResult<()> {
    let (done, wait) = channel::<()>();
    let dropper = std::thread::Builder::new()
        .name("ferromq-term".into())
        .spawn(move || {
            drop(thing);
            drop(done);
        });
    dropper.map_err(|cause| {
        let what = "start a thread to terminate the context";
        errors::raise(py, &Error::System { what, cause })
    })?;
    // Receivers cannot be shared, but lent to one thread at a time.
    let wait = Mutex::new(wait);
    loop {
        let ended = py.detach(|| lock(&wait).recv_timeout(SLICE));
        if ended != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
        py.check_signals()?;
    }
}

/// A lock that no panic spoils.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
