//! A connection that is kept: made, and made again when it is lost.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::{Endpoint, Transport};

use super::ConnectorId;
use super::resolver::{Lookup, Resolver};
use crate::Options;
use crate::socket::Core;

/// Where a connector is between two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its name is being looked up.
    Resolving,
    /// The transport connects, by key.
    Connecting(usize),
    /// Greetings and metadata are exchanged, by key.
    Handshaking(usize),
    /// The link belongs to the socket.
    Established,
    /// A timer runs until the next attempt.
    Waiting,
    /// The peer refused our credentials: asking again would change nothing.
    Refused,
}

pub(super) struct Connector {
    pub(super) core: Arc<Core>,
    /// As they were when it was asked for.
    pub(super) options: Arc<Options>,
    pub(super) endpoint: Endpoint,
    pub(super) text: Arc<str>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) stage: Stage,
    /// Handshakes that were completed.
    pub(super) connections: u64,
    /// Why the last attempt failed, until one succeeds.
    pub(super) failure: Option<String>,
    /// When the next attempt is due, while waiting for it.
    pub(super) retry_at: Option<Instant>,
    /// Whether to offer extensions: not to a peer that hung up on the offer.
    pub(super) offer: bool,
    /// Whether to offer a shorter path: not after a connection that ended before it
    /// was decided.
    pub(super) switch: bool,
    backoff: Backoff,
    /// When the link was established that stood last.
    established: Option<Instant>,
}

impl Connector {
    pub(super) fn new(
        core: Arc<Core>,
        options: Arc<Options>,
        endpoint: Endpoint,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            text: endpoint.to_string().into(),
            backoff: Backoff::new(&options),
            core,
            options,
            endpoint,
            transport,
            stage: Stage::Waiting,
            connections: 0,
            failure: None,
            retry_at: None,
            offer: true,
            switch: true,
            established: None,
        }
    }

    /// Looks the name up on a thread of its own, for that may take seconds.
    /// False: there is no thread to do it.
    pub(super) fn resolve(&mut self, id: ConnectorId, resolver: &Resolver) -> bool {
        self.stage = Stage::Resolving;
        resolver.resolve(Lookup {
            id,
            endpoint: self.endpoint.clone(),
            transport: self.transport.clone(),
        })
    }

    pub(super) fn succeeded(&mut self) {
        self.stage = Stage::Established;
        self.established = Some(Instant::now());
        self.connections += 1;
        self.failure = None;
        self.switch = true;
    }

    /// The time until the next attempt. It starts over after a link that stood
    /// for longer than the next delay: one that fell at once is a failed
    /// attempt, or a peer that lets everybody in and out again is stormed.
    pub(super) fn failed(&mut self) -> Duration {
        self.stage = Stage::Waiting;
        let stood = self.established.take().map(|since| since.elapsed());
        if stood.is_some_and(|stood| stood > self.backoff.next) {
            self.backoff.reset();
        }
        self.backoff.next_delay()
    }
}

/// Delays that double up to a limit, each shortened by chance so that clients
/// of a restarted server do not come back all at once.
#[derive(Debug)]
struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    fn new(options: &Options) -> Self {
        Self {
            min: options.reconnect_min,
            max: options.reconnect_max,
            next: options.reconnect_min,
        }
    }

    fn reset(&mut self) {
        self.next = self.min;
    }

    /// Between half of the nominal delay and all of it.
    fn next_delay(&mut self) -> Duration {
        let nominal = self.next;
        self.next = nominal.saturating_mul(2).min(self.max);
        let fraction = (random() % 1024) as u32;
        nominal / 2 + nominal / 2 * fraction / 1024
    }
}

/// A number that differs between processes and calls; not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_with_jitter() {
        let options = Options::new()
            .reconnect_interval(Duration::from_millis(100), Duration::from_millis(350));
        let mut backoff = Backoff::new(&options);
        for nominal in [100, 200, 350, 350] {
            let nominal = Duration::from_millis(nominal);
            let delay = backoff.next_delay();
            assert!(
                (nominal / 2..=nominal).contains(&delay),
                "{delay:?} of {nominal:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
        let distinct: std::collections::HashSet<_> = (0..20)
            .map(|_| Backoff::new(&options).next_delay())
            .collect();
        assert!(
            distinct.len() > 5,
            "jitter gave {} delays of 20",
            distinct.len()
        );
    }
}
