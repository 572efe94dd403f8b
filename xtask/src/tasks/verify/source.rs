//! A large file that nothing compresses, and its hash.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::random::Random;
use super::{Failure, Interrupted};

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// A file to send.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) hash: Hash,
}

impl Source {
    /// Writes a file of pseudo-random bytes.
    pub(super) fn create(
        path: PathBuf,
        size: u64,
        random: &mut Random,
        interrupted: &Interrupted,
    ) -> Result<Self, Failure> {
        let mut file = File::create_new(&path)?;
        let mut hasher = Sha256::new();
        let mut buf = vec![0; BUFFER];
        let mut left = size;
        while left > 0 {
            interrupted.check()?;
            for word in buf.chunks_exact_mut(8) {
                word.copy_from_slice(&random.next().to_le_bytes());
            }
            let len = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
            file.write_all(&buf[..len])?;
            hasher.update(&buf[..len]);
            left -= len as u64;
        }
        let hash = hasher.finalize().into();
        Ok(Self { path, size, hash })
    }
}

/// The hash of a file.
pub(super) fn hash(path: &Path) -> io::Result<Hash> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buf = vec![0; BUFFER];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(hasher.finalize().into()),
            len => hasher.update(&buf[..len]),
        }
    }
}

/// A hash as people and the program write it.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

const BUFFER: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_size_and_its_hash_and_another_one_for_each_seed() {
        let directory = tempfile::tempdir().expect("a directory");
        let interrupted = Interrupted::new();
        let size = (BUFFER + 13) as u64;
        let create = |name, seed| {
            let path = directory.path().join(name);
            Source::create(path, size, &mut Random::new(seed), &interrupted).expect("written")
        };
        let (one, other) = (create("one", 1), create("other", 2));
        assert_eq!(std::fs::metadata(&one.path).expect("there").len(), size);
        assert_eq!(hash(&one.path).expect("readable"), one.hash);
        assert_ne!(one.hash, other.hash);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "abc").expect("written");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&hash(file.path()).expect("readable")), expected);
    }
}
