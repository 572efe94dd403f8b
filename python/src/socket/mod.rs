//! Sockets: what Python calls.

mod habits;
mod landing;
mod receiving;
mod sending;
mod slot;
mod tensors;

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ferromq::{AnySocket, Error, Message, SocketType};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::context::{Context, ContextCell, lock};
use crate::convert::bytes_or_text;
use crate::fork::Generation;
use crate::monitor::Monitor;
use crate::options::Settings;
use crate::wait::{Wait, in_slices};
use crate::{errors, gil, lent, statistics};

pub(crate) use slot::Slot;

/// A socket of the runtime; `ferromq.Socket` adds what needs no speed.
#[pyclass(frozen, subclass, weakref, module = "ferromq._native")]
pub(crate) struct Socket {
    slot: Arc<Slot>,
    /// Behind the slot, so that the last of a context's sockets goes first.
    _context: Arc<ContextCell>,
    generation: Generation,
    socket_type: SocketType,
    settings: Mutex<Settings>,
    places: Mutex<Places>,
    /// Messages that were received and refused by the call that received them.
    kept: Mutex<VecDeque<Message>>,
    /// Whether there are any.
    keeps: AtomicBool,
    /// Messages come without waiting, and are short: the GIL is not given away for
    /// them, which costs more than they do, and a switch of threads if another
    /// one wants it. Who waits for each message gives it away at once instead,
    /// also while sending, for the answer may be a thread's of this process.
    brisk: AtomicBool,
    /// A send has succeeded since a message was last received: what comes next may be
    /// the answer. A call that waits for it is not brisk, even if it is there at once: on
    /// one core it always is, for who answers runs before the send is over.
    sent: AtomicBool,
    /// `ferromq.zmq` has frames of a message that is not whole yet, or was not received
    /// whole: its calls are Python's until it has none.
    partial: AtomicBool,
    /// Memory that a call offered for what it receives.
    offered: Mutex<Option<landing::Offered>>,
    /// Its address, until the call has it back; 0 otherwise.
    offered_at: AtomicUsize,
}

#[derive(Default)]
struct Places {
    bound: Vec<String>,
    connected: Vec<String>,
}

#[pymethods]
impl Socket {
    #[new]
    #[pyo3(signature = (context, socket_type, /, **options))]
    fn new(
        context: &Bound<'_, Context>,
        socket_type: &str,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let py = context.py();
        let known = SocketType::parse(socket_type.as_bytes())
            .ok_or_else(|| PyValueError::new_err(format!("no socket type {socket_type}")))?;
        let mut settings = Settings::default();
        let options = options.map_or(Ok(settings.current()), |options| settings.change(options))?;
        let cell = context.get().cell().clone();
        let socket = cell.context(py)?.any_socket(known, options);
        let socket = socket.map_err(|error| errors::raise(py, &error))?;
        let slot = Arc::new(Slot::new(socket));
        cell.add(&slot);
        Ok(Self {
            slot,
            _context: cell,
            generation: Generation::current(),
            socket_type: known,
            settings: Mutex::new(settings),
            places: Mutex::default(),
            kept: Mutex::default(),
            keeps: AtomicBool::new(false),
            brisk: AtomicBool::new(true),
            sent: AtomicBool::new(false),
            partial: AtomicBool::new(false),
            offered: Mutex::default(),
            offered_at: AtomicUsize::new(0),
        })
    }

