//! Sending: from memory that is its owner's again when the call is over, or from
//! memory that is lent for longer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Error, Frame, Message, SendError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView};

use super::Socket;
use crate::context::lock;
use crate::lent::{Bytes, settle};
use crate::loan::LoanedMemory;
use crate::tracker::{State as TrackerState, Tracker};
use crate::wait::{Wait, in_slices};
use crate::{errors, frame, gil};

/// Messages up to this size are sent with the GIL held, if there is room.
const SHORT: usize = 4 << 10;
/// Messages of this size and more are not copied to be retried.
const LONG: usize = 8 << 10;
/// What is written within a slice at 1 GB/s.
const WITHIN_A_SLICE: usize = 100_000_000;

#[pymethods]
impl Socket {
    /// Sends bytes as a message of one frame. The memory may be changed when this
    /// returns; long messages are written from where they are meanwhile.
    #[pyo3(signature = (data, *, timeout = None))]
    pub(super) fn send(&self, data: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let py = data.py();
        if let Ok(bytes) = data.cast_exact::<PyBytes>() {
            if timeout.is_none() && self.send_briskly(bytes.as_bytes()) {
                return Ok(());
            }
            let wait = self.send_wait(timeout)?;
            let result = send_one(py, &self.open(py)?, bytes.as_bytes(), wait);
            return result.inspect(|()| self.note_sent());
        }
        let wait = self.send_wait(timeout)?;
        let bytes = Bytes::of(data)?;
        let sent = self.send_briskly(bytes.as_ref());
        let result = match sent {
            true => Ok(()),
            false => self
                .open(py)
                .and_then(|socket| send_one(py, &socket, bytes.as_ref(), wait)),
        };
        bytes.release(py);
        result.inspect(|()| self.note_sent())
    }

    /// Sends a message of several frames.
    #[pyo3(signature = (parts, *, timeout = None))]
    fn send_multipart(&self, parts: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let py = parts.py();
        let wait = self.send_wait(timeout)?;
        let socket = self.open(py)?;
        let parts = Parts::of(parts)?;
        let result = send_all(py, &socket, &parts.slices(), wait);
        parts.release(py);
        result.inspect(|()| self.note_sent())
    }

    /// Sends if that needs no waiting; whether it did.
    fn try_send(&self, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = data.py();
        let socket = self.open(py)?;
        let bytes = Bytes::of(data)?;
        let result = match bytes.as_ref().len() {
            // Immutable and long: kept until written.
            LONG.. if data.is_exact_instance_of::<PyBytes>() => {
                gil::without(py, || socket.try_send(Frame::from_owner(bytes)))
            }
            _ => {
                let message = Message::from(bytes.as_ref());
                bytes.release(py);
                gil::without(py, || socket.try_send(message))
            }
        };
        settle(py);
        accepted(py, result.inspect(|()| self.note_sent()))
    }

    /// Sends a message of several frames if that needs no waiting; whether it did.
    fn try_send_multipart(&self, parts: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = parts.py();
        let socket = self.open(py)?;
        let parts = Parts::of(parts)?;
        let message = parts.copied();
        parts.release(py);
        let result = gil::without(py, || socket.try_send(message));
        accepted(py, result.inspect(|()| self.note_sent()))
    }

    /// Sends many messages of one frame each; answers how many, which is all
    /// unless the time is over: then it is those that were sent before.
    #[pyo3(signature = (messages, *, timeout = None))]
    fn send_batch(&self, messages: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<usize> {
        let py = messages.py();
        let wait = self.send_wait(timeout)?;
        let socket = self.open(py)?;
        let parts = Parts::of(messages)?;
        let result = parts.send_each(py, &socket, wait);
        parts.release(py);
        result.inspect(|_| self.note_sent())
    }

    /// Sends frames from memory that is lent until they are written: no copy. The
    /// memory must not be changed before the tracker says so.
    #[pyo3(signature = (parts, *, timeout = None))]
    fn send_borrowed(&self, parts: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<Tracker> {
        let py = parts.py();
        let wait = self.send_wait(timeout)?;
        let socket = self.open(py)?;
        let Parts(parts) = Parts::of(parts)?;
        let state = Arc::new(TrackerState::default());
        let returned = Returned(state.clone());
        let loan = Arc::new(returned);
        let frames = parts.into_iter().map(|part| lend(part, &loan));
        let message: Message = frames.collect();
        drop(loan);
        send_message(py, &socket, message, wait)?;
        self.note_sent();
        settle(py);
        Ok(Tracker::new(state))
    }

    /// Lends `size` bytes to write a payload into: memory that peers over shm:// and
    /// rdma:// read without a copy of ours, if it is sent by `send_borrowed` or as an
    /// "owned" or "borrowed" tensor. What is in it is unspecified.
    fn loan<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyMemoryView>> {
        settle(py);
        LoanedMemory::view(py, self.call(py, |socket| socket.loan(size))?)
    }

    /// Makes what is deferred leave now instead of within a millisecond.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, AnySocket::flush)
    }
}

impl Socket {
    /// Whether a short message was sent with the GIL held: it is not worth giving the
    /// GIL away for, as long as there is room. What goes wrong is told by the call
    /// that follows.
    #[inline]
    pub(super) fn send_briskly(&self, bytes: &[u8]) -> bool {
        let sent = bytes.len() <= SHORT
            && self
                .at_once(|socket| socket.try_send_bytes(bytes).ok())
                .is_some();
        if sent {
            self.note_sent();
        }
        sent
    }

