//! The usual tensor, sent and received by one call of this module: where both sides share a
//! core, each call of Python's finds nothing of its own in the caches any more.

use std::sync::atomic::Ordering;

use ferromq::SocketType;
use pyo3::prelude::*;

use super::Socket;
use super::receiving::as_frames;
use crate::frame::Frame;
use crate::lent::Bytes;
use crate::numpy;
use crate::tensor::{self, TensorHeader};

/// What a call received that looks for a tensor.
#[derive(IntoPyObject)]
enum Received {
    Plain(TensorHeader, Frame),
    /// Another tensor, or none.
    #[pyo3(transparent)]
    Other(Vec<Frame>),
}

#[pymethods]
impl Socket {
    /// Sends an array of numpy's as `_plain_header` describes it. False, and nothing was sent:
    /// it is none that can be described so, or frames are to go before it.
    fn _send_plain(
        &self,
        array: &Bound<'_, PyAny>,
        checksum: bool,
        tag: u64,
        timeout: Option<f64>,
    ) -> PyResult<bool> {
        let py = array.py();
        let partial = self.partial.load(Ordering::Relaxed);
        if partial || self.addresses() || !numpy::is_array(array) {
            return Ok(false);
        }
        let Some(bytes) = Bytes::of_elements(array) else {
            return Ok(false);
        };
        let sent = tensor::header_of(py, &bytes, checksum, tag).and_then(|header| match header {
            None => Ok(false),
            Some(header) => {
                self.send_parts(py, &[&header, bytes.as_ref()], timeout)?;
                Ok(true)
            }
        });
        bytes.release(py);
        sent
    }

    /// Receives a message: the header and the payload of a tensor that is nothing but these,
    /// whole, and of a type that numpy has; else frames.
    fn _recv_plain(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Received> {
        let mut frames = as_frames(self.receive(py, timeout)?);
        if let [header, payload] = &frames[..]
            && !self.addresses()
            && let Ok(header) = tensor::described(py, &header.frame, payload.frame.len())
            && numpy::has(&header)
            && header.matches_bytes(py, &payload.frame)
        {
            let payload = frames.swap_remove(1);
            return Ok(Received::Plain(header, payload));
        }
        Ok(Received::Other(frames))
    }
}

impl Socket {
    /// Whether a topic or an identity is in front of each tensor.
    fn addresses(&self) -> bool {
        use SocketType::{Peer, Pub, Router, Server, Sub, XPub, XSub};
        matches!(
            self.socket_type,
            Pub | Sub | XPub | XSub | Router | Server | Peer
        )
    }
}
