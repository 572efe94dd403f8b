//! The socket between both sides, once they have greeted each other: it carries
//! bytes that mean nothing but "look", and ends with the process at either end.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionread;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

/// How often one may sleep before the bytes that have woken us are taken. The
/// kernel keeps more than 200, and there is at most one a sleep and direction.
const SLEEPS: u32 = 64;
/// More bytes than that at once are none of ours.
const RINGS_MAX: u64 = 4096;

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
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _ = send(&self.socket, &[0], flags);
    }

    /// Notes a sleep, and now and then takes bytes that have come, so that they never
    /// fill the buffer.
    pub(crate) fn sleeps(&mut self) {
        self.sleeps += 1;
        if self.sleeps >= SLEEPS {
            self.sleeps = 0;
            self.take_all_but_one();
        }
    }

    /// An event that nobody has seen yet tells of a byte that is still there: without
    /// the last one, the kernel would take the event back.
    fn take_all_but_one(&mut self) {
        let waiting = ioctl_fionread(&self.socket).unwrap_or(0);
        // Who rings more often than we sleep rings for something else.
        self.is_over |= waiting > RINGS_MAX;
        let mut bytes = [0; 4 * SLEEPS as usize];
        let most = usize::try_from(waiting.saturating_sub(1)).unwrap_or(0);
        let len = most.min(bytes.len());
        if len > 0 {
            // What is refused is asked for again.
            let _ = recv(&self.socket, &mut bytes[..len], RecvFlags::DONTWAIT);
        }
    }

    /// Asks the system whether the peer is there.
    pub(crate) fn look(&mut self) {
        let ends = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        let mut asked = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec::default();
        // What is refused is asked again with the next hang-up that is told of.
        if poll(&mut asked, Some(&at_once)).is_ok() {
            self.is_over |= asked[0].revents().intersects(ends);
        }
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
