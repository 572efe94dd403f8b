//! Memory of the kernel's that others can map: made by its owner, checked by a peer.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
    fstatfs, memfd_create,
};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use thiserror::Error;

use crate::hello::Refused;
use crate::kill_point::{KillPoint, passing};

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
    #[error("no descriptor of {limit} is left for {bytes} bytes of shared memory (RLIMIT_NOFILE)")]
    Descriptors { bytes: u64, limit: u64 },
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
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Self::FileSize { .. } => Errno::FBIG,
            Self::Descriptors { .. } => Errno::MFILE,
            Self::System { errno, .. } => *errno,
        }
    }

    /// What it is that the mapping of a file failed with.
    pub(crate) fn unmapped(bytes: u64, error: &io::Error) -> Self {
        Self::System {
            step: Step::Map,
            bytes,
            errno: Errno::from_io_error(error).unwrap_or(Errno::NOMEM),
        }
    }
}

impl From<NoMemory> for io::Error {
    fn from(none: NoMemory) -> Self {
        let kind = match none {
            NoMemory::FileSize { .. } | NoMemory::Descriptors { .. } => {
                io::ErrorKind::QuotaExceeded
            }
            NoMemory::System { errno, .. } => errno.kind(),
        };
        Self::new(kind, none)
    }
}

/// Bytes whose pages are asked for at a time: fewer than the time between two signals of a
/// profiler allows, as each may have the system begin anew (fallocate(2), EINTR).
const PIECE: u64 = 1 << 20;
/// How often one of them may be interrupted before all is given up.
const INTERRUPTIONS_MAX: u32 = 100;

/// A file of `len` bytes in memory, mapped by its owner, who alone can write to it,
/// through that mapping.
pub(crate) fn make<M>(
    len: usize,
    map: impl FnOnce(&OwnedFd) -> io::Result<M>,
) -> Result<(OwnedFd, M), NoMemory> {
    let bytes = len as u64;
    // Beyond that the system would not refuse but end the process (SIGXFSZ).
    if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|it| *it < bytes) {
        return Err(NoMemory::FileSize { bytes, limit });
    }
    let failed = |step| move |errno: Errno| NoMemory::System { step, bytes, errno };
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("ferromq-shm", flags).map_err(|errno| match errno {
        Errno::MFILE => NoMemory::Descriptors {
            bytes,
            limit: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        },
        _ => failed(Step::Create)(errno),
    })?;
    passing(KillPoint::MemoryCreated);
    // All pages now, or none: a page that cannot be had later is a SIGBUS.
    allocate(&file, bytes).map_err(failed(Step::Allocate))?;
    passing(KillPoint::MemoryAllocated);
    let mapping = map(&file).map_err(|error| NoMemory::unmapped(bytes, &error))?;
    passing(KillPoint::MemoryMapped);
    fcntl_add_seals(&file, SEALS).map_err(failed(Step::Seal))?;
    passing(KillPoint::MemorySealed);
    Ok((file, mapping))
}

/// Gives a file so many bytes, each with its page.
fn allocate(file: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    let (mut start, mut interruptions) = (0, 0);
    while start < bytes {
        let len = PIECE.min(bytes - start);
        match fallocate(file, FallocateFlags::empty(), start, len) {
            Ok(()) => (start, interruptions) = (start + len, 0),
            // A signal came, and the pages that there were are gone.
            Err(Errno::INTR) if interruptions < INTERRUPTIONS_MAX => interruptions += 1,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Whether a peer's file has `wanted` bytes, and no access to a mapping of it can
/// ever fault.
pub(crate) fn check(file: &OwnedFd, wanted: u64) -> io::Result<()> {
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
    Ok(())
}
