//! The optional way around the stream: memory that both ends can reach.

use std::any::Any;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Payloads beside the byte stream of a link, which the peer reads where they are.
///
/// A payload that lies in memory of the transport's [`Lender`] needs no copy: the
/// sender *exports* it, its [`Place`] travels through the stream, and the peer
/// *imports* the bytes. Through the stream again it says when nobody looks at them
/// any more; what a link took with it when it ended is *abandoned*.
///
/// Where the carrier can, a side *opens* memory that the peer *writes* into by itself, at
/// any place in it and as often as it likes, until it is *closed*.
///
/// ```text
///  sender                                   receiver
///  Lender::loan(len) -> Loan, filled
///  Memory::export(bytes) -> Place
///        ---- the place, in the stream ---->
///                                           Memory::import(place, len) -> bytes
///        <--- done with it, in the stream --
///  drop: the memory is lent again
///
///  writer                                   owner
///                                           Memory::open(loan) -> Place
///        <--- the place, in the stream ---
///  Memory::write(place, sources), ...
///        ---- that it is done, in the stream ---->
///                                           Memory::close(place) -> loan
/// ```
pub trait Memory {
    /// Where memory comes from that this link can export. Constant.
    fn lender(&self) -> Arc<dyn Lender>;

    /// Tells the peer of the memory in which `bytes` lie, if that is still to be
    /// done, and where. `None`: they are no loan of the [`Lender`]'s, or the peer
    /// cannot be told now; they go through the stream.
    ///
    /// The bytes stay as they are until the peer says that it is done with them, which is
    /// passed on by [`returned`](Self::returned), once for each export.
    fn export(&mut self, bytes: &[u8]) -> Option<Place>;

    /// Told when the peer has said that it is done with `bytes`, which were exported: what
    /// was set up for it may end. Does nothing by default.
    fn returned(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// The `len` bytes of the peer's at `place`. They stay readable as long as the
    /// result lives, also when the link has ended. Nothing of what was asked for is
    /// trusted, for it came from the peer; what the bytes are may change if the peer
    /// breaks its word.
    ///
    /// # Not yet
    /// Where the bytes have to be fetched first, the answer is
    /// [`io::ErrorKind::WouldBlock`]: they were asked for. It is asked again, with the same
    /// arguments, when the link's `fd` has become readable, as after a read that found
    /// nothing; each such answer promises one more event. Until they are there nothing
    /// else is imported over this link. Reading and writing go on as they did, and the end
    /// of the stream is not the end of a fetch: the peer stays to be read from until it
    /// has been told that nobody looks any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`]: no memory that the peer has told of, or not
    /// within it. Others as for [`Link`](crate::Link): the end of the link.
    fn import(&mut self, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>>;

    /// Lets the peer write into the bytes of a loan, and into nothing else, until
    /// [`close`](Self::close): nobody here can look at them meanwhile, for the link has
    /// them. The peer is to be told of the place through the stream.
    ///
    /// # Errors
    /// The loan, if it is none of the [`Lender`]'s, if the carrier has no such writes (as
    /// by default), or if there is no room to remember it.
    fn open(&mut self, loan: Loan) -> Result<Place, Loan> {
        Err(loan)
    }

    /// Takes back what was opened, as the peer has left it. When this returns, nothing that
    /// the peer does changes it any more: a write to it that comes later ends the link.
    /// `None`: nothing is open there, or the carrier cannot say that it has ended, and the
    /// memory is given up. What is open when a link ends goes back to its lender, when the
    /// peer can no longer reach it.
    fn close(&mut self, place: Place) -> Option<Loan> {
        let _ = place;
        None
    }

    /// Starts to write into memory that the peer has opened, without its doing anything:
    /// the concatenation of `sources` behind its first `skip` bytes, or as much of that as
    /// one request takes, and how many bytes that is. The rest is for further calls, with
    /// `skip` and [`Place::behind`] further on by as much. Sources lie in memory of the
    /// [`Lender`]'s, and are kept until they have arrived, of which
    /// [`writing`](Self::writing) tells; the caller may drop them before.
    ///
    /// Writes arrive in the order of calls, and what is written to the stream afterwards
    /// arrives after them. Cost: no copy; a registration of each source's memory where it
    /// is not registered yet; one request for as many sources as the carrier gathers.
    ///
    /// # Errors
    /// `WouldBlock`: as many are under way as may be; to be tried again when the link's `fd`
    /// has become readable, which each such answer promises once. `InvalidInput`: the next
    /// source lies in another memory; what was before it is written. `OutOfMemory`: it
    /// cannot be registered. `Unsupported`: there are no such writes, as by default. None of
    /// these hurts the link. Others as for [`Link`](crate::Link), its end; a place that the
    /// peer has not opened, or no longer, or not so far, is one of them, and may be told by a
    /// later call.
    fn write(&mut self, place: Place, sources: &[Source], skip: usize) -> io::Result<usize> {
        let _ = (place, sources, skip);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How many calls of [`write`](Self::write) have not arrived yet: the last ones. Where
    /// there are any, the link's `fd` becomes readable, once, when there are fewer.
    ///
    /// # Errors
    /// The end of the link. What of those writes has arrived is not known.
    fn writing(&mut self) -> io::Result<usize> {
        Ok(0)
    }
}

/// Bytes that can be kept and read from any thread.
pub trait Bytes: AsRef<[u8]> + Send + Sync {}
impl<T: AsRef<[u8]> + Send + Sync> Bytes for T {}

/// A part of bytes to write from: nothing changes them while it is there.
///
/// ```
/// # use std::sync::Arc;
/// # use ferromq_transport::{Bytes, Source};
/// let bytes: Arc<dyn Bytes> = Arc::new(*b"one, two");
/// let two = Source::new(bytes.clone(), 5..8).unwrap();
/// assert_eq!(two.as_ref(), b"two");
/// assert!(Source::new(bytes, 5..9).is_none());
/// ```
#[derive(Clone)]
pub struct Source {
    bytes: Arc<dyn Bytes>,
    range: Range<usize>,
}

impl Source {
    /// These of the bytes, which are a [`Loan`] that is filled, or anything else that its
    /// [`Lender`] [lends](Lender::lends). `None`: there are fewer.
    #[must_use]
    pub fn new(bytes: Arc<dyn Bytes>, range: Range<usize>) -> Option<Self> {
        (*bytes).as_ref().get(range.clone())?;
        Some(Self { bytes, range })
    }

    /// All of the bytes.
    #[must_use]
    pub fn all(bytes: Arc<dyn Bytes>) -> Self {
        let range = 0..(*bytes).as_ref().len();
        Self { bytes, range }
    }
}

impl AsRef<[u8]> for Source {
    fn as_ref(&self) -> &[u8] {
        // Whose length changes is cut, and cannot make anybody panic.
        (*self.bytes)
            .as_ref()
            .get(self.range.clone())
            .unwrap_or_default()
    }
}

impl From<Loan> for Source {
    /// A loan that is filled.
    fn from(loan: Loan) -> Self {
        Self::all(Arc::new(loan))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?})", self.range)
    }
}

/// Where memory comes from that peers can read in place. One for all links of a
/// transport, so that one payload serves any number of peers.
pub trait Lender: Send + Sync {
    /// Lends `len` bytes (at least one), to be filled and then left as they are.
    /// They come back when the loan is dropped, on whatever thread. What is in them
    /// is whatever they were last filled with, or zeros.
    ///
    /// Cost: a lock and a list while memory of that size has come back; else system
    /// calls, and fresh pages.
    ///
    /// # Errors
    /// [`NoMemory`], with what was asked for, in bytes.
    fn loan(&self, len: usize) -> Result<Loan, NoMemory>;

