//! The CURVE keys of both sides. Everybody may know them: they guard nothing.

use ferromq::{CurveKeys, SecretKey};

/// Of whoever binds.
pub(super) fn server() -> CurveKeys {
    CurveKeys::from_secret(SecretKey::new([0x53; 32]))
}

/// Of whoever connects.
pub(super) fn client() -> CurveKeys {
    CurveKeys::from_secret(SecretKey::new([0x43; 32]))
}
