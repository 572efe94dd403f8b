//! The file of a Unix socket: taking its path, and removing it at the end.

use std::fs::{self, DirBuilder, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use ferromq_transport::{
    Cause, Endpoint, IPC_NAME_MAX, LocalUsers, Occupant, Operation, TransportError,
};
use socket2::{Domain, Socket};

use super::path_address;
use crate::sys;

/// A path that a socket is about to be bound to.
pub(super) struct Claim {
    /// As the user wrote it: the kernel's limit counts what it is given.
    path: PathBuf,
    directory: Option<PrivateDirectory>,
}

impl Claim {
    pub(super) fn on_path(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            directory: None,
        }
    }

    /// A path in a fresh directory that only we can enter, and its endpoint.
    pub(super) fn on_fresh_path(wildcard: &Endpoint) -> Result<(Self, Endpoint), TransportError> {
        let fail = |cause| TransportError::new(Operation::Bind, wildcard, cause);
        let directory = PrivateDirectory::create().map_err(|error| {
            TransportError::from_io(Operation::Bind, wildcard, &error)
                .with_detail("in the directory for temporary files")
        })?;
        let path = directory.0.join("socket");
        let len = path.as_os_str().len();
        if len > IPC_NAME_MAX {
            let limit = IPC_NAME_MAX;
            let detail = path.display().to_string();
            return Err(fail(Cause::PathTooLong { len, limit }).with_detail(detail));
        }
        // An endpoint is text; only a temporary directory whose name is none
        // gets in the way.
        let endpoint = path
            .to_str()
            .and_then(|path| format!("ipc://{path}").parse().ok())
            .ok_or_else(|| fail(Cause::Unsupported).with_detail(path.display().to_string()))?;
        let claim = Self {
            path,
            directory: Some(directory),
        };
        Ok((claim, endpoint))
    }

    /// Binds the socket to the path, in the place of a stale socket of ours if
    /// need be, and opens it to those who may connect.
    pub(super) fn bind(
        self,
        socket: &Socket,
        users: LocalUsers,
        endpoint: &Endpoint,
    ) -> Result<SocketFile, TransportError> {
        self.take(socket, users)
            .map_err(|cause| TransportError::new(Operation::Bind, endpoint, cause))
    }

    fn take(self, socket: &Socket, users: LocalUsers) -> Result<SocketFile, Cause> {
        let address = path_address(&self.path)?;
        sys::restrict_to_owner(socket)?;
        match socket.bind(&address) {
            // bind(2) never follows a link and never replaces anything.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(&self.path)?;
                socket.bind(&address)?;
            }
            other => other?,
        }
        let file = SocketFile {
            identity: Identity::of(&fs::symlink_metadata(&self.path)?),
            path: std::path::absolute(&self.path)?,
            _directory: self.directory,
        };
        if users == LocalUsers::Any {
            sys::open_to_everyone(&file.path)?;
        }
        Ok(file)
    }
}

/// The file of a bound socket. Removed on drop, if it is still the same file.
pub(super) struct SocketFile {
    /// Absolute, so that a later change of directory does not matter.
    path: PathBuf,
    identity: Identity,
    /// Removed after the file.
    _directory: Option<PrivateDirectory>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| Identity::of(&metadata).is_same_file(&self.identity));
        if is_ours {
            // Nobody is left to tell, and the next listener replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A directory of our own for one socket. Removed on drop, if it is empty.
struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    fn create() -> io::Result<Self> {
        let parent = std::path::absolute(std::env::temp_dir())?;
        let mut tries = 0;
        loop {
            let path = parent.join(format!("ferromq-{:016x}", random()));
            // mkdir(2) fails on whatever exists, links included.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 16 => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Which file a path leads to at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    /// When the socket was made, in nanoseconds: inode numbers are used again.
    made: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            made: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Whether it is the same file, as long as the other one cannot be gone.
    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Removes a socket of ours that nobody answers on.
///
/// Two processes may do this at once, and one of them may have bound its own
/// socket by the time the other removes what it found stale. So the file is moved
/// out of the way first, looked at again under a name that nobody else knows, and
/// put back if it is another one. (That leaves some microseconds in which a third
/// process could take the name for itself.)
fn remove_stale(path: &Path) -> Result<(), Cause> {
    let Some(found) = stale_socket(path)? else {
        return Ok(());
    };
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    let moved = Identity::of(&fs::symlink_metadata(&aside)?);
    if moved == found {
        fs::remove_file(&aside)?;
        return Ok(());
    }
    put_back(&aside, path)?;
    Err(Cause::AddressInUse)
}

/// The stale socket at `path`; `None` when nothing is there any more.
fn stale_socket(path: &Path) -> Result<Option<Identity>, Cause> {
    let Some(metadata) = socket_of_ours(path)? else {
        return Ok(None);
    };
    // A listener that is just starting has bound its socket but does not listen
    // yet: it refuses connections, too. Give it the time.
    if let Some(wait) = SETTLING.checked_sub(age(&metadata)) {
        thread::sleep(wait);
    }
    let Some(metadata) = socket_of_ours(path)? else {
        return Ok(None);
    };
    match probe(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(Some(Identity::of(&metadata)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // It answers, or it cannot be told that it does not.
        _ => Err(Cause::AddressInUse),
    }
}

/// What is at `path`, provided that it is a socket of our own user's.
fn socket_of_ours(path: &Path) -> Result<Option<Metadata>, Cause> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let kind = metadata.file_type();
    let occupant = if kind.is_symlink() {
        Occupant::Symlink
    } else if kind.is_dir() {
        Occupant::Directory
    } else if !kind.is_socket() {
        Occupant::File
    } else if metadata.uid() != sys::effective_uid() {
        Occupant::SocketOf {
            uid: metadata.uid(),
        }
    } else {
        return Ok(Some(metadata));
    };
    Err(Cause::PathTaken(occupant))
}

/// Connects and hangs up at once.
fn probe(path: &Path) -> io::Result<()> {
    sys::stream_socket(Domain::UNIX, None)?.connect(&path_address(path)?)
}

/// How long ago the socket was made. One from the future, after the clock was
/// set back, counts as new.
fn age(metadata: &Metadata) -> Duration {
    metadata
        .modified()
        .ok()
        .and_then(|made| SystemTime::now().duration_since(made).ok())
        .unwrap_or_default()
}

/// Gives a file its name back, unless somebody took that meanwhile.
fn put_back(aside: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(aside, path) {
        Ok(()) => fs::remove_file(aside),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(aside),
        // A file system without hard links.
        Err(_) => fs::rename(aside, path),
    }
}

/// A name beside `path` that nobody else has.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".stale-{:016x}", random()));
    path.with_file_name(name)
}

/// Unpredictable, from the keys that the standard library draws for its maps.
fn random() -> u64 {
    RandomState::new().hash_one(SystemTime::now())
}

/// Longer than any process takes from bind(2) to listen(2).
const SETTLING: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_by_mistake_gets_its_name_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let moved = aside(&path);
        fs::write(&moved, "live").unwrap();
        put_back(&moved, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"live");
        assert!(!moved.exists());
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_stays_with_its_new_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let moved = aside(&path);
        fs::write(&moved, "first").unwrap();
        fs::write(&path, "second").unwrap();
        put_back(&moved, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert!(!moved.exists());
    }

    #[test]
    fn names_aside_differ_and_stay_in_the_directory() {
        let path = Path::new("some/where/socket");
        let (a, b) = (aside(path), aside(path));
        assert_ne!(a, b);
        assert_eq!(a.parent(), path.parent());
    }
}
