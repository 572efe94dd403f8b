//! Steering a proxy from other threads, and what it has counted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

use super::ProxyRole;
use crate::sync::{Mutex, MutexGuard, lock_unpoisoned};
use crate::{Error, Traffic};

/// Steers a [`Proxy`](super::Proxy) from any thread; clones steer the same one.
///
/// What is asked for holds from the proxy's next turn on: up to 256 messages,
/// or about 1 MiB of them, may still pass in each direction. Asking costs a lock
/// and a system call, and waits for nothing.
#[derive(Clone)]
pub struct ProxyHandle {
    shared: Arc<Shared>,
}

impl ProxyHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Stops taking messages from either side; they wait in the sockets' queues
    /// and with those who send them.
    pub fn pause(&self) {
        self.shared.ask(|asked| asked.motion = Motion::Paused);
    }

    /// Goes on after a [`pause`](Self::pause), also one that the control socket
    /// brought.
    pub fn resume(&self) {
        self.shared.ask(|asked| asked.motion = Motion::Running);
    }

    /// Ends [`Proxy::run`](super::Proxy::run): the one under way, or else the
    /// next.
    pub fn stop(&self) {
        self.shared.ask(|asked| asked.stop = true);
    }

    /// What has passed up to the proxy's last turn, exact while it is idle.
    #[must_use]
    pub fn statistics(&self) -> ProxyStatistics {
        self.shared.lock().statistics
    }
}

impl std::fmt::Debug for ProxyHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyHandle").finish_non_exhaustive()
    }
}

/// What has passed through a proxy.
///
/// A message counts as one, however many frames it has, and as the bytes of all
/// of them, those of an envelope included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// Taken from and given to the frontend.
    pub frontend: Traffic,
    /// Taken from and given to the backend.
    pub backend: Traffic,
    /// Messages that the capture socket took a copy of.
    pub captured: u64,
    /// Messages that it had no room for.
    pub capture_missed: u64,
    /// Messages that the other side refused, as a ROUTER does with a message
    /// without an envelope.
    pub refused: u64,
}

impl ProxyStatistics {
    /// The eight numbers of libzmq's STATISTICS reply, in its order.
    pub(super) fn counts(&self) -> [u64; 8] {
        let of = |side: &Traffic| {
            [
                side.messages_received,
                side.bytes_received,
                side.messages_sent,
                side.bytes_sent,
            ]
        };
        let (front, back) = (of(&self.frontend), of(&self.backend));
        std::array::from_fn(|index| match index {
            0..4 => front[index],
            _ => back[index - 4],
        })
    }

    pub(super) fn side(&mut self, role: ProxyRole) -> &mut Traffic {
        match role {
            ProxyRole::Frontend => &mut self.frontend,
            _ => &mut self.backend,
        }
    }
}

/// Whether messages pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Motion {
    #[default]
    Running,
    Paused,
}

/// What handles and the proxy share.
pub(super) struct Shared {
    asked: Mutex<Asked>,
    /// A counter that is raised when something was asked.
    bell: OwnedFd,
}

#[derive(Default)]
struct Asked {
    motion: Motion,
    stop: bool,
    statistics: ProxyStatistics,
}

impl Shared {
    pub(super) fn new() -> Result<Self, Error> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self {
            asked: Mutex::default(),
            bell: bell.map_err(|cause| Error::system("make a proxy's counter")(cause.into()))?,
        })
    }

    /// Publishes what was counted; whether to go on, and how. `None`: stop.
    pub(super) fn exchange(&self, statistics: &ProxyStatistics) -> Option<Motion> {
        let mut asked = self.lock();
        asked.statistics = *statistics;
        (!asked.stop).then_some(asked.motion)
    }

    /// The proxy was told by its control socket: nobody needs to wake it.
    pub(super) fn set_motion(&self, motion: Motion) {
        self.lock().motion = motion;
    }

    /// The same.
    pub(super) fn set_stop(&self) {
        self.lock().stop = true;
    }

    /// The run has ended. A stop that it did not see is for the next one.
    pub(super) fn end(&self, statistics: &ProxyStatistics, stopped: bool) {
        let mut asked = self.lock();
        asked.statistics = *statistics;
        asked.stop &= !stopped;
    }

    /// What becomes readable when something was asked.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// The proxy looks next at what was asked.
    pub(super) fn hush(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }

    fn ask(&self, what: impl FnOnce(&mut Asked)) {
        what(&mut self.lock());
        // A counter that is full is raised.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        lock_unpoisoned(&self.asked)
    }
}
