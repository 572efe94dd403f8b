//! Starts the two processes of an act, relays between them, compares.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use super::act::{Act, Side};
use super::process::Process;
use super::word::{Report, Word};
use crate::cli::{Failure, interrupted, on_signal};

/// Longest time that an act may take. Meant for machines far slower than any
/// that the demonstration is for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the conductor waits for.
pub(crate) enum News {
    /// A peer printed a line.
    Told(Side, String),
    /// A peer's output ended.
    Ended(Side),
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

/// What an act moved, in the order of [`sides`](Side): binding, connecting.
pub(crate) struct Outcome {
    pub(crate) bind: Report,
    pub(crate) connect: Report,
}

pub(crate) struct Conductor {
    news: Receiver<News>,
    sender: Sender<News>,
}

impl Conductor {
    pub(crate) fn new() -> Result<Self, Failure> {
        let (sender, news) = mpsc::channel();
        let interrupt = sender.clone();
        on_signal(move || {
            let _ = interrupt.send(News::Interrupted);
        })?;
        Ok(Self { news, sender })
    }

    /// Runs one act to its end; an error if anything is not whole.
    pub(crate) fn perform(
        &mut self,
        act: Act,
        endpoint: &str,
        size: usize,
    ) -> Result<Outcome, Failure> {
        let outcome = self.play(act, endpoint, size);
        // Both processes and their readers have ended: what they said late is
        // not for the next act.
        while self.news.try_recv().is_ok() {}
        outcome.and_then(Outcome::checked)
    }

    fn play(&self, act: Act, endpoint: &str, size: usize) -> Result<Outcome, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let start =
            |side, endpoint: &str| Process::start(act, side, endpoint, size, self.sender.clone());
        let mut binding = start(Side::Bind, endpoint)?;
        let endpoint = match self.next(deadline)? {
            (_, Some(Word::Endpoint(endpoint))) => endpoint,
            (side, word) => return Err(unexpected(side, word)),
        };
        let mut connecting = start(Side::Connect, &endpoint)?;
        let mut reports = (None, None);
        let mut running = 2;
        while running > 0 {
            match (self.next(deadline)?, &reports) {
                ((Side::Bind, Some(Word::Ready)), _) => connecting.go(),
                ((Side::Connect, Some(Word::Ready)), _) => binding.go(),
                ((Side::Bind, Some(Word::Report(report))), _) => reports.0 = Some(report),
                ((Side::Connect, Some(Word::Report(report))), _) => reports.1 = Some(report),
                ((Side::Bind, None), (Some(_), _)) | ((Side::Connect, None), (_, Some(_))) => {
                    running -= 1;
                }
                ((side, word), _) => return Err(unexpected(side, word)),
            }
        }
        match reports {
            (Some(bind), Some(connect)) => Ok(Outcome { bind, connect }),
            _ => unreachable!("an end without a report is an error above"),
        }
    }

    /// The next thing that a peer says; `None` is the end of its output.
    fn next(&self, deadline: Instant) -> Result<(Side, Option<Word>), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.news.recv_timeout(left) {
            Ok(News::Told(side, line)) => match line.parse() {
                Ok(Word::Failed(cause)) => Err(failed(side, &cause)),
                Ok(word) => Ok((side, Some(word))),
                Err(_) => Err(failed(side, &format!("says {line:?}"))),
            },
            Ok(News::Ended(side)) => Ok((side, None)),
            Ok(News::Interrupted) => Err(interrupted().unwrap_or(Failure::Told)),
            Err(_) => Err(Failure::Demo(format!(
                "not done within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
}

impl Outcome {
    /// Compares what each side sent with what the other received.
    fn checked(self) -> Result<Self, Failure> {
        for (from, to) in [(&self.bind, &self.connect), (&self.connect, &self.bind)] {
            let (sent, received) = (from.sent, to.received);
            if (sent.messages, sent.bytes) != (received.messages, received.bytes) {
                return Err(Failure::Demo(format!(
                    "{} messages of {} bytes were sent, {} of {} arrived",
                    sent.messages, sent.bytes, received.messages, received.bytes
                )));
            }
            if sent.digest != received.digest {
                return Err(Failure::Demo(format!(
                    "{} bytes arrived, but not those that were sent: SHA-256 differs",
                    sent.bytes
                )));
            }
        }
        Ok(self)
    }
}

fn unexpected(side: Side, word: Option<Word>) -> Failure {
    match word {
        Some(word) => failed(side, &format!("says {:?} out of turn", word.to_string())),
        None => failed(side, "ended early"),
    }
}

fn failed(side: Side, cause: &str) -> Failure {
    Failure::Demo(format!("the process that {}s: {cause}", side.word()))
}

#[cfg(test)]
mod tests {
    use super::super::tally::Tally;
    use super::*;

    fn outcome(sent: Tally, received: Tally) -> Result<Outcome, Failure> {
        let bind = Report {
            sent,
            ..Report::default()
        };
        let connect = Report {
            received,
            ..Report::default()
        };
        Outcome { bind, connect }.checked()
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let whole = Tally {
            messages: 2,
            bytes: 9,
            digest: [1; 32],
        };
        assert!(outcome(whole, whole).is_ok());
        let lost = outcome(
            whole,
            Tally {
                messages: 1,
                ..whole
            },
        )
        .err()
        .unwrap();
        assert_eq!(
            lost.to_string(),
            "demo: 2 messages of 9 bytes were sent, 1 of 9 arrived"
        );
        let changed = outcome(
            whole,
            Tally {
                digest: [2; 32],
                ..whole
            },
        )
        .err()
        .unwrap();
        assert!(changed.to_string().contains("SHA-256 differs"), "{changed}");
    }
}
