//! What happens to a socket's connections, told as events.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::FabricError;

/// Events that wait in a [`Monitor`] before further ones are dropped and
/// counted.
const CAPACITY: usize = 4096;

/// Something that happened to a connection or an endpoint of a socket.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The endpoint that was bound or connected, as text.
    pub endpoint: String,
    /// The peer's address, where one is known.
    pub peer: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The socket accepts connections here.
    Listening,
    /// A connection was accepted; its handshake begins.
    Accepted,
    /// Accepting failed; it is tried again after a pause.
    AcceptFailed {
        /// The system's answer.
        cause: String,
    },
    /// A peer was turned away before its handshake, or right after it.
    Refused {
        /// Why.
        cause: String,
    },
    /// The transport connection stands; its handshake begins.
    Connected,
    /// The connection could not be made; it is tried again.
    ConnectRetried {
        /// What went wrong.
        cause: String,
        /// Time until the next attempt.
        delay: Duration,
    },
    /// The connection carries messages from now on.
    HandshakeSucceeded,
    /// The connection takes a shorter path than that of its endpoint: both ends are on
    /// one machine, or on one fabric. Follows
    /// [`HandshakeSucceeded`](Self::HandshakeSucceeded).
    Switched {
        /// The scheme of the transport that carries it: `shm`, `rdma`.
        path: String,
    },
    /// The connection stays where it is, though both ends are on one machine, or have
    /// devices of one kind, and do that.
    SwitchRefused {
        /// Why.
        cause: String,
    },
    /// The connection is not on a fabric though the socket asks for one
    /// ([`Options::fabric`](crate::Options::fabric)): nothing was tried. Follows
    /// [`HandshakeSucceeded`](Self::HandshakeSucceeded).
    FabricUnavailable {
        /// Why.
        cause: FabricError,
    },
    /// A peer was not let in for who it is, or we were not. The
    /// [`HandshakeFailed`](Self::HandshakeFailed) that it comes to follows.
    AuthenticationFailed {
        /// The status of 27/ZAP, where there is one: 300 for later, 400 for no,
        /// 500 for an authority in trouble. `None` where nobody decided.
        status: Option<u16>,
        /// What went wrong.
        cause: String,
    },
    /// The endpoint was bound without security where other machines can reach
    /// it: a warning, once an endpoint.
    Exposed,
    /// The peer did not complete the handshake, and why.
    HandshakeFailed {
        /// What went wrong.
        cause: String,
    },
    /// A peer keeps so many payloads that were sent to it by reference that it gets no
    /// more messages until it lets go of some. Told each time that this fills its pipe.
    Keeps {
        /// How many payloads.
        payloads: usize,
        /// How many bytes of memory of ours.
        bytes: usize,
    },
    /// An established connection ended.
    Disconnected {
        /// Why: end of stream, a system error, or what the peer did wrong.
        cause: String,
    },
    /// The endpoint was unbound or disconnected, or its socket closed.
    Closed,
    /// Messages were discarded because their time to linger was over.
    LingerExpired {
        /// How many.
        messages: u64,
    },
}

/// Receives the events of one socket, from the moment of its making.
///
/// A monitor that is not read loses events beyond 4,096 and counts them; it
/// never slows the socket.
#[derive(Debug)]
pub struct Monitor {
    events: Receiver<Event>,
    missed: Arc<AtomicU64>,
}

impl Monitor {
    /// The next event, waiting at most `timeout`; `None` when none came or the
    /// socket is gone.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        self.events.recv_timeout(timeout).ok()
    }

    /// The next event, if one waits.
    pub fn try_next(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Events that did not fit.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Iterator for Monitor {
    type Item = Event;

    /// Waits for the next event; `None` once the socket is gone.
    fn next(&mut self) -> Option<Event> {
        self.events.recv().ok()
    }
}

/// The sending ends: one a monitor of the socket.
#[derive(Default)]
pub(crate) struct MonitorHub {
    /// False while nobody listens, so that events cost nothing then.
    watched: AtomicBool,
    senders: Mutex<Vec<(SyncSender<Event>, Arc<AtomicU64>)>>,
}

impl MonitorHub {
    pub(crate) fn subscribe(&self) -> Monitor {
        let (sender, events) = sync_channel(CAPACITY);
        let missed = Arc::new(AtomicU64::new(0));
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.push((sender, missed.clone()));
        self.watched.store(true, Ordering::Relaxed);
        Monitor { events, missed }
    }

    /// Tells every monitor; `event` is only built when there is one.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if !self.watched.load(Ordering::Relaxed) {
            return;
        }
        let event = event();
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|(sender, missed)| match sender.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
        self.watched.store(!senders.is_empty(), Ordering::Relaxed);
    }

    /// Ends every monitor's iteration.
    pub(crate) fn close(&self) {
        self.watched.store(false, Ordering::Relaxed);
        self.senders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind) -> Event {
        Event {
            kind,
            endpoint: "tcp://127.0.0.1:1".into(),
            peer: None,
        }
    }

    #[test]
    fn a_monitor_that_is_not_read_counts_what_it_missed() {
        let hub = MonitorHub::default();
        let monitor = hub.subscribe();
        for _ in 0..CAPACITY + 3 {
            hub.tell(|| event(EventKind::Accepted));
        }
        assert_eq!(monitor.missed(), 3);
        assert_eq!(std::iter::from_fn(|| monitor.try_next()).count(), CAPACITY);
    }

    #[test]
    fn no_event_is_built_when_nobody_listens() {
        let hub = MonitorHub::default();
        drop(hub.subscribe());
        hub.tell(|| event(EventKind::Listening));
        hub.tell(|| unreachable!("the only monitor is gone"));
    }

    #[test]
    fn closing_ends_the_iteration() {
        let hub = MonitorHub::default();
        let monitor = hub.subscribe();
        hub.tell(|| event(EventKind::Closed));
        hub.close();
        assert_eq!(
            monitor.map(|event| event.kind).collect::<Vec<_>>(),
            [EventKind::Closed]
        );
    }
}
