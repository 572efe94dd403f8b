//! The directory that files are received into, and what may be done there.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::name::FileName;

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It stays, and the new one is refused, unless both are the same.
    #[default]
    Keep,
    /// The new one takes its place, at once and as a whole.
    Replace,
}

/// What there is under a name.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    /// A file, open for reading.
    File {
        file: File,
        len: u64,
    },
    Directory,
    /// A link, or anything else that is not looked into.
    Other,
}

/// A directory, by its descriptor: it stays the same when it is renamed.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let directory = i32::try_from(OFlags::DIRECTORY.bits()).unwrap_or_default();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(directory)
            .open(path)?;
        Ok(Self { fd: file.into() })
    }

    /// What is there now. Links are not followed.
    pub(crate) fn find(&self, name: &FileName) -> io::Result<Found> {
        match self.stat(name.as_os_str()) {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {}
                FileType::Directory => return Ok(Found::Directory),
                _ => return Ok(Found::Other),
            },
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(cause) => return Err(cause.into()),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match self.open_at(name.as_os_str(), flags) {
            Ok(file) => {
                let found = file.metadata()?;
                Ok(match found.is_file() {
                    true => Found::File {
                        len: found.len(),
                        file,
                    },
                    false => Found::Other,
                })
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            // It is there, and that is all that we may know.
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => Ok(Found::Other),
            Err(cause) => Err(cause),
        }
    }

    /// Opens a partial file, or makes it, and locks it against every other
    /// receiver. `WouldBlock`: another one has it.
    pub(crate) fn open_partial(&self, name: &OsStr) -> io::Result<File> {
        // Each turn another receiver has just finished or removed it.
        for _ in 0..16 {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let file = self.open_at(name, flags)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                // A file system without locks.
                Err(TryLockError::Error(cause)) if cause.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(cause)) => return Err(cause),
            }
            let opened = file.metadata()?;
            if !opened.is_file() || opened.nlink() > 1 {
                // Nothing that we made: written to, it would change elsewhere.
                self.remove(name)?;
            } else if self.is_still(name, &opened)? {
                return Ok(file);
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Gives a whole file its name, atomically, and makes that last.
    /// `AlreadyExists` under [`Existing::Keep`].
    pub(crate) fn publish(
        &self,
        partial: &OsStr,
        name: &FileName,
        existing: Existing,
    ) -> io::Result<()> {
        let (from, to) = (partial, name.as_os_str());
        let renamed = match existing {
            Existing::Replace => rustix::fs::renameat(&self.fd, from, &self.fd, to),
            Existing::Keep => {
                rustix::fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE)
            }
        };
        match renamed {
            // A file system without it: a link is as atomic, and as careful.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if existing == Existing::Keep => {
                rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty())?;
                self.remove(from)?;
            }
            renamed => renamed?,
        }
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// Removes a partial file; that there is none is fine.
    pub(crate) fn remove(&self, partial: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, partial, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Removes a partial file that nobody needs any more, unless another
    /// receiver has it open.
    pub(crate) fn discard(&self, partial: &OsStr) -> io::Result<()> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = self.open_at(partial, flags)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(()),
            _ => self.remove(partial),
        }
    }

    /// Bytes that we may still write here, as far as the system can tell.
    pub(crate) fn room(&self) -> io::Result<u64> {
        let file_system = rustix::fs::fstatvfs(&self.fd)?;
        // Some report no sizes at all.
        match file_system.f_blocks {
            0 => Ok(u64::MAX),
            _ => Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize)),
        }
    }

    fn open_at(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        let fd = rustix::fs::openat(&self.fd, name, flags | OFlags::CLOEXEC, mode)?;
        Ok(fd.into())
    }

    fn stat(&self, name: &OsStr) -> Result<rustix::fs::Stat, Errno> {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Whether the open file is what its name stands for.
    fn is_still(&self, name: &OsStr, opened: &std::fs::Metadata) -> io::Result<bool> {
        match self.stat(name) {
            Ok(stat) => Ok((stat.st_dev, stat.st_ino) == (opened.dev(), opened.ino())),
            Err(Errno::NOENT) => Ok(false),
            Err(cause) => Err(cause.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> FileName {
        FileName::new(name.as_bytes()).unwrap()
    }

    fn partial() -> std::ffi::OsString {
        name("a").partial(b"source")
    }

    #[test]
    fn a_whole_file_never_takes_the_place_of_another_unasked() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        std::fs::write(place.path().join("a"), "old").unwrap();
        std::fs::write(place.path().join(partial()), "new").unwrap();
        let refused = directory.publish(&partial(), &name("a"), Existing::Keep);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let read = || std::fs::read_to_string(place.path().join("a")).unwrap();
        assert_eq!(read(), "old");
        directory
            .publish(&partial(), &name("a"), Existing::Replace)
            .unwrap();
        assert_eq!(read(), "new");
        assert!(!place.path().join(partial()).exists());
    }

    #[test]
    fn a_partial_file_has_one_receiver_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let first = directory.open_partial(&partial()).unwrap();
        let second = directory.open_partial(&partial()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        directory.open_partial(&partial()).unwrap();
    }

    #[test]
    fn a_planted_link_is_not_written_through() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let precious = place.path().join("precious");
        std::fs::write(&precious, "precious").unwrap();
        std::fs::hard_link(&precious, place.path().join(partial())).unwrap();
        let file = directory.open_partial(&partial()).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0, "a file of its own");
        drop(file);
        directory.remove(&partial()).unwrap();
        std::os::unix::fs::symlink(&precious, place.path().join(partial())).unwrap();
        directory.open_partial(&partial()).unwrap_err();
        assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn what_is_no_file_is_not_looked_into() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        std::fs::create_dir(place.path().join("directory")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", place.path().join("link")).unwrap();
        let found = |of: &str| directory.find(&name(of)).unwrap();
        assert!(matches!(found("directory"), Found::Directory));
        assert!(matches!(found("link"), Found::Other));
        assert!(matches!(found("none"), Found::Nothing));
        std::fs::write(place.path().join("file"), "four").unwrap();
        assert!(matches!(found("file"), Found::File { len: 4, .. }));
    }
}
