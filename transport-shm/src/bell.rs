//! The socket between both sides, once they have greeted each other: it carries
//! bytes that mean nothing but "look", and ends with the process at either end.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

/// How often one may sleep before the bytes that have woken us are taken. The
/// kernel keeps more than 200, and there is at most one a sleep and direction.
const SLEEPS: u32 = 64;
/// More bytes than that at once are none of ours.
const RINGS_MAX: usize = 4096;

#[derive(Debug)]
pub(crate) struct Bell {
    socket: OwnedFd,
    /// Sleeps since bytes were taken.
    sleeps: u32,
    is_over: bool,
}

impl Bell {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            sleeps: 0,
            is_over: false,
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Makes the peer's descriptor readable. A peer that is gone is found out when
    /// something is awaited from it, and a full buffer is readable already.
    pub(crate) fn ring(&self) {
        let _ = send(
            &self.socket,
            &[0],
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        );
    }

    /// Notes a sleep. True: it is time to [`look`](Self::look), so that the bytes
    /// never fill the buffer.
    pub(crate) fn sleeps(&mut self) -> bool {
        self.sleeps += 1;
        self.sleeps >= SLEEPS
    }

    /// Takes the bytes that have come, and notices the end. Whoever calls this looks
    /// at the ring afterwards: the bytes may have told of something.
    pub(crate) fn look(&mut self) {
        self.sleeps = 0;
        let mut taken = 0;
        // Who rings more often than we sleep rings for something else.
        while taken <= RINGS_MAX {
            let mut bytes = [0; 256];
            match recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return self.is_over = true,
                Ok((_, len)) => taken += len,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => break,
            }
        }
        self.is_over = true;
    }

    /// Whether the peer is gone, as far as was looked.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn shut_down(&mut self) {
        self.is_over = true;
        // Fails only when the peer has gone, which is as good.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }
}
