//! Where status is served: by process id in a directory that only its user can
//! enter, or at a path that somebody chose.
//!
//! ```text
//! $XDG_RUNTIME_DIR/ferromq/PID.sock      where the system has such a directory
//! /tmp/ferromq-UID/PID.sock              elsewhere
//! ```

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ferromq_transport::{Address, Endpoint, IpcAddress};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::StatusError;

/// Where a process serves its status.
///
/// Parsed from `1` (the default), a path with a slash in it, or `ipc://path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StatusPlace {
    /// Where `ferromq inspect PID` looks: `$XDG_RUNTIME_DIR/ferromq/PID.sock`,
    /// or `/tmp/ferromq-UID/PID.sock` where there is no such directory.
    #[default]
    Default,
    /// A path of one's own.
    Path(PathBuf),
}

impl StatusPlace {
    /// The `ipc://` endpoint of this place, for this process: where it serves,
    /// or would. Makes no directory.
    ///
    /// # Errors
    /// [`StatusError::Place`] for a path that no endpoint can hold.
    pub fn endpoint(&self) -> Result<Endpoint, StatusError> {
        match self {
            Self::Default => {
                let (directories, us) = (directories(), std::process::id());
                let served = |path: &&PathBuf| is_private(path) && is_socket(&file_of(path, us));
                let directory = directories.iter().find(served);
                of_process(directory.unwrap_or(&directories[0]), us)
            }
            Self::Path(path) => endpoint_of(path),
        }
    }

    /// The same, with its directory made or checked, and swept.
    pub(super) fn prepare(&self) -> Result<Endpoint, StatusError> {
        let Self::Default = self else {
            return self.endpoint();
        };
        let mut refused = None;
        for directory in directories() {
            match make_private(&directory) {
                Ok(()) => {
                    sweep(&directory);
                    return of_process(&directory, std::process::id());
                }
                // Told of the first: that is where it was to be.
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(|| StatusError::Place { text: "1".into() }))
    }
}

impl FromStr for StatusPlace {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        let path = match text {
            "1" => return Ok(Self::Default),
            _ => text.strip_prefix("ipc://").unwrap_or(text),
        };
        let refused = || StatusError::Place { text: text.into() };
        if text == path && (!path.contains('/') || path.contains("://")) {
            return Err(refused());
        }
        // As an endpoint, so that wildcards and abstract names, which have no
        // permissions, are refused here and not later.
        endpoint_of(Path::new(path)).map_err(|_| refused())?;
        Ok(Self::Path(path.into()))
    }
}

/// What `FERROMQ_STATUS` asks for: nothing when it is empty, 0 or not set.
pub(crate) fn from_environment() -> Option<Result<StatusPlace, StatusError>> {
    let value = std::env::var_os("FERROMQ_STATUS")?;
    match value.to_str() {
        Some("" | "0") => None,
        Some(text) => Some(text.parse()),
        None => Some(Err(StatusError::Place {
            text: value.to_string_lossy().into(),
        })),
    }
}

/// The endpoint at which a process of ours serves its status by default.
///
/// # Errors
/// [`StatusError::NoProcess`], [`StatusError::OtherUser`],
/// [`StatusError::NotServed`].
pub fn find(pid: u32) -> Result<Endpoint, StatusError> {
    for directory in directories().iter().filter(|path| is_private(path)) {
        sweep(directory);
        if is_socket(&file_of(directory, pid)) {
            return of_process(directory, pid);
        }
    }
    if !lives(pid) {
        return Err(StatusError::NoProcess { pid });
    }
    let uid = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
    match uid {
        Ok(uid) if uid != geteuid().as_raw() => Err(StatusError::OtherUser { pid, uid }),
        _ => Err(StatusError::NotServed { pid }),
    }
}

/// The processes of ours that serve their status in the default place, in the
/// order of their ids, and their endpoints.
pub fn serving_processes() -> Vec<(u32, Endpoint)> {
    let mut found: Vec<_> = directories()
        .iter()
        .filter(|directory| is_private(directory))
        .inspect(|directory| sweep(directory))
        .flat_map(|directory| processes_in(directory))
        .filter_map(|(pid, path)| Some((pid, endpoint_of(&path).ok()?)))
        .collect();
    found.sort_by_key(|(pid, _)| *pid);
    found.dedup_by_key(|(pid, _)| *pid);
    found
}

