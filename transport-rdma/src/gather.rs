//! One descriptor for the two of a queue.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

/// An epoll that nests in another one: readable when one of its descriptors is. Whoever
/// waits for edges sees one each time something happens to any of them, also while
/// something else has not been taken yet.
#[derive(Debug)]
pub(crate) struct Gathered {
    epoll: OwnedFd,
    /// Made readable by ourselves.
    rung: bool,
}

/// What is readable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Readable {
    pub(crate) completions: bool,
    pub(crate) events: bool,
}

const COMPLETIONS: u64 = 0;
const EVENTS: u64 = 1;
const RUNG: u64 = 2;

impl Gathered {
    /// Of a connection's events alone.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub(crate) fn new(events: BorrowedFd<'_>) -> io::Result<Self> {
        let gathered = Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            rung: false,
        };
        gathered.add(events, EVENTS)?;
        Ok(gathered)
    }

    /// And of completions.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn add_completions(&self, completions: BorrowedFd<'_>) -> io::Result<()> {
        self.add(completions, COMPLETIONS)
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// What is readable now. One system call.
    pub(crate) fn look(&self) -> Readable {
        let mut readable = Readable::default();
        let mut found = [const { MaybeUninit::uninit() }; 4];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let Ok((found, _)) = epoll::wait(&self.epoll, &mut found, Some(&now)) else {
            // A signal: then all of it is looked at.
            return Readable {
                completions: true,
                events: true,
            };
        };
        for event in found {
            match event.data.u64() {
                COMPLETIONS => readable.completions = true,
                EVENTS => readable.events = true,
                _ => {}
            }
        }
        readable
    }

    /// Makes an edge, and keeps the descriptor readable until [`hush`](Self::hush).
    pub(crate) fn ring(&mut self) {
        self.hush();
        self.rung = always_readable().is_some_and(|fd| self.add(fd, RUNG).is_ok());
    }

    /// Takes back what was rung.
    pub(crate) fn hush(&mut self) {
        if std::mem::take(&mut self.rung)
            && let Some(fd) = always_readable()
        {
            let _ = epoll::delete(&self.epoll, fd);
        }
    }

    fn add(&self, fd: BorrowedFd<'_>, data: u64) -> io::Result<()> {
        let data = EventData::new_u64(data);
        Ok(epoll::add(&self.epoll, fd, data, EventFlags::IN)?)
    }
}

/// A descriptor that is always readable, one a process: adding it is an edge.
fn always_readable() -> Option<BorrowedFd<'static>> {
    static READABLE: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let made = READABLE.get_or_init(|| eventfd(1, flags).ok());
    made.as_ref().map(AsFd::as_fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    use std::time::Duration;

    fn bell() -> OwnedFd {
        eventfd(0, EventfdFlags::NONBLOCK).unwrap()
    }

    fn ring(bell: &OwnedFd) {
        rustix::io::write(bell, &1_u64.to_ne_bytes()).unwrap();
    }

    fn watch(fd: RawFd) -> Poll {
        let poll = Poll::new().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut SourceFd(&fd), Token(0), both)
            .unwrap();
        poll
    }

    fn edge(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        events.iter().any(|event| event.is_readable())
    }

    #[test]
    fn each_event_is_an_edge_also_while_others_are_untaken() {
        let (events, completions) = (bell(), bell());
        let gathered = Gathered::new(events.as_fd()).unwrap();
        gathered.add_completions(completions.as_fd()).unwrap();
        let mut poll = watch(gathered.fd());
        assert!(!edge(&mut poll));
        for bell in [&events, &completions, &events, &events, &completions] {
            ring(bell);
            assert!(edge(&mut poll));
            assert!(!edge(&mut poll), "one event is one edge");
        }
        let both = Readable {
            completions: true,
            events: true,
        };
        assert_eq!(gathered.look(), both);
        rustix::io::read(&completions, &mut [0; 8]).unwrap();
        assert_eq!(
            gathered.look(),
            Readable {
                completions: false,
                events: true
            }
        );
    }

    #[test]
    fn it_can_be_rung_again_and_again_and_hushed() {
        let events = bell();
        let mut gathered = Gathered::new(events.as_fd()).unwrap();
        let mut poll = watch(gathered.fd());
        for _ in 0..3 {
            gathered.ring();
            assert!(edge(&mut poll));
        }
        gathered.hush();
        assert!(!edge(&mut poll));
        let mut late = watch(gathered.fd());
        assert!(!edge(&mut late), "it is still readable");
        assert_eq!(gathered.look(), Readable::default());
    }
}