    /// Sends a message of these parts, which lie still for as long.
    pub(super) fn send_parts(
        &self,
        py: Python<'_>,
        parts: &[&[u8]],
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let wait = self.send_wait(timeout)?;
        let socket = self.open(py)?;
        send_all(py, &socket, parts, wait).inspect(|()| self.note_sent())
    }

    /// A send has succeeded: what is received next may be the answer.
    #[inline]
    fn note_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    fn send_wait(&self, timeout: Option<f64>) -> PyResult<Wait> {
        match timeout {
            Some(seconds) => Wait::of_seconds(seconds),
            None => Ok(lock(&self.settings).send_wait()),
        }
    }
}

/// Tells the tracker with the last frame of a message.
struct Returned(Arc<TrackerState>);

impl Drop for Returned {
    fn drop(&mut self) {
        self.0.set_returned();
    }
}

/// A frame of a part where it is; frames received here are sent on as they are.
fn lend(part: Bytes, loan: &Arc<Returned>) -> Frame {
    let loan = loan.clone();
    Frame::with_release(part, move || drop(loan))
}

fn accepted(py: Python<'_>, result: Result<(), SendError>) -> PyResult<bool> {
    match result.map_err(|refused| refused.error) {
        Ok(()) => Ok(true),
        Err(Error::WouldBlock) => Ok(false),
        Err(error) => Err(errors::raise(py, &error)),
    }
}

fn send_one(py: Python<'_>, socket: &AnySocket, bytes: &[u8], wait: Wait) -> PyResult<()> {
    match wait {
        Wait::Not => {
            let result = gil::without(py, || socket.try_send_bytes(bytes));
            result.map_err(|error| errors::raise(py, &error))
        }
        // The runtime's own time-out is a slice.
        Wait::Endless if bytes.len() <= WITHIN_A_SLICE => {
            in_slices(py, wait, || socket.send_bytes(bytes))
        }
        _ => in_slices(py, wait, || attempt(socket, &[bytes], wait)),
    }
}

/// Sends until the end of a slice. What is longer is given its time at 1 GB/s, for it
/// is written from where it lies as long as the attempt lasts, and copied when it ends.
fn attempt(socket: &AnySocket, parts: &[&[u8]], wait: Wait) -> Result<(), Error> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let written = Instant::now() + Duration::from_nanos(len as u64);
    let (end, _) = wait.slice();
    let end = match wait {
        Wait::Until(deadline) => end.max(written.min(deadline)),
        _ => end.max(written),
    };
    socket.send_parts_deadline(parts, end)
}

/// A message of these parts, from where they lie.
fn send_all(py: Python<'_>, socket: &AnySocket, parts: &[&[u8]], wait: Wait) -> PyResult<()> {
    if wait == Wait::Not {
        return send_message(py, socket, copied(parts), wait);
    }
    let len: usize = parts.iter().map(|part| part.len()).sum();
    in_slices(py, wait, || match wait {
        Wait::Endless if len <= WITHIN_A_SLICE => socket.send_parts(parts),
        _ => attempt(socket, parts, wait),
    })
}

fn copied(parts: &[&[u8]]) -> Message {
    parts.iter().map(|part| Frame::from(*part)).collect()
}

fn send_message(py: Python<'_>, socket: &AnySocket, message: Message, wait: Wait) -> PyResult<()> {
    let mut message = Some(message);
    if wait == Wait::Not {
        let result = gil::without(py, || socket.try_send(message.unwrap_or_default()));
        return result.map_err(|refused| errors::raise(py, &refused.error));
    }
    in_slices(py, wait, || {
        let sent = socket.send_deadline(message.take().unwrap_or_default(), wait.slice().0);
        sent.map_err(|refused| {
            message = Some(refused.message);
            refused.error
        })
    })
}

/// The parts of a message, or the messages of a batch, pinned.
struct Parts(Vec<Bytes>);

impl Parts {
    fn of(parts: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(list) = parts.cast::<PyList>() {
            return list.iter().map(|part| Bytes::of(&part)).collect();
        }
        parts.try_iter()?.map(|part| Bytes::of(&part?)).collect()
    }

    fn release(self, py: Python<'_>) {
        self.0.into_iter().for_each(|part| part.release(py));
    }

    fn slices(&self) -> Vec<&[u8]> {
        self.0.iter().map(AsRef::as_ref).collect()
    }

    fn copied(&self) -> Message {
        copied(&self.slices())
    }

    fn send_each(&self, py: Python<'_>, socket: &AnySocket, wait: Wait) -> PyResult<usize> {
        let mut left: VecDeque<&[u8]> = self.slices().into();
        let all = left.len();
        let sent = in_slices(py, wait, || {
            let _together = socket.together();
            while let Some(next) = left.front() {
                match wait {
                    Wait::Endless if next.len() <= WITHIN_A_SLICE => socket.send_bytes(next)?,
                    Wait::Not => socket.try_send(*next)?,
                    _ => attempt(socket, &[*next], wait)?,
                }
                left.pop_front();
            }
            Ok(())
        });
        match sent {
            Err(error) if left.len() == all || !is_again(py, &error) => Err(error),
            _ => Ok(all - left.len()),
        }
    }
}

impl FromIterator<Bytes> for Parts {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

fn is_again(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<pyo3::exceptions::PyTimeoutError>(py)
        || error.is_instance_of::<pyo3::exceptions::PyBlockingIOError>(py)
}

/// Frames that came from somewhere, to be sent on without a copy.
pub(super) fn frame_of(part: &Bound<'_, PyAny>) -> Option<Frame> {
    let frame = part.cast::<frame::Frame>().ok()?;
    Some(frame.get().frame.clone())
}
