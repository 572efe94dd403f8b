//! Streams that connected, and those that will.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;

use crate::peers::Failure;
use crate::plain::Stream;

/// A listener that turns into a connection when it is first used.
///
/// The endpoint must be told before anybody can connect.
pub(crate) enum End {
    Listening(Listener),
    Connected(Stream),
}

impl End {
    #[inline]
    pub(super) fn stream(&mut self) -> io::Result<&mut Stream> {
        if let Self::Listening(listener) = self {
            *self = Self::Connected(listener.accept()?);
        }
        match self {
            Self::Connected(stream) => Ok(stream),
            Self::Listening(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn bind(endpoint: &str) -> Result<(Self, String), Failure> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            // A crashed predecessor with our process id may have left it.
            let _ = std::fs::remove_file(path);
            return Ok((Self::Unix(UnixListener::bind(path)?), endpoint.to_owned()));
        }
        let address = endpoint
            .strip_prefix("tcp://")
            .ok_or("neither tcp nor ipc")?;
        let listener = TcpListener::bind(address.replace('*', "0"))?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        Ok((Self::Tcp(listener), endpoint))
    }

    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }
}

impl Listener {
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(listener) => listener.as_raw_fd(),
            Self::Unix(listener) => listener.as_raw_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(listener) = self
            && let Ok(address) = listener.local_addr()
            && let Some(path) = address.as_pathname()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}
