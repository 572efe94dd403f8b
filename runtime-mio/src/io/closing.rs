//! The reactor sees closed sockets off.

use std::time::{Duration, Instant};

use super::reactor::Reactor;
use super::timers::Timer;
use super::watch::Watch;
use super::{SocketId, deregister};

/// First and longest pause between two looks at a closed socket.
pub(super) const CLOSING_PAUSE: Duration = Duration::from_millis(2);
pub(super) const CLOSING_PAUSE_MAX: Duration = Duration::from_secs(1);

impl Reactor {
    /// The socket takes no calls any more: its endpoints go, and itself when
    /// it has sent what waits.
    pub(super) fn close(&mut self, socket: SocketId) {
        let Some(&key) = self.by_socket.get(&socket) else {
            return;
        };
        let keys: Vec<_> = self
            .listeners
            .iter()
            .map(|(key, l)| (key, l.core.id))
            .collect();
        for (listener, _) in keys.into_iter().filter(|(_, owner)| *owner == socket) {
            self.unlisten(listener);
        }
        let Some(watch) = self.watches.get_mut(key) else {
            return;
        };
        watch.closing = true;
        let linger = watch.core.settings.linger();
        let deadline = linger.and_then(|linger| Instant::now().checked_add(linger));
        watch.linger = deadline.map(|at| self.timers.set(at, Timer::Linger(socket)));
        self.look_at_closing(socket, CLOSING_PAUSE);
    }

    /// Takes a closed socket once its callers have left: whoever still waits is
    /// woken by the socket's epoll, and we would take the event away. On its way
    /// out a caller may see the socket's last event, so that none comes here:
    /// look again, ever more rarely.
    pub(super) fn look_at_closing(&mut self, socket: SocketId, pause: Duration) {
        let Some(&key) = self.by_socket.get(&socket) else {
            return;
        };
        let waited_for = |watch: &Watch| watch.core.flags.is_waited_for();
        match self.watches.get(key) {
            Some(watch) if waited_for(watch) => {}
            Some(watch) if !watch.presence.is_taken() => self.take(key),
            _ => self.finish_if_sent(key),
        }
        if self.watches.contains(key) {
            let timer = Timer::Closing(socket, (pause * 2).min(CLOSING_PAUSE_MAX));
            self.timers.set(Instant::now() + pause, timer);
        }
    }

    pub(super) fn linger_over(&mut self, socket: SocketId) {
        if let Some(&key) = self.by_socket.get(&socket) {
            self.forget(key);
        }
    }

    /// Forgets a closing socket that has nothing left to send.
    pub(super) fn finish_if_sent(&mut self, key: usize) {
        let Some(watch) = self.watches.get(key).filter(|watch| watch.closing) else {
            return;
        };
        if watch.core.clone().has_sent_everything() {
            self.forget(key);
        }
    }

    pub(super) fn forget(&mut self, key: usize) {
        let Some(watch) = self.watches.try_remove(key) else {
            return;
        };
        self.forget_deadline(watch.linger);
        self.by_socket.remove(&watch.core.id);
        deregister(&self.registry, watch.core.epoll());
        let id = watch.core.id;
        let connectors: Vec<_> = self
            .connectors
            .iter()
            .filter(|(_, c)| c.core.id == id)
            .map(|(id, _)| *id)
            .collect();
        connectors
            .into_iter()
            .for_each(|connector| self.disconnect(connector));
        let handshakes: Vec<_> = self
            .handshakes
            .iter()
            .filter(|(_, h)| h.core.id == id)
            .map(|(key, _)| key)
            .collect();
        for key in handshakes {
            let handshake = self.handshakes.remove(key);
            self.forget_deadline(handshake.timer);
            deregister(&self.registry, handshake.link.fd());
        }
        watch.core.discard();
    }
}
