//! Looking names up, which may take seconds, on threads of its own.
//!
//! A thread lives as long as there are names; at most [`THREADS`] do, so that
//! a program that connects to hundreds of names does not start hundreds.

use std::collections::VecDeque;
use std::sync::Arc;

use ferromq_transport::{Endpoint, Transport};

use super::{Command, ConnectorId, IoHandle};
use crate::sync::{Mutex, lock_unpoisoned};

/// Look-ups at once: enough that a few names whose servers are silent do not
/// hold up the others for long.
const THREADS: usize = 32;

/// A name to look up, and who wants to know.
pub(super) struct Lookup {
    pub(super) id: ConnectorId,
    pub(super) endpoint: Endpoint,
    pub(super) transport: Arc<dyn Transport>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Lookup>,
    threads: usize,
}

/// The queue of look-ups; its answers come as [`Command::Resolved`].
pub(super) struct Resolver {
    queue: Arc<Mutex<Queue>>,
    handle: Arc<IoHandle>,
}

impl Resolver {
    pub(super) fn new(handle: Arc<IoHandle>) -> Self {
        Self {
            queue: Arc::default(),
            handle,
        }
    }

    /// Queues a look-up. False: no thread can be had to do it.
    pub(super) fn resolve(&self, lookup: Lookup) -> bool {
        let mut queue = lock_unpoisoned(&self.queue);
        queue.waiting.push_back(lookup);
        if queue.threads == THREADS {
            return true;
        }
        queue.threads += 1;
        let (shared, handle) = (self.queue.clone(), self.handle.clone());
        let started = std::thread::Builder::new()
            .name("ferromq-resolve".into())
            .spawn(move || work(&shared, &handle));
        if started.is_err() {
            queue.threads -= 1;
            if queue.threads == 0 {
                queue.waiting.pop_back();
                return false;
            }
        }
        true
    }
}

impl Drop for Resolver {
    /// Nobody waits for an answer any more; a look-up under way ends alone.
    fn drop(&mut self) {
        lock_unpoisoned(&self.queue).waiting.clear();
    }
}

fn work(queue: &Mutex<Queue>, handle: &IoHandle) {
    loop {
        let mut locked = lock_unpoisoned(queue);
        let Some(lookup) = locked.waiting.pop_front() else {
            locked.threads -= 1;
            return;
        };
        drop(locked);
        let result = lookup.transport.resolve(&lookup.endpoint);
        let id = lookup.id;
        handle.send(Command::Resolved { id, result });
    }
}
