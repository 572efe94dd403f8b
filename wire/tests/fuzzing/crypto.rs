//! Cryptography that hides nothing from whoever knows how it is made. A fuzzer does
//! not, and each run of it costs a thousandth of the real one.

use ferromq_wire::{Crypto, Forged, PublicKey, SecretKey, SharedKey};

#[derive(Clone, Debug)]
pub(super) struct ToyCrypto(pub(super) u64);

impl Crypto for ToyCrypto {
    fn random(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = (self.0 >> 33) as u8;
        }
    }

    /// A public key is its secret key.
    fn key_pair(&mut self) -> (PublicKey, SecretKey) {
        let mut bytes = [1; 32];
        self.random(&mut bytes[1..]);
        let secret = SecretKey::from_bytes(&bytes).expect("32 bytes");
        (PublicKey(bytes), secret)
    }

    /// The same from both sides.
    fn agree(&self, theirs: &PublicKey, ours: &SecretKey) -> Result<SharedKey, Forged> {
        if theirs.0 == [0; 32] {
            return Err(Forged);
        }
        let (low, high) = match theirs.0 < *ours.expose() {
            true => (&theirs.0, ours.expose()),
            false => (ours.expose(), &theirs.0),
        };
        let mut mixer = Mixer::new(b"agree");
        mixer.add(low);
        mixer.add(high);
        let mut key = [0; 32];
        mixer.stream(&mut key);
        Ok(SharedKey::new(key))
    }

    fn seal(&self, key: &SharedKey, nonce: &[u8; 24], data: &mut [u8]) -> [u8; 16] {
        let mut mixer = Mixer::keyed(key, nonce);
        mixer.clone().stream(data);
        mixer.add(data);
        let mut tag = [0; 16];
        mixer.stream(&mut tag);
        tag
    }

    fn open(
        &self,
        key: &SharedKey,
        nonce: &[u8; 24],
        tag: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), Forged> {
        let mut mixer = Mixer::keyed(key, nonce);
        let stream = mixer.clone();
        mixer.add(data);
        let mut expected = [0; 16];
        mixer.stream(&mut expected);
        stream.stream(data);
        match expected == *tag {
            true => Ok(()),
            false => Err(Forged),
        }
    }
}

/// Everything that went in decides on everything that comes out.
#[derive(Clone)]
struct Mixer(u64);

impl Mixer {
    fn new(purpose: &[u8]) -> Self {
        let mut mixer = Self(0xcbf2_9ce4_8422_2325);
        mixer.add(purpose);
        mixer
    }

    fn keyed(key: &SharedKey, nonce: &[u8; 24]) -> Self {
        let mut mixer = Self::new(key.expose());
        mixer.add(nonce);
        mixer
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            self.0 ^= self.0 >> 29;
        }
    }

    fn stream(mut self, data: &mut [u8]) {
        for byte in data {
            self.add(b"s");
            *byte ^= (self.0 >> 24) as u8;
        }
    }
}
