//! One descriptor in the place of several.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::event::{EventfdFlags, eventfd};

/// The descriptor of a [`Link`](crate::Link) that has several: one to read
/// from and another to write to, or a timer beside them.
///
/// A link shows one descriptor, which becomes readable for input *and* writable
/// for room. An epoll that nests several cannot stand for them: it only ever
/// becomes readable. So this is a counter (an eventfd, which tells an
/// edge-triggered waiter of both whenever it is rung) and one thread a process that rings it when
/// anything happens to a descriptor that [`watch`](Self::watch) was told of.
///
/// A link watches each of its descriptors once, before the first read or write,
/// and rings itself after a read that came up short, unless it knows that neither
/// bytes nor the end are left: what rang before may be spent.
///
/// Once it has rung, the counter is never emptied, for that could swallow the
/// next ring: a level-triggered waiter does not sleep on it. Costs one more descriptor a link and, at each wake-up, a hop through that
/// thread: a carrier that has one descriptor for both directions does better
/// without. Linux only.
#[derive(Debug)]
pub struct Joined {
    bell: Arc<OwnedFd>,
    key: usize,
    relay: Arc<Relay>,
}

impl Joined {
    /// A descriptor that stands for none yet. The first one of a process starts
    /// the thread.
    ///
    /// # Errors
    /// Out of descriptors, memory or threads.
    pub fn new() -> io::Result<Self> {
        let relay = Relay::get()?;
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let key = relay.next.fetch_add(1, Ordering::Relaxed);
        relay.bells().insert(key, bell.clone());
        Ok(Self { bell, key, relay })
    }

    /// Rings from now on when `fd` becomes readable, writable or ends, and once
    /// at first. Closing the descriptor ends that, if it has no duplicate.
    ///
    /// # Errors
    /// The descriptor cannot be waited for (a regular file), or is watched
    /// already.
    pub fn watch(&self, fd: RawFd) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.relay
            .registry
            .register(&mut SourceFd(&fd), Token(self.key), both)
    }

    /// Makes an event on [`fd`](Self::fd), for input and for room.
    pub fn ring(&self) {
        ring(&self.bell);
    }

    /// The descriptor to show as the link's.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.relay.bells().remove(&self.key);
    }
}

/// What the thread and everybody else share.
#[derive(Debug)]
struct Relay {
    registry: Registry,
    bells: Mutex<HashMap<usize, Arc<OwnedFd>>>,
    next: AtomicUsize,
}

impl Relay {
    fn get() -> io::Result<Arc<Self>> {
        static RELAY: Mutex<Option<Arc<Relay>>> = Mutex::new(None);
        let mut relay = RELAY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(relay) = &*relay {
            return Ok(relay.clone());
        }
        let poll = Poll::new()?;
        let started = Arc::new(Self {
            registry: poll.registry().try_clone()?,
            bells: Mutex::default(),
            next: AtomicUsize::new(0),
        });
        let here = started.clone();
        thread::Builder::new()
            .name("ferromq-joined".into())
            .spawn(move || here.run(poll))?;
        *relay = Some(started.clone());
        Ok(started)
    }

    fn run(&self, mut poll: Poll) {
        let mut events = Events::with_capacity(256);
        loop {
            if poll.poll(&mut events, None).is_err() {
                // Interrupted: edges that were not taken are still there.
                events.clear();
            }
            let bells = self.bells();
            for event in &events {
                // A link may have gone since.
                if let Some(bell) = bells.get(&event.token().0) {
                    ring(bell);
                }
            }
        }
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<usize, Arc<OwnedFd>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ring(bell: &OwnedFd) {
    // Fails only when 2^64 - 2 rings wait.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    /// The next event of `joined`, as (readable, writable).
    fn next(poll: &mut Poll) -> Option<(bool, bool)> {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(20)))
            .unwrap();
        let event = events.iter().next()?;
        Some((event.is_readable(), event.is_writable()))
    }

    fn watch(joined: &Joined) -> Poll {
        let poll = Poll::new().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut SourceFd(&joined.fd()), Token(0), both)
            .unwrap();
        poll
    }

    #[test]
    fn each_descriptor_is_heard_again_and_again_in_both_directions() {
        let joined = Joined::new().unwrap();
        let pairs = [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
        let mut poll = watch(&joined);
        for (ours, _) in &pairs {
            ours.set_nonblocking(true).unwrap();
            joined.watch(ours.as_raw_fd()).unwrap();
            assert!(next(&mut poll).is_some());
        }
        for round in 0..20 {
            let (mut ours, mut theirs) = (&pairs[round % 2].0, &pairs[round % 2].1);
            theirs.write_all(b"x").unwrap();
            loop {
                assert_eq!(next(&mut poll), Some((true, true)), "round {round}");
                if ours.read(&mut [0; 8]).is_ok() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_ring_is_an_event_for_input_and_for_room() {
        let joined = Joined::new().unwrap();
        let mut poll = watch(&joined);
        assert_eq!(next(&mut poll), Some((false, true)), "room, at first");
        for _ in 0..3 {
            joined.ring();
            assert_eq!(next(&mut poll), Some((true, true)));
        }
    }
}
