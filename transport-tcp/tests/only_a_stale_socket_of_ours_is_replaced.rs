//! Socket files: whose path it is, and what happens to files that are in the way.

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use common::{accept, assert_talk, bind, connect, endpoint, error};
use ferromq_transport::{
    Cause, Endpoint, LinkOptions, Listener, Occupant, Transport, TransportError,
};
use ferromq_transport_tcp::Ipc;
use tempfile::TempDir;

/// A directory for one test, with the path that it is about.
struct Place {
    directory: TempDir,
    path: PathBuf,
    endpoint: Endpoint,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let endpoint = endpoint(&format!("ipc://{}", path.display()));
        Self {
            directory,
            path,
            endpoint,
        }
    }

    fn bind(&self) -> Result<Box<dyn Listener>, TransportError> {
        Ipc.bind(&self.endpoint, &LinkOptions::default())
    }

    /// Leaves a socket behind as a killed listener does.
    fn leave_stale(&self) {
        drop(UnixListener::bind(&self.path).unwrap());
    }

    /// Everything in the directory, to see that nothing was left.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn assert_taken_by(&self, occupant: Occupant) {
        let failure = error(self.bind());
        assert_eq!(failure.cause(), Cause::PathTaken(occupant));
        assert_eq!(failure.endpoint(), &self.endpoint);
        let message = failure.to_string();
        assert!(message.contains(self.path.to_str().unwrap()), "{message}");
        assert!(message.contains(&occupant.to_string()), "{message}");
    }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn the_file_goes_with_its_listener_and_leaves_links_alone() {
    let place = Place::new();
    let mut listener = place.bind().ok().unwrap();
    let mut client = connect(&Ipc, &place.endpoint);
    let mut server = accept(&mut *listener);
    drop(listener);
    assert_eq!(place.files(), [""; 0]);
    assert_talk(&mut *client, &mut *server);
}

#[test]
fn a_stale_socket_is_replaced() {
    let place = Place::new();
    place.leave_stale();
    let mut listener = place.bind().ok().unwrap();
    let mut client = connect(&Ipc, &place.endpoint);
    assert_talk(&mut *client, &mut *accept(&mut *listener));
    assert_eq!(place.files(), ["socket"]);
}

#[test]
fn a_listening_socket_is_in_use_and_stays() {
    let place = Place::new();
    let mut first = place.bind().ok().unwrap();
    let before = inode(&place.path);
    let failure = error(place.bind());
    assert_eq!(failure.cause(), Cause::AddressInUse);
    assert_eq!(inode(&place.path), before);
    // The question whether anybody is there was a connection that hung up.
    drop(accept(&mut *first));
    let mut client = connect(&Ipc, &place.endpoint);
    assert_talk(&mut *client, &mut *accept(&mut *first));
}

#[test]
fn a_socket_of_another_kind_is_in_use() {
    let place = Place::new();
    let datagrams = UnixDatagram::bind(&place.path).unwrap();
    assert_eq!(error(place.bind()).cause(), Cause::AddressInUse);
    assert_eq!(place.files(), ["socket"]);
    drop(datagrams);
}

#[test]
fn a_symbolic_link_is_neither_followed_nor_removed() {
    let place = Place::new();
    let target = place.directory.path().join("target");
    for make in [
        |_: &Path| {},
        |target: &Path| drop(UnixListener::bind(target).unwrap()),
    ] {
        make(&target);
        let existed = target.exists();
        symlink(&target, &place.path).unwrap();
        place.assert_taken_by(Occupant::Symlink);
        assert!(fs::symlink_metadata(&place.path).unwrap().is_symlink());
        assert_eq!(target.exists(), existed);
        fs::remove_file(&place.path).unwrap();
    }
}

#[test]
fn files_and_directories_stay() {
    let place = Place::new();
    fs::write(&place.path, "precious").unwrap();
    place.assert_taken_by(Occupant::File);
    assert_eq!(fs::read(&place.path).unwrap(), b"precious");

    fs::remove_file(&place.path).unwrap();
    fs::create_dir(&place.path).unwrap();
    place.assert_taken_by(Occupant::Directory);
    assert!(place.path.is_dir());
}

#[test]
fn a_stale_socket_of_another_user_stays() {
    let place = Place::new();
    place.leave_stale();
    let stranger = 4242;
    if std::os::unix::fs::chown(&place.path, Some(stranger), None).is_err() {
        eprintln!("not run: only the superuser gives files away");
        return;
    }
    place.assert_taken_by(Occupant::SocketOf { uid: stranger });
    assert_eq!(place.files(), ["socket"]);
}

#[test]
fn a_file_that_took_the_path_over_survives_the_listener() {
    let place = Place::new();
    let listener = place.bind().ok().unwrap();
    fs::remove_file(&place.path).unwrap();
    let other = UnixListener::bind(&place.path).unwrap();
    drop(listener);
    assert!(
        fs::symlink_metadata(&place.path)
            .unwrap()
            .file_type()
            .is_socket()
    );
    drop(other);

    fs::remove_file(&place.path).unwrap();
    let listener = place.bind().ok().unwrap();
    fs::remove_file(&place.path).unwrap();
    fs::write(&place.path, "precious").unwrap();
    drop(listener);
    assert_eq!(fs::read(&place.path).unwrap(), b"precious");
}

#[test]
fn one_of_many_takes_a_stale_path_and_keeps_it() {
    let place = Place::new();
    for _ in 0..5 {
        place.leave_stale();
        let start = std::sync::Barrier::new(8);
        let contend = || {
            start.wait();
            place.bind()
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(contend)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        for loser in losers {
            assert_eq!(error(loser).cause(), Cause::AddressInUse);
        }
        assert_eq!(winners.len(), 1);
        drop(connect(&Ipc, &place.endpoint));
        assert_eq!(place.files(), ["socket"]);
        drop(winners);
    }
}

#[test]
fn a_relative_path_is_found_and_removed() {
    // Relative to the package, where cargo runs tests.
    let directory = tempfile::tempdir_in(".").unwrap();
    let name = directory.path().file_name().unwrap().to_str().unwrap();
    let listener = bind(&Ipc, &format!("ipc://{name}/s"));
    assert!(directory.path().join("s").exists());
    drop(connect(&Ipc, listener.local_endpoint()));
    drop(listener);
    assert!(!directory.path().join("s").exists());
}
