//! The socket's epoll: the sleep in it, and what it tells.
//!
//! Registrations are mio's. The sleep is not, for mio calls libc, which makes
//! every wait a point of cancellation where a process has threads: 20 ns that
//! nobody here asks for.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use ferromq_patterns::PeerId;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};

use super::core::WAKE;

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// The longest sleep; who would sleep longer is woken once in 24 days.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The socket's epoll; whoever holds the wait token locks it.
pub(crate) struct Sleeper {
    epoll: Arc<OwnedFd>,
    told: Vec<Told>,
    full: bool,
}

/// What a link's descriptor is ready for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// The link's peer.
    pub(super) peer: PeerId,
    flags: EventFlags,
}

impl Sleeper {
    pub(super) fn new(epoll: Arc<OwnedFd>) -> Self {
        Self {
            epoll,
            told: Vec::with_capacity(EVENTS),
            full: false,
        }
    }

    /// Waits for events, at most `timeout`, in whole milliseconds, rounded up: a
    /// shorter sleep would spin until the deadline.
    pub(super) fn sleep(&mut self, timeout: Option<Duration>) {
        let mut room = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS];
        self.told.clear();
        // Short enough for any clock.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(rounded_up(timeout)).ok());
        let woken = epoll::wait(&self.epoll, &mut room[..], timeout.as_ref());
        // An interrupted wait is a spurious wake-up, and those are harmless.
        let events = woken.map_or(&[][..], |(events, _)| events);
        self.full = events.len() == EVENTS;
        let links = events
            .iter()
            .map(|event| (event.data.u64(), event.flags))
            .filter(|&(token, _)| token != WAKE.0 as u64)
            .map(|(token, flags)| Told {
                peer: PeerId::from_bits(token),
                flags,
            });
        self.told.extend(links);
    }

    /// What the last sleep was told of links.
    #[inline]
    pub(super) fn told(&self) -> &[Told] {
        &self.told
    }

    /// Whether the last sleep took as many events as it could.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }
}

fn rounded_up(timeout: Duration) -> Duration {
    let timeout = timeout.min(LONGEST) + Duration::from_nanos(999_999);
    Duration::from_millis(timeout.as_millis() as u64)
}

impl Told {
    pub(super) fn is_readable(self) -> bool {
        self.flags.intersects(EventFlags::IN | EventFlags::PRI)
    }

    pub(super) fn is_writable(self) -> bool {
        self.flags.contains(EventFlags::OUT)
    }

    /// The peer will send no more, or the link is broken.
    pub(super) fn has_ended(self) -> bool {
        let ended = EventFlags::HUP | EventFlags::RDHUP | EventFlags::ERR;
        self.flags.intersects(ended)
    }
}