    /// Whether `bytes` lie in memory of this lender's.
    fn lends(&self, bytes: &[u8]) -> bool;

    /// Never lends the memory of `bytes` again: a peer was told of it, has not said
    /// that it is done with it, and is gone, or out of reach. It goes back to the
    /// system once all that was lent together with it has come back.
    fn abandon(&self, bytes: &[u8]);
}

/// Memory on loan from a [`Lender`], which is exclusive while it is filled.
pub struct Loan(Box<dyn Lent>);

/// What a lender puts into a [`Loan`].
pub trait Lent: Any + Send + Sync {
    /// The bytes.
    fn bytes(&self) -> &[u8];
    /// The bytes, to be filled.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Fills all of them with `from`. To be overridden where the memory is better filled in
    /// another way.
    ///
    /// # Panics
    /// Where `from` is longer or shorter.
    fn copy_from_slice(&mut self, from: &[u8]) {
        self.bytes_mut().copy_from_slice(from);
    }
}

impl Loan {
    /// A loan of what a lender lends.
    #[must_use]
    pub fn new(lent: impl Lent + 'static) -> Self {
        Self(Box::new(lent))
    }

    /// Fills all of it with a copy of `from`, which has as many bytes, in the way that suits
    /// the lender's memory best.
    ///
    /// # Panics
    /// Where `from` is longer or shorter.
    pub fn copy_from_slice(&mut self, from: &[u8]) {
        self.0.copy_from_slice(from);
    }

    /// What its lender has put in, for that lender: by its type it knows that nobody else
    /// has the memory.
    ///
    /// # Errors
    /// The loan, if that is something else.
    pub fn downcast<T: Lent>(self) -> Result<Box<T>, Self> {
        let held: &dyn Any = &*self.0;
        if !held.is::<T>() {
            return Err(self);
        }
        let held: Box<dyn Any> = self.0;
        Ok(held.downcast().expect("it is one, as was just seen"))
    }
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl AsMut<[u8]> for Loan {
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loan({} bytes)", self.as_ref().len())
    }
}

/// Where exported bytes begin. Plain numbers that only the peer's [`Memory`]
/// understands, so that they can travel through the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which piece of memory, in its owner's numbering.
    pub region: u64,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What the carrier asks for as proof, such as an RDMA remote key; else 0.
    pub key: u64,
}

impl Place {
    /// The place `bytes` further on in the same piece of memory. Whether that is as long
    /// is not known here.
    #[must_use]
    pub fn behind(self, bytes: u64) -> Self {
        Self {
            offset: self.offset.wrapping_add(bytes),
            ..self
        }
    }
}

/// Why there is no loan. The stream is always there instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoMemory {
    /// With what is lent already it would be more than the lender has.
    #[error("{wanted} bytes beside {lent} that are lent exceed the limit of {limit}")]
    Limit {
        /// Bytes asked for, rounded up to what would be lent.
        wanted: usize,
        /// Bytes that the lender has made already.
        lent: usize,
        /// Most bytes that it makes.
        limit: usize,
    },
    /// The system has none, or not for us.
    #[error("the system refused {wanted} bytes of memory to lend ({errno})")]
    System {
        /// Bytes asked for, rounded up to what would be lent.
        wanted: usize,
        /// What the system said.
        errno: i32,
    },
}
