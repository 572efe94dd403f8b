//! What a receiver has to tell.

use super::name::FileName;
use super::refusal::Refusal;

/// Something that a [`Receiver`](super::Receiver) has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file begins to arrive.
    Began {
        /// Which.
        file: &'a Incoming,
        /// Bytes that are there from before.
        from: u64,
    },
    /// More of it was written.
    Advanced {
        /// Which.
        file: &'a Incoming,
        /// Bytes that are written.
        written: u64,
    },
    /// It is there under its name, whole, on disk and with the sender's hash.
    Received {
        /// Which.
        file: &'a Incoming,
        /// Its SHA-256.
        sha256: [u8; 32],
    },
    /// It is not taken, and the sender was told why.
    Refused {
        /// Its name as the sender says it: any bytes, or none.
        name: &'a [u8],
        /// Which; `None` when it was never begun.
        file: Option<&'a Incoming>,
        /// Why.
        refusal: &'a Refusal,
    },
    /// The sender gave it up or is gone. What came is kept, for when it is
    /// offered again.
    Left {
        /// Which.
        file: &'a Incoming,
    },
}

/// A file that somebody sends.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// A number of its own in this receiver.
    pub number: u64,
    /// Its name.
    pub name: FileName,
    /// Its length in bytes.
    pub size: u64,
    /// Where it comes from, as an endpoint.
    pub peer: String,
}
