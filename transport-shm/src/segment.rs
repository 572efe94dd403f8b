//! A side's memory: made by its owner, checked by its peer.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
    fstatfs, memfd_create,
};
use rustix::io::Errno;
use rustix::mm::ProtFlags;
use rustix::process::{Resource, getrlimit};
use thiserror::Error;
use zerocopy::FromBytes;

use crate::hello::{HELLO, Hello, Refused};
use crate::mapping::{Mapping, RING};
use crate::ring::{Foreign, Own, Side, Words};

/// With these its owner alone writes, to the mapping that it has, and nobody
/// changes the length or gives pages back (which would make an access fault).
const SEALS: SealFlags = SealFlags::FUTURE_WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// What a file system in memory calls itself (statfs(2)). Huge pages are another
/// one, where a page may be missing when it is first touched.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Why there is no shared memory of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NoMemory {
    #[error("{bytes} bytes of shared memory exceed the limit of {limit} for a file (RLIMIT_FSIZE)")]
    FileSize { bytes: u64, limit: u64 },
    #[error("{step} of {bytes} bytes of shared memory: {errno}")]
    System {
        step: Step,
        bytes: u64,
        errno: Errno,
    },
}

/// What was being done when the system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Allocate,
    Map,
    Seal,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create => "memfd_create",
            Self::Allocate => "fallocate",
            Self::Map => "mmap",
            Self::Seal => "sealing",
        })
    }
}

impl NoMemory {
    /// The system's error number, by which the runtime tells what may pass.
    pub(crate) fn errno(&self) -> io::Error {
        match self {
            Self::FileSize { .. } => Errno::FBIG.into(),
            Self::System { errno, .. } => (*errno).into(),
        }
    }
}

impl From<NoMemory> for io::Error {
    fn from(none: NoMemory) -> Self {
        Self::new(none.errno().kind(), none)
    }
}

/// Memory of ours, which the peer can only read.
#[derive(Debug)]
pub(crate) struct Segment(Mapping);

impl Segment {
    /// Fresh memory with a ring of `ring_len` bytes, what the peer is to be told of
    /// it, and its descriptor. `answers` is the epoch of the peer's, or 0.
    pub(crate) fn new(ring_len: usize, answers: u64) -> Result<(Self, Hello, OwnedFd), NoMemory> {
        let bytes = (RING + ring_len) as u64;
        // Beyond that the system would not refuse but end the process (SIGXFSZ).
        if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|it| *it < bytes) {
            return Err(NoMemory::FileSize { bytes, limit });
        }
        let failed = |step| move |errno: Errno| NoMemory::System { step, bytes, errno };
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("ferromq-shm", flags).map_err(failed(Step::Create))?;
        // All pages now, or none: a page that cannot be had later is a SIGBUS.
        fallocate(&file, FallocateFlags::empty(), 0, bytes).map_err(failed(Step::Allocate))?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let mut mapping = Mapping::new(&file, ring_len, access)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))
            .map_err(failed(Step::Map))?;
        fcntl_add_seals(&file, SEALS).map_err(failed(Step::Seal))?;
        let hello = Hello::new(ring_len, epoch(), answers);
        mapping.set_preamble::<HELLO>(zerocopy::transmute!(hello));
        mapping.init_words();
        Ok((Self(mapping), hello, file))
    }
}

impl Side for Segment {
    fn words(&self) -> &Words {
        self.0.words()
    }

    fn ring_len(&self) -> usize {
        self.0.ring_len()
    }
}

impl Own for Segment {
    fn copy_in(&self, at: usize, from: &[u8]) {
        self.0.copy_in(at, from);
    }
}

/// Memory of the peer's.
#[derive(Debug)]
pub(crate) struct View(Mapping);

impl View {
    /// Maps what came with `hello`, if no access to it can ever fault.
    pub(crate) fn new(hello: &Hello, file: &OwnedFd) -> io::Result<Self> {
        let wanted = RING as u64 + hello.ring_len;
        // Only files in memory have seals.
        let seals = fcntl_get_seals(file).map_err(|_| Refused::NotMemory)?;
        let needed = SEALS.difference(SealFlags::SEAL);
        if !seals.contains(needed) {
            let seals = seals.bits();
            return Err(Refused::NotSealed { seals }.into());
        }
        if fstatfs(file)?.f_type != TMPFS_MAGIC {
            return Err(Refused::NotMemory.into());
        }
        // From here on neither can change.
        let status = fstat(file)?;
        let len = u64::try_from(status.st_size).unwrap_or(0);
        if len != wanted {
            return Err(Refused::Len { len, wanted }.into());
        }
        let allocated = u64::try_from(status.st_blocks).unwrap_or(0) * 512;
        if allocated < wanted {
            return Err(Refused::Sparse { allocated, wanted }.into());
        }
        let ring_len = usize::try_from(hello.ring_len).map_err(|_| Refused::NotMemory)?;
        let mapping = Mapping::new(file, ring_len, ProtFlags::READ)?;
        // The descriptor is the one that was spoken of, not that of an earlier
        // connection.
        match Hello::read_from_bytes(&mapping.preamble::<HELLO>()) {
            Ok(same) if same == *hello => Ok(Self(mapping)),
            _ => Err(Refused::Epoch.into()),
        }
    }
}

impl Side for View {
    fn words(&self) -> &Words {
        self.0.words()
    }

    fn ring_len(&self) -> usize {
        self.0.ring_len()
    }
}

impl Foreign for View {
    fn copy_out(&self, at: usize, into: &mut [u8]) {
        self.0.copy_out(at, into);
    }
}

/// A number that is never 0 and nobody guesses twice.
fn epoch() -> u64 {
    RandomState::new().hash_one(0) | 1
}
