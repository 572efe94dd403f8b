//! One frame of a message: a handle of immutable bytes.

use crate::memory::raw::Shared;
use crate::message::PeerInfo;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Bound, Deref, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The body of one ZMTP frame: immutable bytes behind a handle of 24 bytes.
///
/// Reading derefs to `[u8]`. A clone is another handle of the same bytes (one
/// atomic increment), a drop gives the memory back to where it came from, on
/// whatever thread. A received frame knows its [`origin`](Self::origin).
///
/// Where the bytes are: in memory of the receiving link for received frames; in
/// the `Vec`, `String` or `Box` that a frame was made from, without copying; in
/// a fresh allocation for borrowed slices; in the caller's own memory with
/// [`with_release`](Self::with_release) or [`from_static`](Self::from_static).
///
/// ```
/// use ferromq_mio::Frame;
///
/// let frame = Frame::from("hello");
/// let handle = frame.clone();
/// assert_eq!(&handle[1..], b"ello");
/// assert_eq!(handle, frame);
/// ```
#[derive(Clone)]
pub struct Frame(Shared);

impl Frame {
    /// A frame of bytes that live for ever: no allocation, no copy.
    #[inline]
    #[must_use]
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(Shared::from_static(bytes))
    }

    /// A frame of memory that the caller lends.
    ///
    /// `owner` is asked for its bytes once, now, and is dropped with the last
    /// handle; then `release` is called, exactly once, even if asking or
    /// dropping panics. That happens on whatever thread dropped the handle,
    /// which may be the I/O thread: `release` may call sockets, but must not
    /// block, and a panic in it ends there, reported by the panic hook. One
    /// allocation.
    ///
    /// ```
    /// use ferromq_mio::Frame;
    /// use std::sync::mpsc;
    ///
    /// let (done, wait) = mpsc::channel();
    /// let frame = Frame::with_release(vec![7; 1 << 20], move || done.send(()).unwrap());
    /// drop(frame);
    /// assert_eq!(wait.recv(), Ok(()));
    /// ```
    #[must_use]
    pub fn with_release<O, R>(owner: O, release: R) -> Self
    where
        O: AsRef<[u8]> + Send + 'static,
        R: FnOnce() + Send + 'static,
    {
        Self(Shared::owned(Lent {
            owner,
            _release: OnDrop(Some(release)),
        }))
    }

    /// A frame of memory that `owner` keeps, which is dropped with the last
    /// handle. One allocation, no copy.
    #[must_use]
    pub fn from_owner<O>(owner: O) -> Self
    where
        O: AsRef<[u8]> + Send + 'static,
    {
        Self(Shared::owned(owner))
    }

    pub(crate) fn from_shared(bytes: Shared) -> Self {
        Self(bytes)
    }

    /// A frame of memory that `owner` keeps, which came from `origin`.
    #[cfg(not(loom))]
    pub(crate) fn received<O>(owner: O, origin: Option<Arc<PeerInfo>>) -> Self
    where
        O: AsRef<[u8]> + Send + 'static,
    {
        Self(Shared::owned_by(owner, origin))
    }

    /// The same bytes as a frame that came from `origin`.
    pub(crate) fn received_from(self, origin: Option<Arc<PeerInfo>>) -> Self {
        Self(Shared::owned_by(self, origin))
    }

    pub(crate) fn shared_origin(&self) -> Option<Arc<PeerInfo>> {
        self.0.shared_origin()
    }

    /// A frame of a part of this one's bytes: another handle, no copy.
    ///
    /// # Panics
    ///
    /// If the range is not inside the frame, as when slicing.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        Self(self.0.slice(start..end))
    }

    /// The peer that a received frame came from; `None` for one made here.
    #[inline]
    #[must_use]
    pub fn origin(&self) -> Option<&PeerInfo> {
        self.0.origin()
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl AsRef<[u8]> for Frame {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Frame {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Default for Frame {
    /// An empty frame.
    #[inline]
    fn default() -> Self {
        Self::from_static(b"")
    }
}

impl From<&[u8]> for Frame {
    /// Copies: one allocation, none for an empty slice. From 4 KiB on the copy
    /// is aligned to 64 bytes.
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            Self::default()
        } else {
            Self(Shared::copied(bytes, None))
        }
    }
}

impl<const N: usize> From<&[u8; N]> for Frame {
    /// Copies, as from a slice.
    #[inline]
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&str> for Frame {
    /// Copies, as from a slice.
    #[inline]
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<&String> for Frame {
    /// Copies, as from a slice.
    #[inline]
    fn from(text: &String) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<&Vec<u8>> for Frame {
    /// Copies, as from a slice.
    #[inline]
    fn from(bytes: &Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&&[u8]> for Frame {
    /// Copies, as from a slice: what iterating over a slice of slices gives.
    #[inline]
    fn from(bytes: &&[u8]) -> Self {
        Self::from(*bytes)
    }
}

impl From<&&str> for Frame {
    /// Copies, as from a slice: what iterating over a slice of texts gives.
    #[inline]
    fn from(text: &&str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Vec<u8>> for Frame {
    /// Keeps the vector: no copy of the bytes, one small allocation.
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() {
            Self::default()
        } else {
            Self::from_owner(bytes)
        }
    }
}

impl From<String> for Frame {
    /// Keeps the string: no copy of the bytes, one small allocation.
    #[inline]
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Box<[u8]>> for Frame {
    /// Keeps the box: no copy of the bytes, one small allocation.
    #[inline]
    fn from(bytes: Box<[u8]>) -> Self {
        Self::from(bytes.into_vec())
    }
}

impl From<&Frame> for Frame {
    /// Another handle.
    #[inline]
    fn from(frame: &Frame) -> Self {
        frame.clone()
    }
}

impl PartialEq for Frame {
    /// Compares the bytes.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Frame {}

impl PartialEq<[u8]> for Frame {
    #[inline]
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Frame {
    #[inline]
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Frame {
    #[inline]
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Frame {
    #[inline]
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == **other
    }
}

impl PartialEq<str> for Frame {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<&str> for Frame {
    #[inline]
    fn eq(&self, other: &&str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<Vec<u8>> for Frame {
    #[inline]
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl Hash for Frame {
    /// As the bytes hash.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Frame {
    /// The length, and the first bytes as text if they are printable, else in
    /// hexadecimal: a log line, never a whole payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: usize = 24;
        write!(f, "{} bytes", self.len())?;
        let head = &self[..self.len().min(HEAD)];
        if head.is_empty() {
            return Ok(());
        }
        if head.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            write!(f, " \"{}\"", head.escape_ascii())?;
        } else {
            f.write_str(" ")?;
            head.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        if self.len() > HEAD {
            f.write_str("...")
        } else {
            Ok(())
        }
    }
}

/// Memory that is given back: the fields are dropped in this order, the second
/// even if dropping the first panics.
struct Lent<O, R: FnOnce()> {
    owner: O,
    _release: OnDrop<R>,
}

impl<O: AsRef<[u8]>, R: FnOnce()> AsRef<[u8]> for Lent<O, R> {
    fn as_ref(&self) -> &[u8] {
        self.owner.as_ref()
    }
}

struct OnDrop<R: FnOnce()>(Option<R>);

impl<R: FnOnce()> Drop for OnDrop<R> {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            // A user's panic must not take the I/O thread with it, nor abort
            // the process when it meets another one.
            let _ = catch_unwind(AssertUnwindSafe(release));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
