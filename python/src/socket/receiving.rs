//! Receiving: as bytes, or as frames in place.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Error, Message};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::Socket;
use crate::context::lock;
use crate::frame::Frame;
use crate::wait::{Wait, in_slices};
use crate::{errors, gil, lent};

/// Messages up to this size are received with the GIL held.
const SHORT: usize = 32 << 10;
/// What a receive takes that waits for nothing, and no more.
const AT_ONCE: Duration = Duration::from_micros(3);

#[pymethods]
impl Socket {
    /// Receives a message of one frame. One of several frames is an error, and
    /// waits for `recv_multipart`.
    #[pyo3(signature = (*, timeout = None))]
    fn recv<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyBytes>> {
        let message = self.receive(py, timeout)?;
        Ok(PyBytes::new(py, &self.only_frame(py, message)?))
    }

    /// Receives a message of one frame, without a copy.
    #[pyo3(signature = (*, timeout = None))]
    fn recv_frame(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Frame> {
        let message = self.receive(py, timeout)?;
        let frame = self.only_frame(py, message)?;
        Ok(Frame { frame })
    }

    /// Receives a message as a list of its frames' bytes.
    #[pyo3(signature = (*, timeout = None))]
    fn recv_multipart<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        as_bytes_list(py, &self.receive(py, timeout)?)
    }

    /// Receives a message as a list of its frames, without a copy.
    #[pyo3(signature = (*, timeout = None))]
    fn recv_frames(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Vec<Frame>> {
        Ok(as_frames(self.receive(py, timeout)?))
    }

    /// A message of one frame, if there is a message; else None.
    fn try_recv<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(message) = self.take(py)? else {
            return Ok(None);
        };
        Ok(Some(PyBytes::new(py, &self.only_frame(py, message)?)))
    }

    /// A message as frames' bytes, if there is one; else None.
    fn try_recv_multipart<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let message = self.take(py)?;
        message.map(|it| as_bytes_list(py, &it)).transpose()
    }

    /// A message as frames, if there is one; else None.
    fn try_recv_frames(&self, py: Python<'_>) -> PyResult<Option<Vec<Frame>>> {
        Ok(self.take(py)?.map(as_frames))
    }

    /// Receives up to `max` messages of one frame each, waiting for the first
    /// only. Ends before a message of several frames, which is an error only if
    /// it comes first.
    #[pyo3(signature = (max = 1000, *, timeout = None))]
    fn recv_batch<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        let messages = self.receive_many(py, max, timeout)?;
        if messages.iter().all(|it| it.len() == 1) {
            return PyList::new(
                py,
                messages.iter().map(|it| PyBytes::new(py, &it.parts()[0])),
            );
        }
        let list = PyList::empty(py);
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            if message.len() == 1 {
                list.append(PyBytes::new(py, &message.parts()[0]))?;
                continue;
            }
            self.keep_all(std::iter::once(message).chain(messages));
            if list.is_empty() {
                return Err(several_frames(py));
            }
            break;
        }
        Ok(list)
    }

    /// Receives up to `max` messages as lists of frames' bytes, waiting for the
    /// first only.
    #[pyo3(signature = (max = 1000, *, timeout = None))]
    fn recv_multipart_batch<'py>(
        &self,
        py: Python<'py>,
        max: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for message in self.receive_many(py, max, timeout)? {
            list.append(as_bytes_list(py, &message)?)?;
        }
        Ok(list)
    }

    /// Puts a message back, to be the next that is received. For who looked at a
    /// message and found that it is somebody else's.
    fn _keep(&self, parts: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut message = Message::new();
        for part in parts.try_iter()? {
            let part = part?;
            match super::sending::frame_of(&part) {
                Some(frame) => message.push_back(frame),
                None => message.push_back(lent::Bytes::of(&part)?.as_ref()),
            }
        }
        self.keep_all(std::iter::once(message));
        Ok(())
    }
}

