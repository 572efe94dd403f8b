//! Waiting for several sockets, and other descriptors, at once.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::hand_over::{Awaited, Looker};
use crate::socket::{AnySocket, Core};
use crate::{Error, Readiness};

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interest {
    /// A message to receive.
    Readable,
    /// A peer with room.
    Writable,
    /// Either.
    Both,
}

/// What a wait found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PollEvent {
    /// The key that the socket or descriptor was added with.
    pub key: usize,
    /// What it is ready for.
    pub readiness: Readiness,
}

/// Waits for many sockets with one call. Readiness is level-triggered: what is
/// not received is told again. Other threads may use the sockets meanwhile, but
/// of two pollers that wait for one socket at a time each hears of a part.
///
/// ```no_run
/// # fn example(context: &ferromq_mio::Context) -> Result<(), ferromq_mio::Error> {
/// use ferromq_mio::{Interest, Poller, Pull, Sub};
/// let (tasks, news) = (context.socket::<Pull>()?, context.socket::<Sub>()?);
/// let mut poller = Poller::new();
/// poller.add(&tasks, 1, Interest::Readable);
/// poller.add(&news, 2, Interest::Readable);
/// let mut events = Vec::new();
/// poller.wait(&mut events, None)?;
/// for event in &events {
///     match event.key {
///         1 => drop(tasks.try_recv()?),
///         _ => drop(news.try_recv()?),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Poller {
    entries: Vec<Entry>,
}

struct Entry {
    key: usize,
    interest: Interest,
    target: Target,
}

enum Target {
    Socket(Arc<Core>),
    Descriptor(OwnedFd),
}

impl Poller {
    /// An empty poller.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a socket under a key of the caller's choice.
    pub fn add(&mut self, socket: impl AsRef<AnySocket>, key: usize, interest: Interest) {
        let target = Target::Socket(socket.as_ref().core().clone());
        self.entries.push(Entry {
            key,
            interest,
            target,
        });
    }

    /// Adds another descriptor, to wait for both kinds in one place.
    pub fn add_fd(&mut self, fd: OwnedFd, key: usize, interest: Interest) {
        self.entries.push(Entry {
            key,
            interest,
            target: Target::Descriptor(fd),
        });
    }

    /// Takes out everything that was added under `key`.
    pub fn remove(&mut self, key: usize) {
        self.entries.retain(|entry| entry.key != key);
    }

    /// Waits until something is ready, at most `timeout`; `events` then holds
    /// what is, or nothing. O(entries).
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Terminated`] when one of the sockets is;
    /// [`Error::System`] when the system cannot wait.
    pub fn wait(
        &self,
        events: &mut Vec<PollEvent>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        events.clear();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // Before the sockets are asked: from here on the I/O thread keeps off,
        // so that no event goes by between the answer and the sleep.
        let _waited: Vec<Waited<'_>> = self.cores().map(Waited::begin).collect();
        loop {
            let mut ready = self.sockets_ready(events)?;
            let left = match events.is_empty() {
                true => deadline.map(|at| at.saturating_duration_since(Instant::now())),
                // Descriptors are asked too, so that none starves.
                false => Some(Duration::ZERO),
            };
            ready |= self.sleep(events, left)?;
            if ready || left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
        }
    }

    fn sockets_ready(&self, events: &mut Vec<PollEvent>) -> Result<bool, Error> {
        for Entry {
            key,
            interest,
            target,
        } in &self.entries
        {
            if let Target::Socket(core) = target {
                let readiness = interest.of(core.readiness(Looker::Poller)?);
                if readiness != Readiness::default() {
                    events.push(PollEvent {
                        key: *key,
                        readiness,
                    });
                }
            }
        }
        Ok(!events.is_empty())
    }

    /// True: a descriptor is ready; sockets are asked anew.
    fn sleep(&self, events: &mut Vec<PollEvent>, left: Option<Duration>) -> Result<bool, Error> {
        let mut fds: Vec<PollFd<'_>> = self.entries.iter().map(Entry::poll_fd).collect();
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(Error::system("wait in a poller")(cause.into())),
        }
        let mut found = false;
        for (entry, fd) in self.entries.iter().zip(&fds) {
            let flags = fd.revents();
            if matches!(entry.target, Target::Descriptor(_)) && !flags.is_empty() {
                let over = flags.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
                let readiness = Readiness {
                    readable: over || flags.contains(PollFlags::IN),
                    writable: over || flags.contains(PollFlags::OUT),
                };
                events.push(PollEvent {
                    key: entry.key,
                    readiness: entry.interest.of(readiness),
                });
                found = true;
            }
        }
        Ok(found)
    }

    fn cores(&self) -> impl Iterator<Item = &Arc<Core>> {
        self.entries.iter().filter_map(|entry| match &entry.target {
            Target::Socket(core) => Some(core),
            Target::Descriptor(_) => None,
        })
    }
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Poller({} entries)", self.entries.len())
    }
}

impl Entry {
    fn poll_fd(&self) -> PollFd<'_> {
        match &self.target {
            // A socket's epoll is readable when anything happened there.
            Target::Socket(core) => PollFd::from_borrowed_fd(core.epoll_fd(), PollFlags::IN),
            Target::Descriptor(fd) => PollFd::new(fd, self.interest.flags()),
        }
    }
}

impl Interest {
    fn of(self, readiness: Readiness) -> Readiness {
        Readiness {
            readable: readiness.readable && self != Self::Writable,
            writable: readiness.writable && self != Self::Readable,
        }
    }

    fn flags(self) -> PollFlags {
        match self {
            Self::Readable => PollFlags::IN,
            Self::Writable => PollFlags::OUT,
            Self::Both => PollFlags::IN | PollFlags::OUT,
        }
    }
}

/// A socket that somebody polls while this lives: its events are his.
pub(crate) struct Waited<'a>(&'a Core);

impl<'a> Waited<'a> {
    /// What is asked of the socket from now on stays answered until its epoll
    /// tells of something.
    pub(crate) fn begin(core: &'a Arc<Core>) -> Self {
        core.poll_begins();
        Self(core)
    }
}

impl Drop for Waited<'_> {
    fn drop(&mut self) {
        self.0.poll_ends();
    }
}
