//! Rows 59 and 60: what lies where we want to bind, and whose processes come.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use ferromq::{EventKind, Options};
use ferromq_tests::{Ours, RawPeer, Via};
use tempfile::TempDir;

use crate::arena::{Arena, Kind, NEIGHBOUR};

fn ipc(path: &Path) -> String {
    format!("ipc://{}", path.display())
}

#[test]
fn row_59_only_a_stale_socket_of_ours_is_removed_and_no_link_followed() {
    for kind in Kind::ALL {
        let directory = TempDir::new().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        // What a process leaves behind that was killed.
        drop(UnixListener::bind(at("stale")).expect("a socket"));
        let mut ours = Ours::new(kind.socket_type(), Options::new());
        ours.bind_to(&ipc(&at("stale")));
        let neighbour = RawPeer::identified(ours.endpoint(), kind.peer_type(), NEIGHBOUR);
        let mut arena = Arena::around(kind, ours, neighbour);

        drop(UnixListener::bind(at("elsewhere")).expect("a socket"));
        fs::write(at("file"), "precious").expect("a file");
        fs::create_dir(at("directory")).expect("a directory");
        symlink(at("elsewhere"), at("link to a stale socket")).expect("a link");
        symlink(at("file"), at("link to a file")).expect("a link");
        symlink(at("nothing"), at("dangling link")).expect("a link");
        let live = UnixListener::bind(at("live")).expect("a socket");
        for name in [
            "file",
            "directory",
            "link to a stale socket",
            "link to a file",
            "dangling link",
            "live",
        ] {
            let before = fs::symlink_metadata(at(name))
                .expect("it is there")
                .file_type();
            let refused = arena.ours.bind(&ipc(&at(name)));
            assert!(refused.is_err(), "bound where there is a {name}");
            let after = fs::symlink_metadata(at(name))
                .expect("it stays")
                .file_type();
            assert_eq!(before, after, "{name}");
            arena.adds_up();
        }
        assert_eq!(
            fs::read_to_string(at("file")).expect("it stays"),
            "precious"
        );
        let elsewhere = fs::symlink_metadata(at("elsewhere")).expect("it stays");
        assert!(elsewhere.file_type().is_socket());
        assert!(fs::symlink_metadata(at("nothing")).is_err(), "made by us");
        let _talks = RawPeer::connect(&ipc(&at("live")));
        assert!(live.accept().is_ok(), "it is still theirs");
    }
}

/// Acts as another user, on a thread whose user is changed; `None` where that is
/// not allowed. (The system call changes the calling thread only.)
pub(crate) fn as_another_user<T: Send>(act: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let stranger = scope.spawn(|| {
            // SAFETY: three numbers, where -1 keeps what is there.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, -1_i32, 4242, -1_i32) };
            (changed == 0).then(act)
        });
        stranger.join().expect("it connects")
    })
}

#[test]
fn row_60_another_user_is_refused_on_ipc() {
    for kind in Kind::ALL {
        let mut arena = Arena::via(kind, Options::new(), Via::Ipc);
        let path = arena
            .ours
            .endpoint()
            .trim_start_matches("ipc://")
            .to_owned();
        // The file lets everybody in; we do not.
        let directory = Path::new(&path).parent().expect("a directory");
        fs::set_permissions(directory, Permissions::from_mode(0o755)).expect("it is ours");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("it is ours");
        for count in 1..=3 {
            let endpoint = arena.ours.endpoint().to_owned();
            let Some(mut stranger) = as_another_user(|| RawPeer::connect(&endpoint)) else {
                return println!("skipped: only a superuser becomes somebody else");
            };
            assert_eq!(stranger.read_to_close(), b"", "not a byte of ours");
            let refused = |kind: &EventKind| matches!(kind, EventKind::Refused { .. });
            let EventKind::Refused { cause } = arena.ours.await_event("a refusal", refused).kind
            else {
                unreachable!("nothing else was waited for");
            };
            assert!(cause.contains("user 4242"), "{cause}");
            assert_eq!(arena.ours.statistics().addresses_refused, count);
            arena.adds_up();
        }
    }
}
