//! A bound endpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::Link;

use super::handshake::Origin;
use super::reactor::Reactor;
use super::timers::Timer;
use super::{Source, deregister, register};
use crate::Options;
use crate::monitor::EventKind;
use crate::security::ip_of;
use crate::socket::Core;

/// Connections accepted in one turn, so that a storm of them leaves the rest
/// their time.
const ACCEPTS: usize = 64;
/// Handshakes under way beyond which nobody is let in, unless the context says
/// otherwise: each costs 10 KiB from its first byte on.
pub(super) const HALF_OPEN: usize = 4096;
/// Pause while there are that many.
const CROWDED: Duration = Duration::from_millis(5);
/// Pause after the process ran out of descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

pub(super) struct Listening {
    pub(super) core: Arc<Core>,
    /// As they were when it was bound.
    pub(super) options: Arc<Options>,
    pub(super) endpoint: Arc<str>,
    /// Connections that were accepted.
    pub(super) accepted: u64,
    /// A timer accepts next: edges that come before it are left to it, or each
    /// would set a timer of its own, and none of them would ever be the last.
    pub(super) paused: bool,
    pub(super) listener: Box<dyn ferromq_transport::Listener>,
}

impl Reactor {
    pub(super) fn listen(
        &mut self,
        core: Arc<Core>,
        options: Arc<Options>,
        listener: Box<dyn ferromq_transport::Listener>,
    ) {
        let endpoint: Arc<str> = listener.local_endpoint().to_string().into();
        core.tell(&endpoint, None, || EventKind::Listening);
        let entry = self.listeners.vacant_entry();
        let source = Source::Listener(entry.key());
        if let Err(cause) = register(&self.registry, listener.fd(), source) {
            core.tell(&endpoint, None, || EventKind::AcceptFailed {
                cause: cause.to_string(),
            });
            return;
        }
        entry.insert(Listening {
            core,
            options,
            endpoint,
            accepted: 0,
            paused: false,
            listener,
        });
    }

    /// Somebody came.
    pub(super) fn listener_ready(&mut self, key: usize) {
        if self.listeners.get(key).is_some_and(|it| !it.paused) {
            self.accept(key);
        }
    }

    /// A pause is over.
    pub(super) fn accept_again(&mut self, key: usize) {
        if let Some(listening) = self.listeners.get_mut(key) {
            listening.paused = false;
            self.accept(key);
        }
    }

    fn accept_later(&mut self, key: usize, pause: Duration) {
        if let Some(listening) = self.listeners.get_mut(key) {
            listening.paused = true;
            self.timers.set(Instant::now() + pause, Timer::Accept(key));
        }
    }

    /// Accepts what waits, a bounded number at a time.
    fn accept(&mut self, key: usize) {
        for _ in 0..ACCEPTS {
            if self.is_crowded() {
                // The others wait in the listener's queue.
                break;
            }
            let Some(listening) = self.listeners.get_mut(key) else {
                return;
            };
            let (core, endpoint) = (listening.core.clone(), listening.endpoint.clone());
            let options = listening.options.clone();
            match listening.listener.accept() {
                Ok(None) => return,
                Ok(Some(link)) if !is_admitted(&*link, &options) => {
                    core.address_refused();
                    let address = link.peer().endpoint.to_string();
                    core.tell(&endpoint, None, || EventKind::Refused {
                        cause: format!("{address} is not allowed to connect"),
                    });
                }
                Ok(Some(link)) => {
                    listening.accepted += 1;
                    core.tell(&endpoint, None, || EventKind::Accepted);
                    self.start_handshake(core, options, link, Origin::Accepted, endpoint);
                }
                Err(cause) if cause.is_refused() => {
                    core.address_refused();
                    core.tell(&endpoint, None, || EventKind::Refused {
                        cause: cause.to_string(),
                    });
                }
                Err(cause) => {
                    core.tell(&endpoint, None, || EventKind::AcceptFailed {
                        cause: cause.to_string(),
                    });
                    // Edge-triggered: nothing would tell us when there are
                    // descriptors again, and those who wait get no new edge.
                    return self.accept_later(key, EXHAUSTED);
                }
            }
        }
        let pause = match self.is_crowded() {
            true => CROWDED,
            false => Duration::ZERO,
        };
        self.accept_later(key, pause);
    }

    pub(super) fn unlisten(&mut self, key: usize) {
        let listening = self.listeners.remove(key);
        deregister(&self.registry, listening.listener.fd());
        listening
            .core
            .tell(&listening.endpoint, None, || EventKind::Closed);
    }
}

/// Whether the peer's address may connect. Who has none may.
fn is_admitted(link: &dyn Link, options: &Options) -> bool {
    ip_of(&link.peer().endpoint).is_none_or(|ip| options.addresses.admit(ip))
}
