//! Who may connect: keys, passwords, addresses, whoever decides on them, and the
//! cryptography behind CURVE.

mod address;
mod authenticator;
mod authority;
#[cfg(any(not(feature = "libsodium"), test))]
#[cfg_attr(feature = "libsodium", allow(dead_code, reason = "compared with"))]
mod nacl;
mod password;
mod requirement;
#[cfg(feature = "libsodium")]
mod sodium;
mod table;
mod zap;

use std::collections::HashSet;
use std::sync::Arc;

pub use ferromq_wire::{KeyError, PublicKey, SecretKey};

pub use self::address::{AddressRange, AddressRangeError};
pub use self::authenticator::{AuthenticationRequest, Authenticator, Claim, Verdict};
pub use self::password::Password;
pub use self::table::AuthenticationTable;

pub(crate) use self::address::{AddressRules, ip_of};
pub(crate) use self::authority::{Authority, NoVerdict, Outcome, Question, Ticket};
#[cfg(not(feature = "libsodium"))]
pub(crate) use self::nacl::NaCl;
#[cfg(not(feature = "libsodium"))]
use self::nacl::public_of;
pub(crate) use self::requirement::{Role, is_exposed, require};
#[cfg(feature = "libsodium")]
pub(crate) use self::sodium::NaCl;
#[cfg(feature = "libsodium")]
use self::sodium::public_of;

use ferromq_wire::Crypto;

/// A pair of CURVE keys (26/CURVEZMQ).
///
/// `Debug` shows the public one only; the secret one is overwritten when the
/// last copy is dropped.
///
/// ```
/// use ferromq_mio::CurveKeys;
///
/// let keys = CurveKeys::generate();
/// let again = CurveKeys::from_secret(keys.secret.clone());
/// assert_eq!(keys.public, again.public);
/// ```
#[derive(Debug, Clone)]
pub struct CurveKeys {
    /// What others may know. `Display` is Z85, 40 characters.
    pub public: PublicKey,
    /// What nobody else may know.
    pub secret: SecretKey,
}

impl CurveKeys {
    /// A new pair, by the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        let (public, secret) = NaCl.key_pair();
        Self { public, secret }
    }

    /// The pair that a secret key belongs to.
    #[must_use]
    pub fn from_secret(secret: SecretKey) -> Self {
        let public = public_of(&secret);
        Self { public, secret }
    }
}

/// Whom a CURVE server lets in. There is no default: to let everybody in is a
/// decision too.
#[derive(Debug, Clone)]
pub enum CurveClients {
    /// Whoever knows the server's public key. Encrypted, and not authenticated.
    Any,
    /// The owners of these keys, whose public key in Z85 is then the user id of
    /// their messages.
    Keys(Arc<HashSet<PublicKey>>),
    /// Whomever the context's [`Authenticator`] or ZAP handler lets in.
    Zap,
}

impl CurveClients {
    /// The owners of these keys.
    #[must_use]
    pub fn keys(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self::Keys(Arc::new(keys.into_iter().collect()))
    }

    /// Whether a key is let in, or at least may be asked about.
    pub(crate) fn admit(&self, key: &PublicKey) -> bool {
        match self {
            Self::Any | Self::Zap => true,
            Self::Keys(keys) => keys.contains(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use ferromq_wire::SharedKey;

    use super::SecretKey;

    /// The 32 bytes where a key has been. (The codec that overwrites them may not look.)
    #[allow(unsafe_code)]
    fn left_of<T>(key: T) -> [u8; 32] {
        assert_eq!(size_of::<T>(), 32);
        let mut place = MaybeUninit::new(key);
        // SAFETY: it is there, and is not used as a key again.
        unsafe { place.assume_init_drop() };
        // SAFETY: its bytes, of which none is padding, were written and are still there.
        unsafe { place.as_ptr().cast::<[u8; 32]>().read_volatile() }
    }

    #[test]
    fn keys_are_overwritten_when_they_are_dropped() {
        assert_eq!(left_of([7_u8; 32]), [7; 32]);
        assert_eq!(left_of(SecretKey::new([7; 32])), [0; 32]);
        assert_eq!(left_of(SharedKey::new([7; 32])), [0; 32]);
    }
}
