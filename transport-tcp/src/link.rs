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
    /// The send buffer is the system's, and short: it grows before a long write.
    grows: bool,
}

/// Writes from this length are worth a longer send buffer.
const LONG_WRITE: usize = 256 << 10;
/// What a Unix socket's send buffer grows to (the kernel doubles it, and lowers what
/// exceeds `wmem_max`). A writer that waits is woken when a quarter is left to read:
/// that has to last its peer until it writes, and an idle core wakes in 33 us or more.
/// The 208 KiB that are usual are read in 30; twice this, on one core, falls out of a
/// cache of 1 MiB between its writing and its reading.
const LONG_SEND_BUFFER: usize = 256 << 10;

/// Most bytes a single write to a TCP socket is worth: the kernel handles what came back
/// meanwhile. With a core each, 10 MiB messages run at 7.4 GB/s so, at 4.9 GB/s in writes
/// of 1 MiB, at 3.9 GB/s in 128 KiB.
const TCP_WRITE: usize = 512 << 10;
/// To a Unix socket: more than its buffer holds, so that one write fills it.
const LOCAL_WRITE: usize = 1 << 20;

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
        Self {
            socket,
            peer,
            kind,
            grows: false,
        }
    }

    /// The link over a Unix socket, with the send buffer that its user chose.
    pub(crate) fn local(
        socket: Socket,
        peer: PeerAddress,
        kind: Kind,
        send_buffer: Option<usize>,
    ) -> Self {
        Self {
            grows: send_buffer.is_none(),
            ..Self::new(socket, peer, kind)
        }
    }

    /// Before a write of `len` bytes. Not before short ones, nor at once for every
    /// link: short messages are faster through what stays in the caches.
    #[inline]
    fn make_room_for(&mut self, len: usize) {
        if self.grows && len >= LONG_WRITE {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.grows = false;
        let short = |bytes| bytes < LONG_SEND_BUFFER;
        if self.socket.send_buffer_size().is_ok_and(short) {
            // A refusal leaves what there was, which works too.
            let _ = self.socket.set_send_buffer_size(LONG_SEND_BUFFER);
        }
    }
}

/// Whether more is written than short messages that waited together: those are gathered
/// in buffers, while a body that travels by itself has its header before it in a piece of
/// its own.
fn has_long_body(bufs: &[IoSlice<'_>]) -> bool {
    const HEADER: usize = 9;
    let tells = |buf: &IoSlice<'_>| buf.len() <= HEADER || buf.len() >= LONG_WRITE;
    bufs.iter().any(tells)
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
        self.make_room_for(buf.len());
        retry(|| Ok(rustix::net::send(&self.socket, buf, sys::SEND_FLAGS)?))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.grows && has_long_body(bufs) {
            self.make_room_for(bufs.iter().map(|buf| buf.len()).sum());
        }
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

    fn has_room(&self) -> bool {
        sys::is_writable(&self.socket)
    }

    fn longest_write(&self) -> usize {
        match self.kind {
            Kind::Tcp => TCP_WRITE,
            Kind::IpcAccepted | Kind::IpcConnected => LOCAL_WRITE,
        }
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
