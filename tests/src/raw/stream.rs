//! The byte streams below a raw peer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use super::link::LinkStream;
use super::queues;
use super::shared::{SharedStream, Sharing};
use crate::{PATIENCE, Place, RawPeer, Via};

/// A connection over tcp, ipc or shared memory, or a link of another transport's.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Ipc(UnixStream),
    Shm(Box<SharedStream>),
    Link(Box<LinkStream>),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream).patient()
    }
}

impl Stream {
    pub(crate) fn connect(endpoint: &str) -> Self {
        let stream = if let Some(address) = endpoint.strip_prefix("tcp://") {
            Self::Tcp(TcpStream::connect(address).expect("somebody is bound there"))
        } else if let Some(path) = endpoint.strip_prefix("ipc://") {
            Self::Ipc(UnixStream::connect(path).expect("somebody is bound there"))
        } else if endpoint.starts_with("shm://") {
            Self::Shm(Box::new(SharedStream::connect(endpoint)))
        } else {
            panic!("a raw peer cannot connect to {endpoint}")
        };
        stream.patient()
    }

    /// Over `shm://`, with this greeting.
    pub(crate) fn sharing(endpoint: &str, sharing: &Sharing) -> Self {
        Self::Shm(Box::new(SharedStream::with(endpoint, sharing))).patient()
    }

    /// Bounds every read and write, so that a test fails instead of hanging.
    fn patient(self) -> Self {
        let set = match &self {
            Self::Tcp(stream) => stream
                .set_read_timeout(Some(PATIENCE))
                .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
                .and_then(|()| stream.set_nodelay(true)),
            Self::Ipc(stream) => stream
                .set_read_timeout(Some(PATIENCE))
                .and_then(|()| stream.set_write_timeout(Some(PATIENCE))),
            // Patient from the beginning.
            Self::Shm(_) | Self::Link(_) => Ok(()),
        };
        set.expect("socket options");
        self
    }

    pub(crate) fn set_read_timeout(&mut self, time: Duration) {
        let set = match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(time)),
            Self::Ipc(stream) => stream.set_read_timeout(Some(time)),
            Self::Shm(stream) => {
                stream.set_read_timeout(time);
                Ok(())
            }
            Self::Link(stream) => {
                stream.read_timeout = time;
                Ok(())
            }
        };
        set.expect("a socket option");
    }

    pub(crate) fn set_write_timeout(&mut self, time: Duration) {
        let set = match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(time)),
            Self::Ipc(stream) => stream.set_write_timeout(Some(time)),
            Self::Shm(stream) => {
                stream.set_write_timeout(time);
                Ok(())
            }
            Self::Link(stream) => {
                stream.write_timeout = time;
                Ok(())
            }
        };
        set.expect("a socket option");
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Ipc(stream) => stream.write(bytes),
            Self::Shm(stream) => stream.write(bytes),
            Self::Link(stream) => stream.write(bytes),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Ipc(stream) => stream.write_all(bytes),
            Self::Shm(stream) => stream.write_all(bytes),
            Self::Link(stream) => stream.write_all(bytes),
        }
    }

    pub(crate) fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.read_exact(bytes),
            Self::Ipc(stream) => stream.read_exact(bytes),
            Self::Shm(stream) => stream.read_exact(bytes),
            Self::Link(stream) => stream.read_exact(bytes),
        }
    }

    pub(crate) fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read_to_end(bytes),
            Self::Ipc(stream) => stream.read_to_end(bytes),
            Self::Shm(stream) => stream.read_to_end(bytes),
            Self::Link(stream) => stream.read_to_end(bytes),
        }
    }

    /// Where the bytes are that were sent, for whoever asks why nothing moves.
    pub(crate) fn queues(&self) -> String {
        match self {
            Self::Tcp(stream) => queues::of(stream),
            _ => "not tcp".into(),
        }
    }

    pub(crate) fn shutdown_write(&mut self) {
        let done = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Ipc(stream) => stream.shutdown(Shutdown::Write),
            // It has no half.
            Self::Shm(stream) => {
                stream.close();
                Ok(())
            }
            Self::Link(stream) => {
                stream.link.shutdown();
                Ok(())
            }
        };
        done.expect("the connection stands");
    }

    /// A close with zero linger is a reset on tcp; on ipc there is none.
    pub(crate) fn reset(self) {
        let Self::Tcp(stream) = self else { return };
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // SAFETY: the descriptor is open for as long as `stream` lives, and the
        // pointer and length describe `linger`, which outlives the call.
        let set = unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        assert_eq!(set, 0, "SO_LINGER");
    }
}

/// Accepts the connections of a socket under test.
#[derive(Debug)]
pub struct RawListener {
    listener: Listener,
    endpoint: String,
    _place: Place,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener),
}

impl RawListener {
    /// Listens where nobody else does.
    #[must_use]
    pub fn bind(via: Via) -> Self {
        let place = via.place();
        let (listener, endpoint) = match via {
            Via::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("an address");
                (Listener::Tcp(listener), format!("tcp://{address}"))
            }
            Via::Ipc => {
                let path = place.endpoint().trim_start_matches("ipc://");
                let listener = UnixListener::bind(path).expect("a fresh path");
                (Listener::Ipc(listener), place.endpoint().to_owned())
            }
        };
        Self {
            listener,
            endpoint,
            _place: place,
        }
    }

    /// What to connect to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Waits for a connection; nothing is sent on it yet. A socket under test
    /// that never connects is ended by the watchdog.
    #[must_use]
    pub fn accept(&self) -> RawPeer {
        let stream = match &self.listener {
            Listener::Tcp(listener) => Stream::Tcp(listener.accept().expect("accept").0),
            Listener::Ipc(listener) => Stream::Ipc(listener.accept().expect("accept").0),
        };
        RawPeer {
            stream: stream.patient(),
        }
    }

    /// Whether nobody connects for so long.
    #[must_use]
    pub fn is_silent_for(&self, time: Duration) -> bool {
        let descriptor = match &self.listener {
            Listener::Tcp(listener) => listener.as_raw_fd(),
            Listener::Ipc(listener) => listener.as_raw_fd(),
        };
        let mut poll = libc::pollfd {
            fd: descriptor,
            events: libc::POLLIN,
            revents: 0,
        };
        let time = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `poll` is one pollfd, as the count says, and outlives the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, time) };
        assert!(ready >= 0, "{}", io::Error::last_os_error());
        ready == 0
    }

    /// Waits for a connection and completes a NULL handshake of version 3.1.
    #[must_use]
    pub fn accept_established(&self, socket_type: &str) -> RawPeer {
        let mut peer = self.accept();
        peer.handshake(crate::Greeting::default(), socket_type, &[]);
        peer
    }
}
