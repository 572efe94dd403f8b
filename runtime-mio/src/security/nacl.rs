//! NaCl's boxes, by dryoc.

use dryoc::classic::crypto_box::{
    crypto_box_beforenm, crypto_box_detached_afternm_inplace, crypto_box_keypair,
    crypto_box_open_detached_afternm_inplace,
};
use dryoc::classic::crypto_core::crypto_scalarmult_base;
use dryoc::rng::copy_randombytes;
use ferromq_wire::{Crypto, Forged, PublicKey, SecretKey, SharedKey};

/// The cryptography of every CURVE connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NaCl;

impl Crypto for NaCl {
    /// # Panics
    /// If the system has no randomness: there is no safe way to go on.
    fn random(&mut self, out: &mut [u8]) {
        copy_randombytes(out);
    }

    /// # Panics
    /// If the system has no randomness.
    fn key_pair(&mut self) -> (PublicKey, SecretKey) {
        let (public, secret) = crypto_box_keypair();
        (PublicKey(public), SecretKey::new(secret))
    }

    /// Refuses a point of low order, which gives a key that all know.
    fn agree(&self, theirs: &PublicKey, ours: &SecretKey) -> Result<SharedKey, Forged> {
        let key = crypto_box_beforenm(&theirs.0, ours.expose());
        key.map(SharedKey::new).map_err(|_| Forged)
    }

    fn seal(&self, key: &SharedKey, nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        crypto_box_detached_afternm_inplace(data, &mut tag, nonce, key.expose());
        tag
    }

    fn open(
        &self,
        key: &SharedKey,
        nonce: &[u8; 24],
        tag: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), Forged> {
        let opened = crypto_box_open_detached_afternm_inplace(data, tag, nonce, key.expose());
        opened.map_err(|_| Forged)
    }
}

/// The public key of a secret one.
pub(super) fn public_of(secret: &SecretKey) -> PublicKey {
    let mut public = [0; 32];
    crypto_scalarmult_base(&mut public, secret.expose());
    PublicKey(public)
}

#[cfg(test)]
mod tests {
    use crypto_box::aead::{AeadInPlace, OsRng};

    use super::*;

    /// Boxes and keys of another implementation, RustCrypto's, which has other code for
    /// bulks and for ends. (That they are NaCl's is what interoperation with libzmq shows.)
    #[test]
    fn boxes_are_those_of_crypto_box_at_any_length() {
        let (ours, our_secret) = NaCl.key_pair();
        let their_secret = crypto_box::SecretKey::generate(&mut OsRng);
        let theirs = PublicKey(*their_secret.public_key().as_bytes());
        let again = SecretKey::new(their_secret.to_bytes());
        assert_eq!(public_of(&again), theirs);
        let other = crypto_box::SalsaBox::new(&ours.0.into(), &their_secret);
        let key = NaCl.agree(&theirs, &our_secret).unwrap();
        let lens = (0..=1_100).chain([4_095, 16_384, 65_537, 1 << 20]);
        for len in lens {
            let plain: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
            let nonce = [len as u8; 24];
            let mut data = plain.clone();
            let tag = NaCl.seal(&key, &nonce, &mut data);
            let mut copy = plain.clone();
            let expected = other.encrypt_in_place_detached(&nonce.into(), b"", &mut copy);
            assert_eq!(tag[..], expected.unwrap()[..], "{len}");
            assert!(data == copy, "{len}");
            NaCl.open(&key, &nonce, &tag, &mut data).unwrap();
            assert!(data == plain, "{len}");
        }
    }

    #[test]
    fn forged_boxes_and_keys_of_low_order_are_refused() {
        let (ours, secret) = NaCl.key_pair();
        assert!(NaCl.agree(&PublicKey([0; 32]), &secret).is_err());
        let key = NaCl.agree(&ours, &secret).unwrap();
        for len in [1, 64, 65, 1_000, 70_000] {
            let mut data = vec![5; len];
            let tag = NaCl.seal(&key, &[1; 24], &mut data);
            data[len / 2] ^= 1;
            assert_eq!(NaCl.open(&key, &[1; 24], &tag, &mut data), Err(Forged));
            data[len / 2] ^= 1;
            let mut wrong = tag;
            wrong[15] ^= 1;
            assert_eq!(NaCl.open(&key, &[1; 24], &wrong, &mut data), Err(Forged));
            NaCl.open(&key, &[1; 24], &tag, &mut data).unwrap();
        }
    }
}
