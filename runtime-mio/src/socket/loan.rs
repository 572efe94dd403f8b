//! Memory to write a payload into that is sent without a copy.

use std::fmt;
use std::ops::{Deref, DerefMut};

use ferromq_transport as transport;

use super::AnySocket;
use crate::link::LEND_FROM;
use crate::memory::PayloadBuffer;
use crate::{Error, Frame, Message};

/// Writable memory for one frame, from [`AnySocket::loan`].
///
/// Derefs to its bytes. To send it, make it a [`Frame`] or a [`Message`], which do not
/// copy; to give it back, drop it.
pub struct Loan(Memory);

enum Memory {
    Shared(transport::Loan),
    /// No transport has memory that peers reach, or none is left.
    Own(PayloadBuffer),
    Empty,
}

impl AnySocket {
    /// Lends `len` bytes to write a payload into: memory that peers read without a copy of
    /// ours, of the transport of one that is connected, else of the first transport of the
    /// context that has such (`shm://`, `rdma://`), else memory of this process's. Sent as a
    /// frame, none of it is copied on its way to a peer that reaches it; over `tcp://` it
    /// goes like any other.
    ///
    /// What is in the memory is unspecified, and initialised. A payload that a peer
    /// keeps is not lent again, and counts towards the limits of that peer's queue.
    ///
    /// Cost: a lock and a list in the steady state; system calls, and fresh pages, for
    /// the first payloads of a length. Loans of less than 4 KiB are copied after all
    /// when they are sent, which is cheaper.
    ///
    /// # Errors
    /// [`Error::System`]: there is no memory of that length.
    ///
    /// ```
    /// use ferromq_mio::{Context, Pair};
    ///
    /// let context = Context::builder().build()?;
    /// let (a, b) = (context.socket::<Pair>()?, context.socket::<Pair>()?);
    /// a.bind("inproc://loan")?;
    /// b.connect("inproc://loan")?;
    /// let mut loan = a.loan(1 << 20)?;
    /// loan[0] = 7;
    /// a.send(loan)?;
    /// assert_eq!(b.recv()?.frame(0).unwrap()[0], 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn loan(&self, len: usize) -> Result<Loan, Error> {
        if len == 0 {
            return Ok(Loan(Memory::Empty));
        }
        // That of a peer who reads in place, if there is one: others' is of no use to it.
        let lender = {
            let mut guard = self.core().enter();
            if len >= LEND_FROM {
                self.core().look_for_warm_memory(&mut guard);
            }
            guard.lender()
        };
        let lender = lender.or_else(|| self.handle.context.transports().lender());
        let loan = lender.and_then(|lender| {
            lender.loan(len).ok().or_else(|| {
                // What peers have given back may lie unread.
                self.core().look_for_returns();
                lender.loan(len).ok()
            })
        });
        if let Some(loan) = loan {
            return Ok(Loan(Memory::Shared(loan)));
        }
        let pool = self.core().enter().pools.buffers.clone();
        let none = |none| Error::System {
            what: "lend memory",
            cause: std::io::Error::new(std::io::ErrorKind::OutOfMemory, none),
        };
        Ok(Loan(Memory::Own(pool.whole(len).map_err(none)?)))
    }
}

impl Loan {
    /// Whether peers of some transport can read it in place.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Memory::Shared(_))
    }
}

impl Deref for Loan {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Shared(loan) => loan.as_ref(),
            Memory::Own(buffer) => buffer.whole(),
            Memory::Empty => &[],
        }
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Shared(loan) => loan.as_mut(),
            Memory::Own(buffer) => buffer.whole_mut(),
            Memory::Empty => &mut [],
        }
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loan({} bytes)", self.len())
    }
}

impl From<Loan> for Frame {
    /// No copy; one small allocation.
    fn from(loan: Loan) -> Self {
        match loan.0 {
            Memory::Shared(loan) => Self::from_owner(loan),
            Memory::Own(buffer) => buffer.freeze(None),
            Memory::Empty => Self::default(),
        }
    }
}

impl From<Loan> for Message {
    fn from(loan: Loan) -> Self {
        Self::from(Frame::from(loan))
    }
}
