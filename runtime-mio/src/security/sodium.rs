//! NaCl's boxes, by the system's libsodium (1.0.12 or later) in the place of the default.

// The functions of a C library: nothing else here is unsafe.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uchar, c_ulonglong, c_void};
use std::sync::Once;

use ferromq_wire::{Crypto, Forged, PublicKey, SecretKey, SharedKey};
use zeroize::Zeroizing;

#[link(name = "sodium")]
unsafe extern "C" {
    fn sodium_init() -> c_int;
    fn randombytes_buf(out: *mut c_void, len: usize);
    fn crypto_box_keypair(public: *mut c_uchar, secret: *mut c_uchar) -> c_int;
    fn crypto_box_beforenm(
        key: *mut c_uchar,
        public: *const c_uchar,
        secret: *const c_uchar,
    ) -> c_int;
    fn crypto_scalarmult_base(public: *mut c_uchar, secret: *const c_uchar) -> c_int;
    fn crypto_secretbox_detached(
        sealed: *mut c_uchar,
        tag: *mut c_uchar,
        plain: *const c_uchar,
        len: c_ulonglong,
        nonce: *const c_uchar,
        key: *const c_uchar,
    ) -> c_int;
    fn crypto_secretbox_open_detached(
        plain: *mut c_uchar,
        sealed: *const c_uchar,
        tag: *const c_uchar,
        len: c_ulonglong,
        nonce: *const c_uchar,
        key: *const c_uchar,
    ) -> c_int;
}

/// The cryptography of every CURVE connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NaCl;

/// Has the library choose what is fastest here, once.
///
/// # Panics
/// If it finds no randomness: there is no safe way to go on.
fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        // SAFETY: it may be called at any time, and by any thread.
        let begun = unsafe { sodium_init() };
        assert!(begun >= 0, "libsodium cannot begin");
    });
}

impl Crypto for NaCl {
    fn random(&mut self, out: &mut [u8]) {
        begin();
        // SAFETY: that many bytes may be written there.
        unsafe { randombytes_buf(out.as_mut_ptr().cast(), out.len()) };
    }

    fn key_pair(&mut self) -> (PublicKey, SecretKey) {
        begin();
        let (mut public, mut secret) = ([0; 32], Zeroizing::new([0_u8; 32]));
        // SAFETY: both keys have 32 bytes. It does not fail.
        unsafe { crypto_box_keypair(public.as_mut_ptr(), secret.as_mut_ptr()) };
        (PublicKey(public), SecretKey::new(*secret))
    }

    fn agree(&self, theirs: &PublicKey, ours: &SecretKey) -> Result<SharedKey, Forged> {
        begin();
        let mut key = Zeroizing::new([0_u8; 32]);
        let (public, secret) = (theirs.0.as_ptr(), ours.expose().as_ptr());
        // SAFETY: all three keys have 32 bytes.
        let agreed = unsafe { crypto_box_beforenm(key.as_mut_ptr(), public, secret) };
        match agreed {
            0 => Ok(SharedKey::new(*key)),
            // A point of low order.
            _ => Err(Forged),
        }
    }

    fn seal(&self, key: &SharedKey, nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16] {
        begin();
        let mut tag = [0; 16];
        let (at, len) = (data.as_mut_ptr(), data.len() as c_ulonglong);
        let (nonce, key) = (nonce.as_ptr(), key.expose().as_ptr());
        // SAFETY: the lengths are those of the types; it may encrypt in place. It does
        // not fail.
        unsafe { crypto_secretbox_detached(at, tag.as_mut_ptr(), at, len, nonce, key) };
        tag
    }

    fn open(
        &self,
        key: &SharedKey,
        nonce: &[u8; 24],
        tag: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), Forged> {
        begin();
        let (at, len) = (data.as_mut_ptr(), data.len() as c_ulonglong);
        let (nonce, key) = (nonce.as_ptr(), key.expose().as_ptr());
        // SAFETY: the lengths are those of the types; it may decrypt in place.
        let opened =
            unsafe { crypto_secretbox_open_detached(at, at, tag.as_ptr(), len, nonce, key) };
        if opened == 0 { Ok(()) } else { Err(Forged) }
    }
}

/// The public key of a secret one.
pub(super) fn public_of(secret: &SecretKey) -> PublicKey {
    let mut public = [0; 32];
    // SAFETY: both keys have 32 bytes. It does not fail.
    unsafe { crypto_scalarmult_base(public.as_mut_ptr(), secret.expose().as_ptr()) };
    PublicKey(public)
}

#[cfg(test)]
mod tests {
    use super::super::nacl;
    use super::*;

    /// What the one seals the other opens, and they agree on keys.
    #[test]
    fn boxes_are_those_of_the_default() {
        let (ours, our_secret) = NaCl.key_pair();
        let (theirs, their_secret) = nacl::NaCl.key_pair();
        assert_eq!(nacl::public_of(&our_secret), ours);
        assert_eq!(public_of(&their_secret), theirs);
        let sodium = NaCl.agree(&theirs, &our_secret).unwrap();
        let default = nacl::NaCl.agree(&ours, &their_secret).unwrap();
        assert_eq!(sodium.expose(), default.expose());
        for len in [0, 1, 64, 5000] {
            let plain = vec![7; len];
            let (mut one, mut other) = (plain.clone(), plain.clone());
            let tag = NaCl.seal(&sodium, &[9; 24], &mut one);
            assert_eq!(tag, nacl::NaCl.seal(&default, &[9; 24], &mut other));
            assert_eq!(one, other);
            NaCl.open(&sodium, &[9; 24], &tag, &mut one).unwrap();
            assert_eq!(one, plain);
        }
    }

    #[test]
    fn forged_boxes_and_keys_of_low_order_are_refused() {
        let (ours, secret) = NaCl.key_pair();
        assert!(NaCl.agree(&PublicKey([0; 32]), &secret).is_err());
        let key = NaCl.agree(&ours, &secret).unwrap();
        let mut data = *b"a message";
        let mut tag = NaCl.seal(&key, &[1; 24], &mut data);
        tag[0] ^= 1;
        assert_eq!(NaCl.open(&key, &[1; 24], &tag, &mut data), Err(Forged));
    }

    #[test]
    fn randomness_differs() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        NaCl.random(&mut one);
        NaCl.random(&mut other);
        assert_ne!(one, other);
    }
}
