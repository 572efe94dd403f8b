//! What links cost, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the links of a transport did so far. A difference of two tells what something
/// cost, on whatever device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that were posted to be sent.
    pub sends: u64,
    /// Calls that posted them: several messages are one.
    pub send_calls: u64,
    /// Receives that were posted.
    pub receives: u64,
    /// Reads of a peer's memory that were posted.
    pub reads: u64,
    /// Writes into a peer's memory that were posted.
    pub writes: u64,
    /// Completions that were polled.
    pub completions: u64,
    /// Completions of what we sent: of several messages, one.
    pub send_completions: u64,
    /// Requests to be woken.
    pub arms: u64,
    /// Wake-ups: requests that a completion answered.
    pub wake_ups: u64,
    /// Bytes that a CPU copied into or out of messages.
    pub copied: u64,
    /// Pieces of memory that were registered, links' own apart.
    pub registrations: u64,
}

/// The same while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicU64; 11]);

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    Sends,
    SendCalls,
    Receives,
    Reads,
    Writes,
    Completions,
    SendCompletions,
    Arms,
    WakeUps,
    Copied,
    Registrations,
}

impl Tally {
    pub(crate) fn add(&self, what: Count, number: usize) {
        if let Some(counter) = self.0.get(what as usize) {
            counter.fetch_add(number as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        let [
            sends,
            send_calls,
            receives,
            reads,
            writes,
            completions,
            send_completions,
            arms,
            wake_ups,
            copied,
            registrations,
        ] = std::array::from_fn(|index| self.0[index].load(Ordering::Relaxed));
        Counters {
            sends,
            send_calls,
            receives,
            reads,
            writes,
            completions,
            send_completions,
            arms,
            wake_ups,
            copied,
            registrations,
        }
    }
}
