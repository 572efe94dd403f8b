//! Rows 56 and 57: names whose look-up fails, takes its time, or changes its
//! mind. The last two need `/etc` to say what a test wants, for one process:
//! a mount namespace, which takes a superuser.

use std::ffi::CString;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use ferromq::{EventKind, Options};
use ferromq_tests::{Greeting, RawPeer};

use crate::arena::{Arena, Kind};
use crate::memory::alone;

/// Where our own name server listens.
const SERVER: &str = "127.0.0.77:53";

fn retried(arena: &Arena) -> String {
    let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    match arena.ours.await_event("another attempt", retried).kind {
        EventKind::ConnectRetried { cause, .. } => cause,
        other => unreachable!("{other:?} was not waited for"),
    }
}

fn impatient() -> Options {
    let often = Duration::from_millis(10);
    Options::new().reconnect_interval(often, often)
}

/// Puts our own file in the place of another, for this thread and all that it
/// starts. False where that is not allowed.
fn replaced(target: &str, by: &Path) -> bool {
    // SAFETY: a flag; changes the calling thread's namespace only.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return false;
    }
    let text = |bytes: &[u8]| CString::new(bytes).expect("no zero in it");
    let (none, root) = (text(b"none"), text(b"/"));
    let mount = |from: &CString, to: &CString, flags| {
        // SAFETY: strings that outlive the call, and no data.
        let mounted = unsafe {
            libc::mount(
                from.as_ptr(),
                to.as_ptr(),
                std::ptr::null(),
                flags,
                std::ptr::null(),
            )
        };
        mounted == 0
    };
    let target = fs::canonicalize(target).map(|path| text(path.as_os_str().as_bytes()));
    mount(&none, &root, libc::MS_REC | libc::MS_PRIVATE)
        && target
            .is_ok_and(|target| mount(&text(by.as_os_str().as_bytes()), &target, libc::MS_BIND))
}

#[test]
fn row_56_a_name_that_is_not_found_is_tried_again_while_others_are_served() {
    for kind in Kind::ALL {
        let mut arena = Arena::with(kind, impatient());
        arena
            .ours
            .connect("tcp://no-such-host.invalid:5555")
            .expect("it will be tried");
        for _ in 0..3 {
            arena.serves();
            let cause = retried(&arena);
            assert!(cause.contains("no-such-host.invalid"), "{cause}");
        }
        arena.adds_up();
    }
}

#[test]
fn row_56_a_name_server_that_does_not_answer_holds_nobody_up() {
    alone(|| {
        let directory = tempfile::TempDir::new().expect("a directory");
        let file = directory.path().join("resolv.conf");
        fs::write(
            &file,
            "nameserver 127.0.0.77\noptions timeout:1 attempts:1\n",
        )
        .expect("a file");
        let Ok(server) = UdpSocket::bind(SERVER) else {
            return println!("skipped: only a superuser listens at {SERVER}");
        };
        if !replaced("/etc/resolv.conf", &file) {
            return println!("skipped: no mount namespace");
        }
        let asked = || {
            let (len, _) = server.recv_from(&mut [0; 512]).expect("a question");
            assert!(len > 12, "a question");
        };
        for kind in Kind::ALL {
            let mut arena = Arena::with(kind, impatient());
            arena
                .ours
                .connect("tcp://slow.example:5555")
                .expect("it will be tried");
            asked();
            // Nobody answers. The I/O thread lets others in, all the same.
            for _ in 0..5 {
                let mut peer = arena.peer();
                arena.still_peers(&mut peer);
                drop(peer);
                arena.leaves("closed");
            }
            assert!(retried(&arena).contains("slow.example"));
            asked();
            arena.adds_up();
        }
    });
}

#[test]
fn row_57_a_name_is_looked_up_again_for_each_connection() {
    alone(|| {
        let directory = tempfile::TempDir::new().expect("a directory");
        let file = directory.path().join("hosts");
        let name = |address: &str| {
            let line = format!("127.0.0.1 localhost\n{address} moving.example\n");
            fs::write(&file, line).expect("a file");
        };
        name("127.0.0.2");
        if !replaced("/etc/hosts", &file) {
            return println!("skipped: no mount namespace");
        }
        for kind in Kind::ALL {
            name("127.0.0.2");
            let old = TcpListener::bind("127.0.0.2:0").expect("loopback");
            let port = old.local_addr().expect("it is bound").port();
            let new = TcpListener::bind(("127.0.0.3", port)).expect("loopback");
            let mut arena = Arena::with(kind, impatient());
            let endpoint = format!("tcp://moving.example:{port}");
            arena.ours.connect(&endpoint).expect("it will be tried");
            for (listener, next) in [(old, "127.0.0.3"), (new, "127.0.0.2")] {
                let (stream, _) = listener.accept().expect("it connects");
                let mut peer = RawPeer::from(stream);
                peer.handshake(Greeting::default(), kind.peer_type(), &[]);
                arena.ours.await_peer();
                arena.serves_beside(&mut peer);
                name(next);
                drop((peer, listener));
                arena.leaves("");
            }
        }
    });
}
