//! pyzmq's `send` and `recv`, where a message is one frame: what `ferromq.zmq` does most
//! often costs a call of the compiled module and none of Python's. The rest of those
//! habits is Python's.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use super::Socket;
use super::receiving::as_bytes_list;

#[pymethods]
impl Socket {
    /// Sends a frame; with SNDMORE the message goes on.
    #[pyo3(signature = (data, *args, **kwargs))]
    fn _zmq_send<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let this = slf.get();
        if this.is_usual(args, kwargs) {
            return this.send(data, None).map(|()| None);
        }
        let first = PyTuple::new(slf.py(), [data])?;
        let args = first.add(args)?.cast_into::<PyTuple>()?;
        let tracker = slf.getattr("_send_unusual")?.call(args, kwargs)?;
        Ok((!tracker.is_none()).then_some(tracker))
    }

    /// Receives a frame; RCVMORE tells whether the message goes on.
    #[pyo3(signature = (*args, **kwargs))]
    fn _zmq_recv<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        if !this.is_usual(args, kwargs) {
            return slf.getattr("_recv_unusual")?.call(args, kwargs);
        }
        let message = this.receive(slf.py(), None)?;
        match message.parts() {
            [frame] => Ok(PyBytes::new(slf.py(), frame).into_any()),
            _ => slf.call_method1("_recv_first", (as_bytes_list(slf.py(), &message)?,)),
        }
    }

    /// Whether frames of a message are kept elsewhere, so that nothing is usual.
    fn _set_partial(&self, partial: bool) {
        self.partial.store(partial, Ordering::Relaxed);
    }
}

impl Socket {
    /// No flags and no options, and no message that is not whole.
    #[inline]
    fn is_usual(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> bool {
        kwargs.is_none() && args.is_empty() && !self.partial.load(Ordering::Relaxed)
    }
}