impl Socket {
    pub(super) fn receive(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Message> {
        let message = self.receive_wherever(py, timeout)?;
        Ok(self.apart(message))
    }

    /// A message that may be in memory which a call has offered.
    #[inline]
    pub(super) fn receive_wherever(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
    ) -> PyResult<Message> {
        if let Some(message) = self.take_kept() {
            return Ok(message);
        }
        if let Some(message) = self.receive_briskly() {
            return Ok(message);
        }
        let socket = self.open(py)?;
        let wait = self.receive_wait(timeout)?;
        let mut waited = Duration::ZERO;
        let message = in_slices(py, wait, || {
            let started = Instant::now();
            let message = receive_slice(&socket, wait);
            waited = started.elapsed();
            message
        })?;
        self.note_received(&message, waited);
        Ok(message)
    }

    /// A message that is there, without giving the GIL away. What goes wrong is
    /// told by the call that follows.
    #[inline]
    fn receive_briskly(&self) -> Option<Message> {
        let message = self.at_once(|socket| socket.try_recv().ok())?;
        self.note_received(&message, Duration::ZERO);
        Some(message)
    }

    /// A call that waits has received a message, after so long.
    #[inline]
    fn note_received(&self, message: &Message, waited: Duration) {
        let sent = self.take_sent();
        let brisk = message.body_len() <= SHORT && waited < AT_ONCE && !sent;
        self.brisk.store(brisk, Ordering::Relaxed);
    }

    /// Whether something was sent since a message was last received, as one is now.
    #[inline]
    fn take_sent(&self) -> bool {
        let sent = self.sent.load(Ordering::Relaxed);
        if sent {
            self.sent.store(false, Ordering::Relaxed);
        }
        sent
    }

    fn take(&self, py: Python<'_>) -> PyResult<Option<Message>> {
        let message = self.take_wherever(py)?;
        Ok(message.map(|it| self.apart(it)))
    }

    pub(super) fn take_wherever(&self, py: Python<'_>) -> PyResult<Option<Message>> {
        if let Some(message) = self.take_kept() {
            return Ok(Some(message));
        }
        let socket = self.open(py)?;
        let found = match self.is_brisk() {
            true => socket.try_recv(),
            false => gil::without(py, || socket.try_recv()),
        };
        match found {
            Ok(message) => {
                // A call that does not wait gives the GIL away for long messages only.
                self.take_sent();
                let brisk = message.body_len() <= SHORT;
                self.brisk.store(brisk, Ordering::Relaxed);
                Ok(Some(message))
            }
            Err(Error::WouldBlock) => Ok(None),
            Err(error) => Err(errors::raise(py, &error)),
        }
    }

    fn receive_many(
        &self,
        py: Python<'_>,
        max: usize,
        timeout: Option<f64>,
    ) -> PyResult<Vec<Message>> {
        let mut messages: Vec<Message> =
            std::iter::from_fn(|| self.take_kept()).take(max).collect();
        if !messages.is_empty() || max == 0 {
            return Ok(messages);
        }
        let wait = self.receive_wait(timeout)?;
        let socket = self.open(py)?;
        in_slices(py, wait, || {
            if wait == Wait::Endless {
                return socket.recv_batch(&mut messages, max).map(|_| ());
            }
            // The runtime's batch call has no deadline: one message has.
            messages.push(receive_slice(&socket, wait)?);
            while messages.len() < max {
                match socket.try_recv() {
                    Ok(message) => messages.push(message),
                    Err(_) => break,
                }
            }
            Ok(())
        })?;
        self.take_sent();
        if self.offered_at.load(Ordering::Relaxed) != 0 {
            messages = messages.into_iter().map(|it| self.apart(it)).collect();
        }
        Ok(messages)
    }

    fn receive_wait(&self, timeout: Option<f64>) -> PyResult<Wait> {
        match timeout {
            Some(seconds) => Wait::of_seconds(seconds),
            None => Ok(lock(&self.settings).receive_wait()),
        }
    }

    /// The frame of a message that has one; others are kept.
    fn only_frame(&self, py: Python<'_>, message: Message) -> PyResult<ferromq::Frame> {
        if message.len() == 1 {
            return Ok(message.into_frames().next().unwrap_or_default());
        }
        self.keep_all(std::iter::once(message));
        Err(several_frames(py))
    }

    fn take_kept(&self) -> Option<Message> {
        if !self.keeps_any() {
            return None;
        }
        let mut kept = lock(&self.kept);
        let message = kept.pop_front();
        self.keeps.store(!kept.is_empty(), Ordering::Relaxed);
        message
    }

    fn keep_all(&self, messages: impl Iterator<Item = Message>) {
        let messages: Vec<Message> = messages.collect();
        let mut kept = lock(&self.kept);
        messages
            .into_iter()
            .rev()
            .for_each(|it| kept.push_front(it));
        self.keeps.store(!kept.is_empty(), Ordering::Relaxed);
    }
}

fn receive_slice(socket: &AnySocket, wait: Wait) -> Result<Message, Error> {
    match wait {
        Wait::Not => socket.try_recv(),
        Wait::Endless => socket.recv(),
        Wait::Until(_) => socket.recv_deadline(wait.slice().0),
    }
}

#[cold]
fn several_frames(py: Python<'_>) -> PyErr {
    let text = "the message has several frames: receive it with recv_multipart";
    errors::raise_text(py, "WrongParts", text)
}

pub(super) fn as_bytes_list<'py>(
    py: Python<'py>,
    message: &Message,
) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, message.iter().map(|frame| PyBytes::new(py, frame)))
}

pub(super) fn as_frames(message: Message) -> Vec<Frame> {
    let frames = message.into_iter();
    frames.map(|frame| Frame { frame }).collect()
}
