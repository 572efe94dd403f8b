//! CURVE: an authenticated and encrypted connection (26/CURVEZMQ).
//!
//! ```text
//!  client (C, c; knows S)                        server (S, s)
//!  HELLO    C', box(zeros)          C' -> S ──▶
//!                                           ◀──  WELCOME  box(S', cookie)     S -> C'
//!  INITIATE cookie, box(C, vouch,   C' -> S'──▶  Pending: somebody decides on C
//!           metadata)                       ◀──  READY    box(metadata)       S' -> C'
//!  MESSAGE  box(flags, payload)     C' <-> S'
//! ```
//! Capital letters are public keys, small ones secret keys, primes are made for
//! this connection and die with it. `box` is X25519, XSalsa20 and Poly1305.
//!
//! The two mechanisms are [`CurveClient`] and [`CurveServer`]. In traffic CURVE
//! is a layer of its own around the plain codec, which knows nothing of it: a
//! [`Sealer`] wraps each frame that a [`Transmitter`](crate::Transmitter) would
//! have written, and an [`Opener`] turns what comes back into plain frames, in
//! place, for a [`Receiver`](crate::Receiver). Connections without CURVE pay
//! nothing for it.
//!
//! The cryptography is the caller's, behind [`Crypto`].

mod client;
mod keys;
mod layout;
mod opener;
mod sealer;
mod server;

pub use client::CurveClient;
pub(crate) use keys::wipe;
pub use keys::{KeyError, PublicKey, SecretKey, SharedKey};
pub use opener::{Opened, Opener, Opening};
pub use sealer::Sealer;
pub use server::CurveServer;

use crate::MechanismName;

/// The primitives that CURVE is made of, as NaCl defines them.
///
/// Wrong answers here are wrong answers there: an implementation is tested
/// against NaCl's vectors. Nothing in this crate reads a clock or randomness.
pub trait Crypto {
    /// Fills `out` with bytes that nobody can guess.
    fn random(&mut self, out: &mut [u8]);

    /// A new pair of X25519 keys.
    fn key_pair(&mut self) -> (PublicKey, SecretKey);

    /// `crypto_box_beforenm`: X25519, then HSalsa20.
    ///
    /// # Errors
    /// [`Forged`] for a public key that leads to the same point whatever the
    /// secret key is: nobody's.
    fn agree(&self, theirs: &PublicKey, ours: &SecretKey) -> Result<SharedKey, Forged>;

    /// `crypto_secretbox_detached`: encrypts `data` in place and gives its tag.
    fn seal(&self, key: &SharedKey, nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16];

    /// Verifies the tag and, if it is right, decrypts `data` in place.
    ///
    /// # Errors
    /// [`Forged`]; `data` is then of no use.
    fn open(
        &self,
        key: &SharedKey,
        nonce: &[u8; 24],
        tag: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), Forged>;
}

/// A tag did not fit: the box is not from whom it has to be, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// An established session: what becomes a [`Sealer`] and an [`Opener`].
#[derive(Debug)]
pub struct Session {
    key: SharedKey,
    side: Side,
    /// The nonces that were used last, by us and by the peer.
    sent: u64,
    received: u64,
}

/// Whose messages: their nonces differ, so that nobody can send one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    fn message_nonce(self) -> &'static [u8; 16] {
        match self {
            Self::Client => b"CurveZMQMESSAGEC",
            Self::Server => b"CurveZMQMESSAGES",
        }
    }
}

const NAME: MechanismName = MechanismName::new("CURVE");
const VERSION: [u8; 2] = [1, 0];

/// A nonce of a counter.
fn short_nonce(prefix: &[u8; 16], counter: u64) -> [u8; 24] {
    let mut nonce = [0; 24];
    let (head, tail) = nonce.split_at_mut(16);
    head.copy_from_slice(prefix);
    tail.copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// A nonce of random bytes.
fn long_nonce(prefix: &[u8; 8], random: &[u8; 16]) -> [u8; 24] {
    let mut nonce = [0; 24];
    let (head, tail) = nonce.split_at_mut(8);
    head.copy_from_slice(prefix);
    tail.copy_from_slice(random);
    nonce
}

#[cfg(test)]
mod tests;
