//! What the scenarios share: waiting without sleeping, and pairs of links.

// Not every test binary uses everything.
#![allow(dead_code)]

use std::io;
use std::os::fd::RawFd;

use ferromq_transport::{
    Connecting, Endpoint, Link, LinkOptions, Listener, Route, Transport, TransportError,
};

/// What to wait for.
#[derive(Clone, Copy)]
pub(crate) enum Ready {
    ToRead = libc::POLLIN as isize,
    ToWrite = libc::POLLOUT as isize,
}

/// Sleeps until `fd` is ready; the watchdog ends a test that would hang.
pub(crate) fn wait(fd: RawFd, ready: Ready) {
    let mut pollfd = libc::pollfd {
        fd,
        events: ready as libc::c_short,
        revents: 0,
    };
    loop {
        // SAFETY: one live, writable entry, as the count says.
        let count = unsafe { libc::poll(&raw mut pollfd, 1, WATCHDOG_MS) };
        match count {
            0 => panic!("nothing happened on descriptor {fd} in {WATCHDOG_MS} ms"),
            1 => return,
            _ => assert_eq!(
                io::Error::last_os_error().kind(),
                io::ErrorKind::Interrupted
            ),
        }
    }
}

pub(crate) fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// The error of something that must fail. (Links have no `Debug`.)
pub(crate) fn error<T>(result: Result<T, TransportError>) -> TransportError {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => error,
    }
}

pub(crate) fn bind(transport: &dyn Transport, text: &str) -> Box<dyn Listener> {
    match transport.bind(&endpoint(text), &LinkOptions::default()) {
        Ok(listener) => listener,
        Err(error) => panic!("{error}"),
    }
}

/// Drives a connection to its end.
pub(crate) fn finish(mut connecting: Box<dyn Connecting>) -> Result<Box<dyn Link>, TransportError> {
    loop {
        if let Some(link) = connecting.poll_connected()? {
            return Ok(link);
        }
        wait(connecting.fd(), Ready::ToWrite);
    }
}

pub(crate) fn try_connect(
    transport: &dyn Transport,
    to: &Endpoint,
    options: &LinkOptions,
) -> Result<Box<dyn Link>, TransportError> {
    follow(transport, &transport.resolve(to)?, options)
}

pub(crate) fn follow(
    transport: &dyn Transport,
    route: &Route,
    options: &LinkOptions,
) -> Result<Box<dyn Link>, TransportError> {
    finish(transport.connect(route, options)?)
}

pub(crate) fn connect(transport: &dyn Transport, to: &Endpoint) -> Box<dyn Link> {
    match try_connect(transport, to, &LinkOptions::default()) {
        Ok(link) => link,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn try_accept(listener: &mut dyn Listener) -> Result<Box<dyn Link>, TransportError> {
    loop {
        if let Some(link) = listener.accept()? {
            return Ok(link);
        }
        wait(listener.fd(), Ready::ToRead);
    }
}

pub(crate) fn accept(listener: &mut dyn Listener) -> Box<dyn Link> {
    match try_accept(listener) {
        Ok(link) => link,
        Err(error) => panic!("{error}"),
    }
}

/// A connected pair: who connected, who accepted.
pub(crate) fn pair(transport: &dyn Transport, text: &str) -> (Box<dyn Link>, Box<dyn Link>) {
    let mut listener = bind(transport, text);
    let client = connect(transport, listener.local_endpoint());
    let server = accept(&mut *listener);
    (client, server)
}

pub(crate) fn write_all(link: &mut dyn Link, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match link.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) => await_or_panic(&error, link.fd(), Ready::ToWrite),
        }
    }
}

pub(crate) fn read_exact(link: &mut dyn Link, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match link.read(&mut bytes[filled..]) {
            Ok(0) => panic!("the end after {filled} of {len} bytes"),
            Ok(n) => filled += n,
            Err(error) => await_or_panic(&error, link.fd(), Ready::ToRead),
        }
    }
    bytes
}

/// What the first read that does not have to wait says.
pub(crate) fn read_outcome(link: &mut dyn Link, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match link.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(link.fd(), Ready::ToRead);
            }
            other => return other,
        }
    }
}

/// Waits if the link only was not ready.
pub(crate) fn await_or_panic(error: &io::Error, fd: RawFd, ready: Ready) {
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
    wait(fd, ready);
}

/// Both sides hear each other.
pub(crate) fn assert_talk(a: &mut dyn Link, b: &mut dyn Link) {
    write_all(a, b"from a");
    assert_eq!(read_exact(b, 6), b"from a");
    write_all(b, b"from b");
    assert_eq!(read_exact(a, 6), b"from b");
}

const WATCHDOG_MS: libc::c_int = 20_000;
