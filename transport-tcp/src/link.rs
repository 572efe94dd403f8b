//! A connected stream socket, TCP or Unix.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use ferromq_transport::{Endpoint, Link, PeerAddress};
use rustix::net::{RecvFlags, SendAncillaryBuffer};
use socket2::{SockAddr, Socket};

use crate::sys;

/// The link over a socket that is connected and non-blocking.
pub(crate) struct StreamLink {
    socket: Socket,
    peer: PeerAddress,
    kind: Kind,
}

/// What the socket is, where that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    /// Accepted by an `ipc://` listener: our end has the listener's name, which
    /// is also what the nameless peer is called by.
    IpcAccepted,
    /// Connected to an `ipc://` listener: our end has no name.
    IpcConnected,
}

impl StreamLink {
    pub(crate) fn new(socket: Socket, peer: PeerAddress, kind: Kind) -> Self {
        Self { socket, peer, kind }
    }
}

impl Link for StreamLink {
    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Not libc's: where a process has threads, that makes every call a
        // point of cancellation, 20 ns that nobody here asks for.
        retry(|| Ok(rustix::net::recv(&self.socket, &mut *buf, RecvFlags::empty())?.0))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let count = bufs.len().min(sys::IOV_MAX);
        let bufs = &mut bufs[..count];
        retry(|| (&self.socket).read_vectored(bufs))
    }

    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        retry(|| Ok(rustix::net::send(&self.socket, buf, sys::SEND_FLAGS)?))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let bufs = &bufs[..bufs.len().min(sys::IOV_MAX)];
        let mut control = SendAncillaryBuffer::default();
        retry(|| {
            let sent = rustix::net::sendmsg(&self.socket, bufs, &mut control, sys::SEND_FLAGS);
            Ok(sent?)
        })
    }

    fn set_read_low_water(&mut self, bytes: usize) {
        // A Unix socket is readable from the first byte, whatever is set.
        if self.kind == Kind::Tcp {
            sys::set_receive_low_water(&self.socket, bytes);
        }
    }

    fn unsent(&self) -> usize {
        match self.kind {
            Kind::Tcp => sys::unacknowledged(&self.socket),
            // What is written lies in the peer's queue, and stays there.
            _ => 0,
        }
    }

    fn shares_core(&self) -> bool {
        // Only network packets are counted by CPU: a Unix socket has no answer.
        self.kind == Kind::Tcp && sys::shares_core(&self.socket)
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn local_endpoint(&self) -> Option<Endpoint> {
        match self.kind {
            Kind::Tcp => tcp_address(&self.socket.local_addr().ok()?).map(Endpoint::from),
            Kind::IpcAccepted => Some(self.peer.endpoint.clone()),
            Kind::IpcConnected => None,
        }
    }

    fn shutdown(&mut self) {
        // Fails only when the connection is gone already, which is as good.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The numeric form of a TCP address. An IPv4 peer of a dual-stack socket gets
/// its IPv4 address back.
pub(crate) fn tcp_address(address: &SockAddr) -> Option<SocketAddr> {
    let mut address = address.as_socket()?;
    if let SocketAddr::V6(v6) = address
        && let Some(v4) = v6.ip().to_ipv4_mapped()
    {
        address = SocketAddr::from((v4, v6.port()));
    }
    Some(address)
}

/// Repeats what a signal interrupted.
#[inline]
fn retry(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
