//! A socket's events.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ferromq::{Error, Event, EventKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::context::lock;
use crate::wait::{Wait, in_slices};

/// Receives what happens to a socket's connections.
#[pyclass(frozen, module = "ferromq._native")]
pub(crate) struct Monitor {
    events: Mutex<ferromq::Monitor>,
}

impl Monitor {
    pub(crate) fn new(events: ferromq::Monitor) -> Self {
        let events = Mutex::new(events);
        Self { events }
    }

    /// The next event; `None` if the socket is gone.
    fn next(&self, time: Duration) -> Result<Option<Event>, Error> {
        let started = Instant::now();
        match lock(&self.events).recv_timeout(time) {
            Some(event) => Ok(Some(event)),
            // It waits in full unless nobody is there to tell anything.
            None if started.elapsed() < time => Ok(None),
            None => Err(Error::TimedOut),
        }
    }
}

#[pymethods]
impl Monitor {
    /// The next event as a dict, or None when the socket is gone. Raises TimedOut.
    #[pyo3(signature = (timeout = None))]
    fn _recv<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let wait = timeout.map_or(Ok(Wait::Endless), Wait::of_seconds)?;
        let event = match wait {
            Wait::Not => {
                let event = lock(&self.events).try_next();
                event
                    .map_or(Err(Error::TimedOut), |event| Ok(Some(event)))
                    .map_err(|error| crate::errors::raise(py, &error))?
            }
            _ => in_slices(py, wait, || self.next(wait.left().0))?,
        };
        event.map(|event| as_dict(py, &event)).transpose()
    }

    /// Events that did not fit, because nobody received.
    #[getter]
    fn missed(&self) -> u64 {
        lock(&self.events).missed()
    }
}

fn as_dict<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("kind", name(&event.kind))?;
    dict.set_item("endpoint", &event.endpoint)?;
    dict.set_item("peer", event.peer.as_deref())?;
    match &event.kind {
        EventKind::AcceptFailed { cause }
        | EventKind::Refused { cause }
        | EventKind::HandshakeFailed { cause }
        | EventKind::Disconnected { cause } => dict.set_item("cause", cause)?,
        EventKind::ConnectRetried { cause, delay } => {
            dict.set_item("cause", cause)?;
            dict.set_item("delay", delay.as_secs_f64())?;
        }
        EventKind::SwitchRefused { cause } => dict.set_item("cause", cause)?,
        EventKind::Switched { path } => dict.set_item("path", path)?,
        EventKind::FabricUnavailable { cause } => dict.set_item("cause", cause.to_string())?,
        EventKind::LingerExpired { messages } => dict.set_item("messages", messages)?,
        EventKind::Keeps { payloads, bytes } => {
            dict.set_item("payloads", payloads)?;
            dict.set_item("bytes", bytes)?;
        }
        _ => {}
    }
    Ok(dict)
}

fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Listening => "listening",
        EventKind::Accepted => "accepted",
        EventKind::AcceptFailed { .. } => "accept_failed",
        EventKind::Refused { .. } => "refused",
        EventKind::Connected => "connected",
        EventKind::ConnectRetried { .. } => "connect_retried",
        EventKind::HandshakeSucceeded => "handshake_succeeded",
        EventKind::HandshakeFailed { .. } => "handshake_failed",
        EventKind::AuthenticationFailed { .. } => "authentication_failed",
        EventKind::Exposed => "exposed",
        EventKind::Keeps { .. } => "keeps",
        EventKind::Switched { .. } => "switched",
        EventKind::SwitchRefused { .. } => "switch_refused",
        EventKind::FabricUnavailable { .. } => "fabric_unavailable",
        EventKind::Disconnected { .. } => "disconnected",
        EventKind::Closed => "closed",
        EventKind::LingerExpired { .. } => "linger_expired",
        _ => "other",
    }
}
