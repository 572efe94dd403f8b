//! Memory of the application's that a long body is received into.

use std::cell::Cell;
use std::fmt;

use crate::Frame;

/// Memory for one long frame, to be received into without a copy: see
/// [`AnySocket::offer`](crate::AnySocket::offer).
pub struct Landing {
    place: Box<dyn Place>,
    behind: Behind,
}

/// Which messages are meant, by the frames in front.
type Behind = Box<dyn FnMut(&[Frame]) -> bool + Send>;

impl Landing {
    /// Memory for a frame that is exactly as long. `memory` is asked for its bytes
    /// at every read, under the socket's lock, so that must not call sockets; it must
    /// answer the same bytes every time, and is dropped with the last handle of the
    /// frame, on whatever thread.
    #[must_use]
    pub fn new<M>(memory: M) -> Self
    where
        M: AsRef<[u8]> + AsMut<[u8]> + Send + 'static,
    {
        Self {
            place: Box::new(memory),
            behind: Box::new(|_| true),
        }
    }

    /// Only for a frame that follows these of the same message: a header that says
    /// what comes, say. Frames of the envelope of a REP and the identity that a
    /// ROUTER puts in front are not among them. Called under the socket's lock, once
    /// for each frame of the length: it must not call sockets.
    #[must_use]
    pub fn behind(mut self, fits: impl FnMut(&[Frame]) -> bool + Send + 'static) -> Self {
        self.behind = Box::new(fits);
        self
    }
}

impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Landing({} bytes)", self.place.bytes().len())
    }
}

/// What of the application's memory the link needs.
trait Place: Send {
    fn bytes(&self) -> &[u8];
    fn bytes_mut(&mut self) -> &mut [u8];
    fn into_frame(self: Box<Self>) -> Frame;
}

impl<M> Place for M
where
    M: AsRef<[u8]> + AsMut<[u8]> + Send + 'static,
{
    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.as_mut()
    }

    fn into_frame(self: Box<Self>) -> Frame {
        Frame::from_owner(*self)
    }
}

/// What a socket was offered: one landing, until a body comes for it.
#[derive(Default)]
pub(crate) struct Offer {
    landing: Cell<Option<Landing>>,
    /// Address of the memory that was offered last, whoever has it now; 0 after it
    /// was withdrawn.
    start: Cell<usize>,
    /// There is a landing: what looks at it would have to take it out.
    stands: Cell<bool>,
}

impl Offer {
    /// Offers a landing; the one that nothing came for.
    pub(crate) fn put(&self, landing: Landing) -> Option<Landing> {
        self.start.set(landing.place.bytes().as_ptr().addr());
        self.stands.set(true);
        self.landing.replace(Some(landing))
    }

    /// Takes back what nothing came for.
    pub(crate) fn withdraw(&self) -> Option<Landing> {
        let landing = self.landing.take();
        if landing.is_some() {
            self.start.set(0);
        }
        self.stands.set(false);
        landing
    }

    /// Whether no body has come for it yet.
    pub(crate) fn stands(&self) -> bool {
        self.stands.get()
    }

    /// Where the memory is that somebody may still have, once.
    pub(crate) fn forget(&self) -> Option<usize> {
        Some(self.start.replace(0)).filter(|start| *start != 0)
    }

    /// The landing for a body of `len` bytes behind `frames`, if it is meant.
    pub(crate) fn take(&self, len: u64, frames: &[Frame]) -> Option<LandingBuffer> {
        let mut landing = self.landing.take()?;
        if landing.place.bytes().len() as u64 == len && (landing.behind)(frames) {
            self.stands.set(false);
            let place = landing.place;
            return Some(LandingBuffer { place, filled: 0 });
        }
        self.landing.set(Some(landing));
        None
    }
}

/// A landing while the link reads into it.
pub(crate) struct LandingBuffer {
    place: Box<dyn Place>,
    filled: usize,
}

/// Most that one `space_mut` offers, as of a buffer of our own.
const PIECE: usize = 1 << 20;

impl LandingBuffer {
    /// Where to read next: at most 1 MiB, empty when nothing is missing.
    pub(crate) fn space_mut(&mut self) -> &mut [u8] {
        let end = self.filled.saturating_add(PIECE);
        let bytes = self.place.bytes_mut();
        let end = end.min(bytes.len());
        bytes.get_mut(self.filled..end).unwrap_or_default()
    }

    /// `n` bytes were read into the front of `space_mut`; they come back.
    pub(crate) fn filled(&mut self, n: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += n;
        let bytes = self.place.bytes_mut().get_mut(start..start + n);
        bytes.unwrap_or_default()
    }

    /// Bytes of the body that are still to come.
    pub(crate) fn missing(&self) -> usize {
        self.place.bytes().len().saturating_sub(self.filled)
    }

    /// What has come.
    pub(crate) fn come(&self) -> &[u8] {
        self.place.bytes().get(..self.filled).unwrap_or_default()
    }

    /// The memory as a frame, with what has come in it.
    pub(crate) fn into_frame(self) -> Frame {
        self.place.into_frame()
    }
}
