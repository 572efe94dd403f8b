//! What the coordinator and its workers tell each other: JSON lines over the
//! workers' standard input and output, or, between threads, the same words.
//!
//! ```text
//! coordinator                server                client
//!      │  spawn ──────────────▶│                      │
//!      │◀───────────── Bound ──│                      │
//!      │  spawn ───────────────┼─────────────────────▶│
//!      │  Connect ─────────────┼─────────────────────▶│
//!      │◀──────────────────────┼───────────── Ready ──│   once or twice, where
//!      │  Begin ──────────────▶│                      │   one side must wait
//!      │                       │◀══ the messages ════▶│
//!      │◀────────────── Done ──│                      │
//!      │  Finish ──────────────┼─────────────────────▶│
//!      │◀──────────────────────┼────────────── Done ──│
//! ```
//!
//! Either may be done first. Both keep their sockets until the coordinator
//! closes their input, so that closing loses nothing.

use std::io::{self, BufRead, Write};
use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::job::Role;
use crate::peers::Failure;

/// To a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Connect to this endpoint and begin.
    Connect(String),
    /// The other side is ready: begin.
    Begin,
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
    /// The figures of a process whose threads play all the roles.
    AllDone(Vec<(Role, Report)>),
    /// It could not be done, for this reason.
    Failed(String),
    /// Answers [`Order::Weigh`].
    Weight(Weight),
    /// Answers [`Order::Receive`] and [`Order::SendEach`]; from a client
    /// also that its connections are established, and that they were heard.
    Ready,
}

/// What one worker measured of its job, the warm-up left out.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) seconds: f64,
    /// User and system time of all threads.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_bytes: u64,
    /// What the process held before the clock started.
    pub(crate) resident_bytes: u64,
    /// From the first connection until all peers were heard.
    pub(crate) setup_seconds: f64,
    /// Of whoever asks only.
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

/// A worker's end: orders come in, answers go out.
pub(crate) struct Channel {
    orders: mpsc::Receiver<Order>,
    answers: Answers,
}

enum Answers {
    Output,
    Thread(Role, mpsc::Sender<(Role, Answer)>),
}

impl Channel {
    /// Over standard input and output.
    pub(crate) fn over_pipes() -> Self {
        let (sender, orders) = mpsc::channel();
        thread::spawn(move || {
            // What is no order ends it, like the end of the input.
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let Ok(order) = serde_json::from_str(&line) else {
                    return;
                };
                if sender.send(order).is_err() {
                    return;
                }
            }
        });
        let answers = Answers::Output;
        Self { orders, answers }
    }

    /// To a coordinator in this process.
    pub(crate) fn between_threads(
        role: Role,
        orders: mpsc::Receiver<Order>,
        answers: mpsc::Sender<(Role, Answer)>,
    ) -> Self {
        let answers = Answers::Thread(role, answers);
        Self { orders, answers }
    }

    /// Waits for the next order.
    pub(crate) fn order(&mut self) -> Result<Order, Failure> {
        let order = self.orders.recv();
        order.map_err(|_| "the coordinator is gone".into())
    }

    /// The next order, if it is there.
    pub(crate) fn try_order(&mut self) -> Result<Option<Order>, Failure> {
        match self.orders.try_recv() {
            Ok(order) => Ok(Some(order)),
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(mpsc::TryRecvError::Disconnected) => Err("the coordinator is gone".into()),
        }
    }

    /// Waits until the coordinator wants nothing more.
    pub(crate) fn await_end(&mut self) {
        // Anything but an order means the same: it is over.
        while self.order().is_ok() {}
    }

    /// Tells the coordinator.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), Failure> {
        if let Answers::Thread(role, answers) = &self.answers {
            let told = answers.send((*role, answer));
            return told.map_err(|_| "the coordinator is gone".into());
        }
        let mut line = serde_json::to_string(&answer)?;
        line.push('\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        Ok(stdout.flush()?)
    }
}
