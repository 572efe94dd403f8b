//! What the coordinator and its workers tell each other: JSON lines over the
//! workers' standard input and output.
//!
//! ```text
//! coordinator                server                client
//!      │  spawn ──────────────▶│                      │
//!      │◀───────────── Bound ──│                      │
//!      │  spawn ───────────────┼─────────────────────▶│
//!      │  Connect ─────────────┼─────────────────────▶│
//!      │                       │◀══ the messages ════▶│
//!      │◀────────────── Done ──│                      │
//!      │  Finish ──────────────┼─────────────────────▶│
//!      │◀──────────────────────┼────────────── Done ──│
//! ```
//!
//! Of `req-rep` it is the client who is done first. Both keep their sockets
//! until the coordinator closes their input, so that closing loses nothing.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::peers::Failure;

/// To a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Connect to this endpoint and begin.
    Connect(String),
    /// Everything arrived: report, and end.
    Finish,
    /// Idle servers only: report what your memory holds now.
    Weigh,
    /// Idle servers only: receive this many messages.
    Receive(usize),
    /// Idle clients only: send a message over each connection.
    SendEach,
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Listening, at this endpoint.
    Bound(String),
    /// The job's figures.
    Done(Report),
    /// It could not be done, for this reason.
    Failed(String),
    /// Answers [`Order::Weigh`].
    Weight(Weight),
    /// Answers [`Order::Receive`] and [`Order::SendEach`]; from an idle client
    /// also that its connections are established.
    Ready,
}

/// What one worker measured of its job, the warm-up left out.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) seconds: f64,
    /// User and system time of all threads.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_bytes: u64,
    /// Of the requester only.
    pub(crate) round_trip: Option<RoundTrip>,
}

/// Percentiles of round-trip times in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RoundTrip {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
}

/// A process's memory, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Weight {
    /// Resident anonymous memory: what the process has touched.
    pub(crate) resident: u64,
    /// Allocated and not freed, by malloc's own account.
    pub(crate) heap: u64,
}

/// A worker's end of its standard input and output.
pub(crate) struct Channel;

impl Channel {
    /// Waits for the next order.
    pub(crate) fn order(&mut self) -> Result<Order, Failure> {
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Err("the coordinator is gone".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Waits until the coordinator wants nothing more.
    pub(crate) fn await_end(&mut self) {
        // Anything but an order means the same: it is over.
        while self.order().is_ok() {}
    }

    /// Tells the coordinator.
    pub(crate) fn answer(&mut self, answer: &Answer) -> Result<(), Failure> {
        let mut line = serde_json::to_string(answer)?;
        line.push('\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        Ok(stdout.flush()?)
    }
}
