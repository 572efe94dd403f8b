//! A process out of descriptors. Alone in its binary: the limit is the process's.

mod common;

use std::fs::File;
use std::os::fd::AsRawFd;

use common::{Ready, accept, assert_talk, bind, connect, error, wait};
use ferromq_transport::{Cause, Operation, Transport};
use ferromq_transport_tcp::{Ipc, Tcp};

/// Sets the highest number of descriptors, and answers what it was.
fn limit_descriptors(limit: libc::rlim_t) -> libc::rlim_t {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a live, writable structure.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) };
    assert_eq!(status, 0);
    let before = std::mem::replace(&mut limits.rlim_cur, limit);
    // SAFETY: a live structure; the soft limit stays below the hard one.
    let status = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) };
    assert_eq!(status, 0);
    before
}

/// The number that the next descriptor will get.
fn next_descriptor() -> libc::rlim_t {
    let file = File::open("/dev/null").unwrap();
    file.as_raw_fd().try_into().unwrap()
}

#[test]
fn accept_says_so_and_the_connection_waits() {
    let transports: [(&dyn Transport, &str); 2] = [(&Tcp, "tcp://127.0.0.1:*"), (&Ipc, "ipc://*")];
    for (transport, text) in transports {
        let mut listener = bind(transport, text);
        let endpoint = listener.local_endpoint().clone();
        let mut client = connect(transport, &endpoint);
        wait(listener.fd(), Ready::ToRead);

        let before = limit_descriptors(next_descriptor());
        // Again and again: the listener is not broken by it.
        let failures: Vec<_> = (0..3).map(|_| error(listener.accept())).collect();
        let route = transport.resolve(&endpoint).unwrap();
        let no_client = error(transport.connect(&route, &Default::default()));
        limit_descriptors(before);

        for failure in failures {
            assert!(failure.is_exhausted(), "{failure}");
            assert_eq!(failure.operation(), Operation::Accept);
            assert_eq!(failure.endpoint(), &endpoint);
            let errno = libc::EMFILE;
            assert_eq!(failure.cause(), Cause::Exhausted { errno });
        }
        assert!(no_client.is_exhausted(), "{no_client}");

        let mut server = accept(&mut *listener);
        assert_talk(&mut *client, &mut *server);
        assert!(listener.accept().is_ok_and(|link| link.is_none()));
    }
}
