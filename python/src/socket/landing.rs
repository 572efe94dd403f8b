//! Receiving a tensor into memory of the application's.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ferromq::{AnySocket, Landing, Message};
use ferromq_wire::{TensorFlags, TensorView};
use pyo3::prelude::*;

use super::Socket;
use super::receiving::as_frames;
use crate::context::lock;
use crate::frame::Frame;
use crate::lent::Room;

/// Between two looks whether another thread has let go of a message.
const LOOK: Duration = Duration::from_micros(50);

/// Memory that is offered to the runtime, and whether anybody holds it.
#[derive(Clone)]
pub(super) struct Offered {
    socket: AnySocket,
    held: Weak<()>,
}

#[pymethods]
impl Socket {
    /// Offers memory for the payload of a tensor of this type and shape, in C's
    /// order. Its address; None while another call's is offered.
    fn _offer(
        &self,
        room: &Bound<'_, PyAny>,
        dtype: (u8, u8, u16),
        shape: Vec<i64>,
    ) -> PyResult<Option<usize>> {
        let socket = self.open(room.py())?;
        let room = Room::of(room)?;
        let mut offered = lock(&self.offered);
        if offered.is_some() {
            return Ok(None);
        }
        let held = Arc::new(());
        let start = room.start();
        self.offered_at.store(start, Ordering::Relaxed);
        *offered = Some(Offered {
            socket: socket.clone(),
            held: Arc::downgrade(&held),
        });
        let landing = Landing::new(room.held_by(held));
        let landing = landing.behind(move |frames| announce(frames, dtype, &shape));
        drop(socket.offer(landing));
        Ok(Some(start))
    }

    /// Whether a call has offered memory.
    #[getter]
    fn _offered_to(&self) -> bool {
        self.offered_at.load(Ordering::Relaxed) != 0
    }

    /// Takes the offer back: nothing is written to the memory any more, and no
    /// message but one that `_recv_offered` answered has it.
    fn _withdraw(&self, py: Python<'_>) {
        // Nobody else may offer before all is over: who is about to copy knows one
        // address.
        let offered = lock(&self.offered).clone();
        if let Some(Offered { socket, held }) = offered {
            py.detach(|| {
                drop(socket.withdraw_offer());
                // A thread that has just received it is about to copy it.
                while held.strong_count() > 0 && self.offered_at.load(Ordering::Relaxed) != 0 {
                    std::thread::sleep(LOOK);
                }
                drop(socket);
            });
            self.offered_at.store(0, Ordering::Relaxed);
            *lock(&self.offered) = None;
        }
    }

    /// `recv_frames` for who made the offer.
    #[pyo3(signature = (*, timeout = None))]
    fn _recv_offered(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Vec<Frame>> {
        let message = self.receive_wherever(py, timeout)?;
        Ok(as_frames(self.landed(message)))
    }

    /// `try_recv_frames` for who made the offer.
    fn _try_recv_offered(&self, py: Python<'_>) -> PyResult<Option<Vec<Frame>>> {
        let message = self.take_wherever(py)?;
        Ok(message.map(|it| as_frames(self.landed(it))))
    }
}

impl Socket {
    /// What another call's memory holds of a message is copied: it is about to be
    /// its owner's again.
    #[inline]
    pub(super) fn apart(&self, message: Message) -> Message {
        match self.offered_at.load(Ordering::Relaxed) {
            0 => message,
            start => copied(message, start),
        }
    }

    /// The message is the offer's owner's, who keeps the memory in it.
    fn landed(&self, message: Message) -> Message {
        let start = self.offered_at.load(Ordering::Relaxed);
        if start != 0 && message.iter().any(|it| it.as_ptr().addr() == start) {
            // Nobody else can have it: it was for one frame.
            self.offered_at.store(0, Ordering::Relaxed);
        }
        message
    }
}

/// Whether the frames in front are the header of such a tensor.
fn announce(frames: &[ferromq::Frame], dtype: (u8, u8, u16), shape: &[i64]) -> bool {
    let header = frames.last().and_then(|it| TensorView::parse(it).ok());
    let Some(view) = header else { return false };
    let header = view.header();
    let element = header.element;
    let plain = TensorFlags::CHECKSUM.bits() | TensorFlags::READ_ONLY.bits();
    (element.code, element.bits, element.lanes) == dtype
        && view.shape().eq(shape.iter().copied())
        && header.offset == 0
        && header.part == 0
        && header.flags.bits() & !plain == 0
}

#[cold]
fn copied(message: Message, start: usize) -> Message {
    let frames = message.into_frames();
    frames
        .map(|frame| match frame.as_ptr().addr() == start {
            true => ferromq::Frame::from(&*frame),
            false => frame,
        })
        .collect()
}
