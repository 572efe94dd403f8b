//! Where threads wait while another one sleeps in the socket's epoll.

use std::time::Duration;

use std::sync::PoisonError;

use crate::sync::{Condvar, Mutex, lock_unpoisoned};

/// A counter that can be waited for.
#[derive(Default)]
pub(crate) struct Turnstile {
    turns: Mutex<u64>,
    turned: Condvar,
}

impl Turnstile {
    /// The number to pass to [`wait`](Self::wait); taken under the socket's
    /// lock, so that no turn between the two is missed.
    pub(crate) fn ticket(&self) -> u64 {
        *lock_unpoisoned(&self.turns)
    }

    /// Waits until a turn after `ticket`, at most `timeout`.
    pub(crate) fn wait(&self, ticket: u64, timeout: Option<Duration>) {
        let mut turns = lock_unpoisoned(&self.turns);
        while *turns == ticket {
            turns = match timeout {
                None => self
                    .turned
                    .wait(turns)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let waited = self.turned.wait_timeout(turns, timeout);
                    drop(waited.unwrap_or_else(PoisonError::into_inner));
                    return;
                }
            };
        }
    }

    /// Lets everybody who waits have another look.
    pub(crate) fn turn(&self) {
        *lock_unpoisoned(&self.turns) += 1;
        self.turned.notify_all();
    }
}
