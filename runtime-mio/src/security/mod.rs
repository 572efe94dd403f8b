//! Who may connect: keys, and the cryptography behind CURVE.

mod nacl;

use std::collections::HashSet;
use std::sync::Arc;

pub use ferromq_wire::{KeyError, PublicKey, SecretKey};

pub(crate) use self::nacl::NaCl;

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
        let public = nacl::public_of(&secret);
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
}

impl CurveClients {
    /// The owners of these keys.
    #[must_use]
    pub fn keys(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self::Keys(Arc::new(keys.into_iter().collect()))
    }

    pub(crate) fn admits(&self, key: &PublicKey) -> bool {
        match self {
            Self::Any => true,
            Self::Keys(keys) => keys.contains(key),
        }
    }
}
