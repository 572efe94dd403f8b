//! Sleeping until one of a proxy's sockets has news, or somebody asks.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ProxyError;
use super::station::Station;
use crate::Error;
use crate::poller::Waited;

/// Whether a look at the sockets is to wait for news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Glance,
    UntilNews,
}

/// All of a proxy's sockets, waited for while this lives.
pub(super) struct Watch<'a> {
    stations: &'a [Station],
    /// The bell first, then one a station.
    fds: Vec<PollFd<'a>>,
    _waited: Vec<Waited<'a>>,
}

impl<'a> Watch<'a> {
    pub(super) fn begin(stations: &'a [Station], bell: BorrowedFd<'a>) -> Self {
        let sockets = stations.iter().map(Station::fd);
        Self {
            stations,
            fds: std::iter::once(bell)
                .chain(sockets)
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                .collect(),
            _waited: stations.iter().map(Station::wait_begins).collect(),
        }
    }

    /// Attends to all sockets: what happened before the watch began, a close
    /// above all, may have been told to others.
    pub(super) fn attend_to_all(&self) -> Result<(), ProxyError> {
        self.stations.iter().try_for_each(Station::attend)
    }

    /// Sleeps until there is news, unless only a glance is wanted, and attends
    /// to the sockets that have some. True: the bell rang.
    ///
    /// Sockets are attended to here and nowhere else, so that what is asked of
    /// one between two looks stays answered until the next.
    pub(super) fn look(&mut self, how: Look) -> Result<bool, ProxyError> {
        let timeout = (how == Look::Glance).then(Timespec::default);
        match poll(&mut self.fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(cause) => {
                let cause = Error::system("wait in a proxy")(cause.into());
                return Err(ProxyError::System(cause));
            }
        }
        let rang = !self.fds[0].revents().is_empty();
        for (station, fd) in self.stations.iter().zip(&self.fds[1..]) {
            if !fd.revents().is_empty() {
                station.attend()?;
            }
        }
        Ok(rang)
    }
}
