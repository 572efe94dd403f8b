//! NaCl's boxes, by crypto_box and what it is made of.

use crypto_box::aead::{AeadInPlace, KeyInit, OsRng};
use crypto_secretbox::XSalsa20Poly1305;
use curve25519_dalek::MontgomeryPoint;
use ferromq_wire::{Crypto, Forged, PublicKey, SecretKey, SharedKey};
use salsa20::cipher::consts::U10;

/// The cryptography of every CURVE connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NaCl;

impl Crypto for NaCl {
    /// # Panics
    /// If the system has no randomness: there is no safe way to go on.
    fn random(&mut self, out: &mut [u8]) {
        use crypto_box::aead::rand_core::RngCore;
        OsRng.fill_bytes(out);
    }

    fn key_pair(&mut self) -> (PublicKey, SecretKey) {
        let secret = crypto_box::SecretKey::generate(&mut OsRng);
        (
            PublicKey(*secret.public_key().as_bytes()),
            SecretKey::new(secret.to_bytes()),
        )
    }

    fn agree(&self, theirs: &PublicKey, ours: &SecretKey) -> Result<SharedKey, Forged> {
        let point = MontgomeryPoint(theirs.0).mul_clamped(*ours.expose());
        // As libsodium does: a point of low order gives a key that all know.
        if point.0 == [0; 32] {
            return Err(Forged);
        }
        let key = salsa20::hsalsa::<U10>((&point.0).into(), &Default::default());
        Ok(SharedKey::new(key.into()))
    }

    fn seal(&self, key: &SharedKey, nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16] {
        let cipher = XSalsa20Poly1305::new(key.expose().into());
        let tag = cipher.encrypt_in_place_detached(nonce.into(), b"", data);
        // Fails only beyond 2^64 blocks, which no memory holds.
        tag.map_or([0; 16], Into::into)
    }

    fn open(
        &self,
        key: &SharedKey,
        nonce: &[u8; 24],
        tag: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), Forged> {
        let cipher = XSalsa20Poly1305::new(key.expose().into());
        let opened = cipher.decrypt_in_place_detached(nonce.into(), b"", data, tag.into());
        opened.map_err(|_| Forged)
    }
}

/// The public key of a secret one.
pub(super) fn public_of(secret: &SecretKey) -> PublicKey {
    let secret = crypto_box::SecretKey::from_bytes(*secret.expose());
    PublicKey(*secret.public_key().as_bytes())
}

#[cfg(test)]
mod tests {
    use crypto_box::SalsaBox;
    use crypto_box::aead::Aead;

    use super::*;

    /// Step by step as NaCl's `crypto_box` does it in one. (That those bytes
    /// are NaCl's is what interoperation with libzmq shows.)
    #[test]
    fn boxes_are_those_of_crypto_box() {
        let [(alice, alice_secret), (bob, bob_secret)] = [NaCl.key_pair(), NaCl.key_pair()];
        let nonce = [7; 24];
        let theirs = crypto_box::PublicKey::from_bytes(bob.0);
        let ours = crypto_box::SecretKey::from_bytes(*alice_secret.expose());
        let whole = SalsaBox::new(&theirs, &ours);
        let boxed = whole.encrypt(&nonce.into(), &b"a message"[..]).unwrap();

        let mut data = *b"a message";
        let tag = NaCl.seal(&NaCl.agree(&bob, &alice_secret).unwrap(), &nonce, &mut data);
        assert_eq!([&tag[..], &data[..]].concat(), boxed);
        let key = NaCl.agree(&alice, &bob_secret).unwrap();
        assert!(NaCl.agree(&PublicKey([0; 32]), &bob_secret).is_err());
        NaCl.open(&key, &nonce, &tag, &mut data).unwrap();
        assert_eq!(&data, b"a message");
        data[3] ^= 1;
        assert_eq!(NaCl.open(&key, &nonce, &tag, &mut data), Err(Forged));
    }
}