/// Where default places can be, the best first.
fn directories() -> Vec<PathBuf> {
    let uid = geteuid().as_raw();
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let given = given.filter(|path| path.is_absolute());
    // The second, for one of both sides may have been started without it.
    let mut all: Vec<_> = given
        .into_iter()
        .chain([PathBuf::from(format!("/run/user/{uid}"))])
        .filter(|path| path.is_dir())
        .map(|path| path.join("ferromq"))
        .collect();
    all.push(format!("/tmp/ferromq-{uid}").into());
    all.dedup();
    all
}

fn make_private(directory: &Path) -> Result<(), StatusError> {
    let path = || directory.display().to_string();
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => Err(StatusError::Directory {
            path: path(),
            cause,
        }),
        _ if is_private(directory) => Ok(()),
        _ => Err(StatusError::NotPrivate {
            path: path(),
            uid: geteuid().as_raw(),
        }),
    }
}

/// Whether it is a directory, not a link to one, of ours, that nobody else can
/// enter: in `/tmp` anybody may have been first.
fn is_private(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| {
        found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0
    })
}

/// Removes the sockets of processes that are dead. One that answers is another
/// process's with the same id: containers may share a directory.
fn sweep(directory: &Path) {
    for (pid, path) in processes_in(directory) {
        let refused = |cause: std::io::Error| cause.kind() == ErrorKind::ConnectionRefused;
        if !lives(pid) && UnixStream::connect(&path).is_err_and(refused) {
            // If another one was faster, so much the better.
            let _ = fs::remove_file(&path);
        }
    }
}

fn processes_in(directory: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let pid = name.to_str()?.strip_suffix(".sock")?.parse().ok()?;
            Some((pid, entry.path()))
        })
        .filter(|(_, path)| is_socket(path))
        .collect()
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn file_of(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

fn of_process(directory: &Path, pid: u32) -> Result<Endpoint, StatusError> {
    endpoint_of(&file_of(directory, pid))
}

fn endpoint_of(path: &Path) -> Result<Endpoint, StatusError> {
    let refused = || StatusError::Place {
        text: path.display().to_string(),
    };
    let text = path.to_str().ok_or_else(refused)?;
    let endpoint: Endpoint = format!("ipc://{text}").parse().map_err(|_| refused())?;
    match endpoint.address() {
        Address::Ipc(IpcAddress::Path(_)) => Ok(endpoint),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn places_are_1_or_paths() {
        let parse = |text: &str| text.parse::<StatusPlace>();
        assert_eq!(parse("1").unwrap(), StatusPlace::Default);
        for path in ["/tmp/a", "./a", "ipc:///tmp/a", "ipc://a"] {
            let place = parse(path).unwrap();
            let bare = path.strip_prefix("ipc://").unwrap_or(path);
            assert_eq!(place, StatusPlace::Path(bare.into()));
            assert_eq!(
                place.endpoint().unwrap().to_string(),
                format!("ipc://{bare}")
            );
        }
        let long = format!("/tmp/{}", "x".repeat(200));
        for text in [
            "",
            "yes",
            "true",
            "2",
            "ipc://*",
            "ipc://@a",
            "tcp://127.0.0.1:1",
            &long,
        ] {
            let refused = parse(text).unwrap_err().to_string();
            assert!(refused.contains("is no place for status"), "{refused}");
        }
    }

    #[test]
    fn only_a_directory_of_our_own_is_private() {
        let parent = tempfile::tempdir().unwrap();
        let mine = parent.path().join("mine");
        make_private(&mine).unwrap();
        make_private(&mine).unwrap();
        let mode = fs::metadata(&mine).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);

        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&mine, &link).unwrap();
        let open = parent.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        for other in [&link, &open, &file] {
            let refused = make_private(other).unwrap_err();
            assert!(
                matches!(refused, StatusError::NotPrivate { .. }),
                "{refused}"
            );
        }
    }

    #[test]
    fn only_sockets_of_dead_processes_are_swept() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        // No process has so high an id.
        let dead = i32::MAX as u32;
        drop(UnixListener::bind(file_of(directory.path(), dead)).unwrap());
        let _answers = UnixListener::bind(file_of(directory.path(), dead - 1)).unwrap();
        drop(UnixListener::bind(file_of(directory.path(), std::process::id())).unwrap());
        drop(UnixListener::bind(at("other.sock")).unwrap());
        fs::write(file_of(directory.path(), dead - 2), "a file").unwrap();

        sweep(directory.path());
        let mut left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = [
            format!("{}.sock", dead - 1),
            format!("{}.sock", dead - 2),
            format!("{}.sock", std::process::id()),
            "other.sock".to_owned(),
        ];
        expected.sort();
        assert_eq!(left, expected);
    }
}
