//! Credentials of local peers, and who is admitted.

#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use common::{accept, assert_talk, bind, connect, endpoint, error, pair, try_accept, try_connect};
use ferromq_transport::{Cause, Endpoint, LinkOptions, LocalUsers, Operation, Transport};
use ferromq_transport_tcp::Ipc;

const STRANGER: u32 = 4242;

fn our_uid() -> u32 {
    // SAFETY: takes no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Runs `act` on a thread whose effective user is a stranger; `None` if we may
/// not change users. (The system call changes the calling thread only.)
fn as_stranger<T: Send>(act: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let stranger = scope.spawn(|| {
            // SAFETY: three numbers, where -1 keeps what is there.
            let status = unsafe { libc::syscall(libc::SYS_setresuid, -1_i32, STRANGER, -1_i32) };
            (status == 0).then(act)
        });
        let outcome = stranger.join().unwrap();
        if outcome.is_none() {
            eprintln!("not run: only the superuser becomes somebody else");
        }
        outcome
    })
}

fn abstract_name(of: &str) -> Endpoint {
    endpoint(&format!("ipc://@ferromq-test-{of}-{}", std::process::id()))
}

fn any_user() -> LinkOptions {
    let mut options = LinkOptions::default();
    options.local_users = LocalUsers::Any;
    options
}

#[test]
fn both_sides_learn_process_and_user() {
    let (client, server) = pair(&Ipc, "ipc://*");
    for link in [client, server] {
        let credentials = link.peer().credentials.unwrap();
        assert_eq!(credentials.uid, our_uid());
        assert_eq!(credentials.pid, Some(std::process::id()));
    }
}

#[test]
fn a_stranger_is_refused_by_name_and_the_next_one_is_served() {
    let name = abstract_name("refused");
    let mut listener = bind(&Ipc, &name.to_string());
    let Some(stranger) = as_stranger(|| try_connect(&Ipc, &name, &any_user())) else {
        return;
    };
    let mut stranger = stranger.ok().unwrap();
    let failure = error(try_accept(&mut *listener));
    assert!(failure.is_refused(), "{failure}");
    assert_eq!(failure.operation(), Operation::Accept);
    let cause = Cause::UserRefused {
        uid: STRANGER,
        admitted: our_uid(),
    };
    assert_eq!(failure.cause(), cause);
    assert!(failure.to_string().contains("user 4242"), "{failure}");
    let end = common::read_outcome(&mut *stranger, &mut [0; 8]);
    assert_eq!(end.unwrap(), 0, "the refused connection is closed");

    let mut client = connect(&Ipc, &name);
    assert_talk(&mut *client, &mut *accept(&mut *listener));
}

#[test]
fn a_stranger_is_served_where_any_user_is_admitted() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let path = endpoint(&format!("ipc://{}/socket", directory.path().display()));
    for name in [path, abstract_name("admitted")] {
        let mut listener = Ipc.bind(&name, &any_user()).ok().unwrap();
        // The superuser's listener is trusted without the option.
        let Some(stranger) = as_stranger(|| try_connect(&Ipc, &name, &LinkOptions::default()))
        else {
            return;
        };
        let mut stranger = stranger.ok().unwrap();
        let mut server = accept(&mut *listener);
        assert_eq!(server.peer().credentials.unwrap().uid, STRANGER);
        assert_talk(&mut *stranger, &mut *server);
    }
}

#[test]
fn a_stranger_cannot_even_reach_a_path_for_one_user() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let path = endpoint(&format!("ipc://{}/socket", directory.path().display()));
    let _listener = bind(&Ipc, &path.to_string());
    let Some(outcome) = as_stranger(|| try_connect(&Ipc, &path, &any_user())) else {
        return;
    };
    assert_eq!(error(outcome).cause(), Cause::PermissionDenied);
}

#[test]
fn who_connects_does_not_talk_to_a_strangers_listener() {
    let name = abstract_name("squatted");
    let Some(listener) = as_stranger(|| Ipc.bind(&name, &any_user())) else {
        return;
    };
    let _listener = listener.ok().unwrap();
    let failure = error(try_connect(&Ipc, &name, &LinkOptions::default()));
    let cause = Cause::UserRefused {
        uid: STRANGER,
        admitted: our_uid(),
    };
    assert_eq!(failure.cause(), cause);
    assert!(try_connect(&Ipc, &name, &any_user()).is_ok());
}