    /// The type's name on the wire.
    #[getter]
    fn type_name(&self) -> &'static str {
        self.socket_type.name()
    }

    /// Whether it was closed, or its context terminated.
    #[getter]
    fn closed(&self) -> bool {
        !self.generation.is_current() || !self.slot.is_open()
    }

    // Endpoints.

    /// Accepts connections at `endpoint`; answers the real one, with the port or
    /// path where it was a wildcard.
    fn bind(&self, py: Python<'_>, endpoint: &str) -> PyResult<String> {
        let real = self.call(py, |socket| socket.bind(endpoint))?.to_string();
        lock(&self.places).bound.push(real.clone());
        Ok(real)
    }

    /// Connects to `endpoint`, now and whenever the connection is lost.
    fn connect(&self, py: Python<'_>, endpoint: &str) -> PyResult<()> {
        self.call(py, |socket| socket.connect(endpoint))?;
        self.connected_to(endpoint);
        Ok(())
    }

    /// PEER: connects, and answers the routing id of that peer.
    fn connect_peer(&self, py: Python<'_>, endpoint: &str) -> PyResult<u32> {
        let id = self.call(py, |socket| socket.connect_peer(endpoint))?;
        self.connected_to(endpoint);
        Ok(id)
    }

    /// Stops accepting at an endpoint as `bind` answered it.
    fn unbind(&self, py: Python<'_>, endpoint: &str) -> PyResult<()> {
        self.call(py, |socket| socket.unbind(endpoint))?;
        lock(&self.places).bound.retain(|bound| bound != endpoint);
        Ok(())
    }

    /// Ends the connection to an endpoint; what waits is sent first, within the
    /// time to linger.
    fn disconnect(&self, py: Python<'_>, endpoint: &str) -> PyResult<()> {
        self.call(py, |socket| socket.disconnect(endpoint))?;
        let connected = &mut lock(&self.places).connected;
        if let Some(at) = connected.iter().position(|place| place == endpoint) {
            connected.remove(at);
        }
        Ok(())
    }

    /// The endpoints that are bound.
    #[getter]
    fn bound(&self) -> Vec<String> {
        lock(&self.places).bound.clone()
    }

    /// The endpoints that were connected.
    #[getter]
    fn connected(&self) -> Vec<String> {
        lock(&self.places).connected.clone()
    }

    // Topics and groups.

    /// SUB, XSUB: receive messages that start with `prefix`.
    #[pyo3(signature = (prefix = None))]
    fn subscribe(&self, py: Python<'_>, prefix: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let prefix = prefix.map_or(Ok(Vec::new()), bytes_or_text)?;
        self.call(py, |socket| socket.subscribe(&prefix))
    }

    /// Takes one `subscribe` back.
    #[pyo3(signature = (prefix = None))]
    fn unsubscribe(&self, py: Python<'_>, prefix: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let prefix = prefix.map_or(Ok(Vec::new()), bytes_or_text)?;
        self.call(py, |socket| socket.unsubscribe(&prefix))
    }

    /// DISH: receive the messages to this group.
    fn join(&self, py: Python<'_>, group: &Bound<'_, PyAny>) -> PyResult<()> {
        let group = bytes_or_text(group)?;
        self.call(py, |socket| socket.join(&group))
    }

    /// Takes one `join` back.
    fn leave(&self, py: Python<'_>, group: &Bound<'_, PyAny>) -> PyResult<()> {
        let group = bytes_or_text(group)?;
        self.call(py, |socket| socket.leave(&group))
    }

    // Options.

    /// Changes options of a socket that exists.
    #[pyo3(signature = (**options))]
    fn set_options(&self, py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let Some(options) = options else {
            return Ok(());
        };
        let mut settings = lock(&self.settings).clone();
        let changed = settings.change(options)?;
        self.call(py, |socket| socket.set_options(|_| changed))?;
        *lock(&self.settings) = settings;
        Ok(())
    }

    /// What was set, and the defaults of the rest.
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        lock(&self.settings).as_dict(py)
    }

    /// One option.
    fn option<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        lock(&self.settings).get(py, name)
    }

    // Sight.

    /// Listens to the socket's connections from now on.
    fn monitor(&self, py: Python<'_>) -> PyResult<Monitor> {
        Ok(Monitor::new(self.open(py)?.monitor()))
    }

    /// Counts of this moment.
    fn _statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let socket = self.open(py)?;
        let counts = py.detach(|| {
            // To ask for counts is a call like others, which keeps the I/O thread
            // off: who asks all the time must take notice himself, or he is never
            // told that a peer has gone. An error is the next call's.
            let _ = socket.readiness();
            socket.statistics()
        });
        statistics::as_dict(py, &counts)
    }

    /// Waits until `count` peers are connected; raises TimedOut.
    #[pyo3(signature = (count = 1, timeout = None))]
    fn wait_for_peers(&self, py: Python<'_>, count: usize, timeout: Option<f64>) -> PyResult<()> {
        let wait = timeout.map_or(Ok(Wait::Endless), Wait::of_seconds)?;
        let socket = self.open(py)?;
        in_slices(py, wait, || {
            match socket.wait_for_peers(count, wait.left().0)? {
                true => Ok(()),
                false => Err(Error::TimedOut),
            }
        })
    }

    /// Whether a receive would find a message, and a send a peer with room.
    fn readiness(&self, py: Python<'_>) -> PyResult<(bool, bool)> {
        let ready = self.call(py, AnySocket::readiness)?;
        Ok((ready.readable || self.keeps_any(), ready.writable))
    }

    /// Whether the next short message is sent or received with the GIL held, if that needs
    /// no waiting.
    #[getter]
    fn _brisk(&self) -> bool {
        self.is_brisk()
    }

    /// The descriptor for an event loop of your own: readable when something may
    /// have changed. Then receive until nothing is there.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.open(py)?.readiness_fd().as_raw_fd())
    }

    /// Closes the socket. What waits is sent in the background, for as long as
    /// `linger` seconds (the option, if None) allow.
    #[pyo3(signature = (linger = None))]
    fn close(&self, py: Python<'_>, linger: Option<f64>) -> PyResult<()> {
        if let (Some(seconds), true) = (linger, self.slot.is_open()) {
            let linger = PyDict::new(py);
            linger.set_item("linger", seconds)?;
            self.set_options(py, Some(&linger))?;
        }
        lock(&self.kept).clear();
        if self.generation.is_current() {
            let socket = self.slot.close();
            py.detach(|| drop(socket));
        }
        lent::settle(py);
        Ok(())
    }
}

impl Socket {
    /// The runtime's socket, if it is open and this process's.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<AnySocket> {
        self.generation.check(py)?;
        let socket = self.slot.socket();
        socket.map_err(|error| errors::raise(py, &error))
    }

    /// One call that does not wait long, without the GIL.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&AnySocket) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let socket = self.open(py)?;
        let result = gil::without(py, || call(&socket));
        result.map_err(|error| errors::raise(py, &error))
    }

    fn connected_to(&self, endpoint: &str) {
        lock(&self.places).connected.push(endpoint.to_owned());
    }

    fn is_brisk(&self) -> bool {
        self.brisk.load(Ordering::Relaxed)
    }

    /// A call that does not wait, with the GIL held and without another handle of the
    /// socket, if messages come without waiting and it is open and this process's.
    #[inline]
    fn at_once<T>(&self, call: impl FnOnce(&AnySocket) -> Option<T>) -> Option<T> {
        match self.is_brisk() && self.generation.is_current() {
            true => self.slot.with(call).flatten(),
            false => None,
        }
    }

    /// Whether a message waits here rather than in the runtime.
    pub(crate) fn keeps_any(&self) -> bool {
        self.keeps.load(Ordering::Relaxed)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        match self.generation.is_current() {
            true => drop(self.slot.close()),
            // Its context's thread is another process's.
            false => std::mem::forget(self.slot.close_silently()),
        }
    }
}
